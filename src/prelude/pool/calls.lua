-- Calls to a pool: each goes to one child, or waits until one is free.
--
-- It refuses to try a call twice: a child that ends may have done what it was asked.
local native = ...
local type, error, tostring, pairs = type, error, tostring, pairs
local unpack = table.unpack or unpack
local options = native.module("options")
local recycles, staff = native.module("pool/recycle"), native.module("pool/staff")
local scheduler, timers = native.module("loop/scheduler"), native.module("loop/timers")
local cancel, rooms = native.module("cancel"), native.module("loop/room")
local local_error, now = native.module("peer").local_error, staff.now

-- Seconds between two looks of a call that waits in place: the one that is over may lie beneath it.
local LOOK = 0.005

local Pool = {}

local function nobody(self)
  if self.closing then return local_error("closed", "the pool is closed") end
  return local_error("closed", "the pool has no child: " .. tostring(self.reason or self.last_reason))
end

-- What a call may say that has waited too long.
local function late_of(self)
  if #self.roster.live > 0 then return "no child became free within the call's timeout" end
  return "no child became ready within the call's timeout"
    .. (self.last_reason and "; the last one: " .. tostring(self.last_reason) or "")
end

-- Wait until a member is free. It; or nil and an error.
local function queued(self, key, timeout, token)
  local roster, loop = self.roster, self.loop
  if self.closing or self.state == "failed" and #roster.live == 0 then return nil, nobody(self) end
  if loop.closed then return nil, local_error("closed", "the pool's loop is closed") end
  if roster.waiting >= self.backlog then
    return nil, local_error("busy", ("%d calls wait for a free child already"):format(roster.waiting))
  end
  local co, wait, entry, why = scheduler.leavable(loop), scheduler.wait(loop), { key = key }, nil
  function entry.go(member) return wait:wake(member) end
  function wait.dropped() roster:dequeue(entry) end
  local function leave(err)
    if roster:dequeue(entry) then
      why = err
      wait:wake(nil)
    end
  end
  roster:enqueue(entry)
  if token then
    function entry.wake() leave(cancel.error(token)) end
    token.calls[entry] = true
  end
  if timeout then
    wait.timer = { at = native.after(timeout), fire = function() leave(local_error("timeout", late_of(self))) end }
    timers.add(loop.timers, wait.timer)
  end
  local member
  if co then
    member = scheduler.suspend(loop, wait, co)
  else
    local pumps = loop:every(LOOK, function() roster:pump() end)
    local fine, err = scheduler.in_place(loop, wait)
    pumps:cancel()
    if fine then
      member = wait[1]
    else
      wait.done, why = true, err
      roster:dequeue(entry)
    end
  end
  if wait.timer then timers.remove(loop.timers, wait.timer) end
  if token then token.calls[entry] = nil end
  if not member then return nil, why or nobody(self) end
  member.kept = member.kept - 1 -- the place that was kept for this call, which begins now
  if roster.waiting > 0 then staff.pump_soon(self) end -- should it not begin
  return member
end

local KNOWN = options.set("key", "timeout", "cancel", "on_progress")

-- The member for a call with options, and the options without the key and the time that was spent with waiting.
local function chosen(self, given)
  if type(given) ~= "table" then
    error("bad argument #3 to 'call' (table of options or nil expected, got " .. type(given) .. ")", 3)
  end
  for name in pairs(given) do
    if not KNOWN[name] then
      error("fkrpc: unknown option '" .. tostring(name) .. "' for a call; there are " .. options.names_of(KNOWN), 3)
    end
  end
  local key, timeout, token, roster = given.key, given.timeout, given.cancel, self.roster
  if timeout ~= nil and type(timeout) ~= "number" then
    error("fkrpc: option 'timeout' must be a number of seconds, not a " .. type(timeout), 3)
  end
  if timeout and (timeout < 0 or timeout ~= timeout) then timeout = 0 end
  if token ~= nil and not cancel.is_token(token) then
    error("fkrpc: option 'cancel' must be made by fkrpc.token()", 3)
  end
  if token and token.done then return nil, cancel.error(token) end
  if key ~= key then error("fkrpc: option 'key' is not a number (NaN), which equals no key", 3) end
  local began, member, err = timeout and now()
  if key ~= nil then
    member = roster:keyed(key)
  else
    member = roster:any()
  end
  if not member then
    member, err = queued(self, key, timeout, token)
    if not member then return nil, err end
  end
  local rest
  for name, value in pairs(given) do
    if name ~= "key" then
      rest = rest or {}
      rest[name] = value
    end
  end
  if timeout then
    rest.timeout = timeout - (now() - began)
    if rest.timeout < 0 then rest.timeout = 0 end
  end
  return member, rest
end

local function after_call(self, member, err)
  if err ~= nil and (err.code == "timeout" or err.code == "cancelled") then
    member:owes()
  elseif member.owed > 0 then
    member:forgive()
  end
  if member.state == "draining" then
    member:settle()
  elseif member.state == "ready" and member.calls >= member.most then
    staff.mark(self, member, recycles.why(member.limits, member.calls, 0))
  end
  if self.roster.waiting > 0 then self.roster:pump() end
end

-- What the peer would say of a call's arguments, it says of the caller's line.
local function check_method(self, method, name)
  if type(self) ~= "table" or not self.roster then
    error("fkrpc: this is no pool; call the method with a colon: pool:" .. name .. "(...)", 3)
  end
  error("bad argument #1 to '" .. name .. "' (method name expected, got " .. type(method) .. ")", 3)
end

--- Call a method of the child that has the key, or of the one with the fewest calls in flight. `result, err`.
function Pool:call(method, params, given)
  if type(method) ~= "string" then check_method(self, method, "call") end
  local roster, member = self.roster
  if given == nil then
    member = roster.latest
    if member and member.load == 0 then
      -- The usual case, with nothing that others do better: see `Roster:least`.
      member.load = 1
      local calls = member.calls + 1
      member.calls = calls
      local result, err = member.peer:call(method, params)
      member.load = member.load - 1
      if calls >= member.most or member.state ~= "ready" or roster.waiting > 0 then after_call(self, member) end
      return result, err
    end
  end
  if given ~= nil then
    member, given = chosen(self, given)
    if not member then return nil, given end
  else
    if roster.waiting == 0 then member = roster:least() else member = roster:any() end
    if not member then
      local err
      member, err = queued(self)
      if not member then return nil, err end
    end
  end
  local peer = member.peer
  local calls = member.calls + 1
  member.calls, member.load = calls, member.load + 1
  local result, err = peer:call(method, params, given)
  member.load = member.load - 1
  if err ~= nil or member.owed > 0 or member.state ~= "ready" or roster.waiting > 0 or calls >= member.most then
    after_call(self, member, err)
  end
  return result, err
end

--- Call a method and return its result; raise the error object if it failed.
function Pool:must(method, params, given)
  if type(method) ~= "string" then check_method(self, method, "must") end
  local result, err = self:call(method, params, given)
  if err ~= nil then error(err, 0) end
  return result
end

-- As peer:notify, with a timeout or a token for the wait until the child reads.
local function tell(peer, method, params, given)
  local deadline = given.timeout and native.after(given.timeout)
  while peer.loop do
    local sent, err = native.notify(peer.conn, peer.handlers, method, params)
    if err ~= false then
      if err ~= nil then rooms.unsent(peer, err) end
      return sent, err
    end
    err = rooms.wait(peer, (scheduler.leavable(peer.loop)), deadline, given.cancel)
    if err then return nil, err end
  end
  return peer:notify(method, params)
end

--- Tell a child something, chosen as for a call. True, or nil and an error.
function Pool:notify(method, params, given)
  if type(method) ~= "string" then check_method(self, method, "notify") end
  local member, rest
  if given ~= nil then
    member, rest = chosen(self, given)
  else
    member = self.roster:any()
    if not member then member, rest = queued(self) end
  end
  if not member then return nil, rest end
  member.calls = member.calls + 1
  if rest then return tell(member.peer, method, params, rest) end
  return member.peer:notify(method, params)
end

--- Tell every child that takes calls something, without waiting for any of them. The number of those that were told,
--- and where that is not all a list of errors, each with the `pid` of a child that was not; where there is no child and
--- there will be none, one without.
function Pool:broadcast(method, params)
  if type(method) ~= "string" then check_method(self, method, "broadcast") end
  local told, missed, gone, live = 0, nil, {}, { unpack(self.roster.live) } -- finalizers may change it meanwhile
  if live[1] == nil and (self.closing or self.state == "failed") then return 0, { nobody(self) } end
  for i = 1, #live do
    local peer = live[i].peer
    local sent, err = native.notify(peer.conn, peer.handlers, method, params)
    if sent then
      told = told + 1
    else
      if err == false then
        err = local_error("busy", ("child %d does not read: %d bytes wait for it already"):format(peer.pid,
          native.stats(peer.conn).queued))
      elseif err.code == "closed" then
        gone[#gone + 1] = peer
      end
      err.pid = peer.pid
      missed = missed or {}
      missed[#missed + 1] = err
    end
  end
  for i = 1, #gone do gone[i]:hushed("closed its input") end
  return told, missed
end

--- The room of a key is over: the key stays with no child any more. True if one had it.
function Pool:release(key)
  local member = self.roster:release(key)
  if member then member:settle() end
  return member ~= nil
end

return { methods = Pool, nobody = nobody }
