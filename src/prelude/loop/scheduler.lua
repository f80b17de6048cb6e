-- The scheduler of a loop: one thing after the other, coroutines that wait and go on, waits in place.
--
-- A round is one poll; then the places it found ready, each with a share of messages; then the coroutines that could go
-- on when it began; then the timers whose time was over. So nobody who has much to do keeps the others waiting. All of
-- it is done step by step by `advance`, and where it stands is kept in the loop: whoever waits in place, inside a
-- handler, goes on where the outer one stands.
--
-- It refuses to know what a place is: that is called with what it is ready for.
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

-- Bits of what a place is ready for that `set.wait` and `set.ready` return; the last: there are other places.
scheduler.INPUT, scheduler.OUTPUT, scheduler.INVALID = 1, 2, 4
local MORE = 8

scheduler.WAITING, scheduler.CANCELLED = WAITING, CANCELLED

-- ---- coroutines -----------------------------------------------------------------------------------------------------

--- The error of what waits in a task that was cancelled.
function scheduler.cancellation()
  return local_error("cancelled", "the task was cancelled")
end

--- Go on with a coroutine that waits. Who owns it (a task, or a peer whose handler it is) sees to what it comes back with.
local function run(loop, co, ...)
  local owner = loop.owner[co]
  if owner.conn then delivering(owner.conn, owner.tasks[co]) end
  local depth = loop.depth
  loop.depth = depth + 1
  owner.settle(loop, owner, co, resume(co, ...))
  loop.depth = depth
end
scheduler.run = run

--- Go on with a coroutine when its turn comes.
local function queue(loop, co, ...)
  local ready = loop.ready
  local last = ready.last + 1
  ready.last = last
  ready[last] = { co = co, n = select("#", ...), ... }
end
scheduler.queue = queue

-- Go on with the coroutine that has waited for its turn longest.
local function run_next(loop)
  local ready = loop.ready
  local first = ready.first
  local entry = ready[first]
  ready[first], ready.first = nil, first + 1
  if entry.start then
    entry.start(loop, entry)
  elseif loop.owner[entry.co] then
    run(loop, entry.co, unpack(entry, 1, entry.n))
  end
end

--- Everybody whose turn it is goes on, and those whose turn it becomes by that; for whoever closes the loop.
function scheduler.drain(loop)
  local ready = loop.ready
  while ready.first <= ready.last do run_next(loop) end
end

-- ---- one thing after the other --------------------------------------------------------------------------------------

-- Memory has no descriptor: the other ends of pairs run when they are outside of any loop. Whether one had something to
-- do.
local function run_others(loop)
  local worked = false
  for _, peer in pairs(loop.memory) do
    worked = peers.run_other(peer) or worked
  end
  return worked
end

-- A new round: wait, at most until `deadline`.
local function poll(loop, deadline)
  local ready, timer = loop.ready, loop.timers[1]
  local turns = ready.last - ready.first + 1
  local worked = next(loop.memory) and run_others(loop)
  local idle = turns == 0 and not worked and not timer and loop.sources == 0
  local till = deadline
  if turns > 0 or worked or idle then
    till = 0
  elseif timer and not (till and till < timer.at) then
    till = timer.at
  end
  local place, bits = loop.set.wait(till)
  local now = till and clock(0)
  loop.now = timer and now
  loop.turns = turns
  if loop.hears and loop.set.signal() then loop.signalled(loop) end
  if place then
    loop.found = bits >= MORE
    local what = loop.places[place]
    if what then what.arrived(loop, what, bits) end
    return true
  end
  if turns > 0 or worked or loop.caught then return true end
  if deadline and now >= deadline then return false, "timeout" end
  if idle then return false, "idle" end
  return true
end

--- Do one thing, waiting for it until `deadline`. True; or false and "timeout" or "idle": nothing is left to wait for.
local function advance(loop, deadline)
  local peer = loop.peer
  if peer then
    peer.arrived(loop, peer)
    return true
  end
  if loop.found then
    local place, bits = loop.set.ready()
    loop.found = place and bits >= MORE
    if place then
      local what = loop.places[place]
      if what then what.arrived(loop, what, bits) end
      return true
    end
  end
  if loop.turns > 0 then
    loop.turns = loop.turns - 1
    run_next(loop)
    return true
  end
  local now = loop.now
  if now then
    local timer = loop.timers[1]
    if timer and timer.at <= now then
      timers.remove(loop.timers, timer)
      timer.fire(loop, timer)
      return true
    end
    loop.now = nil
  end
  return poll(loop, deadline)
end
scheduler.advance = advance

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

--- Run the loop until `wait.done`. True, or false and why that cannot come: an error object.
function scheduler.in_place(loop, wait)
  while not wait.done do
    if loop.closed then return false, local_error("closed", "the loop was closed") end
    if loop.depth >= MAX_DEPTH then return false, too_deep() end
    local went_on, why = advance(loop)
    if wait.done then break end
    if loop.caught then
      local name = loop.caught
      loop.caught = nil
      return false, local_error("signal", name)
    end
    if not went_on then
      return false, local_error("closed", why == "idle" and "nothing is left in the loop that could end this wait" or why)
    end
  end
  return true
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
    queue(wait.loop, wait.co, unpack(wait, 1, wait.n))
  end
  return true
end

--- A wait that has not begun.
function scheduler.wait(loop)
  return setmetatable({ loop = loop, done = false }, Wait)
end

local function went_on(first, ...)
  if first == CANCELLED then error(scheduler.cancellation(), 0) end
  return first, ...
end

--- Wait until somebody wakes it; what it is woken with. `co` is what `leavable` has said.
function scheduler.suspend(loop, wait, co)
  if co and not wait.done then
    wait.co, loop.waits[co] = co, wait
    return went_on(yield(WAITING))
  end
  local fine, err = scheduler.in_place(loop, wait)
  if not fine then
    wait.done = true
    error(err, 0)
  end
  return unpack(wait, 1, wait.n)
end

return scheduler
