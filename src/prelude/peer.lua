-- A peer: one end of a conversation. Handlers are called from here, from Lua frames.
--
-- The serving loop runs in a coroutine and without pcall: a loop that dies is a handler that raised (its traceback is
-- still there), and a new loop goes on. A request that arrives while a call waits is served the same way, in one
-- coroutine for each level of nesting.
local native = ...
local type, error, tostring, setmetatable, getmetatable = type, error, tostring, setmetatable, getmetatable
local rawget, pcall = rawget, pcall
local unpack = table.unpack or unpack
local create, resume, yield = coroutine.create, native.resume, coroutine.yield
local traceback, getinfo = debug.traceback, debug.getinfo
local request, wait, receive, step, reply = native.request, native.wait, native.receive, native.step, native.reply
local log = native.log

-- Stock Lua 5.4 has room for about 200 C calls on one stack. Each level of nesting takes one of them here; 64 levels
-- leave two more to each handler.
local MAX_DEPTH = 64

local INTERNAL_ERROR = -32603
-- What a coroutine of ours yields when it has nothing left to serve; a handler's own yield gives something else.
local IDLE = {}

-- The error object for failures while an error object was made.
local FAILED = { code = INTERNAL_ERROR, message = native.standard_message(INTERNAL_ERROR) }

local Peer = { __name = "fkrpc.peer" }
Peer.__index = Peer

local function local_error(code, message)
  return setmetatable({ code = code, message = message }, native.error_metatable)
end

-- The error of whoever has nothing to expect from this connection any more; a child's says how it has ended.
local function closed(self, message, method)
  local err = local_error("closed", message)
  if self.mourn then self:mourn(err, method) end
  return err
end

-- The error of a call whose time is over.
local function late(self)
  local mismatch = native.stats(self.conn).mismatch
  return local_error("timeout", "no reply within the call's timeout" .. (mismatch and "; it sent " .. mismatch or ""))
end

-- ---- serving --------------------------------------------------------------------------------------------------------

-- The error object for whatever a handler raised. One with a code goes out unchanged; of anything else the caller sees
-- the message and we the traceback.
local function raised(self, co, e)
  if type(e) == "table" then
    local code = rawget(e, "code")
    if type(code) == "number" and code % 1 == 0 and code >= -2 ^ 53 and code <= 2 ^ 53 then return e end
  end
  local text
  if type(e) == "string" or type(e) == "number" then
    text = tostring(e)
  else
    local meta = getmetatable(e)
    if type(meta) == "table" and rawget(meta, "__tostring") then
      -- It is the handler's code, too: it may fail like that, and has a deadline like that.
      local ok, told = resume(create(function() return tostring(e) end))
      if ok and type(told) == "string" then text = told end
    end
    text = text or "(error object is a " .. type(e) .. " value)"
  end
  local report = text:find("\nstack traceback:\n", 1, true) and text or traceback(co, text)
  log("fkrpc: " .. self.name .. ": a handler failed: " .. report .. "\n")
  return { code = INTERNAL_ERROR, message = native.standard_message(INTERNAL_ERROR), data = text }
end

local function no_peer(method)
  error("fkrpc: this is no peer; call the method with a colon: peer:" .. method .. "(...)", 3)
end

local function too_deep()
  return local_error("depth", "more than " .. MAX_DEPTH .. " calls inside each other")
end

-- The answer to a request that would be served too deep.
local function refusal()
  return { code = INTERNAL_ERROR, message = native.standard_message(INTERNAL_ERROR), data = too_deep().message }
end

local function yielded(self)
  local text = "the handler yielded outside of any scheduler and cannot be resumed"
  log("fkrpc: " .. self.name .. ": " .. text .. "\n")
  return { code = INTERNAL_ERROR, message = native.standard_message(INTERNAL_ERROR), data = text }
end

-- Before Lua 5.4 the error of anybody's finalizer comes out of whatever allocates. From the moment a request is here
-- until its handler runs nothing does: coroutines are made beforehand and wait at their first yield. What native code
-- could not hand over it answers itself.

-- Serve a request, then the next, until something else happens, which is yielded.
local function serving(self)
  local conn, handlers = self.conn, self.handlers
  local slot, handler, params, ctx = yield(IDLE)
  while true do
    while slot do
      self.slot = slot -- so that whoever finds this coroutine dead knows whom to answer
      slot, handler, params, ctx = step(conn, handlers, slot, handler(params, ctx))
    end
    slot, handler, params, ctx = yield(IDLE, handler, params) -- an event and its detail
  end
end

-- Serve one request: while a call waits, the next message may be its reply.
local function answering(self)
  local conn, handlers = self.conn, self.handlers
  while true do
    local slot, handler, params, ctx = yield(IDLE)
    reply(conn, handlers, slot, handler(params, ctx))
  end
end

-- A coroutine that waits for its first request.
local function waiting(self, body)
  local co = create(body)
  resume(co, self)
  return co
end

-- There is a coroutine for a request at the present level.
local function prepare(self)
  local depth = self.depth
  if not self.answering[depth] then self.answering[depth] = waiting(self, answering) end
end

-- `true, ...` if the coroutine is idle again; otherwise its request is answered with an error and it is spent.
local function finish(self, co, slot, ok, first, event, detail)
  if ok and first == IDLE then return true, event, detail end
  local made, e
  if ok then made, e = pcall(yielded, self) else made, e = pcall(raised, self, co, first) end
  reply(self.conn, self.handlers, slot or self.slot, nil, made and e or FAILED)
  return false
end

-- Serve one request inside whatever runs now. `answering` coroutines are kept, one for each level; there is one, see
-- `prepare`.
local function serve_nested(self, slot, handler, params, ctx)
  local depth = self.depth
  local co = self.answering[depth]
  self.depth = depth + 1
  local idle = finish(self, co, slot, resume(co, slot, handler, params, ctx))
  self.depth = depth
  if not idle then
    self.answering[depth] = nil
    prepare(self)
  end
end

-- A pair in memory: nothing arrives unless the other end runs. False if it has nothing to do either.
local function run_other(self)
  local other = self.other
  if not other then return false end
  if other.loop then return other:run_once() end
  prepare(other)
  local slot, handler, params, ctx = receive(other.conn, other.handlers, nil, true)
  if slot then
    serve_nested(other, slot, handler, params, ctx)
    return true
  end
  return handler == "handled"
end

local function serve(self, co)
  local conn, handlers = self.conn, self.handlers
  while true do
    local slot, event, detail, ctx = receive(conn, handlers)
    if slot then
      local idle
      self.slot = slot -- until the coroutine says so itself
      idle, event, detail = finish(self, co, nil, resume(co, slot, event, detail, ctx))
      if not idle then co = waiting(self, serving) end
    end
    if event == "again" then
      event = nil
    elseif event == "nothing" then
      if run_other(self) then event = nil else event, detail = "stopped", "both ends of the pair are idle" end
    end
    if event then return event, detail, co end
  end
end

--- Serve requests until the other end closes. `"eof" | "stopped" | "closed" | "signal", detail`.
function Peer:serve()
  local outer, depth, co = self.slot, self.depth or no_peer("serve"), self.serving
  if depth >= MAX_DEPTH then error(too_deep(), 0) end
  co = co or waiting(self, serving)
  self.serving = nil
  self.depth = depth + 1 -- a handler may serve, too, but not for ever
  local fine, event, detail
  fine, event, detail, co = pcall(serve, self, co)
  self.slot, self.depth, self.serving = outer, depth, co
  if not fine then error(event, 0) end
  if event == "signal" then detail = native.take_signal() end
  return event, detail
end

--- Serve one message, waiting at most `timeout` seconds for it. True if one was served, false if time was over; nil and
--- an error when the connection has ended.
function Peer:step(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'step' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  if (self.depth or no_peer("step")) >= MAX_DEPTH then return nil, too_deep() end
  prepare(self)
  local slot, event, detail, ctx = receive(self.conn, self.handlers, timeout, true)
  if slot then
    serve_nested(self, slot, event, detail, ctx)
    return true
  end
  if event == "handled" then return true end
  if event == "timeout" or event == "nothing" or event == "again" then return false end
  if event == "signal" then return nil, local_error("signal", native.take_signal()) end
  return nil, closed(self, detail or (event == "eof" and "the other end closed the connection")
    or "the connection is " .. event)
end

-- ---- calling --------------------------------------------------------------------------------------------------------

-- Serve what arrives while a call waits, until its reply is there: `result, err`. The arguments after `self` are what
-- `request` returned; `prepare` has been called. A `finished` peer waits no longer, and neither does a call whose token
-- was cancelled.
local function settle(self, slot, a, b, c, id, deadline, token)
  local conn, handlers = self.conn, self.handlers
  while slot ~= nil do
    if slot and self.depth >= MAX_DEPTH then
      reply(conn, handlers, slot, nil, refusal())
    elseif slot then
      serve_nested(self, slot, a, b, c)
    elseif a ~= "again" and not run_other(self) then
      native.forget(conn, id)
      return nil, local_error("closed", "the other end of the pair has nothing to do and did not reply")
    end
    if self.finished then
      native.forget(conn, id)
      return nil, local_error("closed", "the conversation was ended before the reply came")
    end
    if token and token.done then
      native.forget(conn, id)
      return nil, native.module("cancel").error(token)
    end
    slot, a, b, c = wait(conn, handlers, id, deadline)
  end
  return a, b
end

--- Call a method of the other end. `result, err`: it failed if and only if `err ~= nil`.
function Peer:call(method, params, options)
  if options ~= nil then return native.module("cancel").call(self, method, params, options) end
  local depth = self.depth or no_peer("call")
  if depth >= MAX_DEPTH then return nil, too_deep() end
  if not self.answering[depth] then prepare(self) end
  local slot, a, b, c, id, deadline = request(self.conn, self.handlers, method, params)
  if slot ~= nil then a, b = settle(self, slot, a, b, c, id, deadline) end
  if b ~= nil and self.mourn then self:mourn(b, method) end
  return a, b
end

--- Call a method and return its result; raise the error object if it failed.
function Peer:must(method, params, options)
  local result, err = Peer.call(self, method, params, options)
  if err ~= nil then error(err, 0) end
  return result
end

--- Tell the other end something; nothing comes back. True, or nil and an error.
function Peer:notify(method, params)
  local sent, err = native.notify(self.conn, self.handlers, method, params)
  if err ~= nil and self.mourn then self:mourn(err) end
  return sent, err
end

--- Send bytes as they are. True, or nil and an error.
function Peer:send_raw(bytes)
  return native.send_raw(self.conn, bytes)
end

--- The bytes of the next message, which is neither read nor answered here; false if none came within `timeout` seconds;
--- nil and an error (code "garbage": what came is no message) when there is none.
function Peer:receive_raw(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'receive_raw' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  local bytes, event, detail
  repeat bytes, event, detail = native.receive_raw(self.conn, timeout) until bytes or event ~= "again"
  if bytes then return bytes end
  if event == "timeout" or event == "nothing" then return false end
  if event == "garbage" then return nil, local_error(event, detail) end
  return nil, closed(self, detail or (event == "eof" and "the other end closed the connection")
    or "the connection is " .. event)
end

--- Keep what nobody waits for until `uncork`, or until there is much of it: it leaves in few pieces. A call, a reply
--- and every wait send it before.
function Peer:cork()
  native.cork(self.conn)
end

--- Send what was kept since `cork`. True, or nil and an error.
function Peer:uncork()
  return native.uncork(self.conn)
end

-- ---- set-up and end -------------------------------------------------------------------------------------------------

-- A handler that takes no second parameter gets no context made for it. (Lua 5.1 cannot tell, so there all get one.)
local function wants_context(handler)
  local info = getinfo(handler, "u")
  return info.nparams == nil or info.isvararg or info.nparams > 1
end

--- Handle requests and notifications of this name with `handler(params, ctx)`; `"*"` those nobody else handles; nil
--- takes the handler away.
function Peer:on(method, handler)
  if type(method) ~= "string" then
    error("bad argument #1 to 'on' (method name expected, got " .. type(method) .. ")", 2)
  end
  if handler == nil then
    self.handlers[method] = nil
  elseif type(handler) ~= "function" then
    error("bad argument #2 to 'on' (function or nil expected, got " .. type(handler) .. ")", 2)
  else
    self.handlers[method] = wants_context(handler) and { handler } or handler
  end
  return self
end

--- Make `serve` return `"stopped"` once the present request is answered.
function Peer:stop()
  native.stop(self.conn)
end

--- Close both directions. Waiting calls fail with code "closed". Closing twice does nothing.
function Peer:close()
  if self.closed then return end
  self.closed = true
  native.close(self.conn)
  if self.on_close then self.on_close(self) end
end

--- Counters (types/fkrpc.lua has them all), `depth`, and with the option `latency` how long things took.
function Peer:stats()
  local stats = native.stats(self.conn)
  stats.depth = self.depth
  return stats
end

function Peer:__tostring()
  return "fkrpc.peer: " .. self.name .. (native.stats(self.conn).open and "" or " (closed)")
end

Peer.__close = Peer.close

-- What handlers' contexts offer is loaded when one is asked for it.
local context = native.context_metatable
function context.__index(ctx, name)
  context.__index = native.module("cancel").context
  return ctx[name]
end

--- A peer over a native connection; `settings` are those of `wire.arguments`.
local function new(conn, name, settings)
  local handlers = {}
  local self = setmetatable({
    conn = conn, handlers = handlers, name = name, depth = 0, slot = 0, answering = {},
  }, Peer)
  handlers[0] = self
  native.name(conn, name)
  if settings then
    native.configure(conn, unpack(settings, 1, 5))
    if settings.conduct then settings.conduct(self) end
  end
  return self
end

return {
  new = new, methods = Peer, settle = settle, prepare = prepare, local_error = local_error, closed = closed,
  late = late,
  -- For handlers that run interleaved.
  MAX_DEPTH = MAX_DEPTH, too_deep = too_deep, refusal = refusal, waiting = waiting, answering = answering,
  finish = finish, run_other = run_other,
}
