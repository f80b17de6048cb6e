-- fkrpc.pool: what children, callers and the system may do to it. It ends every call once and is whole again.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pools = dofile(helper.root .. "/spec/pools.lua")
local left = dofile(helper.root .. "/spec/chaos/left.lua")

after_each(pools.finish)

local function path()
  local name = os.tmpname()
  os.remove(name)
  return name
end

local QUICK = { max = math.huge, backoff = { 0.01, 0.01 } }

describe("a child of a pool that", function()
  it("closes its output and lives gets no calls from then on, and is replaced", function()
    local pool = pools.start({ size = 2, restart = QUICK, grace = 0.1, more = [[
      peer:on("hush", function() os.execute("exec sleep 100 >&- <&- 2>&- &") peer:close() fkrpc.clock.sleep(100) end)
    ]] })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    local _, err = pool:call("hush", nil, { key = "room" })
    assert.equal("closed", err.code)
    for _ = 1, 100 do assert.is_number((pool:call("pid"))) end
    assert.is_number((pool:call("pid", nil, { key = "room" })))
    pools.until_true(pool, function() return events.died == 1 and #pools.pids(pool, "ready") == 2 end, "its end")
    assert.truthy(events.last.died.reason:find("closed its output", 1, true), events.last.died.reason)
  end)

  it("closes its input and lives gets no calls from then on, and is replaced", function()
    local pool = pools.start({ size = 2, restart = QUICK, grace = 0.1, command = { "sh", "-c",
      [[echo '{"jsonrpc":"2.0","method":"hello"}'; read line; exec <&-; echo '{"jsonrpc":"2.0","id":1,"result":7}'
      exec sleep 100]] } })
    assert.is_true(pool:wait(pools.DEADLINE))
    local events = pools.events(pool)
    assert.equal(7, pool:must("x", nil, { key = 1 }))
    assert.truthy(select(2, pool:call("x", nil, { key = 1 })).message:find("still runs", 1, true))
    assert.equal(7, pool:must("x", nil, { key = 1 }))
    pools.until_true(pool, function() return events.died >= 1 end, "its end")
    assert.truthy(events.last.died.reason:find("closed its input", 1, true), events.last.died.reason)
  end)

  it("is stopped gets no calls while others are there, and some again when it goes on", function()
    local pool = pools.start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local stopped = pool:must("pid")
    os.execute("kill -STOP " .. stopped)
    local failed = 0
    for _ = 1, 50 do
      if not pool:call("pid", nil, { timeout = 0.05 }) then failed = failed + 1 end
    end
    os.execute("kill -CONT " .. stopped)
    assert.equal(1, failed)
    pools.until_true(pool, function()
      local waits = 0
      for _, child in ipairs(pool:info().children) do waits = waits + child.inflight end
      return waits == 0
    end, "the late answer")
    local task = pool.loop:go(function() return pool:must("wait", { 0.1 }) end)
    pool.loop:step(0.01)
    local other = pool:must("pid")
    assert.not_equal(other, task:join())
  end)

  it("does not read keeps no call longer than that allows", function()
    local pool = pools.start({ size = 1, grace = 0.1 })
    assert.is_true(pool:wait(pools.DEADLINE))
    local task = pool.loop:go(function() return pool:call("wait", { 100 }) end)
    local text, token = ("x"):rep(2 ^ 20), fkrpc.token()
    local tasks = {}
    for i = 1, 3 do tasks[i] = pool.loop:go(function() return pool:call("echo", { text }) end) end
    pool.loop:step(0.05)
    assert.equal("timeout", select(2, pool:call("pid", nil, { timeout = 0.05 })).code)
    pool.loop:after(0.05, function() token:cancel() end)
    assert.equal("cancelled", select(2, pool:call("pid", nil, { cancel = token })).code)
    pool:close()
    assert.equal("closed", select(3, task:join()) and "" or select(2, task:join()).code)
    for i = 1, 3 do assert.equal("closed", select(2, tasks[i]:join()).code) end
  end)

  it("is closed by a handler of the program's is replaced", function()
    local pool = pools.start({ size = 1, restart = QUICK, handlers = {
      question = function(_, ctx) ctx.peer:close() end,
    } })
    local before = pool:must("pid")
    assert.equal("closed", select(2, pool:call("ask", { 1 })).code)
    assert.not_equal(before, pool:must("pid", nil, { timeout = pools.DEADLINE }))
    pools.until_true(pool, function() return not pools.exists(before) end, "its end")
  end)
end)

describe("a pool", function()
  it("has handshakes of a hundred children at once", function()
    local loop = fkrpc.loop()
    local inside, most = 0, 0
    local pool = pools.start({ size = 100, loop = loop, command = { "sh", "-c", "read x" }, handshake = function()
      inside = inside + 1
      most = math.max(most, inside)
      local deadline = fkrpc.clock.monotonic_us() + pools.DEADLINE * 1e6 / 2
      while most <= 64 and fkrpc.clock.monotonic_us() < deadline do loop:sleep(0.01) end
      inside = inside - 1
      return true
    end })
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.truthy(most > 64, most)
    pool:close()
    loop:close()
  end)

  it("fails when its new command has options that cannot be, and keeps its children", function()
    local pool = pools.start({ size = 1, restart = { max = 1, backoff = { 0.01, 0.01 } } })
    local before = pool:must("pid")
    local events = pools.events(pool)
    assert.is_true(pool:reload({ limits = { memroy = 1 } }))
    pools.until_true(pool, function() return events.failed == 1 end, "giving up")
    assert.truthy(pool:info().reason:find("memroy", 1, true), pool:info().reason)
    assert.equal(before, pool:must("pid"))
  end)

  it("stops its children when its loop was closed before", function()
    local loop = fkrpc.loop()
    local pool = pools.start({ size = 3, loop = loop })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = pools.pids(pool, "ready")
    loop:close()
    pool:close()
    for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
    assert.equal("closed", select(2, pool:call("pid")).code)
  end)

  it("is closed even if the task that closes it is cancelled", function()
    local loop = fkrpc.loop()
    local socket = path()
    local pool = pools.start({ size = 2, loop = loop, control = socket })
    assert.is_true(pool:wait(pools.DEADLINE))
    local pids = pools.pids(pool, "ready")
    local task = loop:go(function() pool:close() end)
    loop:step(0)
    loop:step(0)
    task:cancel()
    task:join()
    pools.until_true(pool, function() return fkrpc.fs.stat(socket) == nil end, "the end of its socket")
    for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
    loop:close()
  end)

  it("may be closed by whatever it calls", function()
    local closers = {
      event = function(pool) pool:on("died", function() pool:close() end) pool:call("die", { 0 }) end,
      task = function(pool) pool.loop:go(function() pool:close() end):join() end,
      timer = function(pool) pool.loop:after(0, function() pool:close() end) pool.loop:sleep(0.01) end,
      handler = function(pool)
        pool:handle("question", function() pool:close() return 1 end)
        pool:call("ask", { 1 })
      end,
    }
    for _, how in pairs(closers) do
      local pool = pools.start({ size = 2, loop = nil })
      assert.is_true(pool:wait(pools.DEADLINE))
      local pids = pools.pids(pool, "ready")
      pcall(how, pool)
      pcall(pools.until_true, pool, function() return pool.loop.closed end, "its end")
      for _, pid in ipairs(pids) do assert.is_false(pools.exists(pid)) end
      assert.equal("closed", select(2, pool:call("pid")).code)
    end
  end)

  it("goes on when its event handlers raise", function()
    local pool = pools.start({ size = 1, restart = QUICK })
    for _, name in ipairs({ "started", "ready", "died" }) do pool:on(name, function() error("raised as wanted") end) end
    for _ = 1, 3 do
      assert.equal("closed", select(2, pool:call("die", { 0 })).code)
      assert.is_number(pool:must("pid"))
    end
  end)

  it("leaves no process behind when nobody refers to it any more", function()
    local before = left.descriptors(fkrpc.fs)
    local function dropped()
      local pool = assert(fkrpc.pool({ command = pools.command(), size = 3, handshake = "hello" }))
      assert.is_true(pool:wait(pools.DEADLINE))
      return pools.pids(pool, "ready")
    end
    local pids = dropped()
    local jit = rawget(_G, "jit")
    if jit then jit.flush() end -- what was compiled for one table keeps it
    for _ = 1, 3 do collectgarbage() end
    local last = assert(fkrpc.spawn({ "sleep", "1" }))
    for _, pid in ipairs(pids) do
      local deadline = fkrpc.clock.monotonic_us() + pools.DEADLINE * 1e6
      while pools.exists(pid) and fkrpc.clock.monotonic_us() < deadline do fkrpc.clock.sleep(0.01) end
      assert.is_false(pools.exists(pid))
    end
    last:stop({ grace = 0 })
    assert.same({ 0, "" }, { left.since(fkrpc, before) })
  end)
end)

describe("a pool whose zygote", function()
  it("is stopped loads another one, and its children are called meanwhile", function()
    local pool = pools.start({ size = 2, prefork = true, restart = QUICK })
    assert.is_true(pool:wait(pools.DEADLINE))
    local zygote = pool:info().zygote.pid
    os.execute("kill -STOP " .. zygote)
    assert.truthy(pools.seconds_of(function()
      assert.equal("closed", select(2, pool:call("die", { 0 })).code)
      for _ = 1, 100 do
        assert.is_number(pool:must("pid"))
        pool.loop:step(0)
      end
      assert.is_true(pool:wait(pools.DEADLINE))
    end) < 6)
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.not_equal(zygote, pool:info().zygote.pid)
    assert.is_false(pools.exists(zygote))
  end)

  it("cannot be started again gives up", function()
    local pool = pools.start({ size = 1, prefork = true, restart = { max = 2, backoff = { 0.01, 0.01 } } })
    local events = pools.events(pool)
    local _, pid = pool:must("pid"), pool:info().zygote.pid
    pool.given.command = { "/nonexistent/program" }
    os.execute("kill -9 " .. pid)
    pool:call("die", { 0 })
    pools.until_true(pool, function() return events.failed == 1 end, "giving up")
    assert.equal("closed", select(2, pool:call("pid")).code)
  end)

  it("loads the older of two programs later than the newer keeps the newer", function()
    local pool = pools.start({ size = 1, prefork = true, more = 'peer:on("version", function() return 1 end)' })
    assert.equal(1, pool:must("version"))
    local function version(number, seconds)
      return { command = pools.command(('peer:on("version", function() return %d end)'):format(number),
        ("fkrpc.clock.sleep(%g)"):format(seconds)) }
    end
    assert.is_true(pool:reload(version(2, 1)))
    assert.is_true(pool:reload(version(3, 0)))
    pools.until_true(pool, function() return pool:must("version") == 3 end, "the third version")
    pool.loop:sleep(1.3)
    assert.is_true(pool:wait(pools.DEADLINE))
    assert.equal(3, pool:must("version"))
    assert.equal(2, pool:info().generation)
  end)
end)

describe("a control socket", function()
  it("keeps no descriptor of clients that have gone, and lets go of those that have not", function()
    local loop, socket = fkrpc.loop(), path()
    local pool = pools.start({ size = 1, control = socket, loop = loop })
    assert.is_true(pool:wait(pools.DEADLINE))
    collectgarbage("stop")
    local before = left.descriptors(fkrpc.fs)
    for _ = 1, 20 do
      local client = assert(fkrpc.connect({ path = socket }))
      loop:add(client)
      assert.equal(1, client:must("info").size)
      client:close()
    end
    local deadline = fkrpc.clock.monotonic_us() + pools.DEADLINE * 1e6
    while left.more(fkrpc.fs, before) > 0 and fkrpc.clock.monotonic_us() < deadline do loop:sleep(0.01) end
    assert.same({ 0, "" }, { left.more(fkrpc.fs, before) })
    collectgarbage("restart")
    local silent = assert(fkrpc.connect({ path = socket }))
    loop:add(silent)
    loop:sleep(0.05)
    pool:close()
    assert.equal("closed", select(2, silent:call("info", nil, { timeout = 5 })).code)
    assert.equal("done", loop:run())
    loop:close()
  end)

  it("serves others while clients send garbage, half a message, nothing, or do not read", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    assert.is_true(pool:wait(pools.DEADLINE))
    local others = {}
    for _, bytes in ipairs({ "\0\255garbage\n", '{"jsonrpc":"2.0","id":1,', "", "[]\n",
      ('{"jsonrpc":"2.0","id":1,"method":"info"}\n'):rep(5000) }) do
      local other = assert(fkrpc.connect({ path = socket }))
      pool.loop:go(function() return other:send_raw(bytes) end)
      others[#others + 1] = other
    end
    local client = assert(fkrpc.connect({ path = socket }))
    pool.loop:add(client)
    for _ = 1, 20 do assert.equal(1, client:must("info", nil, { timeout = pools.DEADLINE }).size) end
    assert.is_number(pool:must("pid"))
    for _, other in ipairs(others) do other:close() end
  end)

  it("refuses clients beyond sixty-four", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    local clients, served = {}, 0
    for i = 1, 80 do
      clients[i] = assert(fkrpc.connect({ path = socket }))
      pool.loop:add(clients[i])
    end
    for i = 1, 80 do
      if clients[i]:call("info") then served = served + 1 end
    end
    assert.equal(64, served)
  end)
end)
