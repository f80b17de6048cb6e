-- Cancelling calls, and progress: tokens, which end a call's wait; what is told to the other end about it, in the words
-- of LSP or MCP; what a handler's context offers.
--
-- It refuses to end a handler: that one asks, see `cancelled`.
local native = ...
local type, error, pairs, tostring, setmetatable, getmetatable, rawget =
  type, error, pairs, tostring, setmetatable, getmetatable, rawget
local is_cancelled, manner_of = native.is_cancelled, native.manner

local cancel = {}

-- ---- tokens ---------------------------------------------------------------------------------------------------------

local Token = { __name = "fkrpc.token" }
Token.__index = Token

--- End the calls that wait with this token, and those that will be made with it. False if that was done before.
function Token:cancel(reason)
  if reason ~= nil and type(reason) ~= "string" then
    error("bad argument #1 to 'cancel' (string or nil expected, got " .. type(reason) .. ")", 2)
  end
  if self.done then return false end
  self.done, self.reason = true, reason
  -- A list first: whoever is woken may change the table.
  local calls = {}
  for call in pairs(self.calls) do calls[#calls + 1] = call end
  for i = 1, #calls do calls[i]:wake() end
  return true
end

--- Whether `cancel` was called, and the reason.
function Token:cancelled()
  return self.done, self.reason
end

--- A token for calls that may be cancelled.
function cancel.token()
  return setmetatable({ done = false, calls = setmetatable({}, { __mode = "k" }) }, Token)
end

--- Whether this is a token.
function cancel.is_token(value)
  return getmetatable(value) == Token
end

--- The error of a call that was cancelled.
function cancel.error(token)
  return setmetatable({ code = "cancelled", message = token.reason or "the call was cancelled" },
    native.error_metatable)
end

-- ---- manners --------------------------------------------------------------------------------------------------------

local function is_progress_token(value)
  return type(value) == "string" or type(value) == "number"
end

-- A copy that may be changed; what marks it as an object stays.
local function copied(t)
  local copy = {}
  for name, value in pairs(t or {}) do copy[name] = value end
  return t and setmetatable(copy, getmetatable(t)) or copy
end

local MANNERS = {
  lsp = {
    number = 1, progress = "$/progress", cancel = "$/cancelRequest",
    cancellation = function(id) return { id = id } end,
    report = function(token, value) return { token = token, value = value } end,
    token = function(params) return params.token end,
    value = function(params) return params.value end,
    tokens = function(params) return params.workDoneToken, params.partialResultToken end,
    give = function(params, token)
      params = copied(params)
      params.workDoneToken = token
      return params
    end,
  },
  mcp = {
    number = 2, progress = "notifications/progress", cancel = "notifications/cancelled",
    cancellation = function(id, reason) return { requestId = id, reason = reason } end,
    report = function(token, value)
      local params = type(value) == "table" and copied(value) or { progress = value }
      params.progressToken = token
      return params
    end,
    token = function(params) return params.progressToken end,
    value = function(params) return params end,
    tokens = function(params)
      local meta = params._meta
      if type(meta) == "table" then return meta.progressToken end
    end,
    give = function(params, token)
      params = copied(params)
      params._meta = copied(params._meta)
      params._meta.progressToken = token
      return params
    end,
  },
}

-- The progress tokens that params carry.
local function tokens_of(manner, params)
  if type(params) ~= "table" then return nil end
  local first, second = manner.tokens(params)
  if not is_progress_token(first) then first, second = second, nil end
  if not is_progress_token(first) then return nil end
  return first, is_progress_token(second) and second or nil
end

--- Turn a manner on for a new peer.
function cancel.install(self, name)
  local manner, heard, other, class_on = MANNERS[name], {}, nil, self.on
  self.manner, self.heard, self.tokens_given = manner, heard, 0
  manner_of(self.conn, manner.number)
  class_on(self, manner.progress, function(params, ctx)
    local token = manner.token(params)
    local listener = is_progress_token(token) and heard[token]
    if listener then return listener(manner.value(params), token) end
    if other then return other(params, ctx) end
  end)
  -- Calls listen to it, and the user may besides: he gets what no call waits for.
  function self.on(peer, method, handler)
    if method ~= manner.progress then return class_on(peer, method, handler) end
    if handler ~= nil and type(handler) ~= "function" then
      error("bad argument #2 to 'on' (function or nil expected, got " .. type(handler) .. ")", 2)
    end
    other = handler
    return peer
  end
end

-- ---- calls ----------------------------------------------------------------------------------------------------------

local KNOWN = { timeout = true, cancel = true, on_progress = true }

local function wrong(what)
  error("bad argument #3 to 'call' (" .. what .. ")", 4)
end

--- What the options of a call say: its timeout, its token, what hears its progress, and the params with a progress
--- token.
function cancel.options(self, params, options)
  if type(options) ~= "table" then wrong("table of options or nil expected, got " .. type(options)) end
  for name in pairs(options) do
    if not KNOWN[name] then
      error("fkrpc: unknown option '" .. tostring(name) .. "' for a call; there are cancel, on_progress, timeout", 3)
    end
  end
  local timeout, token, listener = options.timeout, options.cancel, options.on_progress
  if timeout ~= nil and type(timeout) ~= "number" then
    wrong("option 'timeout' must be seconds, got " .. type(timeout))
  elseif timeout ~= timeout then
    wrong("option 'timeout' must be seconds, got " .. tostring(timeout))
  end
  if token ~= nil and not cancel.is_token(token) then wrong("option 'cancel' must be made by fkrpc.token()") end
  if listener == nil then return timeout, token, nil, params end
  if type(listener) ~= "function" then wrong("option 'on_progress' must be a function, got " .. type(listener)) end
  local manner = self.manner
  if not manner then wrong("option 'on_progress' needs a peer with the option 'cancel'") end
  if params ~= nil and (type(params) ~= "table" or rawget(params, 1) ~= nil) then
    wrong("option 'on_progress' needs params that are an object")
  end
  if not tokens_of(manner, params) then
    self.tokens_given = self.tokens_given + 1
    params = manner.give(params, "fkrpc-" .. ("%d"):format(self.tokens_given))
  end
  return timeout, token, listener, params
end

--- A call was sent: listen to its progress.
function cancel.listen(self, params, listener)
  local first, second = tokens_of(self.manner, params)
  self.heard[first] = listener
  if second then self.heard[second] = listener end
end

--- The error of a call that has failed: if its time was over, the method is its data.
function cancel.name_late(err, method)
  if type(err) == "table" and rawget(err, "code") == "timeout" then err.data = method end
  return err
end

--- The call with this id is over: stop listening, and tell the other end if nobody waits for the result.
function cancel.finish(self, id, params, listener, token, err, method)
  if listener then
    local first, second = tokens_of(self.manner, params)
    self.heard[first] = nil
    if second then self.heard[second] = nil end
  end
  if err == nil then return end
  cancel.name_late(err, method)
  if not self.manner then return end
  local code = rawget(err, "code")
  if code == "timeout" or code == "cancelled" then
    self:notify(self.manner.cancel, self.manner.cancellation(id, token and token.reason or code))
  end
end

--- Peer:call with options; interleaved peers have their own.
function cancel.call(self, method, params, options)
  local peers = native.module("peer")
  local timeout, token, listener
  timeout, token, listener, params = cancel.options(self, params, options)
  if self.depth >= peers.MAX_DEPTH then return nil, peers.too_deep() end
  if token and token.done then return nil, cancel.error(token) end
  peers.prepare(self)
  local id, deadline = native.begin(self.conn, self.handlers, method, params, timeout)
  if id == nil then
    if self.mourn then self:mourn(deadline, method) end
    return nil, cancel.name_late(deadline, method)
  end
  if listener then cancel.listen(self, params, listener) end
  local slot, a, b, c = native.wait(self.conn, self.handlers, id, deadline)
  if slot ~= nil then a, b = peers.settle(self, slot, a, b, c, id, deadline, token) end
  if b ~= nil and self.mourn then self:mourn(b, method) end
  cancel.finish(self, id, params, listener, token, b, method)
  return a, b
end

-- ---- contexts -------------------------------------------------------------------------------------------------------

local Context = {}

--- Whether the caller has cancelled this request, as far as what has arrived tells.
function Context:cancelled()
  return is_cancelled(self.peer.conn, self.id)
end

--- Tell the caller how far this request is. True if that was sent; false if the caller does not want to know.
function Context:progress(value, token)
  local manner = self.peer.manner
  if not manner then return false end
  if token == nil then token = tokens_of(manner, rawget(self, "params")) end
  if not is_progress_token(token) then return false end
  return self.peer:notify(manner.progress, manner.report(token, value))
end

cancel.context = Context

return cancel
