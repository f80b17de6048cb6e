-- What specs ask /proc about other processes, and waiting for what is bound to happen.

local fkrpc = require("fkrpc")
local fs, clock = fkrpc.fs, fkrpc.clock

local processes = { DEADLINE = 30 }

--- The state's letter (proc(5)) of a process; nil: there is none.
function processes.state(pid)
  return (fs.read(("/proc/%d/stat"):format(pid)) or ""):match("%) (%a)")
end

--- Whether a process runs: it is neither gone nor a zombie that its new parent does not collect.
function processes.runs(pid)
  local state = processes.state(pid)
  return state ~= nil and state ~= "Z" and state ~= "X"
end

--- The pids of its parent and of its group.
function processes.family(pid)
  local parent, group = (fs.read(("/proc/%d/stat"):format(pid)) or ""):match("%) %a (%d+) (%d+)")
  return tonumber(parent), tonumber(group)
end

--- Wait until `check` says something; what it says, or nil when it does not in time.
function processes.wait(check)
  local limit = clock.monotonic_us() + processes.DEADLINE * 1e6
  while true do
    local found = check()
    if found then return found end
    if clock.monotonic_us() > limit then return nil end
    clock.sleep(0.005)
  end
end

--- Whether a process ends.
function processes.ends(pid)
  return processes.wait(function() return not processes.runs(pid) end) or false
end

return processes
