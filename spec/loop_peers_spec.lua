-- Peers in a loop: calls in tasks and in place, handlers that wait, floods, pending output, joining, leaving, ends.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local loop, seen

before_each(function() loop, seen = fkrpc.loop(), {} end)
after_each(function()
  loop:close()
  programs.finish()
end)

local function note(text) seen[#seen + 1] = text end

local ECHO = [[
  local peer = assert(require("fkrpc").stdio({ concurrency = 8 }))
  peer:on("echo", function(params) return params end)
  peer:on("ask", function(params, ctx) return ctx.peer:must("question", params) end)
  peer:on("never", function(_, ctx) return ctx.peer:must("question", { 0 }) end)
  peer:on("exit", function(params) os.exit(params[1]) end)
  os.exit(peer:serve() == "eof" and 7 or 8)
]]

local function add(script, options, on_end)
  local child, log = programs.spawn(script or ECHO, options)
  loop:add(child, on_end and { on_end = on_end })
  return child, log
end

local function in_task(f, ...) return assert(loop:go(f, ...):join()) end

describe("calls through a loop", function()
  it("wait in a task for that task alone, and elsewhere run the loop in place", function()
    local children, go_on, waiting = {}, {}, 0
    for i = 1, 4 do
      children[i] = add()
      children[i]:on("question", function(params)
        loop:await(function(resume)
          go_on[i], waiting = resume, waiting + 1
        end)
        note(i)
        if i > 1 then go_on[i - 1]() end
        return params[1] + i
      end)
    end
    local tasks = {}
    for i = 1, 4 do tasks[i] = loop:go(function() return (children[i]:must("ask", { 10 })) end) end
    while waiting < 4 do loop:step(programs.DEADLINE) end
    go_on[4]()
    for i = 1, 4 do assert.equal(10 + i, (tasks[i]:join())) end
    assert.same({ 4, 3, 2, 1 }, seen)
    assert.equal(5, children[2]:must("echo", { 5 })[1])
    assert.equal(0, children[1]:stats().waiting)
  end)

  it("return what plain ones return, and have their options", function()
    local child = add()
    local function check()
      local _, err = child:call("nobody")
      assert.equal(-32601, err.code)
      assert.same({ false, -32601 }, { pcall(child.must, child, "nobody"), err.code })
      _, err = child:call("echo", { 1 }, { timeout = 0.0001 })
      assert.is_true(err == nil or err.code == "timeout")
      assert.is_true(child:notify("nothing"))
      local token = fkrpc.token()
      child:on("question", function() token:cancel("enough") end)
      _, err = child:call("ask", { 1 }, { cancel = token })
      assert.same({ "cancelled", "enough" }, { err.code, err.message })
      assert.equal(1, child:must("echo", { 1 }, { timeout = programs.DEADLINE })[1])
      assert.has_error(function() child:call(1) end)
      assert.has_error(function() child:call("echo", { print }) end)
      return true
    end
    in_task(check)
    check()
  end)

  it("have deadlines of their own, beside the loop's timers", function()
    local child = add()
    child:on("question", function() loop:sleep(programs.DEADLINE) end)
    loop:go(function()
      local _, err = child:call("never", nil, { timeout = 0.02 })
      note(err.code)
    end)
    loop:after(0.01, function() note("timer") end)
    loop:after(0.04, function() loop:stop() end)
    assert.equal("stopped", loop:run())
    assert.same({ "timer", "timeout" }, seen)
  end)

  it("of a task that is cancelled are forgotten", function()
    local child = add()
    child:on("question", function() loop:sleep(0.02) return 1 end)
    for _, options in ipairs({ false, { timeout = programs.DEADLINE } }) do
      local task = loop:go(function() child:call("ask", { 1 }, options or nil) note("never") end)
      while child:stats().waiting == 0 do loop:step(1) end
      task:cancel()
      local _, err = task:join()
      assert.equal("cancelled", err.code)
      assert.equal(0, child:stats().waiting)
      assert.equal(2, child:must("echo", { 2 })[1])
    end
    local deadline = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
    while child:stats().strays < 2 and fkrpc.clock.monotonic_us() < deadline do loop:sleep(0.01) end
    assert.equal(2, child:stats().strays)
    assert.same({}, seen)
  end)

  it("may come from handlers, of the same peer and of others, with any codec", function()
    for _, options in ipairs({ "", "codec = 'cbor'", "codec = 'cbor', keys = 'freekill'", "framing = 'length'" }) do
      local script = ECHO:gsub("concurrency = 8", "concurrency = 8, " .. options)
      local given = { codec = options:match("cbor"), keys = options:match("freekill") }
      given.framing = options:match("length")
      local one, other = add(script, given), add(script, given)
      one:on("question", function(params) return other:must("echo", one:must("echo", params))[1] end)
      assert.equal(6, (loop:go(function() return one:must("ask", { 6 }) end):join()))
    end
  end)
end)

describe("a peer that", function()
  it("floods keeps neither timers nor others waiting", function()
    local flood = add([[
      local peer = assert(require("fkrpc").stdio({ batch = 65536 }))
      while peer:notify("drop", { 1 }) do end
    ]])
    local count, calls, ticks = 0, 0, 0
    flood:on("drop", function() count = count + 1 end)
    local child = add()
    loop:every(0.001, function() ticks = ticks + 1 end)
    loop:go(function()
      for _ = 1, 200 do
        child:must("echo", { 1 })
        calls = calls + 1
      end
      -- Not a measurement: without shares the flood would have gone on for ever here.
      while ticks < 20 do loop:sleep(0) end
      loop:stop()
    end)
    assert.equal("stopped", loop:run())
    assert.equal(200, calls)
    assert.is_true(count > 0)
  end)

  it("does not read keeps nobody waiting, and what is sent to it stays within bounds", function()
    local deaf = add("io.read(1) os.execute('sleep " .. programs.DEADLINE .. "')")
    local child = add()
    local text, sent = ("x"):rep(100000), 0
    local writer = loop:go(function()
      while deaf:notify("take", { text }) do sent = sent + 1 end
    end)
    in_task(function()
      for i = 1, 100 do assert.equal(i, child:must("echo", { i })[1]) end
      return true
    end)
    assert.is_true(sent > 5 and sent < 40, sent)
    assert.is_true(deaf:stats().queued < 2 ^ 21)
    deaf:kill(9)
    writer:join()
    assert.equal("closed", select(2, deaf:notify("take")).code)
  end)

  it("has much to say while much is said to it gets all of it, and so do others", function()
    local SIZE = 4 * 2 ^ 20
    local script = [[
      local peer = assert(require("fkrpc").stdio())
      local size = ]] .. ("%d"):format(SIZE) .. [[

      peer:on("swap", function(params) return { ("y"):rep(size), #params[1] } end)
      peer:serve()
    ]]
    local tasks = {}
    for i = 1, 3 do
      local child = add(script)
      tasks[i] = loop:go(function()
        local sum = 0
        for _ = 1, 2 do
          local result = child:must("swap", { ("x"):rep(SIZE) })
          sum = sum + #result[1] + result[2]
        end
        return sum
      end)
      tasks[i + 3] = loop:go(function() return #child:must("swap", { ("x"):rep(SIZE) })[1] end)
    end
    for i = 1, 3 do
      assert.equal(4 * SIZE, (tasks[i]:join()))
      assert.equal(SIZE, (tasks[i + 3]:join()))
    end
  end)

  it("sends more requests at once than may run is told so", function()
    local one, other = fkrpc.pair()
    loop:add(other)
    loop:add(one)
    other:on("wait", function() loop:sleep(0.3) return true end)
    for i = 1, 1010 do one:send_raw(('{"jsonrpc":"2.0","id":%d,"method":"wait"}\n'):format(i)) end
    local deadline = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
    while other:stats().sent < 1010 and fkrpc.clock.monotonic_us() < deadline do loop:sleep(0.05) end
    assert.same({ 1010, 1010, 10 }, { other:stats().requests, other:stats().sent, other:stats().errors_sent })
  end)
end)

describe("joining and leaving", function()
  it("is refused twice, in two loops, and to what is closed or served", function()
    local one, other = fkrpc.pair()
    local second = fkrpc.loop()
    loop:add(one)
    assert.has_error(function() loop:add(one) end)
    assert.truthy(select(2, pcall(second.add, second, one)):find("in another loop already", 1, true))
    assert.truthy(select(2, pcall(loop.add, loop, one)):find("in this loop already", 1, true))
    for _, name in ipairs({ "serve", "step", "receive_raw" }) do
      assert.truthy(select(2, pcall(one[name], one)):find("in a loop", 1, true))
    end
    assert.is_false(second:remove(one))
    assert.is_true(loop:remove(one))
    assert.is_false(loop:remove(one))
    second:add(one)
    second:close()
    other:on("add", function(_, ctx)
      local fine, text = pcall(loop.add, loop, ctx.peer)
      return { fine, text }
    end)
    assert.truthy(one:must("add")[2]:find("is served or waits", 1, true))
    one:close()
    assert.truthy(select(2, pcall(loop.add, loop, one)):find("is closed", 1, true))
  end)

  it("leaves a peer as it was before", function()
    for _, options in ipairs({ {}, { concurrency = 4 }, { calls = false } }) do
      local one, other = fkrpc.pair(options)
      other:on("echo", function(params) return params end)
      local before = { one.call, one.serve, one.notify, one.stop, one.close }
      loop:add(one)
      assert.is_true(one:notify("echo"))
      loop:remove(one)
      assert.same(before, { one.call, one.serve, one.notify, one.stop, one.close })
      if options.calls ~= false then assert.equal(3, one:must("echo", { 3 })[1]) end
    end
  end)

  it("fails the calls that wait, while a handler runs, and the handler's answer is sent all the same", function()
    local child = add()
    child:on("question", function()
      loop:remove(child)
      return "an answer"
    end)
    local _, err = child:call("ask", { 1 })
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("taken out of its loop", 1, true))
    assert.equal(4, child:must("echo", { 4 })[1])
    assert.equal(1, child:stats().strays)
  end)

  it("by closing in a handler ends it without harm to others", function()
    local child, other = add(), add()
    child:on("question", function() child:close() end)
    local _, err = child:call("ask", { 1 })
    assert.equal("closed", err.code)
    assert.is_nil(child.loop)
    assert.equal(5, in_task(function() return other:must("echo", { 5 }) end)[1])
    assert.equal("closed", select(2, child:call("echo")).code)
  end)
end)

describe("the end of a peer", function()
  it("is told, fails its calls, and leaves the others alone", function()
    local ends = {}
    local child = add(nil, nil, function(peer, event) ends[#ends + 1] = { peer, event } end)
    local other = add()
    local task = loop:go(function() return child:call("exit", { 5 }) end)
    local _, err = task:join()
    assert.equal("closed", err.code)
    assert.equal(5, err.data.code)
    assert.same({ 1, "eof" }, { #ends, ends[1] and ends[1][2] })
    assert.equal(child, ends[1][1])
    assert.is_nil(child.loop)
    assert.equal(1, other:must("echo", { 1 })[1])
    assert.equal(5, child:wait(0).code)
  end)

  it("is told by a call that finds it before the loop does, which says how the process ended", function()
    local child = add("os.exit(5)")
    local function over() return programs.read("/proc/" .. child.pid .. "/stat"):find(") Z ", 1, true) end
    repeat fkrpc.clock.sleep(0.01) until over()
    local _, err = child:call("anything")
    assert.equal("closed", err.code)
    assert.equal(5, err.data and err.data.code, err.message)
  end)

  it("comes when the process is killed, too, though its child holds the pipe", function()
    local child = add("os.execute('sleep " .. programs.DEADLINE .. " & echo >&2') "
      .. "local p = require('fkrpc').stdio() p:on('x', function() os.execute('sleep 60') end) p:serve()")
    loop:after(0.05, function() child:kill(9) end)
    local _, err = child:call("x")
    assert.equal("closed", err.code)
    assert.equal(9, err.data.signal)
  end)

  it("by garbage, where that is an error, is told with the reason", function()
    local one, other = fkrpc.pair({ garbage = "error" })
    loop:add(one, { on_end = function(_, event, detail) note(event .. ": " .. detail) end })
    other:send_raw("rubbish\n")
    assert.equal("done", loop:run())
    assert.equal(1, #seen)
    assert.truthy(seen[1]:find("closed: .*rubbish") or seen[1]:find("closed: the other end sent", 1, true), seen[1])
  end)

  it("lets a stopped child be waited for without blocking the others", function()
    local child, other = add(), add()
    local ticks = 0
    loop:every(0.001, function() ticks = ticks + 1 end)
    local stopping = loop:go(function() return child:stop({ grace = programs.DEADLINE }) end)
    assert.equal(2, other:must("echo", { 2 })[1])
    assert.equal(7, stopping:join().code)
    local waiting = loop:go(function() return other:wait(programs.DEADLINE) end)
    loop:after(0.01, function() other:close_stdin() end)
    assert.equal(7, waiting:join().code)
    assert.is_true(ticks > 0)
  end)
end)

describe("pairs in memory", function()
  it("work with one end in a loop, with both, and in two loops", function()
    local second = fkrpc.loop()
    for round = 1, 3 do
      local one, other = fkrpc.pair()
      one:on("double", function(params) return params[1] * 2 end)
      other:on("ask", function(params, ctx) return ctx.peer:must("double", params) + 1 end)
      loop:add(one)
      if round == 2 then loop:add(other) elseif round == 3 then second:add(other) end
      assert.equal(9, one:must("ask", { 4 }))
      assert.equal(11, (loop:go(function() return one:must("ask", { 5 }) end):join()))
      if round == 1 then assert.equal(8, other:must("double", { 4 })) end
    end
  end)

  it("fail what nobody will answer", function()
    local one = fkrpc.pair()
    loop:add(one)
    local _, err = one:call("anything")
    assert.equal(-32601, err.code)
    one.other:on("stuck", function(_, ctx) ctx.peer:close() end)
    _, err = one:call("stuck")
    assert.equal("closed", err.code)
  end)
end)

describe("a child with children of its own", function()
  it("serves its parent and calls them in the same loop", function()
    local script = [[
      local fkrpc = require("fkrpc")
      local loop = fkrpc.loop()
      local parent = assert(fkrpc.stdio())
      local children = {}
      for i = 1, 2 do
        children[i] = assert(fkrpc.spawn({ command = { "sh", "-c", arg[0] == nil and "" or GRAND } }))
        loop:add(children[i])
      end
      loop:add(parent, { on_end = function() loop:stop() end })
      parent:on("sum", function(params)
        local task = loop:go(function() return children[1]:must("echo", params)[1] end)
        return task:join() + children[2]:must("echo", params)[1]
      end)
      local how = loop:run()
      for i = 1, 2 do children[i]:stop() end
      os.exit(how == "stopped" and 9 or 1)
    ]]
    local child = add(("local GRAND = %q\n"):format("exec " .. programs.command(ECHO)) .. script)
    local tasks = {}
    for i = 1, 20 do tasks[i] = loop:go(function() return child:must("sum", { i }) end) end
    for i = 1, 20 do assert.equal(2 * i, (tasks[i]:join())) end
    child:close_stdin()
    assert.equal(9, child:wait(programs.DEADLINE).code)
  end)
end)
