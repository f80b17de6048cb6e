-- fkrpc.pool: children that are copies of one process that has loaded the program.

local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

local LOADED = [[
local loaded = fkrpc.clock.monotonic_us()
fkrpc.clock.sleep(0.2)
]]
local ASKED = [[
peer:on("loaded", function() return loaded end)
]]

describe("a pool that forks its children", function()
  local function start(given)
    given.prefork, given.before, given.more = true, LOADED .. (given.before or ""), ASKED
    return pools.start(given)
  end

  it("loads the program once for all of them", function()
    local pool = start({ size = 3 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local loaded = pool:must("loaded", nil, { key = 1 })
    local pids = {}
    for key = 1, 3 do
      assert.equal(loaded, pool:must("loaded", nil, { key = key }))
      pids[pool:must("pid", nil, { key = key })] = true
    end
    local count = 0
    for pid in pairs(pids) do
      count = count + 1
      assert.is_true(pools.exists(pid))
    end
    assert.equal(3, count)
  end)

  it("replaces one that dies by another copy", function()
    local pool = start({ size = 1, restart = { backoff = { 0.01, 0.01 } } })
    local loaded, before = pool:must("loaded"), pool:must("pid")
    local _, err = pool:call("die", { 3 })
    assert.equal("closed", err.code)
    assert.equal(3, err.data.code)
    assert.equal(loaded, pool:must("loaded"))
    assert.not_equal(before, pool:must("pid"))
  end)

  it("recycles them without a call that fails", function()
    local pool = start({ size = 2, recycle = { calls = 10, jitter = 0 } })
    local events = pools.events(pool)
    local failed = 0
    pools.until_true(pool, function()
      for i = 1, 20 do
        local result, err = pool:call("echo", { i })
        if err ~= nil or result[1] ~= i then failed = failed + 1 end
      end
      return events.recycled >= 20
    end, "twenty recycled children")
    assert.equal(0, failed)
    assert.equal(0, events.died)
  end)

  it("loads the program anew when it is reloaded, and serves meanwhile", function()
    local pool = start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local before = pool:must("loaded")
    assert.is_true(pool:reload())
    local served = 0
    pools.until_true(pool, function()
      assert(pool:must("loaded"))
      served = served + 1
      return pool:info().generation == 2
    end, "the next generation")
    assert.truthy(served > 1, served)
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.truthy(pool:must("loaded") > before)
  end)

  it("keeps its children when the zygote is killed, and loads another for new ones", function()
    local pool = start({ size = 1, restart = { backoff = { 0.01, 0.01 } } })
    local child, loaded = pool:must("pid"), pool:must("loaded")
    local zygote = pool:info().zygote
    assert.equal("ready", zygote.state)
    os.execute("kill -9 " .. zygote.pid)
    assert.equal(child, pool:must("pid"))
    assert.equal("closed", select(2, pool:call("die", { 0 })).code)
    assert.truthy(pool:must("loaded", nil, { timeout = pools.DEADLINE }) > loaded)
    assert.not_equal(zygote.pid, pool:info().zygote.pid)
  end)

  it("keeps the old generation when the new program does not load", function()
    local pool = start({ size = 1 })
    local before = pool:must("pid")
    local events = pools.events(pool)
    assert.is_true(pool:reload({ command = { "sh", "-c", "exit 3" } }))
    pools.until_true(pool, function() return events.failed == 1 end, "the event")
    assert.truthy(events.last.failed.reason:find("does not load", 1, true), events.last.failed.reason)
    assert.equal(before, pool:must("pid"))
  end)

  -- The state of a process as proc(5) names it; nil when it is gone.
  local function state_of(pid)
    local file = io.open("/proc/" .. pid .. "/stat")
    local text = file and file:read("*a")
    if file then file:close() end
    return text and text:match("^.*%) (%a)")
  end

  it("goes on with all else while the loaded program hangs, and loads it again", function()
    local pool = start({ size = 2, restart = { max = 20, backoff = { 0.01, 0.01 } } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events, ticks, answered = pools.events(pool), 0, 0
    local zygote = pool:info().zygote.pid
    os.execute("kill -STOP " .. zygote)
    os.execute("kill -9 " .. pools.pids(pool, "ready")[1])
    pools.until_true(pool, function() return events.died == 1 end, "the child's end")
    local ticker = pool.loop:every(0.01, function()
      if state_of(zygote) ~= "T" then return end
      ticks = ticks + 1
      if pool:call("pid") then answered = answered + 1 end
    end)
    pools.until_true(pool, function() return state_of(zygote) ~= "T" and #pools.pids(pool, "ready") == 2 end,
      "another zygote")
    ticker:cancel()
    assert.truthy(ticks > 5, ticks)
    assert.equal(ticks, answered)
    assert.not_equal(zygote, pool:info().zygote.pid)
  end)

  it("takes the copy when it is there after all, and leaves none behind", function()
    local pool = start({ size = 1, restart = { max = 20, backoff = { 0.01, 0.01 } } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    local zygote = pool:info().zygote.pid
    os.execute("kill -STOP " .. zygote)
    os.execute("kill -9 " .. pools.pids(pool, "ready")[1])
    pools.until_true(pool, function() return events.died == 1 end, "the child's end")
    pool.loop:sleep(0.1)
    os.execute("kill -CONT " .. zygote)
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.is_number(pool:must("pid"))
    os.execute("kill -STOP " .. zygote .. " 2>/dev/null; kill -9 " .. pools.pids(pool, "ready")[1])
    pools.until_true(pool, function() return events.died == 2 end, "the child's end")
    pool.loop:sleep(0.1)
    pool:close() -- with a copy that was asked for
    assert.is_nil(state_of(zygote))
  end)
end)
