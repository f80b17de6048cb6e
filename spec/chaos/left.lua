-- What is left behind: zombies, and descriptors that were not there before.
--
-- What ends in another thread or process ends soon, not at once: `since` waits for it. It refuses to call a descriptor
-- new because another one was closed meanwhile, by whatever ran before: pipes and sockets are told apart by their
-- inodes' numbers.

local left = { PATIENCE = 20 }

local function collect()
  for _ = 1, 3 do collectgarbage() end
end

--- How many descriptors refer to what.
function left.descriptors(fs)
  local found = {}
  for _, name in ipairs(fs.ls("/proc/self/fd") or {}) do
    local target = fs.readlink("/proc/self/fd/" .. name)
    if target then found[target] = (found[target] or 0) + 1 end -- the listing's own is closed
  end
  return found
end

--- How many children of this process have ended and wait to be collected.
function left.zombies(fs)
  local own, count = (fs.read("/proc/self/stat") or ""):match("^(%d+)"), 0
  for _, name in ipairs(fs.ls("/proc") or {}) do
    if name:match("^%d+$") then
      local state, parent = (fs.read("/proc/" .. name .. "/stat") or ""):match("%) (%a) (%d+)")
      if state == "Z" and parent == own then count = count + 1 end
    end
  end
  return count
end

--- How many descriptors there are now that `before` does not have, and a text that names them.
function left.more(fs, before)
  local count, names = 0, {}
  for target, number in pairs(left.descriptors(fs)) do
    local more = number - (before[target] or 0)
    if more > 0 then count, names[#names + 1] = count + more, more .. " of " .. target end
  end
  return count, table.concat(names, ", ")
end

--- The same, as soon as there are none, or after so many seconds.
function left.since(fkrpc, before, patience)
  local clock = fkrpc.clock
  local limit = clock.monotonic_us() + (patience or left.PATIENCE) * 1e6
  while true do
    collect()
    local count, names = left.more(fkrpc.fs, before)
    if count == 0 or clock.monotonic_us() > limit then return count, names end
    clock.sleep(0.01)
  end
end

--- The numbers of zombies and descriptors of a process that does nothing else. `wanted`: that many descriptors and no
--- zombie are waited for; without it, that both stay as they are for a while. `sleep` lets others work meanwhile.
function left.count(fkrpc, wanted, sleep)
  local fs, clock = fkrpc.fs, fkrpc.clock
  sleep = sleep or clock.sleep
  local limit = clock.monotonic_us() + left.PATIENCE * 1e6
  local zombies, descriptors, same = nil, nil, 0
  while true do
    collect()
    local now_zombies, now = left.zombies(fs), #fs.ls("/proc/self/fd")
    same = now_zombies == zombies and now == descriptors and same + 1 or 0
    zombies, descriptors = now_zombies, now
    local settled
    if wanted then
      settled = zombies == 0 and descriptors == wanted
    else
      settled = zombies == 0 and same >= 20
    end
    if settled or clock.monotonic_us() > limit then return zombies, descriptors end
    sleep(0.01)
  end
end

return left
