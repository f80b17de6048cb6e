-- child:stop: asked, told, killed; and that nothing of a child is left.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local function sh(command, options)
  local given = { "sh", "-c", command, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(fkrpc.spawn(given))
end

-- Neither gone nor a zombie that its new parent does not collect.
local function runs(pid)
  local state = programs.read(("/proc/%d/stat"):format(pid)):match("%) (%a)")
  return state ~= nil and state ~= "Z" and state ~= "X"
end

local function is_gone(pid)
  local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
  while runs(pid) do
    if fkrpc.clock.monotonic_us() > limit then return false end
    fkrpc.clock.sleep(0.01)
  end
  return true
end

describe("stopping a child", function()
  it("asks first: it ends by itself, and what it still says is heard", function()
    local child = programs.spawn([[local p = require("fkrpc").stdio()
      p:on("n", function() return 1 end) p:serve() p:notify("bye", { "last" }) os.exit(4)]])
    local said
    child:on("bye", function(params) said = params[1] end)
    assert.equal(1, child:must("n"))
    local certificate = child:stop()
    assert.equal(4, certificate.code)
    assert.equal("last", said)
    assert.equal(certificate, child.certificate)
    assert.equal(certificate, child:stop())
    assert.equal("dead", child:info().state)
  end)

  it("reads what it says, so that a full pipe does not keep it from ending", function()
    local child = programs.spawn([[local p = require("fkrpc").stdio() p:serve()
      for i = 1, 20000 do p:notify("flood", { i, ("x"):rep(50) }) end os.exit(0)]])
    local count = 0
    child:on("flood", function() count = count + 1 end)
    assert.equal(0, child:stop({ grace = 20 }).code)
    assert.equal(20000, count)
  end)

  it("tells it by SIGTERM when it does not listen", function()
    assert.equal(15, sh("exec sleep 100"):stop({ grace = 0.05 }).signal)
  end)

  it("kills it when it ignores that", function()
    local child = sh("trap '' TERM; while :; do sleep 0.01; done")
    child:step(0.05)
    assert.equal(9, child:stop({ grace = 0, terminate = 0.1 }).signal)
    assert.is_nil(child.certificate.oom)
  end)

  it("wakes it when it is stopped", function()
    local child = sh("exec sleep 100")
    child:kill(19)
    assert.equal(15, child:stop({ grace = 0 }).signal)
    child = sh("trap '' TERM; while :; do sleep 0.01; done")
    child:step(0.05)
    child:kill(19)
    assert.equal(9, child:stop({ grace = 0, terminate = 0.05 }).signal)
  end)

  it("ends its children with it, however it ended", function()
    for _, last in ipairs({ "read x; exit 0", "wait", "trap '' TERM; while :; do sleep 0.01; done" }) do
      local child = sh("sleep 100 & echo \"[$!]\" ; " .. last)
      local pid = tonumber(child:receive_raw(programs.DEADLINE):match("%d+"))
      assert.is_true(runs(pid))
      assert(child:stop({ grace = 0.1, terminate = 0.1 }))
      assert.is_true(is_gone(pid), last)
    end
  end)

  it("fails the calls that wait, with its certificate", function()
    local child = programs.spawn('local p = require("fkrpc").stdio() p:notify("go") p:receive_raw() p:receive_raw()')
    local err
    child:on("go", function() err = select(2, child:call("never")) end)
    child:on("never", function() end)
    local other = programs.spawn('local p = require("fkrpc").stdio() p:notify("go") p:receive_raw() p:receive_raw()',
      { concurrency = 2 })
    local interleaved
    other:on("go", function() interleaved = select(2, other:call("never")) end)
    assert.is_true(other:step(programs.DEADLINE))
    assert.equal(0, other:stop().code)
    assert.equal(other.certificate, interleaved.data)
    fkrpc.clock.sleep(0)
    child:close_stdin()
    child:step(programs.DEADLINE)
    assert.equal("closed", err.code)
    child:stop()
  end)

  it("that has ended gives the same certificate and sends no signal", function()
    local child = sh("exit 9")
    local certificate = child:wait(programs.DEADLINE)
    assert.equal(certificate, child:stop({ grace = 0 }))
    assert.is_nil((child:kill(9)))
  end)

  it("takes seconds that are numbers and at least 0", function()
    local child = sh("exec cat")
    for _, wrong in ipairs({ 5, "x", { grace = "x" }, { grace = -1 }, { terminate = 0 / 0 } }) do
      assert.error_matches(function() child:stop(wrong) end, "bad argument #1 to 'stop'")
    end
    child:stop()
  end)
end)

describe("a child nobody refers to any more", function()
  it("is no zombie after its end, though nothing is started or waited for", function()
    local pid = sh("exit 0").pid
    collectgarbage()
    collectgarbage()
    local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
    while programs.read(("/proc/%d/stat"):format(pid)) ~= "" do
      if fkrpc.clock.monotonic_us() > limit then error("it is still there") end
      fkrpc.clock.sleep(0.01)
    end
    pid = sh("read x; sleep 0.05").pid
    collectgarbage()
    collectgarbage()
    while programs.read(("/proc/%d/stat"):format(pid)) ~= "" do
      if fkrpc.clock.monotonic_us() > limit then error("it is still there") end
      fkrpc.clock.sleep(0.01)
    end
  end)
end)

describe("starts and ends in every way", function()
  it("leave no zombie, no descriptor and no memory", function()
    -- In a process of its own: what specs leave to the collector would count.
    local result = programs.run(([[
      local left = dofile(%q)(require("fkrpc"), %q, 140)
      io.write(left.zombies, " ", left.descriptors, " ", left.rss <= 2 ^ 20 and "steady" or left.rss)
    ]]):format(helper.root .. "/spec/chaos/cycles.lua", helper.interpreter))
    assert.equal("0 0 steady", result.out, result.err)
  end)
end)
