-- fkrpc.loop: one wait for peers, the ends of children, timers, signals and descriptors, and coroutines in which a wait
-- is a coroutine's own.
--
-- What happens in which order is in `loop/scheduler`; peers, tasks, watches and timers have files of their own. It
-- refuses to run in two places at once: `run` inside `run` raises, and what waits inside a handler that cannot be left
-- runs the loop in place.
local native = ...
local type, error, tostring, pairs, next, setmetatable, getmetatable, pcall =
  type, error, tostring, pairs, next, setmetatable, getmetatable, pcall
local after = native.after
local options = native.module("options")
local scheduler, timers = native.module("loop/scheduler"), native.module("loop/timers")
local tasks, joined, watches = native.module("loop/task"), native.module("loop/peer"), native.module("loop/watch")
local advance, leavable = scheduler.advance, scheduler.leavable

local Loop = { __name = "fkrpc.loop" }
Loop.__index = Loop

-- In the order that the native side knows.
local SIGNALS = { "TERM", "INT", "HUP", "QUIT", "USR1", "USR2" }
local PLACE_OF = {}
for place, name in pairs(SIGNALS) do PLACE_OF[name] = place end

local function bad(place, name, expected, got, level)
  local text = "bad argument #" .. place .. " to '" .. name .. "' (" .. expected .. " expected, got " .. got .. ")"
  error(text, level or 3)
end

local function check_open(self)
  if getmetatable(self) ~= Loop then
    error("fkrpc: this is no loop; call its methods with a colon: loop:run()", 3)
  end
  if self.closed then error("fkrpc: the loop is closed", 3) end
end

local function check_function(place, name, f)
  if type(f) ~= "function" then bad(place, name, "function", type(f), 4) end
end

local function check_seconds(place, name, seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    bad(place, name, "seconds", type(seconds) == "number" and tostring(seconds) or type(seconds), 4)
  end
end

-- Tell the set which signals end its wait. True, or nil, message, errno.
local function hear(self)
  local bits = 0
  for name in pairs(self.handlers) do bits = bits + 2 ^ (PLACE_OF[name] - 1) end
  self.hears = bits > 0 or self.heard > 0
  scheduler.look(self)
  return self.set.signals(bits, self.heard > 0)
end

-- ---- peers ----------------------------------------------------------------------------------------------------------

local KNOWN = options.set("on_end")

--- Serve this peer from now on. The loop.
function Loop:add(peer, given)
  check_open(self)
  if type(peer) ~= "table" or not peer.conn or not peer.handlers then
    bad(1, "add", "peer", type(peer) == "table" and peer.roster and "a pool: give it the loop as its option 'loop'"
      or type(peer))
  end
  given = options.check("loop", given, KNOWN)
  local on_end = options.typed("loop", given, "on_end", "function")
  if peer.loop then
    error("fkrpc: " .. peer.name .. " is in " .. (peer.loop == self and "this" or "another") .. " loop already", 2)
  end
  if peer.closed then error("fkrpc: " .. peer.name .. " is closed and cannot be added to a loop", 2) end
  if peer.depth > 0 or (peer.waits and next(peer.waits)) or (peer.active or 0) > 0 then
    error("fkrpc: " .. peer.name .. " is served or waits, and cannot be added to a loop before that has ended", 2)
  end
  if peer.hears then
    self.heard = self.heard + 1
    hear(self)
  end
  joined.join(self, peer, on_end)
  return self
end

--- Leave this peer to itself again; its calls that wait fail. False if it is not in this loop.
function Loop:remove(peer)
  check_open(self)
  if type(peer) ~= "table" or peer.loop ~= self then return false end
  joined.leave(self, peer, "the peer was taken out of its loop before the reply came")
  return true
end

-- ---- tasks ----------------------------------------------------------------------------------------------------------

--- Call `f(...)` in a coroutine, in the next round. The task.
function Loop:go(f, ...)
  check_open(self)
  check_function(1, "go", f)
  return tasks.go(self, "a task", f, ...)
end

--- Call `register(resume)` and wait until `resume(...)` is called; its arguments.
function Loop:await(register)
  check_open(self)
  check_function(1, "await", register)
  local co, wait = leavable(self), scheduler.wait(self)
  register(function(...) return wait:wake(...) end)
  return scheduler.suspend(self, wait, co)
end

local function wake(_, timer)
  timer.wait:wake()
end

--- Wait so many seconds.
function Loop:sleep(seconds)
  check_open(self)
  check_seconds(1, "sleep", seconds)
  local co, wait = leavable(self), scheduler.wait(self)
  wait.timer = { at = after(seconds), fire = wake, wait = wait }
  timers.add(self.timers, wait.timer)
  return scheduler.suspend(self, wait, co)
end

-- ---- timers ---------------------------------------------------------------------------------------------------------

local Timer = { __name = "fkrpc.timer" }
Timer.__index = Timer

--- It does not run any more. False if it has run, or was cancelled before.
function Timer:cancel()
  if not self.active then return false end
  timers.remove(self.loop.timers, self) -- first, as it may fail for want of memory
  self.active = false
  return true
end

function Timer:__tostring()
  return "fkrpc.timer" .. (self.active and "" or " (ended)")
end

local function once(loop, timer)
  timer.active = false
  tasks.call(loop, "a timer", timer.f, timer)
end

local function again(loop, timer)
  local now, period = after(0), timer.period
  -- Times that have passed are left out.
  timer.at = timer.at + period
  if timer.at <= now then timer.at = now + period - (now - timer.at) % period end
  timers.add(loop.timers, timer)
  if timer.task and not timer.task.done then return end
  timer.task = tasks.call(loop, "a timer", timer.f, timer)
end

local function timer_of(self, seconds, f, fire, period)
  local timer = setmetatable({
    loop = self, at = after(seconds), f = f, fire = fire, active = true, period = period,
  }, Timer)
  timers.add(self.timers, timer)
  return timer
end

--- Call `f(timer)` in so many seconds, in a coroutine. The timer.
function Loop:after(seconds, f)
  check_open(self)
  check_seconds(1, "after", seconds)
  check_function(2, "after", f)
  return timer_of(self, seconds, f, once)
end

--- Call `f(timer)` every so many seconds, unless the last call has not ended. The timer.
function Loop:every(seconds, f)
  check_open(self)
  check_seconds(1, "every", seconds)
  if seconds < 0.001 then bad(1, "every", "at least 0.001 seconds", tostring(seconds)) end
  check_function(2, "every", f)
  return (timer_of(self, seconds, f, again, seconds * 1e6))
end

-- ---- signals, descriptors -------------------------------------------------------------------------------------------

--- Call `f(name)` when this signal has come, in a coroutine; nil: do not hear of it any more. True, or nil, message,
--- errno.
function Loop:signal(name, f)
  check_open(self)
  if not PLACE_OF[name] then bad(1, "signal", "TERM, INT, HUP, QUIT, USR1 or USR2", tostring(name)) end
  if f ~= nil then check_function(2, "signal", f) end
  local before = self.handlers[name]
  self.handlers[name] = f
  local heard, message, errno = hear(self)
  if not heard then self.handlers[name] = before end
  return heard, message, errno
end

-- One is there.
local function signalled(self)
  local name = native.take_signal()
  local f = name and self.handlers[name]
  if f then
    tasks.call(self, "the handler of signal " .. name, f, name)
  else
    self.caught, self.interrupted = name, name ~= nil
  end
end

--- Call `f(event, watch)` in a coroutine whenever the descriptor can be read ("r"), written to ("w") or both ("rw").
--- The watch.
function Loop:watch(fd, events, f)
  check_open(self)
  local watch = watches.watch(self, fd, events, f) -- no tail call: its errors name the caller
  return watch
end

-- ---- running --------------------------------------------------------------------------------------------------------

local function run(self)
  while true do
    if self.interrupted then
      self.interrupted = false
      if self.closed then return "closed" end
      if self.stopping then
        self.stopping, self.interrupted = false, self.caught ~= nil
        return "stopped"
      end
      local name = self.caught
      self.caught = nil
      if name then return "signal", name end
    end
    local _, why = advance(self)
    if why == "idle" and not self.interrupted then
      if self.tasks > 0 then return "stalled", self.tasks end
      return "done"
    end
  end
end

--- Run until `stop`, or until nothing is left to wait for. "stopped" | "done" | "stalled", tasks | "signal", name |
--- "closed".
function Loop:run()
  check_open(self)
  if self.running then error("fkrpc: loop:run() inside loop:run(): call what waits in a task", 2) end
  self.running = true
  local depth = self.depth
  local fine, how, detail = pcall(run, self)
  self.running, self.depth = false, depth
  if self.closed then self.set.close() end
  if not fine then error(how, 0) end
  return how, detail
end

--- Do one thing, waiting at most `timeout` seconds for it. True if something was done; false if time was over or
--- nothing is left to wait for.
function Loop:step(timeout)
  check_open(self)
  if timeout ~= nil then check_seconds(1, "step", timeout) end
  local peers = native.module("peer")
  if self.depth >= peers.MAX_DEPTH then error(peers.too_deep(), 0) end
  return (advance(self, after(timeout)))
end

--- Make `run` return "stopped".
function Loop:stop()
  check_open(self)
  self.stopping, self.interrupted = true, true
end

--- Leave everything: peers are out, what waits fails or is cancelled, timers, watches and signals end.
function Loop:close()
  if self.closed then return end
  for peer in pairs(self.peers) do
    joined.leave(self, peer, "the loop was closed before the reply came")
  end
  for _, what in pairs(self.places) do
    if what.cancel then what:cancel() end
  end
  self.handlers, self.heard = {}, 0
  hear(self)
  while self.timers.count > 0 do
    local timer = self.timers[1]
    timers.remove(self.timers, timer)
    timer.active = false
  end
  for co, owner in pairs(self.owner) do
    local wait = self.waits[co]
    if wait then
      self.waits[co], wait.done = nil, true
      if wait.dropped then wait.dropped() end
      owner.cancelled, self.cancelling = true, self.cancelling + 1
      scheduler.queue(self, co, scheduler.CANCELLED)
    end
  end
  scheduler.drain(self)
  self.closed, self.interrupted = true, true
  if not self.running then self.set.close() end
end

function Loop:__tostring()
  return "fkrpc.loop" .. (self.closed and " (closed)" or "")
end

Loop.__close = Loop.close

--- A loop with nothing in it.
local function loop(...)
  if (...) ~= nil then bad(1, "loop", "nothing", type((...))) end
  local set = native.poller()
  local self = setmetatable({
    set = set, listen = set.listen, places = {}, peers = {}, memory = {}, sources = 0, special = true, rush = true,
    ready = { first = 1, last = 0 }, owner = {}, waits = {}, idle = {}, tasks = 0,
    turns = 0, depth = 0, busy = false, handlers = {}, heard = 0, hears = false, signalled = signalled,
    closed = false, running = false, stopping = false, interrupted = false, cancelling = 0,
  }, Loop)
  self.timers = timers.new(self)
  return self
end

return { loop = loop }
