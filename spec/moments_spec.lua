-- What the system does to a process at any moment: signals that interrupt and stop it, and a wall clock that jumps.
-- scripts/signals.lua makes a million calls under signals.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local nagging = dofile(helper.root .. "/spec/chaos/nagging.lua")

local CHAOS = helper.root .. "/spec/chaos"

describe("signals at any moment", function()
  local tools
  setup(function() tools = nagging.build(CHAOS) end)
  teardown(function() if tools then nagging.remove(tools) end end)

  for name, what in pairs({
    ["that interrupt every wait"] = { alarm = true }, ["that stop and continue the child"] = { stop = true },
    ["of both kinds"] = { alarm = true, stop = true },
  }) do
    it("change no answer: those " .. name, function()
      if not tools then return pending("there is no C compiler") end
      local found, said = nagging.run(tools, helper.interpreter, 5000, what)
      assert(found, said)
      assert.same({ 0, 0 }, { found.errors, found.strays }, found.log)
      if what.alarm then assert.truthy(found.alarms > 0) end
      if what.stop then assert.truthy(found.stops > 0) end
    end)
  end

  it("do not end the wait for a raw message", function()
    if not tools then return pending("there is no C compiler") end
    local done = programs.shell("LD_PRELOAD=" .. tools.alarm .. " " .. programs.command([[
      local fkrpc = require("fkrpc")
      -- The first line comes after dozens of interruptions.
      local child = assert(fkrpc.spawn({ "sh", "-c", "sleep 0.1; echo line", env = { LD_PRELOAD = false } }))
      print(child:receive_raw())
      print(child:receive_raw())
    ]]) .. ' >"$OUT" 2>"$ERR"', "")
    local said = done.out:gsub("child %d+", "child PID")
    assert.equal("line\nnil\tclosed: child PID has ended: exit code 0\n", said, done.err)
    assert.truthy(tonumber(done.err:match("alarm: (%d+)")) > 10, done.err)
  end)
end)

describe("a wall clock that jumps ten years to and fro", function()
  after_each(programs.finish)

  it("changes no timeout", function()
    local shim = programs.file()
    local built = os.execute(("cc -shared -fPIC -O1 -o %s %s 2>/dev/null"):format(shim,
      helper.quote(CHAOS .. "/wall.c")))
    if not (built == true or built == 0) then return pending("there is no C compiler") end
    local script = programs.file([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ signals = { "USR1" } }))
      peer:on("nap", function(params) fkrpc.clock.sleep(params[1]) return "rested" end)
      peer:on("wait", function(params) return peer:step(params[1]) end)
      peer:on("watched", function() while true do end end)
      if jit then jit.off() end -- machine code has no hooks
      assert(fkrpc.watchdog(0.2))
      peer:serve()
    ]])
    local done = programs.shell("LD_PRELOAD=" .. shim .. " " .. programs.command(([[
      local fkrpc = require("fkrpc")
      local clock = fkrpc.clock
      local child = assert(fkrpc.spawn({ %q, %q, send_timeout = 20, latency = true }))
      local function timed(least, work)
        local before = clock.monotonic_us()
        local result, err = work()
        local seconds = (clock.monotonic_us() - before) / 1e6
        -- Jumps are of years: who looked at the wrong clock would be done at once, or never.
        print(tostring(type(err) == "table" and err.code or result), seconds >= least and seconds < 20)
      end
      timed(0.2, function() return child:call("nap", { 0.2 }, { timeout = 10 }) end)
      timed(0.1, function() return child:call("nap", { 0.3 }, { timeout = 0.1 }) end)
      timed(0.1, function() return child:step(0.1) end)
      child:call("nap", { 0 }) -- after the late reply of the second
      timed(0.1, function() return child:receive_raw(0.1) end)
      timed(0.2, function() return child:call("wait", { 0.2 }) end)
      timed(0.2, function() return child:call("watched") end)
      timed(0.1, function() return child:wait(0.1) end)
      timed(0.1, function() clock.sleep(0.1) end)
      -- The wall clock is what it is said to be, and does jump.
      local one, other = os.time(), os.time()
      print(math.abs(one - other) > 1e8, math.abs(clock.now_us() - clock.now_us()) > 1e14)
      child:close()
    ]]):format(helper.interpreter, script)) .. ' >"$OUT" 2>"$ERR"', "")
    assert.equal("rested\ttrue\ntimeout\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\n-32603\ttrue\n"
      .. "false\ttrue\nnil\ttrue\ntrue\ttrue\n", done.out, done.err)
    local looks = 0
    for count in done.err:gmatch("wall: (%d+)") do looks = looks + tonumber(count) end
    assert.truthy(looks >= 4, done.err) -- the program's own
  end)
end)
