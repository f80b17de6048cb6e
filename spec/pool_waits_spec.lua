-- fkrpc.pool: calls that wait in it for a free child, and what ends such a wait early. No place may be lost by it.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(pools.finish)

-- A pool with one place, taken by a task for so many seconds.
local function busy(seconds, given)
  given = given or {}
  given.size, given.concurrency = 1, 1
  local pool = pools.start(given)
  assert.is_true(pool:wait(pools.DEADLINE))
  local task = pool.loop:go(function() return pool:call("wait", { seconds }) end)
  pools.until_true(pool, function() return pool:info().children[1].inflight == 1 end, "the first call")
  return pool, task
end

local function inflight(pool)
  return pool:info().children[1].inflight
end

describe("a call that waits for a free child", function()
  it("ends at once when its token is cancelled", function()
    local pool, first = busy(1)
    local token = fkrpc.token()
    pool.loop:after(0.05, function() token:cancel("not needed any more") end)
    local err
    assert.truthy(pools.seconds_of(function()
      err = select(2, pool:call("pid", nil, { cancel = token }))
    end) < 0.9)
    assert.equal("cancelled", err.code)
    assert.equal("not needed any more", err.message)
    assert.equal(0, pool:info().waiting)
    assert.equal("cancelled", select(2, pool:call("pid", nil, { cancel = token })).code)
    first:join()
    assert.equal(0, inflight(pool))
  end)

  it("gives its place up when its task is cancelled", function()
    local pool, first = busy(0.2)
    local task = pool.loop:go(function() return pool:call("pid") end)
    pools.until_true(pool, function() return pool:info().waiting == 1 end, "the second call")
    task:cancel()
    assert.equal("cancelled", select(2, task:join()).code)
    assert.equal(0, pool:info().waiting)
    first:join()
    assert.is_number((pool:call("pid", nil, { timeout = pools.DEADLINE })))
    assert.equal(0, inflight(pool))
  end)

  it("gives its place up when its task is cancelled after it was given one", function()
    local pool = pools.start({ size = 1, concurrency = 1 })
    local ran
    local task = pool.loop:go(function() ran = pool:call("pid") end)
    pools.until_true(pool, function() return pool:info().waiting == 1 end, "the call")
    local kept = false
    pools.until_true(pool, function()
      kept = pool:info().waiting == 0 and not ran and not task.done
      return kept or task.done
    end, "the place")
    task:cancel()
    task:join()
    assert.is_number((pool:call("pid", nil, { timeout = pools.DEADLINE })))
    assert.equal(0, inflight(pool))
  end)

  it("goes on when the task whose call is in flight is cancelled", function()
    local pool, first = busy(0.2)
    local second = pool.loop:go(function() return pool:call("pid", nil, { timeout = pools.DEADLINE }) end)
    pools.until_true(pool, function() return pool:info().waiting == 1 end, "the second call")
    first:cancel()
    assert.is_number((second:join()))
  end)

  it("takes no place when its options are wrong", function()
    local pool, first = busy(0.2)
    assert.equal("timeout", select(2, pool:call("pid", nil, { timeout = -1 })).code)
    for _, given in ipairs({ { timeout = {} }, { cancel = 5 }, { patience = 1 } }) do
      assert.has_error(function() pool:call("pid", nil, given) end)
    end
    assert.has_error(function() pool:call("echo", { print }) end)
    first:join()
    assert.equal(0, pool:info().waiting)
    assert.equal(0, inflight(pool))
    assert.is_number(pool:must("pid"))
  end)

  it("goes on when the call it waits for lies beneath it", function()
    local pool = pools.start({ size = 1, concurrency = 1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    -- What a callback of gsub or sort waits for cannot leave its coroutine: such calls lie on top of each other.
    local answers = {}
    local function call(i)
      return pool.loop:go(function()
        string.gsub("x", "x", function() answers[i] = pool:must("wait", { 0.05 }, { timeout = 5 }) end)
      end)
    end
    local one, other = call(1), call(2)
    assert.truthy(pools.seconds_of(function()
      assert.is_nil(select(2, other:join()))
      assert.is_nil(select(2, one:join()))
    end) < 4)
    assert.is_number(answers[1])
    assert.is_number(answers[2])
  end)

  it("may be made in a metamethod of a task", function()
    local pool, first = busy(0.1)
    local answer
    local object = setmetatable({}, { __index = function()
      answer = pool:call("pid")
      return answer
    end })
    pool.loop:go(function() return object.field end):join() -- Lua 5.1 cannot wait there: an error
    first:join()
    pools.until_true(pool, function() return pool:info().waiting == 0 end, "the queue's end")
    assert.is_number((pool:call("pid", nil, { timeout = pools.DEADLINE })))
    assert.equal(0, inflight(pool))
  end)
end)
