-- fkrpc.clock: two clocks and a sleep.
local helper = require("spec.helper")
local clock = require("fkrpc").clock

describe("fkrpc.clock", function()
  it("is the same table as require 'fkrpc.clock'", function()
    assert.equal(clock, require("fkrpc.clock"))
  end)

  it("gives whole microseconds, as integers where Lua has them", function()
    for _, name in ipairs({ "now_us", "monotonic_us" }) do
      local value = clock[name]()
      assert.equal("number", type(value))
      assert.equal(0, value % 1)
      if math.type then assert.equal("integer", math.type(value)) end
    end
  end)

  it("agrees with os.time and with itself", function()
    local before = os.time()
    local us, seconds = clock.now_us(), clock.gettime()
    local after = os.time() + 1
    assert.is_true(before <= us / 1e6 and us / 1e6 <= after)
    assert.is_true(us / 1e6 <= seconds + 1e-6 and seconds <= after)
    if math.type then assert.equal("float", math.type(seconds)) end
  end)

  it("has a monotonic clock that never goes back", function()
    local last = clock.monotonic_us()
    for _ = 1, 10000 do
      local now = clock.monotonic_us()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("ignores arguments of the clocks, as the game's GetMicroSecond does", function()
    assert.equal("number", type(clock.now_us("x", {})))
  end)

  it("sleeps at least the time it is told", function()
    for _, seconds in ipairs({ 0, -1, 0.001, 0.02 }) do
      local start = clock.monotonic_us()
      assert.equal(0, select("#", clock.sleep(seconds)))
      assert.is_true(clock.monotonic_us() - start >= seconds * 1e6)
    end
  end)

  it("raises for what is no number of seconds", function()
    for _, wrong in ipairs({ false, {}, "soon", 0 / 0 }) do
      local ok, message = pcall(function() clock.sleep(wrong) end)
      assert.is_false(ok)
      assert.is_truthy(message:find("bad argument #1 to 'sleep' (number", 1, true), message)
    end
    assert.is_false(pcall(clock.sleep))
  end)

  it("does not cut a sleep short when signals come", function()
    -- A child process has the library handle SIGPIPE, and a handled signal ends a nanosleep(2).
    local script, ready = os.tmpname(), os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write([[
      local fkrpc = require("fkrpc")
      local child = assert(fkrpc.spawn({ "cat" }))
      assert(fkrpc.fs.write_atomic(arg[1], "ready"))
      local start = fkrpc.clock.monotonic_us()
      fkrpc.clock.sleep(0.6)
      io.write(fkrpc.clock.monotonic_us() - start >= 600000 and "whole" or "cut")
      child:close()
    ]])
    file:close()
    local pipe = io.popen(("%s %s %s & child=$!; while kill -0 $child && [ ! -s %s ]; do sleep 0.01; done; "):format(
      helper.quote(helper.interpreter), script, ready, ready) .. [[
      sleep 0.1; for i in 1 2 3; do kill -PIPE $child; sleep 0.05; done
      wait $child]])
    local said = pipe:read("*a")
    pipe:close()
    os.remove(script)
    os.remove(ready)
    assert.equal("whole", said)
  end)
end)
