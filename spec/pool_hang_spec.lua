-- fkrpc.pool and children that hang or do not read: they are ended and replaced where that is asked for, and nobody
-- else waits for them.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

local QUICK = { max = 10, within = 60, backoff = { 0.01, 0.01 } }
local SPIN = [[ peer:on("spin", function() while true do end end) ]]

-- A call in a task of its own.
local function calling(pool, ...)
  local arguments = { ... }
  return pool.loop:go(function() return pool:call((table.unpack or unpack)(arguments, 1, 3)) end)
end

local function assert_hung(err, method)
  assert.equal("closed", err.code)
  assert.truthy(err.message:find("hung: nothing was heard of it for %d"), err.message)
  assert.equal(9, err.data.signal)
  assert.equal(method, err.data.method)
  assert.truthy(err.data.hung:find("hung: nothing was heard", 1, true))
end

describe("a child of a pool that hangs", function()
  for name, how in pairs({
    ["spins"] = function(pool) return calling(pool, "spin") end,
    ["waits for ever"] = function(pool) return calling(pool, "wait", { 1e6 }) end,
  }) do
    it("as it " .. name .. " is ended and replaced, and its calls say so", function()
      local pool = pools.start({ size = 1, hang_timeout = 1, restart = QUICK, more = SPIN })
      assert.is_true(pool:wait(pools.DEADLINE))
      local events = pools.events(pool)
      local before = pool:must("pid")
      local task = how(pool)
      local _, err = task:join()
      assert_hung(err, name == "spins" and "spin" or "wait")
      assert.not_equal(before, pool:must("pid", nil, { timeout = pools.DEADLINE }))
      assert.equal(1, events.hung)
      assert.equal(before, events.last.hung.pid)
      assert.equal(1, events.died)
      assert.truthy(events.last.died.reason:find("^hung: nothing was heard"), events.last.died.reason)
      assert.equal(1, pool:info().counts.restarts)
      assert.truthy(pool:metrics():find('fkrpc_pool_hung_total{pool="pool"} 1', 1, true))
    end)
  end

  it("as it is stopped by a signal is ended and replaced", function()
    local pool = pools.start({ size = 1, hang_timeout = 1, restart = QUICK })
    assert.is_true(pool:wait(pools.DEADLINE))
    os.execute("kill -STOP " .. pool:must("pid"))
    local _, err = pool:call("echo", { 1 })
    assert_hung(err, "echo")
    assert.same({ 2 }, pool:must("echo", { 2 }, { timeout = pools.DEADLINE }))
  end)

  it("is found by a call that nobody waits for any more", function()
    local pool = pools.start({ size = 1, hang_timeout = 2, restart = QUICK, more = SPIN })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    assert.equal("timeout", select(2, pool:call("spin", nil, { timeout = 0.3 })).code)
    pools.until_true(pool, function() return events.hung == 1 and events.died == 1 end, "its end")
    assert.same({ 2 }, pool:must("echo", { 2 }, { timeout = pools.DEADLINE }))
  end)

  it("again and again makes the pool give up", function()
    local few = { max = 2, within = 60, backoff = { 0.01, 0.01 } }
    local pool = pools.start({ size = 1, hang_timeout = 0.3, restart = few, more = SPIN })
    local events = pools.events(pool)
    for _ = 1, 3 do assert.equal("closed", select(2, pool:call("spin")).code) end
    pools.until_true(pool, function() return events.failed == 1 end, "the end of its patience")
    assert.equal(3, events.hung)
    assert.truthy(select(2, pool:call("echo")).message:find("hung: nothing", 1, true))
  end)
end)

describe("a child of a pool does not hang that", function()
  local LONG = [[
    peer:on("long", function(params, ctx)
      for i = 1, 15 do fkrpc.clock.sleep(0.2) peer:notify("$/progress", { token = "t", value = i }) end
      return "done"
    end)
    peer:on("nested", function() return assert(peer:call("slow")) end)
  ]]

  it("shows progress, or waits for us", function()
    local pool
    pool = pools.start({ size = 2, hang_timeout = 2, restart = QUICK, more = LONG, handlers = {
      ["$/progress"] = function() end,
      slow = function() pool.loop:sleep(3) return "slowly" end,
    } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    local long, nested = calling(pool, "long"), calling(pool, "nested")
    assert.equal("done", (long:join()))
    assert.equal("slowly", (nested:join()))
    assert.equal(0, events.hung)
  end)

  it("has nothing to do, or belongs to a loop that stood still", function()
    local pool = pools.start({ size = 2, hang_timeout = 1, restart = QUICK })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    pool.loop:sleep(2)
    local task = calling(pool, "wait", { 0.2 })
    pool.loop:step(0)
    fkrpc.clock.sleep(2)
    assert.is_number((task:join()))
    assert.equal(0, events.hung)
  end)

  it("belongs to a pool without the option", function()
    local pool = pools.start({ size = 1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.is_number((pool:call("wait", { 1 })))
    assert.is_nil(pool:info().counts.hung)
  end)

  it("was cancelled as MCP has it, where nothing is answered", function()
    local pool = pools.start({ size = 1, hang_timeout = 1, restart = QUICK, cancel = "mcp",
      command = pools.command([[ peer:on("never", function(_, ctx) return ctx.peer:call("wait") end) ]]),
      handlers = { wait = function() return 1 end } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    os.execute("kill -STOP " .. pool:info().children[1].pid)
    assert.equal("timeout", select(2, pool:call("never", nil, { timeout = 0.2 })).code)
    pool.loop:sleep(2)
    os.execute("kill -CONT " .. pool:info().children[1].pid)
    assert.equal(0, events.hung)
  end)
end)

describe("a broadcast", function()
  local TOLD = [[ local told = 0
    peer:on("tell", function() told = told + 1 end)
    peer:on("told", function() return told end) ]]
  local BIG = { ("x"):rep(100000) }

  it("reaches all others when one does not read, and names that one", function()
    local pool = pools.start({ size = 3, more = TOLD, grace = 0.1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local told, missed = pool:broadcast("tell", BIG)
    assert.equal(3, told)
    assert.is_nil(missed)
    local stopped = pools.pids(pool, "ready")[1]
    os.execute("kill -STOP " .. stopped)
    local rounds = 0
    repeat
      told, missed = pool:broadcast("tell", BIG)
      rounds = rounds + 1
      pool.loop:sleep(0.01) -- others read meanwhile
    until missed or rounds == 100
    assert.equal(2, told)
    assert.equal(1, #missed)
    assert.equal(stopped, missed[1].pid)
    assert.equal("busy", missed[1].code)
    assert.truthy(missed[1].message:find("child " .. stopped .. " does not read: %d+ bytes wait"), missed[1].message)
    for _ = 1, 20 do
      told = pool:broadcast("tell", BIG)
      pool.loop:sleep(0.01)
      assert.equal(2, told)
    end
    os.execute("kill -CONT " .. stopped)
    local function all()
      told, missed = pool:broadcast("tell", {})
      return told == 3 and not missed
    end
    pools.until_true(pool, all, "that it reads again")
  end)

  it("names one that has closed its input, which is replaced", function()
    local pool = pools.start({ size = 2, grace = 0.1, restart = QUICK, command = { "sh", "-c",
      [[echo '{"jsonrpc":"2.0","method":"hello"}'; exec <&-; exec sleep 100]] } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    local missed
    pools.until_true(pool, function()
      missed = select(2, pool:broadcast("tell"))
      return missed
    end, "a broken pipe")
    assert.equal("closed", missed[1].code)
    assert.is_number(missed[1].pid)
    pools.until_true(pool, function() return events.died >= 1 end, "its end")
  end)

  it("wants the name of a method", function()
    local pool = pools.start({})
    assert.error_matches(function() pool:broadcast(1) end, "bad argument #1 to 'broadcast' %(method name expected")
  end)
end)

describe("a notification to one child", function()
  it("that does not read waits no longer than its timeout", function()
    local pool = pools.start({ size = 1, grace = 0.1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    os.execute("kill -STOP " .. pool:must("pid"))
    local sent, err
    for _ = 1, 100 do
      sent, err = pool:notify("echo", { ("x"):rep(100000) }, { timeout = 0.3 })
      if not sent then break end
    end
    assert.is_nil(sent)
    assert.equal("timeout", err.code)
    assert.truthy(err.message:find("does not read", 1, true), err.message)
    os.execute("kill -CONT " .. pool:info().children[1].pid)
  end)
end)
