-- fkrpc.pool: a child that has done enough is replaced before it goes, and no call is dropped.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

describe("a child of a pool", function()
  it("is replaced when it holds too much private memory, and the memory is the system's again", function()
    local pool = pools.start({ size = 1, recycle = { memory = 32 * 2 ^ 20, jitter = 0 }, check = 0.02 })
    local events = pools.events(pool)
    local before = pool:must("pid")
    assert.equal(1, pool:must("grow", { 40 }))
    pools.until_true(pool, function() return events.recycled == 1 end, "recycling")
    assert.is_false(pools.exists(before))
    local after = pool:must("pid")
    assert.not_equal(before, after)
    local event = events.last.recycled
    assert.equal("memory", event.why)
    assert.equal(before, event.pid)
    assert.truthy(event.memory >= 32 * 2 ^ 20, event.memory)
    assert.truthy(event.reason:find("MiB", 1, true), event.reason)
    assert.equal(0, event.certificate.code)
    assert.truthy(pool:info().children[1].private < 20 * 2 ^ 20)
  end)

  it("is replaced after so many calls, and none of a thousand fails", function()
    local pool = pools.start({ size = 2, recycle = { calls = 20, jitter = 0.5 } })
    local events = pools.events(pool)
    local failed, answered = 0, 0
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = pool.loop:go(function()
        local k = 0
        while k < 250 or events.recycled < 5 do
          k = k + 1
          local result, err = pool:call("echo", { i, k }, { timeout = pools.DEADLINE })
          if err == nil and result[1] == i and result[2] == k then answered = answered + 1 else failed = failed + 1 end
        end
      end)
    end
    for i = 1, 4 do tasks[i]:join() end
    assert.equal(0, failed)
    assert.truthy(answered >= 1000, answered)
    assert.equal(0, events.died)
    assert.equal("calls", events.last.recycled.why)
  end)

  it("is replaced when it is too old", function()
    local pool = pools.start({ size = 1, recycle = { age = 0.2, jitter = 0 }, check = 0.02 })
    local events = pools.events(pool)
    local before = pool:must("pid")
    pools.until_true(pool, function() return events.recycled >= 1 end, "recycling")
    assert.equal("age", events.last.recycled.why)
    assert.not_equal(before, pool:must("pid"))
  end)

  it("takes calls until its replacement is ready, and finishes those it has", function()
    local pool = pools.start({ size = 1, more = "fkrpc.clock.sleep(0.3)" })
    local before = pool:must("pid")
    local slow
    local task = pool.loop:go(function() slow = pool:must("wait", { 0.8 }) end)
    assert.is_true(pool:drain(before))
    pool.loop:step(0.05)
    assert.same({ before }, pools.pids(pool, "ready"))
    pools.until_true(pool, function() return #pools.pids(pool, "draining") == 1 end, "draining")
    assert.not_equal(before, pool:must("pid"))
    task:join()
    assert.equal(before, slow)
    pools.until_true(pool, function() return not pools.exists(before) end, "the old child's end")
    assert.is_nil((pool:drain(before)))
  end)

  it("keeps its rooms while it drains, and leaves when they are over", function()
    local pool = pools.start({ size = 1 })
    local before = pool:must("pid", nil, { key = "room" })
    assert.is_true(pool:drain(before))
    pools.until_true(pool, function() return #pools.pids(pool, "draining") == 1 end, "draining")
    for _ = 1, 3 do
      assert.equal(before, pool:must("pid", nil, { key = "room" }))
      assert.not_equal(before, pool:must("pid", nil, { key = "other" }))
      assert.not_equal(before, pool:must("pid"))
    end
    assert.is_true(pool:release("room"))
    pools.until_true(pool, function() return not pools.exists(before) end, "the old child's end")
    assert.not_equal(before, pool:must("pid", nil, { key = "room" }))
  end)

  it("leaves with its rooms when drain_timeout is over", function()
    local pool = pools.start({ size = 1, drain_timeout = 0.1 })
    local before = pool:must("pid", nil, { key = "room" })
    assert.is_true(pool:drain(before))
    pools.until_true(pool, function() return not pools.exists(before) end, "the old child's end")
    assert.not_equal(before, pool:must("pid", nil, { key = "room" }))
  end)

  it("is replaced at once by one that is kept warm", function()
    local pool = pools.start({ size = 1, warm = 1, more = "fkrpc.clock.sleep(0.2)" })
    assert.is_true(pool:wait(pools.DEADLINE))
    pools.until_true(pool, function() return #pools.pids(pool, "spare") == 1 end, "a spare child")
    local spare = pools.pids(pool, "spare")[1]
    local _, err = pool:call("die", { 0 })
    assert.equal("closed", err.code)
    assert.equal(spare, pool:must("pid", nil, { timeout = pools.DEADLINE }))
  end)
end)

describe("a pool that is reloaded", function()
  it("gives new keys to the new generation and lets the old one finish its rooms", function()
    local pool = pools.start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local of_key = {}
    for key = 1, 4 do of_key[key] = pool:must("pid", nil, { key = key }) end
    assert.is_true(pool:reload())
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.equal(2, pool:info().generation)
    local old = {}
    for key = 1, 4 do
      assert.equal(of_key[key], pool:must("pid", nil, { key = key }))
      old[of_key[key]] = true
    end
    for key = 5, 8 do assert.is_nil(old[pool:must("pid", nil, { key = key })]) end
    for key = 1, 4 do pool:release(key) end
    pools.until_true(pool, function() return #pool:info().children == 2 end, "the old generation's end")
    for _, child in ipairs(pool:info().children) do assert.equal(2, child.generation) end
  end)

  it("starts another program if it is told to", function()
    local pool = pools.start({ size = 2, more = 'peer:on("version", function() return 1 end)' })
    assert.equal(1, pool:must("version"))
    assert.is_true(pool:reload({ command = pools.command('peer:on("version", function() return 2 end)') }))
    assert.is_true(pool:wait(pools.DEADLINE))
    for _ = 1, 4 do assert.equal(2, pool:must("version")) end
    assert.has_error(function() pool:reload({ size = 4 }) end)
  end)

  it("keeps the old generation when the new one cannot start", function()
    local pool = pools.start({ size = 2, restart = { max = 2, backoff = { 0.01, 0.01 } } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    assert.is_true(pool:reload({ command = { "sh", "-c", "echo broken package >&2; exit 3" } }))
    pools.until_true(pool, function() return events.failed == 1 end, "giving up")
    assert.equal(2, #pools.pids(pool, "ready"))
    assert.is_number(pool:must("pid"))
    assert.truthy(pool:info().reason:find("2 restarts", 1, true), pool:info().reason)
    assert.is_true(pool:reload({ command = pools.command() }))
    assert.is_true(pool:wait(pools.DEADLINE))
    for _, child in ipairs(pool:info().children) do
      if child.state == "ready" then assert.equal(3, child.generation) end
    end
  end)
end)

describe("children that end unasked", function()
  it("are started again, and their calls fail once with how they ended", function()
    local pool = pools.start({ size = 1, restart = { backoff = { 0.01, 0.01 } } })
    local events = pools.events(pool)
    local before = pool:must("pid")
    local result, err = pool:call("die", { 3 })
    assert.is_nil(result)
    assert.equal("closed", err.code)
    assert.equal(3, err.data.code)
    assert.not_equal(before, pool:must("pid"))
    assert.equal(1, events.died)
    assert.equal(3, events.last.died.certificate.code)
    assert.equal(before, events.last.died.pid)
  end)

  it("are given up after too many restarts, and every call says so", function()
    local pool = pools.start({
      command = { "sh", "-c", "echo no such package >&2; exit 4" }, size = 2,
      restart = { max = 3, within = 10, backoff = { 0.01, 0.02 } },
    })
    local events = pools.events(pool)
    local result, err = pool:call("pid", nil, { timeout = pools.DEADLINE })
    assert.is_nil(result)
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("no child", 1, true), err.message)
    assert.truthy(err.message:find("3 restarts", 1, true), err.message)
    assert.equal(5, pool:info().counts.started) -- two, and three restarts
    pools.until_true(pool, function() return events.failed == 1 end, "the event")
    result, err = pool:call("pid")
    assert.is_nil(result)
    assert.equal("closed", err.code)
    local fine, message = pool:wait(1)
    assert.is_nil(fine)
    assert.is_string(message)
  end)

  it("that never say hello are ended after the handshake's time", function()
    local pool = pools.start({
      command = { "sleep", "1000" }, handshake_timeout = 0.1, restart = { max = 0 },
    })
    local _, err = pool:call("pid", nil, { timeout = pools.DEADLINE })
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("not ready after 0.1 s", 1, true), err.message)
    assert.equal(0, #pool:info().children)
  end)

  it("are ready when the function given as handshake says so", function()
    local asked = 0
    local pool = pools.start({ size = 2, handshake = function(child, deadline)
      assert(deadline > fkrpc.clock.monotonic_us() / 1e6)
      asked = asked + 1
      return child:call("echo", { "ready?" })
    end })
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.equal(2, asked)
    pool:close()
    pool = pools.start({ size = 1, restart = { max = 0 }, handshake = function() return nil, "wrong version" end })
    local fine, message = pool:wait(pools.DEADLINE)
    assert.is_nil(fine)
    assert.truthy(message:find("wrong version", 1, true), message)
  end)
end)
