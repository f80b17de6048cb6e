-- fkrpc.pair: two peers in memory, for tests. While one waits, the other runs.
local native = ...
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local KNOWN = wire.known()

--- Two peers, each the other's end.
local function pair(given)
  given = options.check("pair", given, KNOWN)
  local arguments, name = wire.arguments("pair", given)
  local one, other = native.pair(unpack(arguments, 1, 10))
  local settings = arguments.settings
  local observed, message, errno = wire.observe(one, settings, "pair " .. name)
  if not observed then return nil, message, errno end
  if settings.latency then native.measure(other) end
  local left = wire.restrict(given, peer.new(one, "pair " .. name, settings))
  local right = wire.restrict(given, peer.new(other, "pair " .. name, settings))
  left.other, right.other = right, left
  return left, right
end

return { pair = pair }
