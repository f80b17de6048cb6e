-- The child of bench/pool.lua: one handler that does nothing, one that computes for about a millisecond.

local peer = require("fkrpc").stdio()
peer:on("echo", function(params) return params end)
peer:on("compute", function()
  local sum = 0
  for i = 1, 100000 do sum = sum + i % 7 end
  return sum
end)
peer:notify("hello", {})
peer:serve()
