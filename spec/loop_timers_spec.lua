-- Timers of a loop: their order, what cancels them, many of them.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local loop, seen

before_each(function() loop, seen = fkrpc.loop(), {} end)
after_each(function()
  loop:close()
  programs.finish()
end)

local function note(text) seen[#seen + 1] = text end

describe("timers", function()
  it("run in the order of their times, those of the same time in that of their making", function()
    for _, seconds in ipairs({ 0.012, 0.004, 0.008, 0 }) do loop:after(seconds, function() note(seconds) end) end
    loop:after(0.004, function() note("second") end)
    assert.equal("done", loop:run())
    assert.same({ 0, 0.004, "second", 0.008, 0.012 }, seen)
  end)

  it("do not run before their time", function()
    local begin = fkrpc.clock.monotonic_us()
    for i = 1, 20 do
      loop:after(i / 1000, function() seen[i] = fkrpc.clock.monotonic_us() - begin end)
    end
    loop:run()
    for i = 1, 20 do assert.is_true(seen[i] >= i * 1000, seen[i]) end
  end)

  it("that are cancelled do not run, wherever they stand in the heap", function()
    local timers = {}
    for i = 1, 200 do
      timers[i] = loop:after((i * 37 % 200) / 2000, function() note(i) end)
    end
    for i = 1, 200, 2 do
      assert.is_true(timers[i]:cancel())
      assert.is_false(timers[i]:cancel())
    end
    loop:run()
    assert.equal(100, #seen)
    local last = -1
    for _, i in ipairs(seen) do
      assert.equal(0, i % 2)
      assert.is_true(timers[i].at >= last) -- not their numbers: it takes time to make them
      last = timers[i].at
    end
    assert.equal("fkrpc.timer (ended)", tostring(timers[2]))
  end)

  it("repeat until they are cancelled, by themselves too, and never twice at once", function()
    local running, most = 0, 0
    loop:every(0.001, function(timer)
      running = running + 1
      most = math.max(most, running)
      loop:sleep(0.005)
      running = running - 1
      note("turn")
      if #seen == 3 then timer:cancel() end
    end)
    assert.equal("done", loop:run())
    assert.same({ 3, 1 }, { #seen, most })
  end)

  it("may suspend, fail and close the loop without harm to others", function()
    loop:after(0, function() loop:sleep(0.002) note("slept") end)
    loop:after(0.001, function() note("between") end)
    loop:after(0.3, function() loop:close() end)
    loop:after(1000, function() note("never") end)
    assert.equal("closed", loop:run())
    assert.same({ "between", "slept" }, seen)
  end)

  it("are cheap by ten thousands", function()
    -- A list that is searched or sorted would take 10^8 steps: counted, not timed.
    local steps = 0
    local timers = {}
    local function count() steps = steps + 900 end
    if helper.name == "luajit" then jit.off() end -- luacheck: ignore
    debug.sethook(count, "", 900)
    for i = 1, 10000 do timers[i] = loop:after(100 + i * 7919 % 10000, print) end
    for i = 1, 10000 do timers[i]:cancel() end
    debug.sethook()
    if helper.name == "luajit" then jit.on() end -- luacheck: ignore
    assert.is_true(steps > 0 and steps < 2e7, steps)
    assert.equal("done", loop:run())
  end)

  it("go on while others are made by those that run", function()
    local left = 500
    local function again()
      left = left - 1
      if left > 0 then loop:after(0, again) end
    end
    again()
    loop:after(0.001, function() note(left > 0) end)
    loop:run()
    assert.equal(0, left)
    assert.equal(1, #seen)
  end)
end)
