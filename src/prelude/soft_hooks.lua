-- Soft hooks: a count hook that only looks at a clock is called about once a second of running instead.
--
-- It refuses to change any other hook, and to start its clock before the first soft one is set.
local native = ...
local type, rawget, select, setmetatable = type, rawget, select, setmetatable
local debug_library = debug
local running = native.running_thread

-- The least count of a hook that can only be meant to look at a clock.
local SOFT_COUNT = 1000

local soft = setmetatable({}, { __mode = "k" })
local sethook, gethook
local on = false

-- The coroutine that the arguments name or imply, and the place of the first argument after it.
local function thread_of(first)
  if type(first) == "thread" then return first, 2 end
  return running(), 1
end

-- The clock behind soft hooks starts with the first of them: until then they cost no timer and no signal handler.
local started = false
local function ticking()
  if not started then started = native.watchdog_soft(soft) and true end
  return started
end

local function soft_sethook(...)
  local co, at = thread_of((...))
  local f, mask, count = select(at, ...)
  soft[co] = nil
  if type(f) == "function" and mask == "" and type(count) == "number" and count >= SOFT_COUNT and ticking() then
    sethook(co) -- away with another hook that may be there
    soft[co] = { f, count }
    return
  end
  return sethook(...)
end

local function soft_gethook(...)
  local hook = soft[(thread_of((...)))]
  if hook then return hook[1], "", hook[2] end
  return gethook(...)
end

local soft_hooks = {}

--- Turn them on, or off if `wanted` is false; `watchdog` has the functions that replace Lua's own. True, or nil,
--- message, errno.
function soft_hooks.set(wanted, watchdog)
  if type(debug_library) ~= "table" then return true end
  if wanted == false then
    watchdog.put_back(debug_library)
    watchdog.track("soft", false)
    on, started = false, false
    return native.watchdog_soft(nil)
  end
  if on then return true end
  on = true
  sethook, gethook = rawget(debug_library, "sethook"), rawget(debug_library, "gethook")
  watchdog.replace(debug_library, "sethook", soft_sethook)
  watchdog.replace(debug_library, "gethook", soft_gethook)
  watchdog.track("soft", true)
  return true
end

return soft_hooks
