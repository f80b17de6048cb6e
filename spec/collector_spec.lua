-- The collector may run at any moment, with finalizers that call the library or raise.

local fkrpc = require("fkrpc")
local json, cbor = fkrpc.json, fkrpc.cbor

local function full_collect()
  collectgarbage()
  collectgarbage()
end

-- An object whose finalizer is `f`, on every Lua.
local function finalized(f)
  if newproxy then -- luacheck: ignore (of Lua 5.1 and LuaJIT)
    local proxy = newproxy(true) -- luacheck: ignore
    getmetatable(proxy).__gc = f
    return proxy
  end
  return setmetatable({}, { __gc = f })
end

-- Run `f` with a collector that is at work all the time. The interpreter lua5.4 is generational by itself, and such a
-- collector knows no pause; an incremental one without a pause collects all of busted's heap at each step there, so
-- that it has one of 4 %.
local function hurried(f)
  local mode = _VERSION >= "Lua 5.4" and collectgarbage("incremental")
  local pause, stepmul = collectgarbage("setpause", mode and 104 or 0), collectgarbage("setstepmul", 400)
  local fine, message = pcall(f)
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", stepmul)
  if mode == "generational" then collectgarbage(mode) end
  if not fine then error(message, 0) end
end

describe("a collector that never rests", function()
  it("does not disturb the codecs", function()
    local value = { list = {}, text = ("x"):rep(50) }
    for i = 1, 20 do value.list[i] = { ["key" .. i] = i, t = { i, i + 0.5, "s" .. i, { true, false } } } end
    hurried(function()
      for _ = 1, 5 do
        assert.same(value, json.decode(json.encode(value)))
        assert.same(value, (cbor.decode(cbor.encode(value))))
      end
    end)
  end)

  it("does not disturb calls", function()
    local left, right = fkrpc.pair()
    right:on("outer", function(params, ctx) return { ctx.peer:must("inner", params), ctx.method } end)
    left:on("inner", function(params) return { #params, params[1] } end)
    right:on("fail", function() error({}) end)
    hurried(function()
      for i = 1, 30 do
        assert.same({ { 3, i }, "outer" }, (left:call("outer", { i, "x", {} })))
        assert.equal(-32603, select(2, left:call("fail")).code)
      end
    end)
  end)

  it("may run finalizers that call the codecs while one decodes", function()
    local runs, wrong = 0, 0
    local function finalizer()
      runs = runs + 1
      if json.decode(json.encode({ a = { runs } })).a[1] ~= runs then wrong = wrong + 1 end
      if cbor.decode(cbor.encode({ ["key" .. runs] = runs }))["key" .. runs] ~= runs then wrong = wrong + 1 end
      if json.encode({ print }) ~= nil or json.decode("[1,") ~= nil then wrong = wrong + 1 end
      local raised = setmetatable({}, { __tocbor = function() error("x") end })
      if pcall(cbor.encode, { raised }) then wrong = wrong + 1 end
    end
    local items = {}
    for i = 1, 50 do items[i] = { ["name" .. i] = "value" .. i, list = { i, { i } } } end
    local text, bytes = json.encode(items), cbor.encode(items)
    hurried(function()
      for _ = 1, 5 do
        for _ = 1, 20 do finalized(finalizer) end
        assert.same(items, json.decode(text))
        for _ = 1, 20 do finalized(finalizer) end
        assert.same(items, (cbor.decode(bytes)))
      end
    end)
    full_collect()
    assert.is_true(runs >= 150, runs)
    assert.equal(0, wrong)
  end)

  it("may run finalizers that call the peer in the middle of a call", function()
    local left, right = fkrpc.pair()
    local runs = 0
    right:on("count", function(params) return #params end)
    right:on("from finalizer", function(params) return params[1] end)
    local function finalizer()
      runs = runs + 1
      assert(left:notify("count", { 1 }))
      local result, err = left:call("from finalizer", { runs })
      assert(result == runs or (err and err.code == "depth"))
      right:step(0)
    end
    local items = {}
    for i = 1, 100 do items[i] = { "value" .. i, { i } } end
    hurried(function()
      for _ = 1, 15 do
        for _ = 1, 3 do finalized(finalizer) end
        assert.equal(100, (left:call("count", items)))
      end
    end)
    full_collect()
    assert.is_true(runs > 30, runs)
    assert.equal(0, left:stats().waiting)
    assert.equal(0, left.depth)
  end)

  it("may run finalizers that raise: every request is answered all the same", function()
    local left, right = fkrpc.pair()
    right:on("count", function(params) return #params end)
    local items = {}
    for i = 1, 2000 do items[i] = { i } end
    local line = '{"jsonrpc":"2.0","id":1,"method":"count","params":' .. json.encode(items) .. "}\n"
    local raised, armed = 0, true
    local function finalizer()
      if armed then error("a finalizer's") end
    end
    local function attempt()
      for _ = 1, 5 do finalized(finalizer) end
      assert(left:send_raw(line))
      assert(right:step(0))
    end
    -- Errors of finalizers come out anywhere before Lua 5.4, and are warnings from there on.
    -- How soon they do depends on how much else this process holds.
    local raises = not (_VERSION == "Lua 5.4" or _VERSION == "Lua 5.5")
    local attempts = 0
    repeat
      attempts = attempts + 1
      if not pcall(attempt) then raised = raised + 1 end
    until attempts >= 50 and (raised > 0 or not raises or attempts >= 5000)
    armed = false
    while right:step(0) do end -- luacheck: ignore
    while left:step(0) do end -- luacheck: ignore
    assert.is_true(raised > 0 or not raises)
    local requests = right:stats().requests
    assert.is_true(requests > 0)
    assert.equal(requests, left:stats().strays)
    assert.equal(3, (left:call("count", { 1, 2, 3 })))
  end)

  it("may close peers from finalizers", function()
    local closed = 0
    hurried(function()
      for _ = 1, 40 do
        local left, right = fkrpc.pair()
        right:on("x", function(params) return params end)
        finalized(function()
          closed = closed + 1
          left:close()
        end)
        local result, err = left:call("x", { { { 1 } } })
        assert.is_true(result ~= nil or err.code == "closed")
      end
    end)
    full_collect()
    assert.is_true(closed > 30, closed)
  end)
end)
