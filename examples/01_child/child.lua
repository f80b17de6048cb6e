-- A child: it serves whoever started it, over stdin and stdout, until they close.
--
-- Try it by hand; each line in is a message, each line out an answer:
--
--   echo '{"jsonrpc":"2.0","id":1,"method":"subtract","params":[42,23]}' | lua5.4 examples/01_child/child.lua
--
-- examples/02_parent is a parent for it.

local fkrpc = require "fkrpc"

-- From here on stdin and stdout belong to the protocol; `nil, message, errno` if they cannot be had.
local peer = assert(fkrpc.stdio{})

-- What the handler returns is the result. `params` is always a table.
peer:on("subtract", function(params)
  return params[1] - params[2]
end)

local rooms = {}

peer:on("new_room", function(params)
  if type(params.capacity) ~= "number" then
    -- The caller gets exactly this error.
    error(fkrpc.error{ code = -32602, data = "capacity must be a number" })
  end
  local id = #rooms + 1
  rooms[id] = { id = id, capacity = params.capacity, players = fkrpc.array{} }
  return rooms[id]
end)

-- Arrays and objects are told apart, empty ones too: `players` above goes out as [] until somebody enters.
peer:on("enter", function(params)
  local room = rooms[params.room]
  if not room then
    return nil, fkrpc.error{ code = 404, message = "no such room", data = params.room }
  elseif #room.players >= room.capacity then
    return nil, "the room is full" -- a short form: code -32000, the text as data
  end
  room.players[#room.players + 1] = params.player
  return #room.players
end)

-- A bug in a handler does not end the child: the caller gets -32603, stderr the traceback.
peer:on("buggy", function(params)
  return params.missing.field
end)

-- A notification looks the same; nobody waits for a result. print is safe: it goes to stderr.
peer:on("log", function(params, ctx)
  print("log:", params.text, ctx.notification)
end)

-- Let serve() return after this answer.
peer:on("bye", function()
  peer:stop()
  return "Goodbye"
end)

peer:notify("hello", { "world" })

-- "eof" when the parent closed, "stopped" after bye, "closed" when the pipe broke.
local why, detail = peer:serve()
print("child ends:", why, detail)
