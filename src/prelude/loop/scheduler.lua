-- The scheduler of a loop: one thing after the other, coroutines that wait and go on, waits in place.
--
-- A round is one poll; then the places it found ready, each with a share of messages; then the coroutines that could go
-- on when it began; then the timers whose time was over. So nobody who has much to do keeps the others waiting. All of
-- it is done step by step by `advance`, and where it stands is kept in the loop and its set: whoever waits in place,
-- inside a handler, goes on where the outer one stands.
--
-- It refuses to know what a place is: that is called with what came.
local native = ...
local error, setmetatable, select, next, pairs = error, setmetatable, select, next, pairs
local running, yield = coroutine.running, coroutine.yield
local unpack = table.unpack or unpack
local resume, clock = native.resume, native.after
local peers = native.module("peer")
local timers = native.module("loop/timers")
local can_yield = native.module("concurrent").can_yield
local delivering = native.delivering
local local_error, too_deep, MAX_DEPTH = peers.local_error, peers.too_deep, peers.MAX_DEPTH

local scheduler = {}

-- What a coroutine yields while it waits.
local WAITING = {}
-- What a coroutine that was cancelled gets instead of what it waits for.
local CANCELLED = {}

-- Bits of what a descriptor is ready for.
scheduler.INPUT, scheduler.OUTPUT, scheduler.INVALID = 1, 2, 4

scheduler.WAITING, scheduler.CANCELLED = WAITING, CANCELLED

-- ---- coroutines -----------------------------------------------------------------------------------------------------

--- The error of what waits in a task that was cancelled.
function scheduler.cancellation()
  return local_error("cancelled", "the task was cancelled")
end

-- Owners are tables with `conn` (or false) and `settle`, which sees to a coroutine that does not wait. No function here
-- has a variable number of arguments that is on the way of a call: that costs.

--- Go on with a coroutine that waits, with at most two values.
local function run(loop, co, a, b)
  local owner = loop.owner[co]
  if owner.conn then delivering(owner.conn, owner.tasks[co]) end
  local ok, what, c, d = resume(co, a, b)
  if what ~= WAITING then owner.settle(loop, owner, co, ok, what, c, d) end
  return true
end
scheduler.run = run

--- Begin with a coroutine that has been given an owner, or give it new work.
function scheduler.begin(loop, co, ...)
  local owner = loop.owner[co]
  local ok, what, a, b = resume(co, ...)
  if what ~= WAITING then owner.settle(loop, owner, co, ok, what, a, b) end
  return true
end

--- Go on with a coroutine when its turn comes.
local function queue(loop, co, a, b)
  local ready = loop.ready
  local last = ready.last + 1
  ready[last] = { co = co, a = a, b = b } -- first, as it may fail for want of memory
  ready.last, loop.rush = last, true
end
scheduler.queue = queue

-- Whoever has waited for its turn longest has had it.
local function next_turn(loop)
  local ready = loop.ready
  local first = ready.first
  ready[first], ready.first = nil, first + 1
end
scheduler.next_turn = next_turn

-- Go on with the coroutine that has waited for its turn longest.
local function run_next(loop)
  local entry = loop.ready[loop.ready.first]
  if not entry then return end -- the loop was closed meanwhile
  if entry.start then return entry.start(loop, entry) end
  next_turn(loop)
  if loop.owner[entry.co] then run(loop, entry.co, entry.a, entry.b) end
end

--- Everybody whose turn it is goes on, and those whose turn it becomes by that; for whoever closes the loop.
function scheduler.drain(loop)
  local ready = loop.ready
  while ready.first <= ready.last do run_next(loop) end
end

-- ---- one thing after the other --------------------------------------------------------------------------------------

-- Memory has no descriptor: the other ends of pairs run when they are not in this loop. Whether one had something
-- to do.
local function run_others(loop)
  local others, worked = {}, false
  for peer in pairs(loop.memory) do
    if peer.other.loop ~= loop then others[#others + 1] = peer end -- a list first: the table may change
  end
  for i = 1, #others do worked = peers.run_other(others[i]) or worked end
  return worked
end

-- What came for a place; negative: nothing is left in this round after it.
local function dispatch(loop, place, a, b, c, d)
  if place < 0 then
    place, loop.busy = -place, false
  else
    loop.busy, loop.rush = true, true
  end
  local what = loop.places[place]
  if a == false then
    local waits = what.waits
    local co = waits[b]
    if co then
      waits[b] = nil
      return run(loop, co, c, d)
    end
  end
  what.arrived(loop, what, a, b, c, d)
  return true
end

-- A new round: wait, at most until `deadline`.
local function poll(loop, deadline)
  local worked = next(loop.memory) and run_others(loop)
  local ready, timer = loop.ready, loop.timers[1]
  local turns = ready.last - ready.first + 1
  local idle = turns == 0 and not worked and not timer and loop.sources == 0
  local till = deadline
  if turns > 0 or worked or idle then
    till = 0
  elseif timer and not (till and till < timer.at) then
    till = timer.at
  end
  local place, a, b, c, d = loop.set.wait(till)
  local now = till and clock(0)
  loop.turns, loop.now = turns, timer and now
  if loop.hears and loop.set.signal() then loop.signalled(loop) end
  if place then return dispatch(loop, place, a, b, c, d) end
  if turns > 0 or worked or loop.caught then return true end
  if deadline and now >= deadline then return false, "timeout" end
  if idle then return false, "idle" end
  return true
end

-- A round's step by step.
local function step(loop, deadline)
  if loop.busy then
    local place, a, b, c, d = loop.set.take()
    if place then return dispatch(loop, place, a, b, c, d) end
    loop.busy = false
  end
  if loop.turns > 0 then
    loop.turns = loop.turns - 1
    run_next(loop)
    return true
  end
  local timer, now = loop.timers[1], loop.now
  if timer and now and timer.at <= now then
    timers.remove(loop.timers, timer)
    timer.fire(loop, timer)
    return true
  end
  loop.now = nil
  local ready = loop.ready
  if not deadline and not loop.special and ready.last < ready.first then
    -- From here on there is nothing to think of but the places and the soonest timer, which the set does by itself.
    loop.rush = false
    loop.set.alarm(timer and timer.at)
  end
  return poll(loop, deadline)
end

--- Do one thing, waiting for it until `deadline`. True; or false and "timeout" or "idle": nothing is left to wait for.
local function advance(loop, deadline)
  if loop.rush or deadline then return step(loop, deadline) end
  local place, a, b, c, d = loop.listen()
  if not place then return step(loop) end
  -- The way of a call: a reply, and nothing else in this round.
  if a == false and place < 0 then
    local waits = loop.places[-place].waits
    local co = waits[b]
    if co then
      waits[b] = nil
      local owner = loop.owner[co]
      if owner.conn then delivering(owner.conn, owner.tasks[co]) end
      local ok, what, e, f = resume(co, c, d)
      if what ~= WAITING then owner.settle(loop, owner, co, ok, what, e, f) end
      return true
    end
  end
  return dispatch(loop, place, a, b, c, d)
end
scheduler.advance = advance

--- Whether a round needs more than the wait of the set: nobody is left, memory, signals.
function scheduler.look(loop)
  loop.special, loop.rush = loop.sources == 0 or loop.hears or next(loop.memory) ~= nil, true
end

-- ---- waiting --------------------------------------------------------------------------------------------------------

--- The running coroutine and its owner, if it is one of the loop's and can be left here; raises if it was cancelled.
--- To be called by what the user calls.
function scheduler.leavable(loop)
  local co = running()
  local owner = loop.owner[co or loop]
  if not owner or not can_yield(4) then return nil end
  if owner.cancelled then error(scheduler.cancellation(), 0) end
  return co, owner
end

-- Why a wait in place ends without what it waits for: an error object; nil: it goes on.
local function interruption(loop)
  if loop.closed then return local_error("closed", "the loop was closed") end
  local name = loop.caught
  if name then
    loop.caught, loop.interrupted = nil, loop.stopping
    return local_error("signal", name)
  end
end

--- Run the loop until `wait.done`. True, or false and why that cannot come: an error object.
function scheduler.in_place(loop, wait)
  local depth = loop.depth
  if depth >= MAX_DEPTH then return false, too_deep() end
  loop.depth = depth + 1
  local err
  while not (wait.done or err) do
    if loop.interrupted then err = interruption(loop) end
    if not err then
      local _, why = advance(loop)
      if why and not wait.done then
        err = local_error("closed", "nothing is left in the loop that could end this wait")
      end
    end
  end
  loop.depth = depth
  return not err, err
end

local Wait = {}
Wait.__index = Wait

--- End a wait with these values. False if it has ended before.
function Wait.wake(wait, ...)
  if wait.done then return false end
  wait.done, wait.n = true, select("#", ...)
  for i = 1, wait.n do wait[i] = (select(i, ...)) end
  if wait.co then
    wait.loop.waits[wait.co] = nil
    queue(wait.loop, wait.co)
  end
  return true
end

--- A wait that has not begun.
function scheduler.wait(loop)
  return setmetatable({ loop = loop, done = false }, Wait)
end

--- Wait until somebody wakes it; what it is woken with. `co` is what `leavable` has said.
function scheduler.suspend(loop, wait, co)
  if co and not wait.done then
    wait.co, loop.waits[co] = co, wait
    if yield(WAITING) == CANCELLED then error(scheduler.cancellation(), 0) end
    return unpack(wait, 1, wait.n)
  end
  local fine, err = scheduler.in_place(loop, wait)
  if not fine then
    wait.done = true
    error(err, 0)
  end
  return unpack(wait, 1, wait.n)
end

return scheduler
