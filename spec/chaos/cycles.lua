-- Starts and ends of children in every way there is, again and again: nothing may be left over.
--
-- `cycles(fkrpc, interpreter, count)` runs so many; what is left is `zombies`, `descriptors` and `rss` (bytes), each a
-- difference to the time before.

local fs

-- Children of this process that have ended and were not collected.
local function zombies(own)
  local count = 0
  for _, name in ipairs(fs.ls("/proc")) do
    if name:match("^%d+$") then
      local state, parent = (fs.read("/proc/" .. name .. "/stat") or ""):match("%) (%a) (%d+)")
      if state == "Z" and parent == own then count = count + 1 end
    end
  end
  return count
end

local function state_now()
  collectgarbage()
  collectgarbage()
  local status = fs.read("/proc/self/status")
  return {
    zombies = zombies((fs.read("/proc/self/stat"):match("^(%d+)"))),
    descriptors = #fs.ls("/proc/self/fd"), rss = status:match("VmRSS:%s*(%d+)") * 1024,
  }
end

local WAYS = {
  function(spawn) assert(spawn({ "cat" }):stop().code == 0) end,
  function(spawn)
    local child = spawn({ "cat" })
    child:kill(9)
    assert(select(2, child:call("x")).data.signal == 9)
    child:close()
  end,
  function(spawn) assert(spawn({ "sh", "-c", "exec >&-; exec sleep 100" }):stop({ grace = 0 }).signal == 15) end,
  function(spawn) spawn({ "cat" }):close() end, -- and nobody refers to it any more
  function(spawn) spawn({ "true", stderr = "null" }):wait() end,
  function(_, fkrpc) assert(not fkrpc.spawn({ "/nonexistent/program" })) end,
  function(spawn, _, interpreter)
    local child = spawn({ interpreter, "-e", [[local peer = require("fkrpc").stdio()
      peer:on("n", function() return 1 end) peer:notify("hello") io.stderr:write("x") peer:serve()]],
      handshake = "hello", stderr = "keep" })
    assert(child:must("n") == 1)
    assert(child:stop().code == 0)
  end,
}

return function(fkrpc, interpreter, count)
  fs = fkrpc.fs
  local function spawn(given) return assert(fkrpc.spawn(given)) end
  local function run(number)
    for i = 1, number do WAYS[i % #WAYS + 1](spawn, fkrpc, interpreter) end
  end
  -- Those nobody refers to end soon after their input.
  local function settled()
    local now = state_now()
    for _ = 1, 200 do
      fkrpc.clock.sleep(0.01)
      local next_one = state_now()
      if next_one.descriptors == now.descriptors and next_one.zombies == 0 then return next_one end
      now = next_one
    end
    return now
  end
  run(20 * #WAYS) -- first uses take memory
  local before = settled()
  run(count)
  local after = settled()
  return {
    zombies = after.zombies, descriptors = after.descriptors - before.descriptors, rss = after.rss - before.rss,
  }
end
