-- A call of fkrpc.clock beside lua-socket's gettime and os.time: nanoseconds per call, loop and lookup included.
--
-- `lua5.4 bench/clock.lua [rounds] [calls]`, with fkrpc on package.cpath (scripts/build.lua puts it at
-- build/<lua>/fkrpc.so). Every round runs all candidates in another order, and the median of the rounds counts, so that
-- a busy moment of the machine hits none of them alone. Without lua-socket its line is left out.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/../scripts/stamp.lua")
package.cpath = stamp.paths(stamp.absolute(here .. "/.."), stamp.lua_name()).folder .. "/?.so;" .. package.cpath

local clock = require("fkrpc").clock
local rounds, calls = tonumber(arg[1]) or 61, tonumber(arg[2]) or 200000
local found, socket = pcall(require, "socket")

local candidates = {
  { "fkrpc.clock.now_us", clock.now_us },
  { "fkrpc.clock.monotonic_us", clock.monotonic_us },
  { "fkrpc.clock.gettime", clock.gettime },
  { "os.time", os.time },
}
if found then candidates[#candidates + 1] = { "socket.gettime", socket.gettime } end

local times = {}
for i = 1, #candidates do times[i] = {} end

local function measure(f)
  local start = clock.monotonic_us()
  for _ = 1, calls do f() end
  return (clock.monotonic_us() - start) * 1000 / calls
end

math.randomseed(20240229)
for round = 0, rounds do
  local order = {}
  for i = 1, #candidates do table.insert(order, math.random(#order + 1), i) end
  for _, i in ipairs(order) do
    local time = measure(candidates[i][2])
    if round > 0 then table.insert(times[i], time) end -- the first one warms up
  end
end

local function median(list)
  table.sort(list)
  return list[math.floor(#list / 2) + 1]
end

local reference = found and median(times[#candidates])
io.write(("%s: %d rounds of %d calls, shuffled; median ns per call\n"):format(stamp.lua_name(), rounds, calls))
for i, candidate in ipairs(candidates) do
  local time = median(times[i])
  local ratio = reference and (" %.3f of socket.gettime"):format(time / reference) or ""
  io.write(("%-26s %7.1f%s\n"):format(candidate[1], time, ratio))
end
