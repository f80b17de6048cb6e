-- fkrpc.watchdog: an error for whatever runs too long, without a hook while nothing does.
local native = ...
local type, error, tostring, setmetatable, rawget, rawset =
  type, error, tostring, setmetatable, rawget, rawset
local coroutines, create = coroutine, coroutine.create
local options = native.module("options")
local limit, resume_within = native.watchdog_limit, native.resume_within

local KNOWN = options.set("grace", "per")
local PER = { handler = false, resume = true }
-- Seconds of CPU time that code which cannot be stopped may go on past its deadline before the process ends.
local GRACE = 2

-- Lua's own functions and ours in their place; a name is put back only if it is still ours.
local replaced = {}

local function replace(t, name, value)
  local old = rawget(t, name)
  if old == nil or old == value then return end
  replaced[#replaced + 1] = { t, name, old, value }
  rawset(t, name, value)
end

local function put_back(t)
  for i = #replaced, 1, -1 do
    local r = replaced[i]
    if r[1] == t then
      table.remove(replaced, i)
      if rawget(t, r[2]) == r[4] then rawset(t, r[2], r[3]) end
    end
  end
end

-- Who needs the coroutine functions: the limit, soft hooks.
local needed = { limit = false, soft = false }

local function track(who, on)
  local before = needed.limit or needed.soft
  needed[who] = on
  local after = needed.limit or needed.soft
  if after and not before then
    replace(coroutines, "resume", native.coroutine_resume)
    replace(coroutines, "wrap", native.coroutine_wrap)
    if native.features == "lua54" then replace(coroutines, "close", native.coroutine_close) end
  elseif before and not after then
    put_back(coroutines)
  end
end

local function check_seconds(where, seconds)
  if type(seconds) ~= "number" or seconds <= 0 or seconds ~= seconds then
    error("bad argument #1 to '" .. where .. "' (seconds above 0 expected, got "
      .. (type(seconds) == "number" and tostring(seconds) or type(seconds)) .. ")", 3)
  end
end

local replacements = { replace = replace, put_back = put_back, track = track }

local watchdog = {}

--- Give every handler, and every coroutine resumed outside of one, so many seconds; nil or false: no limit any more.
--- With `per = "resume"` also every coroutine that a handler resumes, of its own. True, or nil, message, errno.
local function set(seconds, given)
  if seconds == nil or seconds == false then
    track("limit", false)
    return limit(nil)
  end
  check_seconds("watchdog", seconds)
  given = options.check("watchdog", given, KNOWN)
  local grace = given.grace
  if grace == nil then
    grace = GRACE
  elseif grace == false then
    grace = 0
  elseif type(grace) ~= "number" or grace <= 0 or grace ~= grace then
    error("fkrpc.watchdog: option 'grace' must be seconds above 0, or false, not "
      .. (type(grace) == "number" and tostring(grace) or "a " .. type(grace)), 2)
  end
  local per_resume = options.choice("watchdog", given, "per", PER, "handler")
  local on, message, errno = limit(seconds, grace, per_resume)
  if not on then return nil, message, errno end
  track("limit", true)
  return true
end

local function finish(co, ok, ...)
  if ok and coroutines.status(co) == "suspended" then
    return false, "the function yielded inside watchdog.run, where nobody resumes it"
  end
  return ok, ...
end

--- Call `f(...)` with a limit of its own, inside whatever limit there is already. `true, results...` or `false, error`,
--- as pcall; nil, message, errno if there is no watchdog to be had.
function watchdog.run(seconds, f, ...)
  check_seconds("run", seconds)
  if type(f) ~= "function" then
    error("bad argument #2 to 'run' (function expected, got " .. type(f) .. ")", 2)
  end
  -- Nested resumes must be known, too.
  local own = not (needed.limit or needed.soft)
  if own then track("limit", true) end
  local co = create(function(...) return f(...) end) -- Lua 5.1 makes no coroutine of a C function
  local function done(...)
    if own then track("limit", false) end
    return finish(co, ...)
  end
  return done(resume_within(co, seconds, ...))
end

-- ---- soft hooks -----------------------------------------------------------------------------------------------------

--- Make `debug.sethook(co, f, "", n)` with n >= 1000 mean that `f` is called in `co` about once a second of running;
--- `false` undoes it. Other hooks pass through, and all of them where the system has no such timer. True, or nil,
--- message, errno.
function watchdog.soft_hooks(on)
  return native.module("soft_hooks").set(on, replacements)
end

return setmetatable(watchdog, { __call = function(_, seconds, given) return set(seconds, given) end })
