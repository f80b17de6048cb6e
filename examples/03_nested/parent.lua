-- Nested calls: while a call waits for its answer, the other side may call back, and so on, 64 levels deep.
--
--   lua5.4 examples/03_nested/parent.lua
--
-- We call play; inside it the child calls our ask; inside that we call the child's hint. The wire is CBOR here: the
-- option is the same on both sides, and nothing else changes.

local fkrpc = require "fkrpc"

local lua = arg[-1] or "lua5.4"
local here = arg[0]:match("^(.*)/") or "."
local child = assert(fkrpc.spawn{ lua, here .. "/child.lua", codec = "cbor" })

-- Called by the child while our own play call waits.
child:on("ask", function(params, ctx)
  -- ctx.peer is the peer that asked: a handler can be shared between many children.
  local hint = ctx.peer:must("hint", { params.player })
  print("  ask", params.player, "hint: " .. hint)
  if params.player == "Zhang Fei" then
    error(fkrpc.error{ code = 1, message = "asleep" })
  end
  return "slash"
end)

child:on("said", function(params)
  print("  said", params[1])
end)

for _, players in ipairs{ { "Liu Bei", "Guan Yu" }, { "Zhang Fei" } } do
  print("play", table.concat(players, ", "))
  local moves = child:must("play", players)
  print("moves", table.concat(moves, ", "))
end

-- A call that never comes back up: each side calls the other until the limit says no, in an orderly way.
local deepest = 0
child:on("down", function(params)
  deepest = math.max(deepest, params[1])
  local _, err = child:call("down", { params[1] + 1 })
  if err then error(err) end
end)
local _, err = child:call("down", { 1 })
print("deep enough", deepest > 60, err.code)

child:close_stdin() -- the child's serve() returns "eof"
print("exit code", assert(child:wait(10)).code)
child:close()
