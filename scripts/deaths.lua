-- Parents that die, N times in each state of their child: `lua5.4 scripts/deaths.lua [N] [STATE]` (1,000). Builds
-- nothing.
--
-- It prints how long the children (and theirs) lived on, and ends with status 1 if one outlived its time. Without the
-- option parent_death a child that spins is documented to live on; that it does is looked at, too, N / 100 times.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/stamp.lua")
local root = stamp.absolute(here .. "/..")
package.cpath = stamp.paths(root, stamp.lua_name()).folder .. "/?.so;" .. package.cpath

local families = dofile(root .. "/spec/chaos/families.lua")
local fkrpc = require("fkrpc")
local clock = fkrpc.clock

local lowest = 0
while arg[lowest - 1] do lowest = lowest - 1 end
local interpreter = arg[lowest]
local count, only = tonumber(arg[1]) or 1000, arg[2]
local wrong = 0

local function percentile(sorted, part)
  return sorted[math.max(1, math.ceil(#sorted * part))] or 0 / 0
end

local function report(name, times, survivors, limit)
  table.sort(times)
  local late = 0
  for _, seconds in ipairs(times) do
    if seconds > limit then late = late + 1 end
  end
  print(("%-58s %5d %8.1f %8.1f %8.1f %8.1f %6d %6d"):format(name, #times, percentile(times, 0.5) * 1e3,
    percentile(times, 0.99) * 1e3, percentile(times, 0.999) * 1e3, percentile(times, 1) * 1e3, late, survivors))
  if late > 0 or survivors > 0 then wrong = wrong + 1 end
end

-- `part` of the count, several at once.
local function trials(name, state, option, part, at_once)
  local kind = families.kind(state, option, interpreter)
  local times, survivors, left = {}, 0, math.ceil(count * part)
  while left > 0 do
    local n = math.min(at_once, left)
    local some, lived = families.trial(kind, n, 10)
    for _, seconds in ipairs(some) do times[#times + 1] = seconds end
    survivors, left = survivors + lived, left - n
  end
  kind:remove()
  report(name, times, survivors, state.limit)
end

-- The reader of a child that writes goes away: EPIPE.
local function broken_pipe(name, limit)
  local script = os.tmpname()
  local file = assert(io.open(script, "wb"))
  file:write(("package.cpath = %q\n"):format(package.cpath), [[
    local peer = assert(require("fkrpc").stdio())
    local piece = ("x"):rep(100)
    local sent, err
    repeat sent, err = peer:notify("n", { piece }) until not sent
    os.exit(err.code == "closed" and 5 or 6)
  ]])
  file:close()
  local times, survivors = {}, 0
  for _ = 1, count do
    local child = assert(fkrpc.spawn({ interpreter, script }))
    child:on("n", function() end)
    assert(child:step(10))
    local began = clock.monotonic_us()
    child:close()
    local exit = child:wait(10)
    if exit and exit.code == 5 then
      times[#times + 1] = (clock.monotonic_us() - began) / 1e6
    else
      survivors = survivors + 1
      child:kill(9)
      child:wait()
    end
  end
  os.remove(script)
  report(name, times, survivors, limit)
end

print(("%-58s %5s %8s %8s %8s %8s %6s %6s"):format("child, parent_death", "ends", "p50 ms", "p99", "p99.9", "max",
  "late", "alive"))
local names = {}
for name in pairs(families.STATES) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local state = families.STATES[name]
  if not only or only == name then
    -- Those that spin share the processors.
    trials(name .. ", true", state, "true", 1, state.needs_option and 4 or 1)
    if not state.needs_option then
      trials(name .. ", false", state, "false", 1, 1)
    elseif not state.grandchild then
      local kind = families.kind(state, "false", interpreter)
      local few = math.ceil(count / 100)
      local times, survivors = families.trial(kind, few, 1.5)
      kind:remove()
      print(("%-58s %d of %d live on, as documented"):format(name .. ", false", survivors, few))
      if #times > 0 then wrong = wrong + 1 end
    end
  end
end
if not only then broken_pipe("writing, and its reader has gone (EPIPE)", 0.1) end
print(wrong == 0 and "all ended in their time" or wrong .. " kinds with a child that lived on too long")
os.exit(wrong == 0 and 0 or 1)
