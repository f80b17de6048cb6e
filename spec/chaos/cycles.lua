-- Starts and ends of children in every way there is, again and again: nothing may be left over.
--
-- `cycles(fkrpc, interpreter, count)` runs so many; what is left is `zombies`, `descriptors` and `rss` (bytes), each a
-- difference to the time before.

local left = dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/left.lua")

local function resident(fkrpc)
  return fkrpc.fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)") * 1024
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
  local function spawn(given) return assert(fkrpc.spawn(given)) end
  local function run(number)
    for i = 1, number do WAYS[i % #WAYS + 1](spawn, fkrpc, interpreter) end
  end
  run(20 * #WAYS) -- first uses take memory
  local _, before = left.count(fkrpc)
  local rss = resident(fkrpc)
  run(count)
  -- Those nobody refers to end soon after their input.
  local zombies, after = left.count(fkrpc, before)
  return { zombies = zombies, descriptors = after - before, rss = resident(fkrpc) - rss }
end
