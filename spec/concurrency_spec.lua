-- Handlers that run interleaved: while one waits for its call, the next is begun or the one whose reply came goes on.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local left, right, seen

local function fresh(n, options)
  options = options or {}
  options.concurrency = n
  left, right = fkrpc.pair(options)
  seen = {}
end

before_each(function() fresh(3) end)
after_each(programs.finish)

local function note(text) seen[#seen + 1] = text end

-- Requests of this method with the ids 101, 102, ...; each may be told from the others by its params.
local function send(method, count, first)
  for i = first or 1, (first or 1) + count - 1 do
    left:send_raw(('{"jsonrpc":"2.0","id":%d,"method":"%s","params":[%d]}\n'):format(100 + i, method, i))
  end
end

-- The right end's calls are answered by hand, in any order.
local function answer(...)
  for _, id in ipairs({ ... }) do
    left:send_raw(('{"jsonrpc":"2.0","id":%d,"result":%d}\n'):format(id, id * 10))
  end
end

local function serve_all(peer)
  local count = 0
  while peer:step(0) do count = count + 1 end
  return count
end

local function asking()
  right:on("ask", function(params, ctx)
    note("begins " .. params[1])
    local result = ctx.peer:must("question", params)
    note("ends " .. params[1] .. " with " .. result)
    return result
  end)
end

describe("concurrent handlers", function()
  it("go on in the order in which their replies come", function()
    asking()
    send("ask", 3)
    assert.equal(3, serve_all(right))
    assert.same({ "begins 1", "begins 2", "begins 3" }, seen)
    answer(2, 3, 1)
    assert.equal(3, serve_all(right))
    assert.same({ "ends 2 with 20", "ends 3 with 30", "ends 1 with 10" }, { seen[4], seen[5], seen[6] })
    assert.equal(0, right:stats().waiting)
    assert.equal(0, right.depth)
  end)

  it("may wait any number of times, and the calls of one do not meet those of another", function()
    right:on("sum", function(params, ctx)
      local sum = 0
      for i = 1, 5 do sum = sum + ctx.peer:must("double", { params[1] * 10 + i }) end
      return sum
    end)
    left:on("double", function(params) return params[1] * 2 end)
    local results = {}
    left:on("collect", function(params, ctx)
      results[params[1]] = ctx.peer:must("sum", params)
    end)
    right:on("start", function(_, ctx)
      for i = 1, 3 do ctx.peer:notify("collect", { i }) end
    end)
    assert.is_nil((left:call("start")))
    assert.equal("stopped", (left:serve()))
    assert.same({ 130, 230, 330 }, results)
    assert.same({ 0, 0 }, { left:stats().waiting, right:stats().waiting })
  end)

  it("are begun in the order in which requests and notifications were sent", function()
    right:on("ask", function(params, ctx)
      note("ask " .. params[1])
      ctx.peer:call("question")
    end)
    right:on("tell", function(params) note("tell " .. params[1]) end)
    for i = 1, 6 do
      if i % 2 == 0 then left:notify("tell", { i }) else send("ask", 1, i) end
    end
    serve_all(right)
    assert.same({ "ask 1", "tell 2", "ask 3", "tell 4", "ask 5", "tell 6" }, seen)
  end)

  it("beyond the number that was given wait on top of the others, so that nobody waits for ever", function()
    fresh(2)
    local function recurse(peer)
      peer:on("down", function(params, ctx)
        if params[1] == 0 then return 0 end
        return 1 + ctx.peer:must("down", { params[1] - 1 })
      end)
    end
    recurse(left)
    recurse(right)
    assert.equal(20, (left:call("down", { 20 })))
    -- Two on each end are left, the others lie on top of each other: 64 levels as ever.
    assert.equal(100, (left:call("down", { 100 })))
    local _, err = left:call("down", { 400 })
    assert.equal("number", type(err.code))
    assert.equal(100, (left:call("down", { 100 })))
    assert.same({ 0, 0, 0, 0 }, { left.depth, right.depth, left:stats().waiting, right:stats().waiting })
  end)

  it("fail alone, when they raise or yield elsewhere", function()
    asking()
    right:on("raise", function(_, ctx)
      ctx.peer:call("question")
      error("raised late", 0)
    end)
    right:on("yield", function(_, ctx)
      ctx.peer:call("question")
      coroutine.yield(5)
    end)
    send("ask", 1)
    send("raise", 1, 2)
    send("yield", 1, 3)
    serve_all(right)
    answer(3, 2, 1)
    serve_all(right)
    assert.equal("ends 1 with 10", seen[2])
    assert.equal(6, serve_all(left)) -- three questions, three answers
    send("ask", 1)
    assert.equal(4, serve_all(right)) -- with the answers of the left end, which come too late
    assert.equal("begins 1", seen[3])
  end)

  it("get the error of their own call, and no other's", function()
    right:on("ask", function(params, ctx)
      local result, err = ctx.peer:call("question")
      note(params[1] .. " " .. tostring(result) .. " " .. tostring(err and err.code))
    end)
    send("ask", 3)
    serve_all(right)
    left:send_raw('{"jsonrpc":"2.0","id":2,"error":{"code":7,"message":"m"}}\n{"jsonrpc":"2.0","id":1,"error":"x"}\n')
    answer(9, 3)
    serve_all(right)
    assert.same({ "2 nil 7", "1 nil -32603", "3 30 nil" }, seen)
    assert.equal(1, right:stats().strays)
  end)

  it("may wait inside pcall and coroutines of their own, but for Lua 5.1, whose pcall cannot be left", function()
    left:on("question", function(params) return params[1] * 10 end)
    right:on("pcall", function(params, ctx)
      local fine, result = pcall(ctx.peer.must, ctx.peer, "question", params)
      if fine then return { fine, result } end
      assert.equal("not_here", result.code)
      assert.truthy(result.message:find("inside pcall", 1, true))
      return { fine, 10 }
    end)
    right:on("own", function(params, ctx)
      local co = coroutine.wrap(function()
        coroutine.yield(ctx.peer:must("question", params))
        return ctx.peer:must("question", { 2 })
      end)
      return { co(), co() }
    end)
    for _ = 1, 3 do
      assert.same({ helper.name ~= "lua51", 10 }, (left:call("pcall", { 1 })))
      assert.same({ 10, 20 }, (left:call("own", { 1 })))
    end
    assert.equal(0, right:stats().waiting)
  end)

  it("are told where they cannot wait, rather than kept from answering by one that is on top of them", function()
    right:on("sort", function(_, ctx)
      local _, err
      table.sort({ 2, 1 }, function(a, b)
        _, err = ctx.peer:call("question", { 1 })
        return a < b
      end)
      return { err.code, err.message }
    end)
    local told = left:must("sort")
    assert.equal("not_here", told[1])
    assert.truthy(told[2]:find("function in C", 1, true))
    assert.equal(0, right:stats().sent - 1)
    assert.equal(0, right:stats().waiting)
  end)

  it("have timeouts of their own", function()
    right:on("ask", function(params, ctx)
      local _, err = ctx.peer:call("question", nil, { timeout = params[1] == 2 and 0.01 or 100 })
      note(params[1] .. " " .. tostring(err and err.code))
    end)
    send("ask", 3)
    serve_all(right)
    while #seen == 0 do right:step(0.05) end
    assert.same({ "2 timeout" }, seen)
    answer(1, 2, 3)
    serve_all(right)
    assert.same({ "2 timeout", "1 nil", "3 nil" }, seen)
    assert.equal(1, right:stats().strays)
  end)

  it("get what must raises, and their tracebacks are their own", function()
    right:on("ask", function(_, ctx) return ctx.peer:must("question") end)
    left:on("question", function() return nil, fkrpc.error({ code = 9, message = "nine" }) end)
    local _, err = left:call("ask")
    assert.same({ 9, "nine" }, { err.code, err.message })
  end)
end)

describe("serving concurrently", function()
  it("ends, when stopped, once the handlers that wait have ended", function()
    asking()
    right:on("stop", function(_, ctx) ctx.peer:stop() end)
    send("ask", 2)
    send("stop", 1, 3)
    answer(2, 1)
    send("ask", 1, 4)
    assert.equal("stopped", (right:serve()))
    assert.same({ "begins 1", "begins 2", "ends 2 with 20", "ends 1 with 10" }, seen)
  end)

  it("fails the calls that wait when the other end has gone, and then ends", function()
    right:on("ask", function(params, ctx)
      local _, err = ctx.peer:call("question")
      note(params[1] .. " " .. err.code)
    end)
    send("ask", 3)
    serve_all(right)
    left:close()
    right:serve()
    table.sort(seen)
    assert.same({ "1 closed", "2 closed", "3 closed" }, seen)
    assert.equal(0, right:stats().waiting)
  end)

  it("ends in a pair when both have nothing to do", function()
    asking()
    left:on("question", function(params) return params[1] end)
    send("ask", 5)
    assert.equal("stopped", (right:serve()))
    assert.equal(10, #seen)
    table.sort(seen)
    assert.equal("ends 5 with 5", (seen[10]:gsub("%.0", "")))
  end)

  it("keeps what step says", function()
    asking()
    assert.is_false(right:step(0))
    send("ask", 1)
    left:send_raw("junk\n")
    assert.is_true(right:step(0))
    assert.is_true(right:step(0))
    assert.is_false(right:step(0))
    left:close()
    assert.is_true(right:step(0)) -- the call that waited has failed
    local served, err = right:step(0)
    assert.is_nil(served)
    assert.equal("closed", err.code)
  end)
end)

describe("a concurrent child", function()
  it("serves many while their calls wait, over pipes, with every codec", function()
    for _, options in ipairs({ "", "codec = 'cbor', ", "codec = 'cbor', keys = 'freekill', " }) do
      local child = programs.spawn([[
        local peer = assert(require("fkrpc").stdio({ ]] .. options .. [[concurrency = 8 }))
        local most, now = 0, 0
        peer:on("work", function(params, ctx)
          now = now + 1
          most = math.max(most, now)
          local a = ctx.peer:must("ask", params)
          local b = ctx.peer:must("ask", { a })
          now = now - 1
          peer:notify("done", { params[1], a, b, most })
        end)
        os.exit(peer:serve() == "eof" and 7 or 8)
      ]], { codec = options:match("cbor"), keys = options:match("freekill"), concurrency = 16 })
      child:on("ask", function(params) return params[1] + 1 end)
      local done, most = 0, 0
      child:on("done", function(params)
        assert.same({ params[1] + 1, params[1] + 2 }, { params[2], params[3] })
        done, most = done + 1, math.max(most, params[4])
      end)
      for i = 1, 8 do child:notify("work", { i }) end
      while done < 8 do assert(child:step(programs.DEADLINE)) end
      assert.is_true(most > 1, most)
      child:close_stdin()
      assert.equal(7, child:wait(programs.DEADLINE).code)
    end
  end)

  it("serves a thousand requests that were sent at once", function()
    local lines = {}
    for i = 1, 1000 do lines[i] = ('{"jsonrpc":"2.0","id":%d,"method":"work","params":[%d]}\n'):format(i, i) end
    local done = programs.run([[
      local peer = assert(require("fkrpc").stdio({ concurrency = 4 }))
      local sum, ended = 0, 0
      peer:on("work", function(params, ctx)
        local _, err = ctx.peer:call("ask", params)
        assert(err.code == "closed")
        ended = ended + 1
        sum = sum + params[1]
        return sum
      end)
      local how = peer:serve()
      os.exit(how == "eof" and ended > 0 and peer:stats().waiting == 0 and 0 or 1)
    ]], table.concat(lines))
    assert.equal(0, done.code, done.err)
    -- Every request has one answer: a result, or that it would have been too deep.
    local answered = {}
    for line in done.out:gmatch("[^\n]+") do
      local message = fkrpc.json.decode(line)
      if not message.method then
        assert.is_nil(answered[message.id])
        answered[message.id] = true
      end
    end
    for i = 1, 1000 do assert.is_true(answered[i], i) end
  end)
end)

describe("the option concurrency", function()
  it("is an integer from 1 on", function()
    for _, n in ipairs({ 0, 1.5, -1, "2", 1001 }) do
      assert.error_matches(function() fkrpc.pair({ concurrency = n }) end, "option 'concurrency' must be an integer")
    end
    assert.truthy(fkrpc.pair({ concurrency = 1 }))
  end)
end)
