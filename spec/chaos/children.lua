-- Faults of children that do not do as they should: they hold on, ignore, flood, run out, or say nothing.

local fkrpc = require("fkrpc")

local faults = {}
local function fault(name, run) faults[#faults + 1] = { name = name, run = run } end

-- A shell line as a child that the world ends; its stderr is kept.
local function shell(world, line, options)
  local given = { "sh", "-c", line, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  return world:adopt(assert(fkrpc.spawn(given)))
end

local function quickly(world, work)
  local before = fkrpc.clock.monotonic_us()
  work()
  if fkrpc.clock.monotonic_us() - before > 2e6 then world.fail("it took more than 2 s") end
end

fault("closes its stdout and lives: calls fail and say so, and it can be stopped", function(world)
  local child = shell(world, "exec >&-; exec sleep 100")
  world.has(world:fails("closed", child, "x").message, "still runs")
  world.equal(15, child:stop({ grace = 0 }).signal)
end)
fault("ignores SIGTERM and the end of its input: it is killed in time", function(world)
  local child = shell(world, "trap '' TERM; while :; do sleep 0.01; done")
  child:step(0.05)
  quickly(world, function() world.equal(9, child:stop({ grace = 0.1, terminate = 0.1 }).signal) end)
end)
fault("is stopped by SIGSTOP and ignores SIGTERM: it is killed in time", function(world)
  local child = shell(world, "trap '' TERM; while :; do sleep 0.01; done")
  child:step(0.05)
  child:kill(19)
  quickly(world, function() world.equal(9, child:stop({ grace = 0.1, terminate = 0.1 }).signal) end)
end)
fault("leaves a grandchild that holds its pipes: calls fail at once, and stop ends both", function(world)
  local child = shell(world, "sleep 3 & read x; exit 5") -- what it leaves when it ends by itself lives on
  quickly(world, function() world.equal(5, world:fails("closed", child, "x").data.code) end)
  local other = shell(world, "sleep 100 & read x; exit 5")
  quickly(world, function() world.equal(5, other:stop().code) end)
end)
fault("floods its stderr while it is called, and without end while it is stopped", function(world)
  local child = shell(world, "yes x | head -c 3000000 >&2; read x; exit 3")
  world.equal(65536, #world:fails("closed", child, "x").data.stderr)
  child = shell(world, "trap '' TERM; while :; do echo flood >&2; done")
  child:step(0.05)
  quickly(world, function() world.equal(9, child:stop({ grace = 0.05, terminate = 0.05 }).signal) end)
end)
fault("prints before hello: that is logged, and hello is heard", function(world)
  local child = assert(fkrpc.spawn({ world.interpreter, "-e", [[io.write("loading...\n") io.flush()
    local peer = require("fkrpc").stdio() peer:notify("hello") peer:serve()]], handshake = "hello" }))
  world.equal(1, child:stats().garbage)
  world.equal(0, child:stop().code)
end)
fault("never says hello, or dies before: spawn says why, and nothing is left", function(world)
  local child, message = fkrpc.spawn({ "sh", "-c", "sleep 100 & sleep 100", handshake = "hello",
    handshake_timeout = 0.05 })
  world.equal(nil, child)
  world.has(message, "has not said hello in time")
  child, message = fkrpc.spawn({ "sh", "-c", "kill -9 $$", handshake = "hello" })
  world.equal(nil, child)
  world.has(message, "SIGKILL")
end)
fault("exhausts its memory: it ends, and the certificate says so", function(world)
  for _, megabytes in ipairs({ 32, 64, 128 }) do
    local child = assert(fkrpc.spawn({ world.interpreter, "-e", "local s = 'x' while true do s = s .. s end",
      stderr = "keep", limits = { memory = megabytes * 2 ^ 20 } }))
    world.has(world:fails("closed", child, "x").data.oom, "not enough memory")
    child:close()
  end
end)
fault("exhausts its descriptors: its own calls fail, and it goes on", function(world)
  local child = assert(fkrpc.spawn({ world.interpreter, "-e", [[local peer = require("fkrpc").stdio()
    peer:on("open", function() local all = {} for i = 1, 100 do
      local file, why = io.open("/dev/null") if not file then return why end all[i] = file end end)
    peer:on("ping", function() return "pong" end) peer:serve()]], limits = { files = 20 } }))
  world.has(child:must("open", nil, { timeout = world.PATIENCE }), "Too many open files")
  world:fine(child)
  world.equal(0, child:stop().code)
end)
fault("exhausts its CPU time: it ends, and the certificate says so", function(world)
  local child = assert(fkrpc.spawn({ world.interpreter, "-e", "while true do end", limits = { cpu = 1 } }))
  world.has(world:fails("closed", child, "x").data.reason, "its limit of 1 s of CPU time")
  child:close()
end)
fault("is killed while interleaved calls wait: each fails once", function(world)
  local child = world:child([[for i = 1, 5 do peer:notify("go") end
    peer:on("hold", function() fkrpc.clock.sleep(100) end)]], { concurrency = 8 })
  local begun, failed = 0, 0
  child:on("go", function()
    begun = begun + 1
    if begun == 5 then child:kill(9) end
    local _, err = child:call("hold")
    if err.data == child.certificate then failed = failed + 1 end
  end)
  child:serve()
  world.equal(5, failed)
  world:ends(child, -9)
end)

return faults
