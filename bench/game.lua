-- Makes a tape for bench/game.c of a recorded game in CBOR: lua5.4 bench/game.lua RECORDING TAPE.
--
-- A record is `c` (from the child) or `p` (from the parent), the packet's length in four bytes, lowest first, and the
-- packet.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/../?.lua;" .. package.path
local trace = require("demo.trace")

local function length_of(bytes)
  local length, parts = #bytes, {}
  for i = 1, 4 do
    parts[i] = string.char(length % 256)
    length = math.floor(length / 256)
  end
  return table.concat(parts)
end

local file = assert(io.open(arg[2], "wb"))
for dir, packet in trace.packets(arg[1]) do
  assert(file:write(dir:sub(1, 1), length_of(packet), packet))
end
assert(file:close())
