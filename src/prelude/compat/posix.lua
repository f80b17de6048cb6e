-- posix: the clock functions of luaposix, and its modules that hold them.
local native = ...
local uncovered = native.module("compat/uncovered")
local time, sys_time = native.module("compat/posix_time"), native.module("compat/posix_sys_time")
local clock = native.module("clock")

return uncovered("posix", {
  time = time,
  sys = uncovered("posix.sys", { time = sys_time }),
  clock_gettime = time.clock_gettime,
  nanosleep = time.nanosleep,
  gettimeofday = sys_time.gettimeofday,
  --- Sleep for whole seconds; 0, as it is never cut short.
  sleep = function(seconds)
    clock.sleep(seconds)
    return 0
  end,
  CLOCK_REALTIME = time.CLOCK_REALTIME,
  CLOCK_MONOTONIC = time.CLOCK_MONOTONIC,
})
