-- N deaths by SIGKILL, spread over the states of a pool's children, while callers never stop: `lua5.4
-- scripts/pool_kills.lua [N]` (`make pool-kills`). Builds the library first. Ends with status 1 if a call was lost, ended
-- twice, wrongly or later than 100 ms after the order to kill, or if a zombie, a descriptor or more than 1 MiB is left.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local root, interpreter = dofile(here .. "/rerun.lua")(here)
local BOUND = 100 -- milliseconds

local total = tonumber(arg[1]) or 1000
local run = dofile(root .. "/spec/chaos/pool_kills.lua")(require("fkrpc"), interpreter, total)
local times, names, late = run.times, {}, 0
for name in pairs(run.by_state) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do print(("%6d  killed %s"):format(run.by_state[name], name)) end
for _, time in ipairs(times) do
  if time > BOUND then late = late + 1 end
end
print(("%d kills in %.0f s; %d calls: %d ended by a death, %d lost; order to end: median %.1f ms, 99%% %.1f ms, longest "
  .. "%.1f ms, %d later than %d ms"):format(run.kills, run.seconds, run.calls, #times, run.lost,
  times[math.ceil(#times / 2)] or 0, times[math.ceil(#times * 0.99)] or 0, times[#times] or 0, late, BOUND))
print(("%d zombies, %+d descriptors, %+.2f MiB of memory (Lua %+.2f MiB)"):format(run.zombies, run.descriptors,
  run.rss / 2 ^ 20, run.lua / 2 ^ 20))
os.exit(run.lost == 0 and late == 0 and run.zombies == 0 and run.descriptors == 0 and run.rss <= 2 ^ 20 and 0 or 1)
