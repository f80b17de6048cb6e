-- Memory: what is dropped is collected, failures leave nothing behind, and the collector may run at any moment, with
-- finalizers that call the library.
--
-- Bounds are several times what was seen; a leak of one object in each round goes far beyond them.

local fkrpc = require("fkrpc")
local json, cbor = fkrpc.json, fkrpc.cbor

-- Resident kilobytes, or nil where there is no /proc.
local function resident()
  local file = io.open("/proc/self/status")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("VmRSS:%s*(%d+)"))
end

local function full_collect()
  collectgarbage()
  collectgarbage()
end

-- Run `round` many times; Lua's memory may not have grown by more than `kilobytes` after the first hundredth, nor the
-- process's by more than some megabytes.
local function assert_steady(rounds, kilobytes, round)
  for i = 1, rounds / 10 do round(i) end
  full_collect()
  local before, resident_before = collectgarbage("count"), resident()
  for i = 1, rounds do round(i) end
  full_collect()
  local grown = collectgarbage("count") - before
  assert.is_true(grown < kilobytes, ("Lua's memory grew by %.0f KB"):format(grown))
  if resident_before then
    local resident_grown = resident() - resident_before
    assert.is_true(resident_grown < 12000, ("the process grew by %d KB"):format(resident_grown))
  end
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

-- Run `f` with a collector that is at work all the time.
local function hurried(f)
  local pause, stepmul = collectgarbage("setpause", 0), collectgarbage("setstepmul", 400)
  local fine, message = pcall(f)
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", stepmul)
  if not fine then error(message, 0) end
end

describe("memory", function()
  it("of dropped pairs is given back, closed or not, used or not", function()
    assert_steady(10000, 500, function(i)
      local left, right = fkrpc.pair()
      if i % 2 == 0 then
        right:on("echo", function(params) return params end)
        left:on("back", function() return left end)
        assert(left:call("echo", { i })[1] == i)
      end
      if i % 3 == 0 then left:notify("never read", { ("x"):rep(100) }) end
      if i % 5 == 0 then left:close() end
    end)
  end)

  it("does not grow with errors of handlers, of whatever kind", function()
    local left, right = fkrpc.pair()
    local handlers = {
      function() error("text", 0) end, function() error({}) end, function() error(fkrpc.error({ code = 1 })) end,
      function() coroutine.yield() end, function() return print end, function() return nil, "text" end,
      function(_, ctx) return ctx.peer:must("none") end,
    }
    assert_steady(3500, 300, function(i)
      right:on("fail", handlers[i % #handlers + 1])
      assert(select(2, left:call("fail")))
    end)
    assert.equal(0, left:stats().waiting)
    assert.equal(0, right:stats().waiting)
  end)

  it("does not grow with failing encodes and decodes", function()
    local cycle = {}
    cycle.x = { cycle }
    local bad_json, bad_cbor = '{"a":[1,2,{"b":"' .. ("x"):rep(200) .. '\\ud800"}]}', "\130\1\130\2\28"
    assert_steady(50000, 300, function(i)
      assert(json.encode({ a = { i, print } }) == nil)
      assert(json.encode(cycle) == nil)
      assert(json.decode(bad_json) == nil)
      assert(cbor.decode(bad_cbor) == nil)
    end)
  end)

  it("does not grow with hooks and tag handlers that raise, however deep they are nested", function()
    local codec
    local function inner(bytes) return codec.decode(bytes) end
    codec = cbor.new({ tags = { [1] = inner, [2] = function() error("x") end } })
    local bytes = "\194\1"
    for _ = 1, 15 do bytes = "\193" .. cbor.encode(bytes) end
    local bad = setmetatable({}, { __tocbor = function() error("x") end })
    local nested = setmetatable({}, { __tocbor = function() return cbor.encode({ ("x"):rep(1000), { bad } }) end })
    local left, right = fkrpc.pair({ codec = "cbor" })
    right:on("fail", function() return { ("x"):rep(1000), nested } end)
    assert_steady(5000, 300, function(i)
      assert(not pcall(codec.decode, bytes))
      assert(not pcall(cbor.encode, { i, nested }))
      if i % 10 == 0 then
        assert(not pcall(left.call, left, "x", { nested }))
        assert(left:call("fail") == nil)
      end
    end)
    assert.equal(0, left:stats().waiting)
  end)

  it("of giant documents and messages goes back to the system", function()
    local before = resident()
    if not before then pending("there is no /proc") return end
    local giant = { ("x"):rep(8000000) }
    for _ = 1, 3 do
      assert.equal(8000000, #json.decode(json.encode(giant))[1])
      assert.equal(8000000, #cbor.decode(cbor.encode(giant))[1])
      local left, right = fkrpc.pair()
      right:on("echo", function(params) return params end)
      assert.equal(8000000, #left:must("echo", giant)[1])
      assert.is_nil((json.encode({ giant, print })))
      assert.is_nil((json.decode('["' .. giant[1] .. '",')))
      full_collect()
    end
    giant = nil -- luacheck: ignore
    full_collect()
    assert.is_true(resident() - before < 40000, ("%d KB are left"):format(resident() - before))
  end)

  it("is not held by options, codecs and modules that are made again and again", function()
    assert_steady(5000, 300, function()
      assert(json.new({ big = "float" }).decode("1") == 1)
      assert(cbor.new({ tags = {} }).decode("\1") == 1)
      fkrpc.error({ code = 1, data = {} })
      assert(not pcall(fkrpc.pair, { nonsense = 1 }))
    end)
  end)
end)

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
    local raised = 0
    local function attempt()
      for _ = 1, 5 do finalized(function() error("a finalizer's") end) end
      assert(left:send_raw(line))
      assert(right:step(0))
    end
    -- Errors of finalizers come out anywhere before Lua 5.4, and are warnings from there on.
    for _ = 1, 50 do
      if not pcall(attempt) then raised = raised + 1 end
    end
    for _ = 1, 260 do pcall(collectgarbage) end -- one error each, on Lua 5.2
    while right:step(0) do end -- luacheck: ignore
    while left:step(0) do end -- luacheck: ignore
    assert.is_true(raised > 0 or _VERSION == "Lua 5.4" or _VERSION == "Lua 5.5")
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
