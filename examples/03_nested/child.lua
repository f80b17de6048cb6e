-- The child of parent.lua beside it.

local fkrpc = require "fkrpc"

local peer = assert(fkrpc.stdio{ codec = "cbor" })

-- A handler may call the other side and wait; requests that come meanwhile are served.
peer:on("play", function(players)
  local moves = fkrpc.array{}
  for i, player in ipairs(players) do
    peer:notify("said", { player .. " is thinking" })
    local move, err = peer:call("ask", { player = player }, { timeout = 10 })
    moves[i] = err and ("pass (" .. err.message .. ")") or move
  end
  return moves
end)

-- Served while play waits for the answer to ask.
peer:on("hint", function(params)
  return #params[1] > 7 and "rest" or "attack"
end)

peer:on("down", function(params)
  return peer:must("down", { params[1] + 1 })
end)

peer:serve()
