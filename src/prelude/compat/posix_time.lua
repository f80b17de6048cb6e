-- posix.time: the clock functions of luaposix.
local native = ...
local error, type, tostring = error, type, tostring
local floor = math.floor
local clock = native.module("clock")

local REALTIME, MONOTONIC = 0, 1 -- Linux's numbers

local function pair(microseconds)
  return { tv_sec = floor(microseconds / 1000000), tv_nsec = microseconds % 1000000 * 1000 }
end

local time = { CLOCK_REALTIME = REALTIME, CLOCK_MONOTONIC = MONOTONIC }

--- `{ tv_sec =, tv_nsec = }` of a clock.
function time.clock_gettime(id)
  if id == REALTIME then return pair(clock.now_us()) end
  if id == MONOTONIC then return pair(clock.monotonic_us()) end
  error("fkrpc.compat: posix.time.clock_gettime(" .. tostring(id) .. ") is not covered", 2)
end

--- Seconds since 1970.
function time.time() return floor(clock.now_us() / 1000000) end

--- Sleep for `{ tv_sec =, tv_nsec = }`; 0, as it is never cut short.
function time.nanosleep(request)
  if type(request) ~= "table" then
    error("bad argument #1 to 'nanosleep' (table expected, got " .. type(request) .. ")", 2)
  end
  clock.sleep((request.tv_sec or 0) + (request.tv_nsec or 0) / 1e9)
  return 0
end

return native.module("compat/uncovered")("posix.time", time)
