-- What a pool tells: a table, Prometheus' text, and the command `fkrpc top` over the control socket.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local cli = dofile(helper.root .. "/spec/cli.lua")
local pools = dofile(helper.root .. "/spec/pools.lua")

after_each(function()
  pools.finish()
  cli.programs.finish()
end)

local function path()
  local name = os.tmpname()
  os.remove(name)
  return name
end

-- Run the command `fkrpc` while the pool's loop runs, too: what it wrote, and its status.
local function command(pool, words)
  local out, err = cli.programs.file(), cli.programs.file()
  local child = assert(fkrpc.spawn({ "sh", "-c", ("{ %s %s; } >'%s' 2>'%s'"):format(cli.command, words, out, err) }))
  local ended
  pools.until_true(pool, function()
    ended = child:wait(0)
    return ended
  end, "the command's end")
  child:close()
  return { out = cli.programs.read(out), err = cli.programs.read(err), code = ended.code }
end

describe("a pool's info", function()
  it("says what each child is doing and what it uses", function()
    local pool = pools.start({ size = 2, check = 0.05 })
    assert.is_true(pool:wait(pools.DEADLINE))
    for key = 1, 3 do pool:must("pid", nil, { key = key }) end
    local info = pool:info()
    assert.equal("running", info.state)
    assert.equal(2, info.size)
    assert.equal(1, info.generation)
    assert.equal(3, info.keys)
    assert.equal(0, info.waiting)
    assert.equal(3, info.counts.calls)
    assert.equal(2, info.counts.ready)
    assert.equal("ready", info.last_event.event)
    assert.equal(2, #info.children)
    local calls, keys = 0, 0
    for _, child in ipairs(info.children) do
      assert.equal("ready", child.state)
      assert.is_true(pools.exists(child.pid))
      assert.truthy(child.rss > 100000, child.rss)
      assert.truthy(child.private > 50000 and child.private <= child.rss, child.private)
      assert.truthy(child.cpu >= 0 and child.age >= 0)
      calls, keys = calls + child.calls, keys + child.keys
    end
    assert.equal(3, calls)
    assert.equal(3, keys)
  end)

  it("keeps the count of calls when children have gone", function()
    local pool = pools.start({ size = 1, restart = { backoff = { 0.01, 0.01 } } })
    for _ = 1, 3 do pool:must("pid") end
    pool:call("die", { 0 })
    pool:must("pid")
    assert.equal(5, pool:info().counts.calls)
  end)
end)

describe("a pool's metrics", function()
  -- What Prometheus' text format 0.0.4 allows, as far as it is used here.
  local function read(text)
    local values, kinds = {}, {}
    assert.equal("\n", text:sub(-1))
    for line in text:gmatch("([^\n]*)\n") do
      local name, kind = line:match("^# TYPE ([%a_:][%w_:]*) (%a+)$")
      if name then
        assert.is_nil(kinds[name])
        assert.truthy(kind == "gauge" or kind == "counter", kind)
        kinds[name] = kind
      elseif not line:match("^# HELP [%a_:][%w_:]* .+$") then
        local metric, labels, value = line:match("^([%a_:][%w_:]*)(%b{}) (%-?[%d.e+-]+)$")
        assert.truthy(metric, line)
        assert.truthy(kinds[metric], "no TYPE before " .. line)
        assert.is_nil(values[metric .. labels])
        values[metric .. labels] = tonumber(value)
      end
    end
    return values
  end

  it("are text that Prometheus reads", function()
    local pool = pools.start({ size = 2 })
    assert.is_true(pool:wait(pools.DEADLINE))
    pool:must("pid")
    local values = read(pool:metrics("games"))
    assert.equal(2, values['fkrpc_pool_size{pool="games"}'])
    assert.equal(2, values['fkrpc_pool_children{pool="games",state="ready"}'])
    assert.equal(0, values['fkrpc_pool_children{pool="games",state="draining"}'])
    assert.equal(1, values['fkrpc_pool_calls_total{pool="games"}'])
    local pid = pool:info().children[1].pid
    assert.truthy(values[('fkrpc_child_private_bytes{pool="games",pid="%d",generation="1"}'):format(pid)] > 50000)
    read(pool:metrics('a "name" with \\ and \n'))
  end)
end)

describe("fkrpc top", function()
  it("shows the children of a pool once", function()
    local socket = path()
    local pool = pools.start({ size = 2, control = socket })
    assert.is_true(pool:wait(pools.DEADLINE))
    pool:must("pid")
    local result = command(pool, "top --once " .. socket)
    assert.equal(0, result.code, result.err)
    assert.truthy(result.out:find("generation 1, 2 children for 2 places", 1, true), result.out)
    for _, child in ipairs(pool:info().children) do
      assert.truthy(result.out:find(("\n%7d   1 ready"):format(child.pid), 1, true), result.out)
    end
  end)

  it("is one JSON object for scripts", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    local pid = pool:must("pid")
    local result = command(pool, "top --once --json " .. socket)
    assert.equal(0, result.code, result.err)
    local info = assert(fkrpc.json.decode(result.out))
    assert.equal(pid, info.children[1].pid)
    assert.equal("running", info.state)
  end)

  it("goes on until it is told to stop", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    pool:must("pid")
    local lines = cli.programs.file()
    local result = command(pool, ("top --json --interval 0.05 %s >'%s' & "):format(socket, lines)
      .. ("while kill -0 $! && [ $(wc -l <'%s') -lt 3 ]; do sleep 0.05; done; kill -TERM $!; wait $!"):format(lines))
    assert.equal(0, result.code, result.err)
    assert.truthy(#cli.lines(cli.programs.read(lines)) >= 3)
  end)

  it("says so when the pool has gone, and ends when nobody reads it any more", function()
    local socket = path()
    local loop = fkrpc.loop()
    local pool = pools.start({ size = 1, control = socket, loop = loop })
    pool:must("pid")
    local result = command(pool, "top --json --interval 0.01 " .. socket .. " | head -n 1; echo ended >&2")
    assert.equal(1, #cli.lines(result.out))
    assert.equal("ended\n", result.err)
    local lines = cli.programs.file()
    pool.loop:every(0.05, function(timer)
      if cli.programs.read(lines) == "" then return end
      timer:cancel()
      pool:close()
    end)
    result = command(pool, ("top --json --interval 0.01 %s >'%s'"):format(socket, lines))
    assert.equal(2, result.code)
    assert.truthy(result.err:find("the pool has gone", 1, true), result.err)
    loop:close()
  end)

  it("shows how long calls took, unless the children do not measure it", function()
    local pool = pools.start({ size = 1, control = path() })
    pool:must("pid")
    assert.equal(1, pool:info().children[1].latency.calls.count)
    pool = pools.start({ size = 1, control = path(), latency = false })
    pool:must("pid")
    assert.is_nil(pool:info().children[1].latency)
  end)

  it("fits into a terminal of 80 columns", function()
    local result = cli.programs.run(([[
      package.path = %q .. "/lua/?.lua;" .. package.path
      local top = require("fkrpc.command.top")
      local child = { pid = 4194304, generation = 7, state = "ready", marked = "memory", private = 1e9, rate = 98765.4,
        inflight = 12, keys = 34567, age = 36000, latency = { calls = { count = 1, p99 = 0.1234 } } }
      local info = { state = "running", generation = 7, children = { child }, size = 1, waiting = 0, keys = 34567,
        counts = {}, last_event = { event = "died", reason = ("a long reason "):rep(10) } }
      print(table.concat(top.lines(info, 80), "\n"))
      child.state = "draining"
      print(top.lines(info, 80)[6])
      print(top.lines(info)[6])
    ]]):format(helper.root))
    local lines = cli.lines(result.out)
    assert.equal(8, #lines, result.err)
    for i = 1, 7 do assert.is_true(#lines[i] <= 80, lines[i]) end
    assert.equal("AGE  EVENT", lines[5]:sub(-10))
    assert.equal("10h00m  memory", lines[7]:sub(-14))
    assert.equal("memory", lines[8]:sub(-6))
  end)

  it("says what is wrong when there is no such pool", function()
    local result = cli.run("top", "--once", "/nonexistent/pool.sock")
    assert.equal(2, result.code)
    assert.truthy(result.err:find("/nonexistent/pool.sock", 1, true), result.err)
    assert.equal(2, cli.run("top").code)
    assert.equal(2, cli.run("top", "--interval", "0", "x").code)
  end)
end)

describe("a control socket", function()
  it("is for this user alone, and goes with the pool", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    local stat = assert(fkrpc.fs.stat(socket))
    assert.equal(6 * 64, stat.mode % 512)
    pool:close()
    assert.is_nil((fkrpc.fs.stat(socket)))
  end)

  it("replaces a child, and the whole generation, when asked to", function()
    local socket = path()
    local pool = pools.start({ size = 1, control = socket })
    local pid = pool:must("pid")
    local client = assert(fkrpc.connect({ path = socket }))
    pool.loop:add(client)
    assert.is_true(client:must("drain", { pid = pid }))
    local _, err = client:call("drain", { pid = 1 })
    assert.truthy(err.message:find("no child", 1, true), err.message)
    pools.until_true(pool, function() return not pools.exists(pid) end, "the child's end")
    assert.is_true(client:must("reload"))
    assert.equal(2, client:must("info").generation)
    assert.truthy(client:must("metrics"):find("fkrpc_pool_generation", 1, true))
    client:close()
  end)

  it("that cannot be had is an error of the pool", function()
    local pool, message, errno = fkrpc.pool({ command = pools.command(), control = "/nonexistent/pool.sock" })
    assert.is_nil(pool)
    assert.truthy(message:find("/nonexistent/pool.sock", 1, true), message)
    assert.equal(2, errno)
  end)
end)
