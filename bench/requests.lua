-- Writes the requests of the round-trip benchmark: `lua5.4 bench/requests.lua FOLDER`.
--
-- request.json is a line of 150 bytes, request.cbor the same request with FreeKill's integer keys, nest.json asks the
-- child for ten calls.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
dofile(here .. "/library.lua")
local fkrpc = require("fkrpc")
local LENGTH = 150

local function write(name, bytes)
  local file = assert(io.open(arg[1] .. "/" .. name, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end

local function line(text)
  return '{"jsonrpc":"2.0","method":"HandleRequest","params":["player 7","PlayCard","' .. text .. '"],"id":4711}\n'
end

local padding = ("slash,jink,peach,"):rep(LENGTH)
local text = padding:sub(1, LENGTH - #line(""))
assert(#line(text) == LENGTH)
write("request.json", line(text))
write("request.cbor", assert(fkrpc.cbor.encode({
  [100] = "2.0",
  [101] = "HandleRequest",
  [102] = { "player 7", "PlayCard", text },
  [104] = 4711,
})))
write("nest.json", '{"jsonrpc":"2.0","method":"Nest","params":[],"id":4712}\n')
