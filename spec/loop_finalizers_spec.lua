-- Finalizers that run in the middle of a loop's work and do there what anybody may do: call, close, raise.

local fkrpc = require("fkrpc")

-- Call `f` whenever the collector runs, until the second function is called.
local function whenever_collected(f)
  local active = true
  local plant
  local function finalize()
    if not active then return end
    plant()
    f()
  end
  function plant()
    if newproxy then
      getmetatable(newproxy(true)).__gc = finalize
    else
      setmetatable({}, { __gc = finalize })
    end
  end
  plant()
  return function() active = false end
end

describe("a finalizer that runs while a loop hands something over", function()
  local loop, left, right, stop

  before_each(function()
    loop = fkrpc.loop()
    left, right = fkrpc.pair()
    right:on("list", function(params)
      local list = {}
      for i = 1, 100 do list[i] = { params[1] } end
      return list
    end)
    right:on("small", function() return "small" end)
  end)

  after_each(function()
    stop()
    loop:close()
    collectgarbage()
  end)

  it("may call: every reply goes to its own call", function()
    loop:add(left)
    local inner, wrong = 0, 0
    stop = whenever_collected(function()
      inner = inner + 1
      if left:call("small") ~= "small" then wrong = wrong + 1 end
    end)
    local task = loop:go(function()
      -- Where much else is alive the collector comes seldom.
      local i = 0
      repeat
        i = i + 1
        local list = left:must("list", { i })
        assert(#list == 100 and list[100][1] == i)
      until i >= 300 and inner > 0 or i == 100000
      return "all"
    end)
    assert.equal("done", loop:run())
    assert.equal("all", task:join())
    assert.equal(0, wrong)
    assert.is_true(inner > 0)
  end)

  it("may close the loop: what was being handed over is answered or has failed", function()
    stop = whenever_collected(function() end)
    for _ = 1, 12 do
      loop = fkrpc.loop()
      local one, other = fkrpc.pair()
      local handled = 0
      one:on("take", function() handled = handled + 1 end)
      loop:add(one)
      stop()
      stop = whenever_collected(function() loop:close() end)
      local sent = 0
      while not loop.closed and sent < 100000 do
        assert(other:notify("take", { {}, {}, {}, { ("x"):rep(50) .. sent } }))
        sent = sent + 1
        pcall(loop.step, loop, 0)
      end
      stop()
      assert.is_true(loop.closed)
      assert.is_nil(one.loop)
      local calls = 0
      one:on("count", function() calls = calls + 1 return calls end)
      assert.equal(1, other:call("count"))
      assert.is_true(handled <= sent)
    end
  end)

  it("may raise: a call whose reply it takes away fails, and the loop goes on", function()
    -- Where finalizers raise what they raise: before Lua 5.4, after that they warn.
    stop = function() end
    if jit then return pending("LuaJIT itself does not survive finalizers that raise in coroutines") end
    loop:add(left)
    local raises = false
    stop = whenever_collected(function()
      if raises then error("finalizer") end
    end)
    local ended, failed, raised = 0, 0, 0
    for i = 1, 300 do
      loop:go(function()
        local list, err = left:call("list", { i })
        ended = ended + 1
        if not list then
          failed = failed + 1
          assert(err.message)
        end
      end)
    end
    raises = true
    local how
    repeat
      local fine
      fine, how = pcall(loop.run, loop)
      if not fine then raised = raised + 1 end
    until fine
    raises = false
    assert.equal("done", how)
    assert.equal(0, left:stats().waiting)
    assert.is_true(ended >= 300 - raised and failed <= raised + ended)
  end)
end)
