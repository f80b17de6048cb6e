-- The game guards each coroutine with a count hook; on compat it is called about once a second instead.
local programs = require("spec.programs")

after_each(programs.finish)

local function run(script) return programs.run('require("fkrpc.compat")\n' .. script) end

-- Where the JIT has compiled a loop no hook of any kind reaches it.
local JIT_OFF = "if rawget(_G, 'jit') then jit.off() end\n"

describe("a pure count hook with a large count", function()
  it("is called in its coroutine about once a second of running", function()
    local done = run(JIT_OFF .. [[
      local calls, where = 0, nil
      local co = coroutine.create(function()
        local started = os.clock()
        while os.clock() - started < 2.4 do end
        return "done"
      end)
      debug.sethook(co, function() calls, where = calls + 1, coroutine.running() end, "", 50000)
      local _, result = coroutine.resume(co)
      print(result, where == co, calls >= 1 and calls <= 4)
    ]])
    assert.equal("done\ttrue\ttrue\n", done.out, done.err)
  end)

  it("may raise there, as the game's does", function()
    local done = run(JIT_OFF .. [[
      local co = coroutine.create(function() while true do end end)
      debug.sethook(co, function() error("Execution time exceed.") end, "", 50000)
      local ok, message = coroutine.resume(co)
      print(ok, (message:gsub("^.-: ", "")))
    ]])
    assert.equal("false\tExecution time exceed.\n", done.out, done.err)
  end)
end)

describe("any other hook", function()
  it("passes through", function()
    local done = run([[
      if rawget(_G, "jit") then jit.off() end
      local lines, counts = 0, 0
      debug.sethook(function() lines = lines + 1 end, "l")
      local x = 1
      x = x + 1
      debug.sethook()
      debug.sethook(function() counts = counts + 1 end, "", 10)
      for _ = 1, 1000 do x = x + 1 end
      debug.sethook()
      print(lines > 1, counts > 10)
    ]])
    assert.equal("true\ttrue\n", done.out, done.err)
  end)
end)
