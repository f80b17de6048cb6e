-- N deaths by SIGKILL, spread over every state of a conversation: `lua5.4 scripts/kills.lua [N]` (`make kills`). Builds
-- the library first. Ends with status 1 if a call was lost, ended twice or later than 100 ms after the order to kill.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local rerun = dofile(here .. "/rerun.lua")
local root, interpreter = rerun(here)

local BOUND = 100 -- milliseconds, from before the killer is told until the last call has failed

local fkrpc = require("fkrpc")
local Kills = dofile(root .. "/spec/chaos/kills.lua")
local total = tonumber(arg[1]) or 1000
local kills = Kills.new(fkrpc, interpreter)
local times, counts, failed, calls, late = {}, {}, 0, 0, 0

for i = 1, total do
  local state = Kills.STATES[i % #Kills.STATES + 1]
  local fine, outstanding, elapsed = pcall(kills.try, kills, state)
  if not fine then
    failed = failed + 1
    print(("FAILED: killed %s: %s"):format(state, outstanding))
  else
    counts[state] = (counts[state] or 0) + 1
    calls = calls + outstanding
    times[#times + 1] = elapsed
    if elapsed > BOUND then
      late = late + 1
      print(("LATE: killed %s: the last call ended after %.1f ms"):format(state, elapsed))
    end
  end
end
kills:finish()
table.sort(times)
for _, state in ipairs(Kills.STATES) do print(("%6d  killed %s"):format(counts[state] or 0, state)) end
print(("%d deaths, %d calls waited and ended once, %d failures, %d later than %d ms; order to end: median %.1f ms, "
  .. "99%% %.1f ms, longest %.1f ms"):format(total, calls, failed, late, BOUND, times[#times / 2 - #times / 2 % 1 + 1]
  or 0, times[#times - (#times / 100 - #times / 100 % 1)] or 0, times[#times] or 0))
os.exit(failed == 0 and late == 0 and 0 or 1)
