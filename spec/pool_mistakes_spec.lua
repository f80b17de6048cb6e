-- What a pool says to those who use it wrongly, and that it stays whole then.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

-- The message of a call that raises, which must name a line of this file.
local function raised(call, ...)
  local arguments, n = { ... }, select("#", ...)
  local fine, message = pcall(function()
    local result = call((table.unpack or unpack)(arguments, 1, n)) -- luacheck: ignore unpack
    return result
  end)
  assert.is_false(fine)
  assert.truthy(message:find("pool_mistakes_spec.lua:%d+: "), message)
  return message
end

local function has(text, part) assert.truthy(text:find(part, 1, true), text) end

describe("wrong options of a pool", function()
  it("are raised for the caller's line, those of its children, too", function()
    local command = pools.command()
    has(raised(fkrpc.pool, { command = command, recycle = 1 }), "option 'recycle' must be a table")
    has(raised(fkrpc.pool, { command = command, recycle = { memory = "1" } }), "option 'recycle.memory'")
    has(raised(fkrpc.pool, { command = command, restart = { max = -1 } }), "option 'restart.max'")
    has(raised(fkrpc.pool, { command = command, limits = { mem = 1 } }), "fkrpc.spawn: unknown limit 'mem'")
    has(raised(fkrpc.pool, { command = command, control = 1 }), "option 'control' must be a string")
  end)

  it("name a loop that is none, or is closed", function()
    local loop = fkrpc.loop()
    loop:close()
    for _, wrong in ipairs({ {}, 5, loop }) do
      has(raised(fkrpc.pool, { command = pools.command(), loop = wrong }), "option 'loop' must be an fkrpc.loop()")
    end
    has(raised(fkrpc.loop, {}), "bad argument #1 to 'loop'")
  end)

  it("in a reload are raised, or make it fail with their text; the old children go on", function()
    local pool = pools.start({ size = 1, restart = { max = 0 } })
    assert.is_true(pool:wait(pools.DEADLINE))
    has(raised(pool.reload, pool, 5), "bad argument #1 to 'reload'")
    has(raised(pool.reload, pool, { size = 2 }), "option 'size' is the pool's own")
    assert.equal(1, pool:info().generation)
    assert.is_true(pool:reload({ limits = { mem = 1 } }))
    pools.until_true(pool, function() return pool:info().state == "failed" end, "the reload's failure")
    has(pool:info().reason, "fkrpc.spawn: unknown limit 'mem'")
    assert.is_number(pool:must("pid"))
  end)
end)

describe("a wrong call to a pool", function()
  it("is raised for the caller's line", function()
    local pool = pools.start({ size = 1 })
    has(raised(pool.call, pool), "method name expected, got nil")
    has(raised(pool.call, "pid"), "call the method with a colon: pool:call")
    has(raised(pool.notify, pool, 5), "bad argument #1 to 'notify'")
    has(raised(pool.call, pool, "pid", nil, { patience = 1 }), "unknown option 'patience'")
    has(raised(pool.call, pool, "pid", nil, { key = 0 / 0 }), "option 'key'")
  end)

  it("with no time left ends with timeout while no child is ready, and says why none is", function()
    local pool = pools.start({ size = 1, before = "error('no cards')", stderr = "keep",
      restart = { max = 5, backoff = { 60, 60 } } })
    pools.until_true(pool, function() return pool:info().counts.died == 1 end, "the child's end")
    for _, timeout in ipairs({ -1, 0, 0.01 }) do
      local _, err = pool:call("pid", nil, { timeout = timeout })
      assert.equal("timeout", err.code)
      has(err.message, "no child became ready")
      has(err.message, "no cards")
    end
  end)
end)

describe("the loop of a pool", function()
  it("may be closed before it: its children are stopped all the same", function()
    local loop = fkrpc.loop()
    local pool = pools.start({ size = 2, loop = loop })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = pools.pids(pool, "ready")
    loop:close()
    pool:close()
    for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
  end)

  it("does not take a pool for a peer, and says how a pool comes into a loop", function()
    local loop, pool = fkrpc.loop(), pools.start({ size = 1 })
    has(raised(loop.add, loop, pool), "a pool: give it the loop as its option 'loop'")
    loop:close()
  end)
end)

describe("closing a pool", function()
  it("twice waits twice, if the first one could not wait to the end", function()
    local pool = pools.start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = pools.pids(pool, "ready")
    pool.loop:go(function() pool:close() end)
    pool.loop:step(0)
    pool:close()
    for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
  end)
end)

describe("children that close their output", function()
  it("count as ended at once, so that they are not started without end", function()
    local pool = assert(fkrpc.pool({ "sh", "-c", "exec >&-; exec cat >/dev/null", handshake = "hello", stderr = "null",
      restart = { max = 2, within = 60, backoff = { 0.001, 0.001 } }, grace = 1 }))
    local _, err = pool:call("pid", nil, { timeout = pools.DEADLINE })
    assert.equal("closed", err.code)
    has(err.message, "gave up after 2 restarts")
    assert.equal(3, pool:info().counts.started)
    pool:close()
  end)
end)
