-- What a pool says to those who use it wrongly, and that it stays whole then.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(function()
  pools.finish()
  programs.finish()
end)

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

describe("wrong options of a pool", function()
  it("are named with what is wrong, and with what there is instead", function()
    local command = pools.command()
    local function text(options)
      options.command = options.command or command
      return raised(fkrpc.pool, options)
    end
    has(text({ sizes = 2 }), "unknown option 'sizes'; there are backlog, ")
    has(text({ recycle = { mem = 1 } }), "unknown option 'recycle.mem'; there are age, calls, jitter, memory")
    has(text({ recycle = { memory = "64M" } }), "above 0, not \"64M\"")
    has(text({ recycle = { jitter = 1 } }), "less than 1, not 1")
    has(text({ restart = { maximum = 1 } }), "unknown option 'restart.maximum'; there are backoff, max, within")
    has(text({ restart = { backoff = { 1, "x" } } }), "option 'restart.backoff[2]' must be a number from 0 up, not")
    has(text({ restart = { backoff = 1 } }), "of seconds, not 1")
    has(text({ handlers = { name = 5 } }), "method names to functions, not name to a number")
    has(text({ handshake = "hi" }), "\"hello\" or a function, not \"hi\"")
    has(text({ hang_timeout = -1 }), "seconds above 0, not -1")
    has(text({ trace = 5 }), "option 'trace' must be a string, not a number")
    has(text({ limits = { mem = 1 } }), "unknown limit 'mem'; there are cpu, files, memory, nice, processes")
    has(raised(fkrpc.pool, fkrpc, { command = command }), "call it with a dot: fkrpc.pool{...}")
  end)

  it("or one text for a whole command line say how a command is given", function()
    local none, message, errno = fkrpc.pool({ "no-such-program entry.lua" })
    assert.is_nil(none)
    has(message, "a program and its arguments are texts of their own")
    assert.equal(2, errno)
  end)
end)

describe("a wrong call to a pool", function()
  it("is raised for the caller's line, also for what its child would be sent", function()
    local pool = pools.start({ size = 1 })
    local wrong = { card = print }
    for _, name in ipairs({ "call", "must", "notify", "broadcast" }) do
      has(raised(pool[name], pool, "pid", wrong), "params.card: cannot encode a function")
      has(raised(pool[name], pool, "pid", 5), "params table or nil expected, got number")
      has(raised(pool[name], pool, nil), "bad argument #1 to '" .. name .. "'")
    end
    has(raised(pool.call, pool, "pid", wrong, { key = 1, timeout = 1 }), "params.card: cannot encode a function")
    pool.loop:go(function()
      has(raised(pool.must, pool, "pid", wrong, { timeout = 1 }), "params.card: cannot encode a function")
    end):join()
    local child = pool.loop:go(function() return pool:must("pid") end)
    assert.is_number(child:join())
    has(raised(pool.on, pool, "question", print), "what children ask for is handled with pool:handle")
  end)

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

describe("a function for a pool's events", function()
  it("that fails is logged with the event's name", function()
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local pool = assert(fkrpc.pool({ "sh", "-c", "exit 3", restart = { max = 0 } }))
      local heard
      pool:on("died", function() heard = true error("no cards") end)
      while not heard do pool.loop:step(1) end
      pool:close()
    ]])
    has(done.err, "fkrpc: loop: the pool's handler for the event 'died' failed: ")
    has(done.err, "no cards")
  end)
end)

describe("a broadcast to a pool without children", function()
  it("says so where none will come", function()
    local pool = pools.start({ size = 1 })
    pool:close()
    local told, missed = pool:broadcast("news")
    assert.equal(0, told)
    assert.equal("closed", missed[1].code)
    assert.equal("the pool is closed", missed[1].message)
    assert.is_nil(missed[1].pid)
  end)
end)

describe("children that do not become ready", function()
  it("are told from those that end before, and a mismatch is named", function()
    local function reason(command, options)
      options.command, options.handshake, options.stderr = command, "hello", "null"
      options.restart = { max = 0 }
      local pool = assert(fkrpc.pool(options))
      local fine, why = pool:wait(pools.DEADLINE)
      assert.is_nil(fine)
      pool:close()
      return why
    end
    has(reason({ "sh", "-c", "exit 3" }, {}), "it ended before it was ready: exit code 3")
    local silent = reason({ "sleep", "1000" }, { handshake_timeout = 0.1 })
    has(silent, "not ready after 0.1 s (option handshake_timeout): it has not said hello; ")
    local other = reason(pools.command(), { codec = "cbor", handshake_timeout = 3 })
    has(other, "it has not said hello; it sent something that looks like JSON; are the options codec")
    local none, why = fkrpc.spawn({ command = pools.command(), codec = "cbor", handshake = "hello",
      handshake_timeout = 3, stderr = "null" })
    assert.is_nil(none)
    has(why, "it sent something that looks like JSON; are the options codec")
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
