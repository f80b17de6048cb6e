-- fkrpc.connect: a peer over a socket of the Unix domain, or over one that was inherited.
local native = ...
local error = error
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local KNOWN = wire.known("path", "fd")

--- Connect to a path, or take an inherited descriptor. The peer, or nil, message, errno.
local function connect(given)
  given = options.check("connect", given, KNOWN)
  local path = options.typed("connect", given, "path", "string")
  local fd = options.integer("connect", given, "fd", nil, 0, 2 ^ 31 - 1)
  if (path == nil) == (fd == nil) then error("fkrpc.connect: give either a path or an fd", 2) end
  local arguments, name = wire.arguments("connect", given)
  local conn, message, errno = native.socket_connect(path or fd, unpack(arguments, 1, 10))
  if not conn then return nil, message, errno end
  name = (path and "socket " .. path or ("descriptor %d"):format(fd)) .. ", " .. name
  local observed
  observed, message, errno = wire.observe(conn, arguments.settings, name)
  if not observed then
    native.close(conn)
    return nil, message, errno
  end
  return wire.restrict(given, peer.new(conn, name, arguments.settings))
end

return { connect = connect }
