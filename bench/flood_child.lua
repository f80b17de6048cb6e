-- One end of the channel's benchmark of quantities: `lua5.4 bench/flood_child.lua KIND COUNT RESULT`.
--
-- receive   COUNT notifications through a handler; RESULT: how many a second, from the first to the last
-- send      COUNT notifications of 150 bytes in batches
-- fkrpc     COUNT notifications, however large; RESULT: CPU seconds for all of them
-- cjson     the same over io.read("l") and cjson.decode
--
-- Whoever is at the other end of a pipe is bench/flood.c.

local kind, count, result = arg[1], tonumber(arg[2]), arg[3]

local function tell(figure)
  local file = assert(io.open(result, "w"))
  assert(file:write(("%.9f\n"):format(figure)))
  assert(file:close())
end

if kind == "receive" then
  local fkrpc = require("fkrpc")
  local now = fkrpc.clock.monotonic_us
  local rpc = fkrpc.stdio({})
  local seen, started = 0, nil
  rpc:on("Move", function()
    started = started or now()
    seen = seen + 1
    if seen == count then tell(count / (now() - started) * 1e6) end
  end)
  rpc:serve()
  assert(seen == count, "notifications are missing")
elseif kind == "send" then
  local rpc = require("fkrpc").stdio({ batch = 65536 })
  local params = { "player 7", "PlayCard", ("slash,jink,peach,"):rep(9):sub(1, 83) }
  for _ = 1, count do rpc:notify("Move", params) end
  rpc:close()
elseif kind == "fkrpc" then
  local rpc = require("fkrpc").stdio({})
  local seen, started = 0, os.clock()
  rpc:on("Large", function(params)
    assert(#params > 0)
    seen = seen + 1
    if seen == count then tell(os.clock() - started) end
  end)
  rpc:serve()
elseif kind == "cjson" then
  local cjson = require("cjson")
  local seen, started = 0, os.clock()
  while seen < count do
    local message = cjson.decode(io.read("l"))
    assert(#message.params > 0)
    seen = seen + 1
  end
  tell(os.clock() - started)
else
  error("bench/flood_child.lua: unknown kind '" .. tostring(kind) .. "'")
end
