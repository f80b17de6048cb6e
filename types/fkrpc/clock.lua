---@meta fkrpc.clock

---Two clocks and a sleep. Deadlines and durations come from the monotonic clock: setting the time does not move it.
---@class fkrpc.clock
local clock = {}

---The time of day. Lua 5.1, 5.2 and LuaJIT: a whole float.
---@return integer microseconds since 1970-01-01 UTC
function clock.now_us() end

---A clock that never goes back. Lua 5.1, 5.2 and LuaJIT: a whole float.
---@return integer microseconds since some moment before
function clock.monotonic_us() end

---The time of day, as lua-socket's function of this name gives it.
---@return number seconds since 1970-01-01 UTC
function clock.gettime() end

---Sleep at least so long; signals do not cut it short. Returns at once for 0 and less.
---@param seconds number
function clock.sleep(seconds) end

return clock
