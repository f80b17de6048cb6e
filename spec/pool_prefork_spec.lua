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
end)
