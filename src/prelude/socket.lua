-- fkrpc.connect and fkrpc.listen: peers over sockets of the Unix domain.
local native = ...
local type, error, setmetatable = type, error, setmetatable
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local CONNECT, LISTEN = wire.known("path", "fd"), wire.known("path")

local function peer_over(conn, name, arguments, given)
  return wire.restrict(given, peer.new(conn, name, arguments.settings))
end

--- Connect to a path, or take an inherited descriptor. The peer, or nil, message, errno.
local function connect(given)
  given = options.check("connect", given, CONNECT)
  local path = options.typed("connect", given, "path", "string")
  local fd = options.integer("connect", given, "fd", nil, 0, 2 ^ 31 - 1)
  if (path == nil) == (fd == nil) then error("fkrpc.connect: give either a path or an fd", 2) end
  local arguments, name = wire.arguments("connect", given)
  local conn, message, errno = native.socket_connect(path or fd, unpack(arguments, 1, 10))
  if not conn then return nil, message, errno end
  return peer_over(conn, (path and "socket " .. path or ("descriptor %d"):format(fd)) .. ", " .. name, arguments, given)
end

local Listener = { __name = "fkrpc.listener" }
Listener.__index = Listener

--- Wait for a client, at most `timeout` seconds. Its peer; false if none came; or nil, message, errno.
function Listener:accept(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'accept' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  local arguments = self.arguments
  local conn, message, errno = self.native.accept(timeout, unpack(arguments, 1, 10))
  if not conn then return conn, message, errno end
  return peer_over(conn, "client of " .. self.path .. ", " .. self.name, arguments, self.given)
end

--- Nobody can connect any more; the socket's file goes. Peers stay as they are. Twice does no harm.
function Listener:close()
  self.native.close()
end

function Listener:__tostring()
  return "fkrpc.listener: " .. self.path
end

Listener.__close = Listener.close

--- Listen at a path. The listener, or nil, message, errno.
local function listen(given)
  given = options.check("listen", given, LISTEN)
  local path = options.typed("listen", given, "path", "string")
  if path == nil then error("fkrpc.listen: no path: fkrpc.listen{ path = \"/run/game.sock\" }", 2) end
  local arguments, name = wire.arguments("listen", given)
  local listener, message, errno = native.socket_listen(path)
  if not listener then return nil, message, errno end
  return setmetatable({
    native = listener, arguments = arguments, name = name, path = path, given = { calls = given.calls },
  }, Listener)
end

return { connect = connect, listen = listen }
