-- The peer's ends: step, stop, close, timeouts; and every codec a pair can speak.

local fkrpc = require("fkrpc")

local left, right

local function fresh(options) left, right = fkrpc.pair(options) end

before_each(function() fresh() end)

describe("step", function()
  it("serves one message, says when there is none, and when there will be none", function()
    local served = 0
    right:on("n", function() served = served + 1 end)
    assert.is_false(right:step(0))
    assert.is_false(right:step())
    left:notify("n")
    left:notify("n")
    left:send_raw("junk\n")
    for _ = 1, 3 do assert.is_true(right:step(0)) end
    assert.is_false(right:step(0))
    assert.equal(2, served)
    left:close()
    local served_one, err = right:step(0)
    assert.is_nil(served_one)
    assert.equal("closed", err.code)
    assert.equal("closed: the other end closed the connection", tostring(err))
    assert.error_matches(function() right:step("x") end, "seconds expected")
  end)
end)

describe("stop", function()
  it("ends serving after the present request is answered, and what is left is served by the next", function()
    right:on("stop", function(_, ctx)
      ctx.peer:stop()
      return "answered"
    end)
    right:on("n", function() return "n" end)
    left:send_raw('{"jsonrpc":"2.0","id":1,"method":"stop"}\n{"jsonrpc":"2.0","id":2,"method":"n"}\n')
    assert.equal("stopped", (right:serve()))
    assert.equal(1, right:stats().requests)
    left:close()
    right:serve()
    assert.equal(2, right:stats().requests)
  end)

  it("does not end a call that waits", function()
    right:on("x", function(_, ctx) return ctx.peer:must("y") end)
    left:on("y", function(_, ctx)
      ctx.peer:stop()
      return "y"
    end)
    assert.equal("y", (left:call("x")))
    assert.equal("stopped", (left:serve()))
  end)
end)

describe("close", function()
  it("fails the calls that wait, with the code closed, at every level", function()
    local inner
    right:on("x", function(_, ctx)
      left:close()
      local _, err = ctx.peer:call("y")
      inner = err.code
      return 1
    end)
    local result, err = left:call("x")
    assert.is_nil(result)
    assert.equal("closed", err.code)
    assert.equal("closed", inner)
    assert.equal(0, left:stats().waiting)
  end)

  it("in a handler ends serving with closed, and nothing is written after it", function()
    right:on("bye", function(_, ctx)
      ctx.peer:close()
      return "never sent"
    end)
    left:send_raw('{"jsonrpc":"2.0","id":1,"method":"bye"}\n{"jsonrpc":"2.0","id":2,"method":"bye"}\n')
    assert.equal("closed", (right:serve()))
    assert.equal(1, right:stats().requests)
    local done, err = left:step(0)
    assert.is_nil(done)
    assert.equal("closed", err.code)
    assert.equal(0, left:stats().received)
  end)

  it("by the handler's end fails the call it was serving", function()
    right:on("bye", function(_, ctx) ctx.peer:close() end)
    local result, err = left:call("bye")
    assert.is_nil(result)
    assert.equal("closed: the other end closed the connection before it replied", tostring(err))
  end)

  it("may come twice, and everything after it fails softly", function()
    left:close()
    left:close()
    for _, result in ipairs({ { left:call("x") }, { left:notify("x") }, { left:send_raw("x") }, { left:step(0) } }) do
      assert.is_nil(result[1])
      assert.equal("closed", result[2].code)
    end
    assert.equal("closed", (left:serve()))
    left:stop()
    assert.is_false(left:stats().open)
    assert.equal("fkrpc.peer: pair json (closed)", tostring(left))
    local fine, err = pcall(left.must, left, "x")
    assert.is_false(fine)
    assert.equal("closed", err.code)
  end)

  it("lets the other end serve all that was sent before, though it cannot answer", function()
    local seen = {}
    right:on("n", function(params) seen[#seen + 1] = params[1] end)
    for i = 1, 3 do
      left:send_raw('{"jsonrpc":"2.0","id":1,"method":"n","params":[' .. i .. ']}\n{"jsonrpc":"2.0","id":2}\n')
      left:notify("n", { -i })
    end
    left:close()
    local how, detail = right:serve()
    assert.equal("closed", how)
    assert.truthy(detail:find("cannot write to the peer", 1, true), detail)
    assert.same({ 1, -1, 2, -2, 3, -3 }, seen)
    assert.equal("closed", (right:serve()))
  end)

  it("lets the other end read what was sent before", function()
    local seen = {}
    right:on("n", function(params) seen[#seen + 1] = params[1] end)
    for i = 1, 3 do left:notify("n", { i }) end
    left:close()
    assert.equal("eof", (right:serve()))
    assert.same({ 1, 2, 3 }, seen)
  end)
end)

describe("a timeout", function()
  it("is a number of seconds", function()
    assert.error_matches(function() left:call("m", nil, { timeout = "1" }) end, "must be seconds, got string")
    assert.error_matches(function() left:call("m", nil, { timeout = 0 / 0 }) end, "must be seconds, got %-?nan")
  end)

  it("ends a call with the code timeout, and a late reply ends no other call", function()
    right:on("slow", function() return "late" end)
    right:on("fast", function() return "fast" end)
    local result, err = left:call("slow", nil, { timeout = 0 })
    assert.is_nil(result)
    assert.equal("timeout: no reply within the call's timeout (slow)", tostring(err))
    assert.equal("timeout", err.code)
    assert.equal("fast", (left:call("fast")))
    assert.equal(1, left:stats().strays)
    assert.equal(0, left:stats().waiting)
    assert.equal("late", (left:call("slow", nil, { timeout = 20 })))
  end)
end)

describe("every codec of a pair", function()
  for name, options in pairs({
    json = {}, bytes = { strings = "bytes" }, cbor = { codec = "cbor" }, text = { codec = "cbor", strings = "text" },
    freekill = { codec = "cbor", keys = "freekill" },
  }) do
    it("carries results, errors and nested calls: " .. name, function()
      fresh(options)
      right:on("outer", function(params, ctx) return { ctx.peer:must("inner", params), params } end)
      left:on("inner", function(params) return #params end)
      right:on("fail", function() return nil, fkrpc.error({ code = -32050, message = "m", data = { 1 } }) end)
      right:on("none", function() end)
      assert.same({ 3, { 1, "x", false } }, (left:call("outer", { 1, "x", false })))
      local _, err = left:call("fail")
      assert.same({ -32050, "m", { 1 } }, { err.code, err.message, err.data })
      _, err = left:call("missing")
      assert.equal(-32601, err.code)
      assert.equal(2, select("#", left:call("none")))
      assert.is_nil((left:call("none")))
      left:notify("none")
      assert.is_true(right:step(0))
    end)
  end

  it("refuses options it has not, at the caller's line", function()
    for _, options in ipairs({ { codec = "xml" }, { keys = "freekill" }, { codec = "cbor", keys = "freekill",
      strings = "text" }, { depth = 7 }, { depth = 1001 }, { big = "wrap" }, { print = "stderr" }, { 1 }, 5 }) do
      local fine, message = pcall(function() fkrpc.pair(options) end)
      assert.is_false(fine)
      assert.truthy(message:find("peer_end_spec.lua:%d+: "), message)
    end
    if fkrpc.features().lua ~= "luajit" then
      assert.error_matches(function() fkrpc.pair({ big = "cdata" }) end, "option 'big' must be one of")
    end
  end)

  it("refuses a table of handlers that is none, whenever it comes", function()
    fresh()
    local handlers, methods, asked = right.handlers, getmetatable(right), 0
    right:on("n", function() return 1 end)
    right.handlers = nil
    setmetatable(right, { __index = function(_, name)
      if name ~= "handlers" then return methods[name] end
      asked = asked + 1
      return asked > 1 and handlers or 5
    end })
    left:send_raw('{"jsonrpc":"2.0","id":1,"method":"n"}\n{"jsonrpc":"2.0","id":2,"method":"n"}\n')
    pcall(right.serve, right)
    assert.is_true(asked > 1)
    assert.equal(2, right:stats().requests)
  end)

  it("answers CBOR that is broken and goes on", function()
    fresh({ codec = "cbor" })
    right:on("n", function() return 1 end)
    for _, bytes in ipairs({ "\28\255\1", "\5" }) do
      left:send_raw(bytes)
      assert.is_true(right:step(0))
      assert.is_false(right:step(0))
    end
    assert.equal(1, (left:call("n")))
    assert.equal(2, right:stats().malformed)
  end)
end)
