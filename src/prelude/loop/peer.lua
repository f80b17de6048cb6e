-- A peer in a loop: its messages, its calls, its end. Every handler runs in a coroutine of its own.
--
-- It refuses to wait by itself: `serve`, `step` and `receive_raw` raise here.
local native = ...
local error, pcall, pairs, next = error, pcall, pairs, next
local setmetatable, tostring, rawget = setmetatable, tostring, rawget
local running, yield = coroutine.running, coroutine.yield
local begin, send_and_leave, reply, forget = native.begin, native.call, native.reply, native.forget
local peers, cancel = native.module("peer"), native.module("cancel")
local scheduler, timers = native.module("loop/scheduler"), native.module("loop/timers")
local tasks = native.module("loop/task")
local too_deep, MAX_DEPTH = peers.too_deep, peers.MAX_DEPTH
local can_yield = native.module("concurrent").can_yield
local rooms = native.module("loop/room")
local wait_for_room, let_in, pause, unsent = rooms.wait, rooms.let_in, rooms.pause, rooms.unsent
local WAITING, CANCELLED = scheduler.WAITING, scheduler.CANCELLED
local run, queue, leavable = scheduler.run, scheduler.queue, scheduler.leavable

-- Handlers of one peer that may have begun and not ended.
local MOST = 1000
-- Microseconds in which a process whose output has ended is waited for.
local PATIENCE = 50000
-- Seconds that closing waits for what was not sent yet.
local FAREWELL = 1

local Joined = {}

-- ---- handlers -------------------------------------------------------------------------------------------------------

-- What becomes of a handler's coroutine that has come back.
local function settle(loop, peer, co, ok, what, event, detail)
  local slot = peer.tasks[co]
  peer.tasks[co], loop.owner[co] = nil, nil
  peer.active = peer.active - 1
  if peers.finish(peer, co, slot, ok, what, event, detail) then
    peer.idle[#peer.idle + 1] = co
  else
    -- Lua 5.1 may refuse to leave a coroutine where that cannot be told beforehand (metamethods, iterators).
    tasks.drop(loop, co)
  end
  if peer.stopping and peer.active == 0 and peer.loop == loop then peer.over_with(loop, peer, "stopped") end
end

local function start(loop, peer, slot, handler, params, ctx)
  if peer.active >= MOST then
    local refusal = peers.refusal()
    refusal.data = "more than " .. MOST .. " requests at once"
    return reply(peer.conn, peer.handlers, slot, nil, refusal)
  end
  local idle = peer.idle
  local last = #idle
  local co = idle[last] or peers.waiting(peer, peers.answering) -- none where there was no memory for it
  idle[last] = nil
  peer.tasks[co], loop.owner[co] = slot, peer
  peer.active = peer.active + 1
  scheduler.begin(loop, co, slot, handler, params, ctx)
end

-- ---- calls that wait ------------------------------------------------------------------------------------------------

-- Calls from coroutines that can be left, without options, are in `waits`, by their coroutines; others in `long`, by
-- tables. It is waited for no more.
local function over(peer, id)
  local wait = peer.long[id]
  if not wait then return nil end
  peer.long[id] = nil
  if wait.timer then timers.remove(peer.loop.timers, wait.timer) end
  if wait.token then wait.token.calls[wait] = nil end
  wait.done = true
  return wait
end

-- Its result is there, for whoever runs the loop.
local function replied(loop, peer, id, result, err)
  local wait = over(peer, id)
  if wait then
    wait.result, wait.err = result, err
    if wait.co then run(loop, wait.co) end
  end
end

-- It fails, for whoever runs.
local function fail(peer, id, err)
  forget(peer.conn, id)
  local co = peer.waits[id]
  if co then
    queue(peer.loop, co, nil, err) -- first, as it may fail for want of memory
    peer.waits[id] = nil
    return
  end
  local wait = over(peer, id)
  wait.err = err
  if wait.co then queue(peer.loop, wait.co) end
end

-- All that wait fail, each with an error of its own.
local function fail_all(peer, message)
  local id = next(peer.waits) or next(peer.long)
  while id do
    fail(peer, id, peers.closed(peer, message))
    id = next(peer.waits) or next(peer.long)
  end
end

local Wait = {}
Wait.__index = Wait

-- Its token was cancelled.
function Wait:wake()
  fail(self.peer, self.id, cancel.error(self.token))
end

local function time_is_over(_, timer)
  fail(timer.wait.peer, timer.wait.id, peers.late(timer.wait.peer))
end

-- The way of a call that cannot leave its coroutine, or has options.
local function call(self, method, params, options)
  local loop = self.loop
  local timeout, token, listener
  if options ~= nil then
    timeout, token, listener, params = cancel.options(self, params, options)
    if token and token.done then return nil, cancel.error(token) end
  end
  local co = running()
  local owner = loop.owner[co or loop]
  if not owner or not can_yield(4) then
    co = nil
    if loop.depth >= MAX_DEPTH then return nil, too_deep() end
  elseif owner.cancelled then
    error(scheduler.cancellation(), 0)
  end
  local deadline = timeout and native.after(timeout)
  local id, err = begin(self.conn, self.handlers, method, params)
  while id == nil do
    if err then return nil, unsent(self, err, method) end
    err = wait_for_room(self, co, deadline, token)
    if err then return nil, err end
    if self.loop ~= loop then return self:call(method, params, options) end
    id, err = begin(self.conn, self.handlers, method, params)
  end
  if co and options == nil then
    self.waits[id] = co
    local result
    result, err = yield(WAITING)
    if result == CANCELLED then error(scheduler.cancellation(), 0) end
    return result, err
  end
  local wait = setmetatable({ peer = self, id = id, co = co, token = token, done = false }, Wait)
  self.long[id] = wait
  if timeout then
    wait.timer = { at = deadline, fire = time_is_over, wait = wait }
    timers.add(loop.timers, wait.timer)
  end
  if token then token.calls[wait] = true end
  if listener then cancel.listen(self, params, listener) end
  if co then
    local result = yield(WAITING)
    if result == CANCELLED then
      cancel.finish(self, id, params, listener, token, scheduler.cancellation())
      error(scheduler.cancellation(), 0)
    end
  else
    local fine, why = scheduler.in_place(loop, wait)
    if not fine and not wait.done then
      over(self, id)
      forget(self.conn, id)
      wait.err = why
    end
  end
  if options ~= nil then cancel.finish(self, id, params, listener, token, wait.err, method) end
  return wait.result, wait.err
end

function Joined:call(method, params, options)
  if options ~= nil then return call(self, method, params, options) end
  local result, err, slowly = send_and_leave(self.conn, self.handlers, method, params, self.owners, self.waits, WAITING)
  if slowly then return call(self, method, params) end
  if result == CANCELLED then error(scheduler.cancellation(), 0) end
  if err ~= nil then unsent(self, err, method) end
  return result, err
end

function Joined:must(method, params, options)
  local result, err = self:call(method, params, options)
  if err ~= nil then error(err, 0) end
  return result
end

function Joined:notify(method, params)
  local sent, err = native.notify(self.conn, self.handlers, method, params)
  if err ~= false then
    if err ~= nil then unsent(self, err) end
    return sent, err
  end
  err = wait_for_room(self, (leavable(self.loop)))
  if err then return nil, err end
  return self:notify(method, params)
end

function Joined:send_raw(bytes)
  local sent, err = native.send_raw(self.conn, bytes)
  if err ~= false then return sent, err end
  err = wait_for_room(self, (leavable(self.loop)))
  if err then return nil, err end
  return self:send_raw(bytes)
end

-- ---- messages -------------------------------------------------------------------------------------------------------

local ended

-- Something has come: a request, a reply, an event.
local function arrived(loop, peer, slot, a, b, c)
  local idle = peer.idle
  if slot then
    start(loop, peer, slot, a, b, c)
  elseif slot == false then
    replied(loop, peer, a, b, c)
  elseif a ~= "dry" and a ~= "handled" and a ~= "again" then
    return ended(loop, peer, a, b)
  end
  if peer.heard_of then peer:heard_of() end
  if peer.crowd[1] then let_in(peer) end
  -- Made beforehand: see "Before Lua 5.4" in the file `peer`.
  if not idle[1] then idle[1] = peers.waiting(peer, peers.answering) end
end

-- ---- joining and leaving --------------------------------------------------------------------------------------------

local METHODS = {
  "call", "must", "notify", "send_raw", "serve", "step", "receive_raw", "stop", "stop_serving", "close", "run_once",
  "outlast",
}

local function restore(peer, outside)
  for name, method in pairs(outside) do peer[name] = method or nil end
  peer.loop, peer.outside, peer.place = nil, nil, nil
end

-- The peer is no more of this loop; its calls fail.
local function leave(loop, peer, message)
  fail_all(peer, message) -- first: see `fail`
  let_in(peer)
  loop.peers[peer], loop.memory[peer] = nil, nil
  if not peer.other then loop.sources = loop.sources - 1 end
  scheduler.look(loop)
  loop.set.leave(peer.conn, peer.concurrent)
  loop.set.remove(peer.place)
  loop.places[peer.place] = nil
  if peer.vigil then
    timers.remove(loop.timers, peer.vigil)
    peer.vigil = nil
  end
  restore(peer, peer.outside)
end

-- The conversation is over.
local function over_with(loop, peer, event, detail)
  local on_end, name = peer.on_end, peer.name
  leave(loop, peer, detail or (event == "eof" and "the other end closed the connection before it replied")
    or "the connection is " .. event)
  if on_end then
    tasks.call(loop, "on_end of " .. name, on_end, peer, event, detail)
  elseif event == "closed" then
    native.log("fkrpc: " .. name .. ": left its loop: " .. tostring(detail) .. "\n")
  end
end

-- A process that has closed its output will end in a moment, and then it is known how.
function ended(loop, peer, event, detail)
  local vigil = peer.vigil
  if not peer.reap or peer:reap() or (vigil and not vigil.place) then
    -- Whoever was told of the end may have taken it out.
    if peer.loop == loop then over_with(loop, peer, event, detail) end
  elseif not vigil and peer.loop == loop then
    vigil = { at = native.after(0) + PATIENCE, fire = function() ended(loop, peer, event, detail) end }
    peer.vigil = vigil
    timers.add(loop.timers, vigil)
    if peer.hushed then peer:hushed() end
  end
end

function Joined.serve()
  error("fkrpc: this peer is in a loop, which serves it: loop:run()", 2)
end

function Joined.step()
  error("fkrpc: this peer is in a loop, which serves it: loop:step()", 2)
end

function Joined.receive_raw()
  error("fkrpc: this peer is in a loop, which reads its messages; loop:remove(peer) first", 2)
end

function Joined:stop()
  self.stopping = true
  if self.active == 0 then
    tasks.go(self.loop, "the end of " .. self.name, function()
      if self.stopping and self.loop then over_with(self.loop, self, "stopped") end
    end)
  end
end

function Joined:close()
  local loop = self.loop
  local co, deadline = leavable(loop), native.after(FAREWELL)
  while self.loop == loop and native.stats(self.conn).queued > 0 and native.after(0) < deadline do
    pause(self, loop, co, deadline)
  end
  if self.loop == loop then leave(loop, self, "the connection is closed") end
  return self:close()
end

-- The other end of a pair in memory lets this one run: whether there was something to do.
function Joined.run_once(peer)
  local loop = peer.loop
  if loop.depth >= MAX_DEPTH then return false end
  local depth = loop.depth
  loop.depth = depth + 1
  local went_on = scheduler.advance(loop, native.after(0))
  loop.depth = depth
  return went_on
end
--- Wait until the process has ended, at most so many seconds; whether it has.
function Joined:outlast(seconds)
  local loop = self.loop
  local co, deadline = leavable(loop), seconds and native.after(seconds)
  -- Without a conversation nobody tells of the end.
  local look = 1000
  while not self:reap() do
    local now = native.after(0)
    if deadline and now >= deadline then return false end
    pause(self, loop, co, deadline and deadline < now + look and deadline or now + look)
    if look < 50000 then look = look * 2 end
  end
  return true
end

local function enter(loop, peer, on_end, outside)
  for i = 1, #METHODS do
    local name = METHODS[i]
    if not (peer.restricted and (name == "call" or name == "must")) then peer[name] = Joined[name] end
  end
  if peer.reap then
    -- `stop` ends a child's process.
    peer.stop_serving, peer.stop = peer.stop, outside.stop or nil
    peer.mourned = true -- whoever fails has nothing to wait for: the loop has
  end
  peer.owners = loop.cancelling > 0 and {} or loop.owner
  peer.outside, peer.loop, peer.on_end, peer.over_with = outside, loop, on_end, over_with
  peer.arrived, peer.settle, peer.over = arrived, settle, over
  peer.waits, peer.tasks, peer.idle, peer.active = peer.waits or {}, peer.tasks or {}, peer.idle or {}, peer.active or 0
  peer.long, peer.crowd, peer.stopping, peer.cancelled = {}, {}, false, false
  if not peer.idle[1] then peer.idle[1] = peers.waiting(peer, peers.answering) end
  peer.concurrent, peer.place = peer.most ~= nil, 0
  local place = loop.set.join(peer.conn, peer.handlers)
  peer.place = place
  loop.places[place], loop.peers[peer] = peer, true
  if peer.other then
    loop.memory[peer] = peer
  else
    loop.sources = loop.sources + 1
  end
end

--- Join: the peer's methods are those of this file from now on. Without memory an error is raised, and nothing has
--- happened.
local function join(loop, peer, on_end)
  local outside = { mourned = peer.mourned or false }
  for i = 1, #METHODS do outside[METHODS[i]] = rawget(peer, METHODS[i]) or false end
  local fine, err = pcall(enter, loop, peer, on_end, outside)
  if not fine then
    local place = peer.place
    if place then
      loop.set.leave(peer.conn, peer.most ~= nil)
      if place > 0 then loop.set.remove(place) loop.places[place] = nil end
    end
    loop.peers[peer], loop.memory[peer] = nil, nil
    restore(peer, outside)
    error(err, 0)
  end
  scheduler.look(loop)
end

return { join = join, leave = leave, fail_all = fail_all }
