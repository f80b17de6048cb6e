-- Descriptors of others in a loop: sockets, pipes, whatever poll(2) takes. This is also how other parts of the library
-- join it.
--
-- It refuses to own the descriptor, and to call a watch's function while that runs already.
local native = ...
local type, error, tostring, setmetatable = type, error, tostring, setmetatable
local scheduler, tasks = native.module("loop/scheduler"), native.module("loop/task")
local INPUT, OUTPUT, INVALID = scheduler.INPUT, scheduler.OUTPUT, scheduler.INVALID

local BITS = { r = INPUT, w = OUTPUT, rw = INPUT + OUTPUT }
local NAMES = { "r", "w", "rw" }

local Watch = { __name = "fkrpc.watch" }
Watch.__index = Watch

-- Wait for what it is to wait for, unless its function runs.
local function listen(watch)
  if watch.place then
    local still = watch.task ~= nil
    watch.loop.set.change(watch.place, watch.fd, still and 0 or watch.bits, watch.poked and not still)
  end
end

local function over(_, task)
  local watch = task.watch
  watch.task = nil
  listen(watch)
end

local function arrived(loop, watch, bits)
  if bits % (2 * INVALID) >= INVALID then
    native.log(("fkrpc: loop: descriptor %d is not open; it is not watched any more\n"):format(watch.fd))
    watch:cancel()
    return
  end
  local event = NAMES[bits % INVALID]
  watch.poked = false
  local task = tasks.new(loop, ("the watch of descriptor %d"):format(watch.fd))
  task.watch, task.after, watch.task = watch, over, task
  tasks.begin(loop, task, watch.f, event, watch)
  if watch.task then listen(watch) end
end

local function check(name, place, events, level)
  local bits = BITS[events]
  if not bits then
    error("bad argument #" .. place .. " to '" .. name .. "' (\"r\", \"w\" or \"rw\" expected, got "
      .. (type(events) == "string" and "\"" .. events .. "\"" or type(events)) .. ")", level)
  end
  return bits
end

--- Wait for other events from now on.
function Watch:want(events)
  self.bits = check("want", 1, events, 3)
  listen(self)
  return self
end

--- Call its function in the next round, with no event.
function Watch:poke()
  self.poked = true
  listen(self)
end

--- End it; the descriptor stays as it is. False if it has ended before.
function Watch:cancel()
  local loop, place = self.loop, self.place
  if not place then return false end
  self.place = nil
  if not loop.closed then
    loop.places[place] = nil
    loop.set.remove(place)
    loop.sources = loop.sources - 1
    scheduler.look(loop)
  end
  return true
end

function Watch:__tostring()
  return ("fkrpc.watch: descriptor %d"):format(self.fd) .. (self.place and "" or " (ended)")
end

--- Call `f(event, watch)` whenever the descriptor can be read or written to.
local function watch(loop, fd, events, f)
  if type(fd) ~= "number" or fd % 1 ~= 0 or fd < 0 or fd >= 2 ^ 31 then
    error("bad argument #1 to 'watch' (descriptor expected, got "
      .. (type(fd) == "number" and tostring(fd) or type(fd)) .. ")", 3)
  end
  local bits = check("watch", 2, events, 4)
  if type(f) ~= "function" then
    error("bad argument #3 to 'watch' (function expected, got " .. type(f) .. ")", 3)
  end
  local self = setmetatable({ loop = loop, fd = fd, bits = bits, f = f, arrived = arrived }, Watch)
  self.place = loop.set.watch(fd, bits)
  loop.places[self.place] = self
  loop.sources = loop.sources + 1
  scheduler.look(loop)
  return self
end

return { watch = watch }
