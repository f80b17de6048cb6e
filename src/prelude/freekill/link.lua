-- The one conversation of a FreeKill child: its peer, calls out, requests in, and its end.
--
-- Results come back as `slot, a, b, c, id, deadline` of native.ask; `value` and `void` make of them what a method
-- returns. It refuses to leave anything unanswered or to wait for a server that is gone.
local native = ...
local type, error, tostring, rawget, xpcall, pairs = type, error, tostring, rawget, xpcall, pairs
local getenv, exit = os.getenv, os.exit
local traceback, concat = debug.traceback, table.concat
local peers, options, values = native.module("peer"), native.module("options"), native.module("freekill/values")
local settle, prepare, local_error = peers.settle, peers.prepare, peers.local_error
local log, null = native.log, native.null

local KNOWN = options.set("mode", "exit", "peer")
-- The protocol of pipelined calls that this side knows; see docs/protocol.md.
local PIPELINE_VERSION = 1

local link = {
  -- Those that `tell` change when the server can take packets it has not waited for.
  ask = native.ask, tell = native.ask, tell_text = native.ask_text,
  methods = {}, pipelined = false, finished = false,
}

-- ---- calls out ------------------------------------------------------------------------------------------------------

-- What calls come to once the conversation is over: waiting would be for ever.
local function dead()
  return nil, nil, local_error("closed", "the conversation with the server is over")
end

local LOGS = { qDebug = true, qInfo = true, qWarning = true, qCritical = true, print = true }

-- A call that failed and whose caller may not look: in the server's log, as today.
local function complain(method, err)
  local text = ("%s failed: %s %s"):format(method, tostring(err.code), tostring(err.message))
  if err.data ~= nil then text = text .. " (" .. tostring(err.data) .. ")" end
  if LOGS[method] then return log("fkrpc.freekill: " .. text .. "\n") end
  link.void("qWarning", link.tell(link.conn, link.handlers, "qWarning", text))
end

-- The rest of a call that was not simply answered: `result, err`.
local function finish(method, slot, a, b, c, id, deadline)
  local nested = slot ~= nil
  if nested then a, b = settle(link.peer, slot, a, b, c, id, deadline) end
  if b == nil then return a end
  if type(b.code) == "string" then
    -- Nobody is left to play for. What the server said last has been answered, except inside `bye` itself.
    if link.exits and (nested or not link.finished) then exit(0) end
    return nil, b
  end
  if b.data == 0 or b.data == null then b.data = nil end -- this is how the server says that there is none
  complain(method, b)
  return nil, b
end

--- What a method with a result returns: `result, err`.
function link.value(method, slot, a, b, c, id, deadline)
  if slot == nil and b == nil then return a end
  return finish(method, slot, a, b, c, id, deadline)
end

--- What a method without a result returns: nothing, or nil and an error. The server sends 0 for nothing.
function link.void(method, slot, a, b, c, id, deadline)
  if slot == nil and b == nil then return end
  local _, err = finish(method, slot, a, b, c, id, deadline)
  if err ~= nil then return nil, err end
end

-- ---- requests in ----------------------------------------------------------------------------------------------------

-- What a handler raised, as an error object; the log gets the traceback.
local function explain(e)
  if type(e) == "table" and values.is_integer(rawget(e, "code")) then return e end
  local text = values.text(e)
  log("fkrpc.freekill: a handler failed: " .. traceback(text, 2) .. "\n")
  return { code = -32603, data = text }
end

local function reply(returned, result, err)
  if not returned then return nil, values.error(result) end -- what `explain` made
  if result == nil and err ~= nil then return nil, values.error(err) end
  local sendable, message = values.result(result)
  if message then return nil, values.error({ code = -32603, data = message }) end
  return sendable
end

local function guarded(handler)
  return function(params)
    prepare(link.peer) -- for requests that come while a call of the handler's waits
    return reply(xpcall(function() return handler(params) end, explain))
  end
end

--- Handle requests of this name.
function link.on(method, handler)
  if type(method) ~= "string" then
    error("bad argument #1 to 'on' (method name expected, got " .. type(method) .. ")", 3)
  elseif handler ~= nil and type(handler) ~= "function" then
    error("bad argument #2 to 'on' (function or nil expected, got " .. type(handler) .. ")", 3)
  end
  link.methods[method] = handler and guarded(handler)
  if link.peer then link.peer:on(method, link.methods[method]) end
end

--- The server says bye: nothing may be asked of it any more.
function link.finish()
  link.finished = true
  link.fk._rpc_finished = true
  link.ask, link.tell, link.tell_text = dead, dead, dead
  link.peer.finished = true
  link.peer:stop()
end

-- The server can take packets while it is not waiting for any, says the environment; this request turns that on.
local function pipeline(params)
  if params[1] ~= PIPELINE_VERSION then return false end
  link.tell, link.tell_text, link.pipelined = native.tell, native.tell_text, true
  return true
end

-- ---- beginning and end ----------------------------------------------------------------------------------------------

local function speech(given)
  local mode = given.mode
  if mode == nil then mode = getenv("FK_RPC_MODE") == "cbor" and "cbor" or "json" end
  return options.choice("freekill.start", { mode = mode }, "mode", {
    cbor = { codec = "cbor", keys = "freekill" }, json = { codec = "json", strings = "bytes", big = "float" },
  }, nil, 4)
end

--- Begin: the peer, or nil, message, errno.
function link.start(given)
  given = options.check("freekill.start", given, KNOWN)
  if link.peer then error("fkrpc.freekill: the conversation has already begun", 3) end
  local peer = given.peer
  if peer == nil then
    local message, errno
    if native.zygote then
      -- Here, as what the environment says is meant for the copy.
      message, errno = native.module("forked").enter()
      if message then return nil, message, errno end
    end
    peer, message, errno = native.module("stdio").stdio(speech(given))
    if not peer then return nil, message, errno end
  end
  prepare(peer)
  link.exits = given.peer == nil and given.exit ~= false
  link.peer, link.conn, link.handlers = peer, peer.conn, peer.handlers
  if getenv("FK_RPC_PIPELINE") == tostring(PIPELINE_VERSION) then link.on("pipeline", pipeline) end
  for method, handler in pairs(link.methods) do peer:on(method, handler) end
  return peer
end

--- The connection, begun now: a call came before `start`.
function link.opened()
  link.open()
  return link.conn
end

--- Say hello and serve: "stopped", "eof" or "closed", and a detail.
function link.serve()
  if not link.conn then link.open() end
  local peer = link.peer
  local reason, detail = "closed"
  local sent, err = peer:notify("hello", { "world" })
  if sent then reason, detail = peer:serve() else detail = err.message end
  link.finished = true
  link.ask, link.tell, link.tell_text = dead, dead, dead
  if detail and detail ~= "" then log(concat({ "fkrpc.freekill: ", reason, ": ", detail, "\n" })) end
  return reason, detail
end

return link
