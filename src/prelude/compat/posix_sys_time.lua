-- posix.sys.time: the clock function of luaposix.
local native = ...
local floor = math.floor
local now_us = native.module("clock").now_us

return native.module("compat/uncovered")("posix.sys.time", {
  --- `{ tv_sec =, tv_usec = }`
  gettimeofday = function()
    local now = now_us()
    return { tv_sec = floor(now / 1000000), tv_usec = now % 1000000 }
  end,
})
