-- Handlers that run interleaved: each in a coroutine, which is left while its call waits and goes on with the reply.
--
-- Whoever waits (serve, step, a call in place) does one thing after the other here: start the handler of a request, or
-- go on with the handler whose reply came. Handlers beyond the number that was given wait in place, on top of each
-- other, as all do without this: otherwise those that wait could wait for one that is never begun. Those that count
-- among the number may not: one that is begun on top of them, and that waits for what comes after their answer, would
-- keep them from giving it.
--
-- It refuses to leave a handler anywhere but where it waits for a reply.
local native = ...
local type, error, pairs, next_of, setmetatable = type, error, pairs, next, setmetatable
local pcall, xpcall, dofile, remove = pcall, xpcall, dofile, table.remove
local running, yield, isyieldable = coroutine.running, coroutine.yield, coroutine.isyieldable
local resume, getinfo = native.resume, debug.getinfo
local peers, cancel = native.module("peer"), native.module("cancel")
local begin, next_event, reply, forget, after = native.begin, native.next, native.reply, native.forget, native.after
local delivering = native.delivering
local local_error, too_deep, MAX_DEPTH = peers.local_error, peers.too_deep, peers.MAX_DEPTH
local late = peers.late

-- What the coroutine of a handler yields while its call waits.
local WAITING = {}

local NOT_HERE = "a handler that runs interleaved (option concurrency) cannot wait for a reply inside "
  .. (native.features == "lua51" and "pcall, or inside another" or "a") .. " function in C: call outside of it"

local Concurrent = {}

-- ---- whether a coroutine can be left --------------------------------------------------------------------------------

-- Functions in C that can be yielded across where there is no `isyieldable`: all of Lua 5.2's, none of Lua 5.1's.
local YIELDABLE = native.features == "lua52" and { [pcall] = true, [xpcall] = true, [dofile] = true } or {}

-- Whether the running coroutine can be left; `level` is that of whoever asks the user's function, in which nobody else
-- may be.
local function can_yield(level)
  if isyieldable then return isyieldable() end
  while true do
    local info = getinfo(level, "Sf")
    if not info then return true end
    if info.what == "C" and not YIELDABLE[info.func] then return false end
    level = level + 1
  end
end

-- ---- running handlers -----------------------------------------------------------------------------------------------

-- A coroutine is made beforehand: see "Before Lua 5.4" in the file `peer`.
local function spare(self)
  local idle = self.idle
  if not idle[1] then idle[1] = peers.waiting(self, peers.answering) end
end

-- What becomes of a coroutine that has come back.
local function settle(self, co, slot, ok, what, ...)
  if ok and what == WAITING then return end
  if self.tasks[co] then
    self.tasks[co] = nil
    self.active = self.active - 1
  end
  if peers.finish(self, co, slot, ok, what, ...) then
    self.idle[#self.idle + 1] = co
    return
  end
  -- Lua 5.1 may refuse to leave a coroutine where that cannot be told beforehand (metamethods, iterators).
  for id, wait in pairs(self.waits) do
    if wait.co == co then
      self.waits[id] = nil
      if wait.deadline then self.timed = self.timed - 1 end
      forget(self.conn, id)
    end
  end
end

local function run(self, co, slot, ...)
  local depth = self.depth
  self.depth = depth + 1
  settle(self, co, slot, resume(co, ...))
  self.depth = depth
end

local function start(self, slot, handler, params, ctx)
  if self.depth >= MAX_DEPTH then
    return reply(self.conn, self.handlers, slot, nil, peers.refusal())
  end
  local idle = self.idle
  local co = idle[#idle]
  idle[#idle] = nil
  if self.active < self.most and not self.stopping then
    self.tasks[co] = slot
    self.active = self.active + 1
  end
  run(self, co, slot, slot, handler, params, ctx)
end

-- ---- waiting calls --------------------------------------------------------------------------------------------------

local Wait = {}
Wait.__index = Wait

-- Its call is over: it is no longer among those that wait.
local function over(self, wait, result, err)
  self.waits[wait.id] = nil
  if wait.deadline then self.timed = self.timed - 1 end
  if wait.token then wait.token.calls[wait] = nil end
  wait.done, wait.result, wait.err = true, result, err
end

-- Its call is over: go on with the handler, unless that waits in place, where it looks for itself.
local function conclude(self, wait, result, err)
  over(self, wait, result, err)
  if wait.co then
    delivering(self.conn, wait.slot)
    run(self, wait.co, wait.slot)
  end
end

-- Its token was cancelled, by whoever runs now: it goes on when a loop of its peer's has the word.
function Wait:wake()
  local self_peer = self.peer
  if self.done then return end
  forget(self_peer.conn, self.id)
  over(self_peer, self, nil, cancel.error(self.token))
  if self.co then self_peer.ready[#self_peer.ready + 1] = self end
end

-- All calls that wait have failed.
local function fail_all(self, message, code)
  local id, wait = next_of(self.waits)
  while id do
    local err = code and local_error(code, message) or peers.closed(self, message, wait.method)
    if not wait.done then -- a child's end, which was found just now, may have failed it
      forget(self.conn, id)
      conclude(self, wait, nil, err)
    end
    id, wait = next_of(self.waits)
  end
end

-- The call whose time is over first: its id and its time.
local function soonest(self)
  if self.timed == 0 then return nil end
  local least, of
  for id, wait in pairs(self.waits) do
    if wait.deadline and (not least or wait.deadline < least) then least, of = wait.deadline, id end
  end
  return of, least
end

-- ---- one thing after the other --------------------------------------------------------------------------------------

-- Do one thing, waiting for it until `deadline`; nil, or what happened instead: "timeout", "nothing", "eof", "closed",
-- and a detail.
local function advance(self, deadline, single)
  spare(self)
  local ready = self.ready[1]
  if ready then
    remove(self.ready, 1)
    delivering(self.conn, ready.slot)
    return run(self, ready.co, ready.slot)
  end
  local id, time = soonest(self)
  if deadline and (not time or deadline < time) then id, time = nil, deadline end
  local slot, a, b, c = next_event(self.conn, self.handlers, time, id, single)
  if slot then return start(self, slot, a, b, c) end
  if slot == false then
    local wait = self.waits[a]
    if wait then conclude(self, wait, b, c) end
  elseif a == "timeout" and id then
    local wait = self.waits[id]
    forget(self.conn, id)
    conclude(self, wait, nil, late(self))
  elseif a ~= "handled" and a ~= "again" then
    return a, b
  end
end

-- A pair in memory: nothing arrives unless the other end runs. False if it has nothing to do either.
local function run_other(self)
  local other = self.other
  if other and other.loop then return other:run_once() end
  return other and not advance(other, nil, true)
end

-- What cannot be waited for any more fails; true if something did, or the other end of a pair has run.
local function unblock(self, event, detail)
  if event == "nothing" then
    if run_other(self) then return true end
    detail = "the other end of the pair has nothing to do and did not reply"
  elseif event == "eof" then
    detail = detail or "the other end closed the connection before it replied"
  else
    detail = detail or "the connection is closed"
  end
  if not next_of(self.waits) then return false end
  fail_all(self, detail, event == "signal" and event)
  return true
end

local function serve(self)
  while true do
    if self.stopping and self.active == 0 then
      self.stopping = false
      return "stopped"
    end
    local event, detail = advance(self)
    if event and not unblock(self, event, detail) then
      if event == "nothing" then return "stopped", "both ends of the pair are idle" end
      return event, detail
    end
  end
end

function Concurrent:serve()
  local depth = self.depth
  if depth >= MAX_DEPTH then error(too_deep(), 0) end
  local fine, event, detail = pcall(serve, self)
  self.depth = depth
  if not fine then error(event, 0) end
  if event == "signal" then detail = native.take_signal() end
  return event, detail
end

function Concurrent:step(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'step' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  if self.depth >= MAX_DEPTH then return nil, too_deep() end
  local event, detail = advance(self, after(timeout), true)
  if not event then return true end
  if event == "timeout" or event == "nothing" then return false end
  if unblock(self, event, detail) then return true end
  if event == "signal" then return nil, local_error(event, native.take_signal()) end
  return nil, peers.closed(self, detail or (event == "eof" and "the other end closed the connection")
    or "the connection is " .. event)
end

function Concurrent:stop()
  self.stopping = true
end

function Concurrent:call(method, params, options)
  local timeout, token, listener
  if options ~= nil then
    timeout, token, listener, params = cancel.options(self, params, options)
    if token and token.done then return nil, cancel.error(token) end
  end
  local co = running()
  local slot = self.tasks[co or self]
  local leave = slot and can_yield(3)
  if slot and not leave then return nil, local_error("not_here", NOT_HERE) end
  if not leave and self.depth >= MAX_DEPTH then return nil, too_deep() end
  local id, deadline = begin(self.conn, self.handlers, method, params, timeout)
  if id == nil then
    if self.mourn then self:mourn(deadline, method) end
    return nil, cancel.name_late(deadline, method)
  end
  local wait = setmetatable({ peer = self, id = id, deadline = deadline, token = token, method = method }, Wait)
  self.waits[id] = wait
  if deadline then self.timed = self.timed + 1 end
  if token then token.calls[wait] = true end
  if listener then cancel.listen(self, params, listener) end
  if leave then
    wait.co, wait.slot = co, slot
    yield(WAITING)
  else
    while not wait.done do
      local event, detail = advance(self)
      if event then unblock(self, event, detail) end
    end
  end
  if options ~= nil then cancel.finish(self, id, params, listener, token, wait.err, method) end
  return wait.result, wait.err
end

function Concurrent:must(method, params, options)
  local result, err = Concurrent.call(self, method, params, options)
  if err ~= nil then error(err, 0) end
  return result
end

--- Let `most` handlers of a new peer run interleaved.
local function install(self, most)
  self.most, self.active, self.timed, self.stopping = most, 0, 0, false
  self.tasks, self.waits, self.idle, self.ready = {}, {}, {}, {}
  for name, method in pairs(Concurrent) do self[name] = method end
  native.concurrent(self.conn)
end

return { install = install, can_yield = can_yield }
