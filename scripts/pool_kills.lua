-- N deaths by SIGKILL, spread over the states of a pool's children, while callers never stop: `lua5.4
-- scripts/pool_kills.lua [N]` (`make pool-kills`). Builds the library first. Ends with status 1 if a call was lost,
-- ended twice, wrongly or later than 100 ms after the order to kill, or if a zombie, a descriptor or more than 1 MiB is
-- left.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local root, interpreter = dofile(here .. "/rerun.lua")(here)
local BOUND = 100 -- milliseconds

local total = tonumber(arg[1]) or 1000
local run = dofile(root .. "/spec/chaos/pool_kills.lua")(require("fkrpc"), interpreter, total)
local names, tenths, ended, late = {}, {}, 0, 0
for name in pairs(run.by_state) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do print(("%6d  killed %s"):format(run.by_state[name], name)) end
for time, number in pairs(run.times) do
  tenths[#tenths + 1], ended = time, ended + number
  if time > BOUND * 10 then late = late + number end
end
table.sort(tenths)

-- The milliseconds within which this share of the calls had ended.
local function within(share)
  local number = 0
  for _, time in ipairs(tenths) do
    number = number + run.times[time]
    if number >= share * ended then return time / 10 end
  end
  return 0
end

print(("%d kills in %.0f s; %d calls: %d ended by a death, %d lost; order to end: median %.1f ms, 99%% %.1f ms, "
  .. "longest %.1f ms, %d later than %d ms"):format(run.kills, run.seconds, run.calls, ended, run.lost,
  within(0.5), within(0.99), within(1), late, BOUND))
print(("%d zombies, %+d descriptors, %+.2f MiB of memory (Lua %+.2f MiB)"):format(run.zombies, run.descriptors,
  run.rss / 2 ^ 20, run.lua / 2 ^ 20))
os.exit(run.lost == 0 and late == 0 and run.zombies == 0 and run.descriptors == 0 and run.rss <= 2 ^ 20 and 0 or 1)
