-- Recycling under load: `lua5.4 scripts/recycles.lua [N]` goes on until N (1,000) children of a pool were replaced.
--
-- Each child leaks and is replaced by its memory or its calls, while eight callers never stop. It fails when a call
-- failed or had a wrong answer, a zombie or a descriptor is left, or when the private memory of all processes with four
-- fresh children is more than 5 % above what it was before all that. `make recycles` runs it; the specs have a short
-- form.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
dofile(here .. "/../bench/library.lua")
local fkrpc = require("fkrpc")

local WANTED, CALLERS, WARM_UP = tonumber(arg[1]) or 1000, 8, 40
local CHILD = [[
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio())
local game, kept = {}, {}
for i = 1, 100000 do game[i] = { i } end -- about 10 MB, as a loaded game has
peer:on("work", function(params)
  kept[#kept + 1] = ("x"):rep(200 * 1024 + #game % 2)
  return params[1] * 2
end)
peer:notify("hello", {})
peer:serve()
]]

local function private_memory(pid)
  local sum = 0
  local file = io.open("/proc/" .. pid .. "/smaps_rollup")
  if not file then return 0 end
  for line in file:lines() do sum = sum + tonumber(line:match("^Private_%a+:%s*(%d+) kB") or 0) * 1024 end
  file:close()
  return sum
end

local function count(folder)
  local pipe = assert(io.popen("ls " .. folder .. " | wc -l"))
  local number = tonumber(pipe:read("*a"))
  pipe:close()
  return number
end

local function zombies()
  local pipe = assert(io.popen("ps --ppid $PPID -o stat= | grep -c Z"))
  local number = tonumber(pipe:read("*a"))
  pipe:close()
  return number
end

local script = os.tmpname()
local file = assert(io.open(script, "wb"))
assert(file:write(CHILD))
assert(file:close())

local lua = arg[-1] or "lua5.4"
-- What is made once, for all children.
local first = assert(fkrpc.pool({ command = { lua, script }, handshake = "hello" }))
assert(first:wait(30))
first:close()
first = nil -- luacheck: ignore
collectgarbage()
collectgarbage()
local descriptors = count("/proc/$PPID/fd")
local pool = assert(fkrpc.pool({
  command = { lua, script }, size = 4, handshake = "hello", check = 0.02,
  recycle = { memory = 24 * 2 ^ 20, calls = 60, jitter = 0.3 },
}))
assert(pool:wait(30))

-- Of this process and of fresh children, when nothing else is left.
local function fresh_memory()
  assert(pool:wait(30))
  while #pool:info().children > 4 do pool.loop:sleep(0.01) end
  collectgarbage()
  collectgarbage()
  local own, sum = private_memory("self"), 0
  for _, child in ipairs(pool:info().children) do sum = sum + private_memory(child.pid) end
  return own + sum, own
end

local recycled, why, wrong, calls, worst, most = 0, {}, 0, 0, 0, 0
pool:on("recycled", function(event)
  recycled = recycled + 1
  why[event.why] = (why[event.why] or 0) + 1
end)
pool.loop:every(0.2, function()
  local sum = private_memory("self")
  for _, child in ipairs(pool:info().children) do sum = sum + private_memory(child.pid) end
  most = math.max(most, sum)
end)

-- Call until so many children have been replaced.
local function load_until(wanted)
  local tasks = {}
  for caller = 1, CALLERS do
    tasks[caller] = pool.loop:go(function()
      local number = caller
      while recycled < wanted do
        number = number + CALLERS
        local start = fkrpc.clock.monotonic_us()
        local result, err = pool:call("work", { number }, { timeout = 30 })
        worst = math.max(worst, fkrpc.clock.monotonic_us() - start)
        calls = calls + 1
        if err ~= nil or result ~= number * 2 then
          wrong = wrong + 1
          io.stderr:write("recycles: a call failed: ", tostring(err), "\n")
        end
      end
    end)
  end
  for caller = 1, CALLERS do tasks[caller]:join() end
  assert(pool:reload())
end

-- What this process needs for the work, it has after the first of it.
load_until(WARM_UP)
local before, own_before = fresh_memory()
local began = fkrpc.clock.monotonic_us()
load_until(recycled + WANTED)
local seconds = (fkrpc.clock.monotonic_us() - began) / 1e6
local after, own_after = fresh_memory()
local counts = pool:info().counts
pool:close()
os.remove(script)
collectgarbage()
collectgarbage()

local growth = after / before - 1
local left = count("/proc/$PPID/fd") - descriptors
print(("%d recycled (memory %d, calls %d) in %.1f s, %d calls, %d failed, slowest %.1f ms, %d died"):format(recycled,
  why.memory or 0, why.calls or 0, seconds, calls, wrong, worst / 1000, counts.died or 0))
print(("private memory of all processes: %.1f MiB with fresh children, at most %.1f, then %.1f (%+.1f %%)"):format(
  before / 2 ^ 20, most / 2 ^ 20, after / 2 ^ 20, growth * 100))
print(("of it this process's own: %.1f MiB, then %.1f"):format(own_before / 2 ^ 20, own_after / 2 ^ 20))
print(("%d zombies, %d descriptors left"):format(zombies(), left))
os.exit(wrong == 0 and (counts.died or 0) == 0 and growth <= 0.05 and zombies() == 0 and left == 0 and 0 or 1)
