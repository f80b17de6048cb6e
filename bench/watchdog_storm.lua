-- Many timeouts in a row, under varied loads: does each stop its code, with the right error, and leave nothing behind?
--
--   lua5.4 bench/watchdog_storm.lua [COUNT] [SECONDS]       (10000 of 0.001; LuaJIT: without its JIT)
--
-- In turn coroutines that nobody but the main program resumes, handlers, and rooms that a handler resumes; the code is
-- that of spec/fixtures/watchdog/cases.lua. The status is 0 if every one of them was stopped. Under valgrind take
-- SECONDS of 0.02 and more.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/../spec/fixtures/watchdog/?.lua;" .. package.path
local count, seconds = tonumber(arg[1]) or 10000, tonumber(arg[2]) or 0.001
local jit = rawget(_G, "jit")
if jit then jit.off() end
local fkrpc = require("fkrpc")
local cases = require("cases")

-- Coroutines made inside a slice that fails may have inherited its hook.
local kept = {}
function cases.coroutines_that_are_kept()
  while true do pcall(function()
    kept[#kept % 64 + 1] = coroutine.create(function() return "fine" end)
  end) end
end

-- Lua 5.4 needs seconds to unwind as many pcalls inside each other as there is room for: once in RARELY.
local SLOW, RARELY = "pcall_in_recursion", 1000

local names = {}
for name in pairs(cases) do
  if name ~= SLOW then names[#names + 1] = name end
end
table.sort(names)

assert(fkrpc.watchdog(seconds, { per = "resume", grace = 60 }))
-- Failed handlers are logged; 10000 times the same is no news.
io.stderr:setvbuf("full")

local function late(ok, message)
  return ok == false and type(message) == "string" and message:find("seconds is exceeded", 1, true) ~= nil
    and message:find("stack traceback:\n", 1, true) ~= nil
end

local function before() return coroutine.create(function() while true do pcall(cases.tight_loop) end end) end

local one, other = fkrpc.pair()
other:on("spin", function(params) cases[params[1]](before()) end)
other:on("wake", function(params)
  local room = coroutine.create(cases[params[1]])
  local ok, message = coroutine.resume(room, before())
  if not late(ok, message) then return "the room: " .. tostring(message) end
  return debug.gethook(room) == nil or "a hook stays on the room"
end)

local ways = {
  function(name)
    local co = coroutine.create(cases[name])
    local ok, message = coroutine.resume(co, before())
    return late(ok, message) and debug.gethook(co) == nil, message
  end,
  function(name)
    local result, e = one:call("spin", { name })
    return result == nil and e.code == -32603 and late(false, e.data), e and e.data
  end,
  function(name)
    local result, e = one:call("wake", { name })
    return result == true, e and e.data or result
  end,
}

local clock = fkrpc.clock.monotonic_us
local started, stopped, failures = clock(), 0, {}
for i = 1, count do
  local name = i % RARELY == 0 and SLOW or names[i % #names + 1]
  local way = math.floor(i / #names) % #ways + 1
  local fine, why = ways[way](name)
  if fine and debug.gethook() == nil then
    stopped = stopped + 1
  else
    failures[#failures + 1] = ("%s (way %d): %s"):format(name, way, tostring(why))
  end
  if i % 100 == 0 then
    for at, co in pairs(kept) do
      local ran, word = coroutine.resume(co)
      if not (ran and word == "fine") then failures[#failures + 1] = "one that was kept: " .. tostring(word) end
      kept[at] = nil
    end
  end
end
local took = (clock() - started) / 1e6
print(("%s: %d of %d stopped, %d kinds of code, limit %g s, %.1f ms each"):format(
  jit and jit.version or _VERSION, stopped, count, #names + 1, seconds, took * 1000 / count))
for i = 1, math.min(#failures, 20) do print("failed: " .. failures[i]) end
os.exit(#failures == 0 and stopped == count and 0 or 1)
