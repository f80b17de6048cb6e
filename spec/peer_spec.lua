-- The peer: calls, results, errors, handlers, contexts, over a pair in memory.

local fkrpc = require("fkrpc")

describe("a call", function()
  local left, right

  before_each(function() left, right = fkrpc.pair() end)

  it("gives the handler's value as its result, and no error", function()
    right:on("echo", function(params) return params end)
    for _, params in ipairs({ { 1, 2 }, { a = { b = "c" } }, { "x" } }) do
      local result, err = left:call("echo", params)
      assert.same(params, result)
      assert.is_nil(err)
    end
  end)

  it("gives every kind of value, false and 0 too, and nil for null and for nothing", function()
    local value
    right:on("get", function() return value end)
    for _, case in ipairs({ { 1 }, { 1.5 }, { "" }, { "x" }, { false }, { true }, { 0 }, { { 1 } } }) do
      value = case[1]
      local result, err = left:call("get")
      assert.same(value, result)
      assert.is_nil(err)
    end
    for _, nothing in ipairs({ fkrpc.null, false }) do
      value = nothing or nil
      assert.equal(2, select("#", left:call("get")))
      local result, err = left:call("get")
      assert.is_nil(result)
      assert.is_nil(err)
    end
  end)

  it("has the first of several values as its result: only nil and something is an error", function()
    right:on("gsub", function(params) return params[1]:gsub("a", "b") end)
    right:on("no", function() return false, "not an error" end)
    assert.equal("bbb", (left:call("gsub", { "aaa" })))
    local result, err = left:call("no")
    assert.equal(false, result)
    assert.is_nil(err)
  end)

  it("has params or none: an empty table is [], a handler without params gets an empty table", function()
    local seen
    right:on("see", function(params) seen = params end)
    left:call("see")
    assert.same({}, seen)
    left:call("see", {})
    assert.equal("[]", fkrpc.json.encode(seen))
    left:call("see", fkrpc.object())
    assert.equal("{}", fkrpc.json.encode(seen))
    left:call("see", { {} })
    assert.equal("[{}]", fkrpc.json.encode(seen))
  end)

  it("raises at the caller for what cannot be sent", function()
    local fine, message = pcall(function() left:call("x", { players = { { name = print } } }) end)
    assert.is_false(fine)
    assert.truthy(message:find("peer_spec.lua:%d+: bad argument #2 to 'call' %(params.players%[1%].name: "), message)
    fine, message = pcall(function() left:notify("x", { "\255" }) end)
    assert.is_false(fine)
    assert.truthy(message:find("bad argument #2 to 'notify' (params[1]: string is not valid UTF-8", 1, true), message)
    assert.error_matches(function() left:call(5) end, "bad argument #1 to 'call' %(method name expected, got number%)")
    assert.error_matches(function() left:call("x", 5) end, "bad argument #2 to 'call' %(params table or nil expected")
    assert.error_matches(function() left:call("x", nil, 5) end, "bad argument #3 to 'call'")
    assert.error_matches(function() left:call("x", nil, { timeuot = 1 }) end, "unknown option 'timeuot'")
    assert.error_matches(function() left:call("x", nil, { timeout = "1" }) end, "must be seconds")
    assert.error_matches(function() left:send_raw(5) end, "string expected, got number")
    assert.error_matches(function() left:on("x", {}) end, "function or nil expected, got table")
    assert.error_matches(function() left:on(nil, print) end, "method name expected, got nil")
    assert.equal(0, left:stats().waiting)
    assert.equal(0, right:stats().received)
  end)

  it("leaves nothing waiting, however it ended", function()
    right:on("fail", function() error("no") end)
    left:call("fail")
    left:call("unknown")
    left:call("fail", nil, { timeout = 0 })
    pcall(left.call, left, "x", { print })
    assert.equal(0, left:stats().waiting)
  end)

  it("is raised by must when it failed, as the error object", function()
    right:on("ok", function() return 7 end)
    right:on("fail", function() return nil, "why" end)
    assert.equal(7, left:must("ok"))
    local fine, err = pcall(left.must, left, "fail")
    assert.is_false(fine)
    assert.equal(-32000, err.code)
    assert.equal("why", err.data)
    assert.equal("-32000: Server error (why)", tostring(err))
  end)
end)

describe("a failed call", function()
  local left, right, err

  before_each(function() left, right = fkrpc.pair() end)

  local function failure(handler)
    right:on("fail", handler)
    local result
    result, err = left:call("fail")
    assert.is_nil(result)
    assert.is_table(err)
    return err.code, err.message, err.data
  end

  it("has the error object a handler returned or raised, unchanged", function()
    local given = fkrpc.error({ code = 42, message = "no such room", data = { room = 7 } })
    for _, handler in ipairs({ function() return nil, given end, function() error(given) end }) do
      local code, message, data = failure(handler)
      assert.equal(42, code)
      assert.equal("no such room", message)
      assert.same({ room = 7 }, data)
      assert.equal(getmetatable(given), getmetatable(err))
      assert.equal("42: no such room", tostring(err))
    end
  end)

  it("has what a plain table with an integer code says", function()
    assert.equal(7, (failure(function() return nil, { code = 7, message = "m" } end)))
    assert.equal("Method not found", select(2, failure(function() error({ code = -32601 }) end)))
  end)

  it("has text that was returned as data of -32000", function()
    assert.same({ -32000, "Server error", "why" }, { failure(function() return nil, "why" end) })
    assert.same({ -32000, "Server error", { a = 1 } }, { failure(function() return nil, { a = 1 } end) })
    assert.same({ -32000, "Server error", { code = "timeout", message = "m" } },
      { failure(function() return nil, { code = "timeout", message = "m" } end) })
  end)

  it("has the message of what was raised as data of -32603, and no traceback", function()
    local code, message, data = failure(function() error("broken") end)
    assert.equal(-32603, code)
    assert.equal("Internal error", message)
    assert.truthy(data:find("^[^\n]*peer_spec.lua:%d+: broken$"), data)
    assert.equal("5", select(3, failure(function() error(5, 0) end)))
  end)

  it("is -32603 for whatever else may be raised", function()
    local text = "(error object is a %s value)"
    for kind, value in pairs({ table = {}, boolean = true, ["function"] = print }) do
      assert.same({ -32603, "Internal error", text:format(kind) }, { failure(function() error(value) end) })
    end
    assert.same({ -32603, "Internal error", text:format("nil") }, { failure(function() error() end) })
    assert.same({ -32603, "Internal error", text:format("thread") },
      { failure(function() error(coroutine.create(function() end)) end) })
    assert.same({ -32603, "Internal error", "told" },
      { failure(function() error(setmetatable({}, { __tostring = function() return "told" end })) end) })
  end)

  it("is -32603 for error objects that fail themselves", function()
    local text = "(error object is a table value)"
    for _, tell in ipairs({ function() error("again") end, function() return {} end, function() end, 5 }) do
      assert.same({ -32603, "Internal error", text },
        { failure(function() error(setmetatable({}, { __tostring = tell })) end) })
    end
    assert.same({ -32603, "Internal error", text },
      { failure(function() error(setmetatable({}, { __metatable = "locked" })) end) })
  end)

  it("is -32603 for codes that are no codes", function()
    for _, code in ipairs({ 1.5, 0 / 0, math.huge, 2 ^ 63, "timeout", {} }) do
      assert.equal(-32603, (failure(function() error({ code = code, message = "m" }) end)))
    end
    local own = fkrpc.error({ code = 1 })
    own.code = "timeout"
    own.message = "no reply"
    assert.same({ -32603, "Internal error", "timeout: no reply" }, { failure(function() error(own) end) })
  end)

  it("is -32603 with the path for a result that cannot be sent", function()
    assert.same({ -32603, "Internal error", "result.a[2]: cannot encode a function" },
      { failure(function() return { a = { 1, print } } end) })
    assert.same({ -32603, "Internal error", "result: number is NaN or infinite" },
      { failure(function() return 0 / 0 end) })
    assert.equal(-32603, (failure(function() return nil, { code = 1, data = print } end)))
    local t = {}
    t.t = t
    assert.equal(-32603, (failure(function() return t end)))
  end)

  it("arrives even when its texts are no UTF-8", function()
    assert.equal("\239\191\189", select(3, failure(function() error("\255", 0) end)))
    assert.equal("\239\191\189", select(3, failure(function() return nil, "\255" end)))
    assert.equal("a\239\191\189", select(2, failure(function() return nil, { code = 1, message = "a\255" } end)))
  end)

  it("is -32601 with the name where nobody handles the method", function()
    local result
    result, err = left:call("unknown", { 1 })
    assert.is_nil(result)
    assert.same({ -32601, "Method not found", "unknown" }, { err.code, err.message, err.data })
  end)

  it("is -32603 where the handler yields", function()
    local code, _, data = failure(function() coroutine.yield(1) end)
    assert.equal(-32603, code)
    assert.truthy(data:find("yielded", 1, true))
    right:on("fine", function() return 1 end)
    assert.equal(1, (left:call("fine")))
  end)

  it("does not hurt those after it", function()
    right:on("fine", function() return 1 end)
    for _ = 1, 100 do
      failure(function() error("x") end)
      assert.equal(1, (left:call("fine")))
    end
    assert.equal(0, left.depth)
    assert.equal(0, right.depth)
  end)
end)

describe("fkrpc.error", function()
  it("makes an error object with the standard message and -32000 where they are left out", function()
    assert.equal("-32601: Method not found", tostring(fkrpc.error({ code = -32601 })))
    assert.equal("-32000: Server error", tostring(fkrpc.error({})))
    assert.equal("-32000: m (d)", tostring(fkrpc.error({ message = "m", data = "d" })))
    assert.equal("-32000: m (5)", tostring(fkrpc.error({ message = "m", data = 5 })))
  end)

  it("refuses what is no error", function()
    assert.error_matches(function() fkrpc.error("x") end, "table { code =, message =, data = } expected, got string")
    assert.error_matches(function() fkrpc.error({ code = 1.5 }) end, "'code' must be an integer")
    assert.error_matches(function() fkrpc.error({ code = "timeout" }) end, "'code' must be an integer")
    assert.error_matches(function() fkrpc.error({ message = 5 }) end, "'message' must be a string")
  end)
end)

describe("a handler", function()
  local left, right

  before_each(function() left, right = fkrpc.pair() end)

  it("gets a context with peer, id, method and notification if it takes two parameters", function()
    local seen
    right:on("see", function(_, ctx) seen = ctx end)
    left:call("see")
    assert.equal(right, seen.peer)
    assert.equal(1, seen.id)
    assert.equal("see", seen.method)
    assert.equal(false, seen.notification)
    left:notify("see")
    assert.is_true(right:step())
    assert.is_nil(seen.id)
    assert.equal(true, seen.notification)
    right:on("see", function(...) seen = select(2, ...) end)
    left:call("see")
    assert.equal("see", seen.method)
  end)

  it("of the name * gets what nobody else handles", function()
    right:on("*", function(params, ctx) return { ctx.method, params[1] } end)
    right:on("own", function() return "own" end)
    assert.same({ "any", 5 }, (left:call("any", { 5 })))
    assert.same({ "*" }, (left:call("*")))
    assert.equal("own", (left:call("own")))
    right:on("own", nil)
    assert.same({ "own" }, (left:call("own")))
    right:on("*", nil)
    assert.equal(-32601, select(2, left:call("own")).code)
  end)

  it("is kept by a method that returns the peer", function()
    assert.equal(right, right:on("a", print))
  end)

  it("may take itself away and put others in its place", function()
    right:on("once", function()
      right:on("once", nil)
      right:on("then", function() return "then" end)
      return "once"
    end)
    assert.equal("once", (left:call("once")))
    assert.equal(-32601, select(2, left:call("once")).code)
    assert.equal("then", (left:call("then")))
  end)

  it("of a notification may fail: nobody is told", function()
    for _, fail in ipairs({ function() error("x") end, function() return nil, "x" end, function() coroutine.yield() end,
      function() return print end, function() error(setmetatable({}, { __tostring = error })) end }) do
      right:on("n", fail)
      assert.is_true(left:notify("n"))
      assert.is_true(right:step())
      assert.is_false(left:step(0))
      assert.equal(0, left:stats().received)
    end
    assert.is_true(left:notify("nobody"))
    assert.is_true(right:step())
    assert.is_false(left:step(0))
  end)
end)
