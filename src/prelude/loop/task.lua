-- What runs in coroutines of a loop's besides handlers: tasks, and what timers, watches and signals call.
--
-- It refuses to end a coroutine that does not wait: cancelling is an error where it waits next.
local native = ...
local type, tostring, pairs, setmetatable, select, pcall = type, tostring, pairs, setmetatable, select, pcall
local create, yield = coroutine.create, coroutine.yield
local unpack = table.unpack or unpack
local log, forget = native.log, native.forget
local traceback = debug.traceback
local scheduler = native.module("loop/scheduler")
local timers = native.module("loop/timers")
local CANCELLED = scheduler.CANCELLED

-- What a coroutine yields that has done its work and can do the next.
local IDLE = {}
-- Idle coroutines that are kept.
local KEPT = 64

local Task = { __name = "fkrpc.task" }
Task.__index = Task

-- ---- running --------------------------------------------------------------------------------------------------------

local function pack(...)
  return { n = select("#", ...), ... }
end

local function work(f, ...)
  return work(yield(IDLE, pack(f(...))))
end

local function report(task, co, e)
  local fine, text = pcall(tostring, e)
  if not fine then text = "(error object is a " .. type(e) .. " value)" end
  if not text:find("\nstack traceback:\n", 1, true) then text = traceback(co, text) end
  log("fkrpc: loop: " .. task.name .. " failed: " .. text .. "\n")
end

-- The error of a task, whatever was raised: anything but nil.
local function raised(task, co, e)
  local cancelled = task.cancelled and type(e) == "table" and e.code == "cancelled"
  -- Without memory there is no report, but still an end.
  if not cancelled and not pcall(report, task, co, e) then log("fkrpc: loop: a task failed\n") end
  if e == nil then e = "nil" end
  return e
end

-- The native way of a call does not know of tasks that are cancelled: there is none while there are any.
local function look_for_cancelled(loop)
  local owners = loop.cancelling > 0 and {} or loop.owner
  for peer in pairs(loop.peers) do peer.owners = owners end
end

-- It is over, with an error or with results.
local function finish(loop, task, err, results)
  task.done, task.err, task.results = true, err, results
  if task.cancelled then
    loop.cancelling = loop.cancelling - 1
    look_for_cancelled(loop)
  end
  local joined = task.joined
  if joined then
    task.joined = nil
    for i = 1, #joined do joined[i]:wake() end
  end
  if task.after then task.after(loop, task) end
end

-- The call that a coroutine waits for is waited for no more. False if it waits for none.
local function drop_call(loop, co)
  for peer in pairs(loop.peers) do
    for id, waiting in pairs(peer.waits) do
      if waiting == co then
        peer.waits[id] = nil
        forget(peer.conn, id)
        if peer.freed then peer:freed() end
        return true
      end
    end
    for id, wait in pairs(peer.long) do
      if wait.co == co then
        peer.over(peer, id)
        forget(peer.conn, id)
        if peer.freed then peer:freed() end
        return true
      end
    end
  end
  return false
end

--- What a coroutine waits for is waited for no more; a wait's own `dropped` is told. False if it waits for nothing.
local function drop(loop, co)
  local wait = loop.waits[co]
  if not wait then return drop_call(loop, co) end
  loop.waits[co], wait.done = nil, true
  if wait.timer then timers.remove(loop.timers, wait.timer) end
  if wait.dropped then wait.dropped() end
  return true
end

-- What becomes of a coroutine that has come back.
local function settle(loop, task, co, ok, what, results)
  loop.owner[co] = nil
  loop.tasks = loop.tasks - 1
  if ok and what == IDLE then
    local idle = loop.idle
    if #idle < KEPT then idle[#idle + 1] = co end
    return finish(loop, task, nil, results)
  end
  if ok then what = "it yielded outside of call, sleep, await and join, and cannot be resumed" end
  -- Lua 5.1 may refuse to leave a coroutine where that cannot be told beforehand (metamethods, iterators).
  drop(loop, co)
  finish(loop, task, raised(task, co, what))
end

-- A coroutine for a task. What may fail for want of memory comes first.
local function prepare(loop, task)
  local idle = loop.idle
  local last = #idle
  local co = idle[last] or create(work)
  loop.owner[co] = task
  task.co, idle[last], loop.tasks = co, nil, loop.tasks + 1
  return co
end

-- Begin a task in a coroutine; for whoever runs the loop.
local function begin(loop, task, ...)
  scheduler.begin(loop, prepare(loop, task), ...)
end

local function new(loop, name)
  return setmetatable({
    loop = loop, name = name, conn = false, co = false, done = false, cancelled = false, settle = settle,
  }, Task)
end

-- Its turn has come; it has it again where there is no memory.
local function start(loop, entry)
  local task = entry.task
  local co = not task.done and prepare(loop, task)
  scheduler.next_turn(loop)
  if co then scheduler.begin(loop, co, unpack(entry, 1, entry.n)) end
end

--- Call `f(...)` in a task when its turn comes.
local function go(loop, name, f, ...)
  local task, ready = new(loop, name), loop.ready
  local last = ready.last + 1
  ready[last] = { start = start, task = task, n = 1 + select("#", ...), f, ... }
  ready.last, loop.rush = last, true
  return task
end

--- The same at once; for whoever runs the loop.
local function call(loop, name, f, ...)
  local task = new(loop, name)
  begin(loop, task, f, ...)
  return task
end

-- ---- tasks ----------------------------------------------------------------------------------------------------------

--- Wait for its end: its results, or nil and its error.
function Task:join()
  if not self.done then
    local loop = self.loop
    local co = scheduler.leavable(loop)
    local wait, joined = scheduler.wait(loop), self.joined or {}
    self.joined = joined
    joined[#joined + 1] = wait
    scheduler.suspend(loop, wait, co)
  end
  if self.err ~= nil then return nil, self.err end
  local results = self.results
  return unpack(results, 1, results.n)
end

--- End it where it waits, or will wait next: an error with code "cancelled" is raised there. False if it is over.
function Task:cancel()
  if self.done then return false end
  if self.cancelled then return true end
  local loop, co = self.loop, self.co
  self.cancelled, loop.cancelling = true, loop.cancelling + 1
  look_for_cancelled(loop)
  if not co then
    finish(loop, self, scheduler.cancellation())
    return true
  end
  if not drop(loop, co) then return true end -- it runs, or is about to
  scheduler.queue(loop, co, CANCELLED)
  return true
end

function Task:__tostring()
  return "fkrpc.task: " .. self.name .. (self.done and (self.err ~= nil and " (failed)" or " (done)") or "")
end

return { new = new, begin = begin, go = go, call = call, drop = drop }
