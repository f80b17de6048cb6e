-- fkrpc.pool: calls go to the children that have the least to do, or stay with one by key.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

local function distinct(list)
  local set, count = {}, 0
  for _, value in ipairs(list) do
    if not set[value] then set[value], count = true, count + 1 end
  end
  return count
end

describe("a call to a pool", function()
  it("is answered by one of its children", function()
    local pool = pools.start({ size = 2 })
    local result, err = pool:call("echo", { 1, "zwei", { drei = 3 } })
    assert.is_nil(err)
    assert.same({ 1, "zwei", { drei = 3 } }, result)
    assert.equal("", pool:must("echo", { "" })[1])
  end)

  it("goes to the child that had the last one while that is idle", function()
    local pool = pools.start({ size = 3 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = {}
    for i = 1, 6 do pids[i] = pool:must("pid") end
    assert.equal(1, distinct(pids))
  end)

  it("goes past a child that is busy", function()
    local pool = pools.start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local slow
    local task = pool.loop:go(function() slow = pool:must("wait", { 0.5 }) end)
    for _ = 1, 6 do
      local quick = pool:must("pid")
      assert.is_nil(slow)
      task.quick = task.quick or quick
      assert.equal(task.quick, quick)
    end
    task:join()
    assert.is_number(slow)
    assert.not_equal(task.quick, slow)
  end)

  it("is in flight on several children at once", function()
    local pool = pools.start({ size = 3 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids, most = {}, 0
    local tasks = {}
    for i = 1, 3 do tasks[i] = pool.loop:go(function() pids[i] = pool:must("wait", { 0.2 }) end) end
    pool.loop:after(0.1, function()
      for _, child in ipairs(pool:info().children) do most = most + child.inflight end
    end)
    for i = 1, 3 do tasks[i]:join() end
    assert.equal(3, distinct(pids))
    assert.equal(3, most)
  end)

  it("waits for a free child where each may have one call", function()
    local pool = pools.start({ size = 2, concurrency = 1 })
    local running, most, done = 0, 0, 0
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = pool.loop:go(function()
        assert(pool:must("wait", { 0.03 }))
        done = done + 1
      end)
    end
    local timer = pool.loop:every(0.005, function()
      running = 0
      for _, child in ipairs(pool:info().children) do
        running = running + child.inflight
        assert(child.inflight <= 1)
      end
      if running > most then most = running end
    end)
    for i = 1, 8 do tasks[i]:join() end
    timer:cancel()
    assert.equal(8, done)
    assert.equal(2, most)
    assert.equal(0, pool:info().waiting)
  end)

  it("fails with timeout when no child becomes free in time", function()
    local pool = pools.start({ size = 1, concurrency = 1 })
    local task = pool.loop:go(function() return pool:call("wait", { 0.5 }) end)
    assert.is_true(pool:wait(pools.DEADLINE))
    local result, err = pool:call("pid", nil, { timeout = 0.05 })
    assert.is_nil(result)
    assert.equal("timeout", err.code)
    assert.equal(0, pool:info().waiting)
    task:join()
    assert.is_number(pool:must("pid"))
  end)

  it("fails with busy when too many wait already", function()
    local pool = pools.start({ size = 1, concurrency = 1, backlog = 2 })
    local tasks, codes = {}, {}
    for i = 1, 4 do
      tasks[i] = pool.loop:go(function()
        local _, err = pool:call("wait", { 0.05 })
        codes[i] = err and err.code or "done"
      end)
    end
    for i = 1, 4 do tasks[i]:join() end
    -- Nobody is ready when they come: two wait, two are refused.
    assert.same({ "done", "done", "busy", "busy" }, codes)
  end)

  it("raises for wrong arguments and leaves the pool as it was", function()
    local pool = pools.start({ size = 1, concurrency = 1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.has_error(function() pool:call("echo", { print }) end)
    assert.has_error(function() pool:call("echo", {}, 5) end)
    assert.has_error(function() pool:call("echo", {}, { timeout = "x" }) end)
    assert.has_error(function() pool:call("echo", {}, { patience = 1 }) end)
    assert.equal(0, pool:info().children[1].inflight)
    assert.equal(1, pool:must("echo", { 1 })[1])
  end)

  it("may be made by a handler that a child's request runs", function()
    local pool = pools.start({ size = 1, handlers = {
      question = function(params) return { params[1], "answered" } end,
    } })
    assert.same({ "why", "answered" }, pool:must("ask", { "why" }))
    pool:handle("question", function(params) return pool:must("echo", { params[1], "asked again" }) end)
    assert.same({ "why", "asked again" }, pool:must("ask", { "why" }, { timeout = pools.DEADLINE }))
  end)

  it("hands a handler's error to the caller", function()
    local pool = pools.start({ size = 1 })
    local result, err = pool:call("fail")
    assert.is_nil(result)
    assert.equal(-32603, err.code)
    assert.has_error(function() pool:must("fail") end)
    assert.is_number(pool:must("pid"))
  end)
end)

describe("a key", function()
  it("stays with one child", function()
    local pool = pools.start({ size = 3 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local of_key, pids = {}, {}
    for round = 1, 4 do
      for key = 1, 6 do
        local pid = pool:must("pid", nil, { key = key })
        if round == 1 then
          of_key[key] = pid
          pids[#pids + 1] = pid
        end
        assert.equal(of_key[key], pid)
      end
    end
    assert.equal(3, distinct(pids)) -- and keys are spread evenly
    for _, child in ipairs(pool:info().children) do assert.equal(2, child.keys) end
    assert.is_true(pool:release(1))
    assert.is_false(pool:release(1))
    assert.equal(5, pool:info().keys)
  end)

  it("is not kept waiting by calls without one", function()
    local pool = pools.start({ size = 2, concurrency = 1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local mine = pool:must("pid", nil, { key = "room" })
    local order = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = pool.loop:go(function()
        pool:must("wait", { 0.1 })
        order[#order + 1] = i
      end)
    end
    assert.equal(mine, pool:must("pid", nil, { key = "room" }))
    for i = 1, 3 do tasks[i]:join() end
    assert.equal(3, #order)
  end)

  it("goes to another child when its child has died", function()
    local pool = pools.start({ size = 2, restart = { backoff = { 0.01, 0.01 } } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local before = pool:must("pid", nil, { key = "room" })
    local _, err = pool:call("die", { 3 }, { key = "room" })
    assert.equal("closed", err.code)
    local after = pool:must("pid", nil, { key = "room" })
    assert.not_equal(before, after)
    assert.equal(after, pool:must("pid", nil, { key = "room" }))
  end)
end)

describe("a pool", function()
  it("is nil, a message and an errno when its command does not exist", function()
    local pool, message, errno = fkrpc.pool({ command = { "/nonexistent/program" } })
    assert.is_nil(pool)
    assert.truthy(message:find("/nonexistent/program", 1, true), message)
    assert.equal(2, errno)
  end)

  it("raises for options it does not know or that are of the wrong kind", function()
    for _, given in ipairs({ { "ls", sise = 4 }, { "ls", size = 0 }, { "ls", size = 1.5 }, { "ls", warm = -1 },
      { "ls", recycle = 5 }, { "ls", recycle = { memry = 1 } }, { "ls", recycle = { memory = 0 } },
      { "ls", recycle = { jitter = 1 } }, { "ls", restart = { max = "x" } }, { "ls", restart = { backoff = 1 } },
      { "ls", restart = { often = 1 } }, { "ls", handshake = "hallo" }, { "ls", handlers = { 5 } },
      { "ls", concurrency = 0 }, { "ls", check = 0 }, {}, 5 }) do
      assert.has_error(function() fkrpc.pool(given) end)
    end
  end)

  it("stops its children when it is closed, and leaves no zombie", function()
    local pool = pools.start({ size = 3 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = pools.pids(pool, "ready")
    assert.equal(3, #pids)
    pool:close()
    for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
    local _, err = pool:call("pid")
    assert.equal("closed", err.code)
    assert.is_nil((pool:reload()))
    pool:close()
  end)

  it("tells every child something", function()
    local pool = pools.start({ size = 3, more = [[
      local heard = 0
      peer:on("tell", function() heard = heard + 1 end)
      peer:on("heard", function() return heard end)
    ]] })
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.equal(3, pool:broadcast("tell", {}))
    for key = 1, 3 do assert.equal(1, pool:must("heard", nil, { key = key })) end
    assert.is_true(pool:notify("tell", {}, { key = 1 }))
    assert.equal(2, pool:must("heard", nil, { key = 1 }))
  end)

  it("shares a loop with other pools and with what its owner does", function()
    local loop = fkrpc.loop()
    local one, two = pools.start({ size = 1, loop = loop }), pools.start({ size = 1, loop = loop })
    local ticks, done = 0, 0
    local timer = loop:every(0.01, function() ticks = ticks + 1 end)
    for _, pool in ipairs({ one, two }) do
      loop:go(function()
        pool:must("wait", { 0.1 })
        done = done + 1
        if done == 2 then loop:stop() end
      end)
    end
    loop:run()
    timer:cancel()
    assert.equal(2, done)
    assert.truthy(ticks >= 3, ticks)
    one:close()
    two:close()
    loop:close()
  end)
end)
