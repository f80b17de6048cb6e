-- fkrpc.freekill: what a FreeKill child needs of its server, as the table that the game calls `fk`.
--
-- It refuses to touch stdin or stdout before `start` (or the first call) and to send what the server cannot read.
local native = ...
local setmetatable, pairs, ipairs, error = setmetatable, pairs, ipairs, error
local module, packages = native.module, package
local link, log = module("freekill/link"), module("freekill/log")

module("freekill/dispatchers")

local fk = { _rpc_finished = false }
for _, part in ipairs({ module("freekill/facilities"), module("freekill/players"), module("freekill/rooms"),
  module("freekill/tasks"), log.functions }) do
  for name, value in pairs(part) do fk[name] = value end
end
link.fk = fk

-- ---- the conversation -----------------------------------------------------------------------------------------------

--- Take stdin and stdout and become the server's child: from here on everything can be called, and `print` is a message
--- to the server. Options: `mode` ("cbor", "json"; by FK_RPC_MODE if not given), `exit` (false: do not end the process
--- when the server goes away inside a call), `peer` (talk over this peer instead). The peer; nil, message, errno if
--- there is no stdin or stdout.
function fk.start(given)
  local peer, message, errno = link.start(given)
  if not peer then return nil, message, errno end
  log.take_print(peer)
  return peer
end

link.open = function()
  local peer, message = fk.start()
  if not peer then error("fkrpc.freekill: " .. message, 0) end
end

--- Say hello and serve the server until it says bye or goes away: "stopped", "eof" or "closed", and a detail.
function fk.serve()
  return link.serve()
end

--- Handle the server's requests of this name with `handler(params)`, which returns a result (an integer, a string, a
--- boolean or nothing), or nil and an error; nil takes the handler away.
function fk.on(method, handler)
  link.on(method, handler)
end

--- Call a method of the server by its name. `result, err`: it failed if and only if `err ~= nil`.
function fk.call(method, ...)
  return link.value(method, link.ask(link.conn or link.opened(), link.handlers, method, ...))
end

--- Tell the server something by a method that returns nothing: without waiting, where the server can take that.
function fk.tell(method, ...)
  return link.void(method, link.tell(link.conn or link.opened(), link.handlers, method, ...))
end

--- Whether calls that return nothing leave without waiting.
function fk.pipelined()
  return link.pipelined
end

--- Close what lets extension code read the server's stdin, or wait for a person: the list of what was closed.
function fk.lockdown()
  return module("freekill/lockdown")(packages)
end

return setmetatable(fk, { __name = "fkrpc.freekill" })
