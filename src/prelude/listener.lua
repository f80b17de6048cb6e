-- fkrpc.listen: a socket of the Unix domain whose clients are peers.
local native = ...
local type, error, setmetatable = type, error, setmetatable
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local KNOWN = wire.known("path")

local Listener = { __name = "fkrpc.listener" }
Listener.__index = Listener

--- Wait for a client, at most `timeout` seconds. Its peer; false if none came; or nil, message, errno.
function Listener:accept(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'accept' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  local arguments = self.arguments
  local conn, message, errno = self.socket.accept(timeout, unpack(arguments, 1, 10))
  if not conn then return conn, message, errno end
  self.accepted = self.accepted + 1
  local name = "client of " .. self.path .. ", " .. self.name
  local observed
  observed, message, errno = wire.observe(conn, arguments.settings, name, "-" .. self.accepted)
  if not observed then
    native.close(conn)
    return nil, message, errno
  end
  return wire.restrict(self, peer.new(conn, name, arguments.settings))
end

--- The number of its descriptor, for whoever waits for several; nil once it is closed.
function Listener:fd()
  return self.socket.fd()
end

--- Nobody can connect any more; the socket's file goes. Peers stay as they are. Twice does no harm.
function Listener:close()
  self.socket.close()
end

function Listener:__tostring()
  return "fkrpc.listener: " .. self.path
end

Listener.__close = Listener.close

--- Listen at a path. The listener, or nil, message, errno.
local function listen(given)
  given = options.check("listen", given, KNOWN)
  local path = options.typed("listen", given, "path", "string")
  if path == nil then error("fkrpc.listen: no path: fkrpc.listen{ path = \"/run/game.sock\" }", 2) end
  local arguments, name = wire.arguments("listen", given)
  local socket, message, errno = native.socket_listen(path)
  if not socket then return nil, message, errno end
  return setmetatable({
    accepted = 0, socket = socket, arguments = arguments, calls = given.calls, name = name, path = path,
  }, Listener)
end

return { listen = listen }
