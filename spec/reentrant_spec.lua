-- Lua code that the library calls in the middle of its work, hooks and tag handlers, and that calls the library again,
-- raises or yields there: alone, in messages, and in the codec of FreeKill's programs.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json, cbor = fkrpc.json, fkrpc.cbor

local function hooked(f) return setmetatable({}, { __tocbor = f }) end

-- What `f` raises, however it is called: directly, in a coroutine, and in a finalizer's place (a nested coroutine).
local function raised_by(f)
  local fine, message = pcall(f)
  assert.is_false(fine)
  local co = coroutine.create(function() return pcall(f) end)
  local resumed, again, same = coroutine.resume(co)
  assert.is_true(resumed)
  assert.is_false(again)
  assert.equal(type(message), type(same))
  return message
end

-- Whether both codecs do what they do otherwise.
local function assert_sound()
  local value = { list = { 1, 2, { "x" } }, text = ("y"):rep(500) }
  assert.same(value, json.decode((json.encode(value))))
  assert.same(value, (cbor.decode((cbor.encode(value)))))
  assert.is_nil((json.encode({ print })))
  assert.is_nil((cbor.decode("\28")))
end

describe("a tag handler", function()
  it("may raise any value at any depth, from inside other codecs' calls", function()
    for _, thrown in ipairs({ "text", 5, {}, print, true }) do
      local codec
      codec = cbor.new({ tags = {
        [1] = function(bytes) return { json.decode(json.encode({ 1 })), (codec.decode(bytes)) } end,
        [2] = function() error(thrown, 0) end,
      } })
      local bytes = "\130\24\42\194\1"
      for _ = 1, 10 do bytes = "\162\97a\1\97b\193" .. cbor.encode(bytes) end
      assert.equal(thrown, raised_by(function() return codec.decode(bytes) end))
      assert_sound()
    end
  end)

  it("may raise nil", function()
    local codec = cbor.new({ tags = { [1] = function() error() end } })
    local fine, message = pcall(codec.decode, "\193\1")
    assert.is_false(fine)
    assert.is_nil(message)
    assert_sound()
  end)

  it("that yields is an error, wherever it stands and however deep the coroutine is", function()
    local codec = cbor.new({ tags = { [1] = coroutine.yield } })
    for _, bytes in ipairs({ "\193\1", "\129\193\1", "\161\97a\193\1", "\161\193\97a\1", "\193\193\1" }) do
      local co = coroutine.wrap(function()
        return coroutine.wrap(function() return pcall(codec.decode, bytes) end)()
      end)
      local fine, message = co()
      assert.is_false(fine)
      assert.truthy(tostring(message):find("yield", 1, true), message)
      assert_sound()
    end
  end)

  it("may run coroutines that yield among themselves, each in the middle of a decode", function()
    local codec
    codec = cbor.new({ tags = { [1] = function(value)
      local parts = {}
      local generator = coroutine.wrap(function()
        for i = 1, 3 do coroutine.yield((codec.decode("\130\24\42" .. string.char(i)))) end
      end)
      for i = 1, 3 do parts[i] = generator()[2] end
      return { value, parts }
    end } })
    for _ = 1, 20 do
      assert.same({ { 7, { 1, 2, 3 } }, 8 }, (codec.decode("\130\193\7\8")))
    end
  end)

  it("may leave coroutines behind in the middle of an encode or a decode", function()
    local codec = cbor.new({ tags = { [1] = function(value)
      local co = coroutine.create(function()
        coroutine.yield(assert(json.encode({ value })))
      end)
      local _, text = coroutine.resume(co)
      return text -- the coroutine is never resumed
    end } })
    for i = 1, 200 do
      assert.equal("[5]", codec.decode("\129\193\5")[1])
      if i % 50 == 0 then collectgarbage() end
    end
    assert_sound()
  end)

  it("may call a peer, whose messages have tags, too", function()
    local left, right = fkrpc.pair({ codec = "cbor" })
    right:on("double", function(params) return params[1] * 2 end)
    local codec = cbor.new({ tags = { [1] = function(value) return (left:must("double", { value })) end } })
    assert.same({ 2, { 4, 6 } }, (codec.decode("\130\193\1\130\193\2\193\3")))
    left:close()
    assert.is_false((pcall(codec.decode, "\193\1")))
    assert_sound()
  end)
end)

describe("an encoding hook", function()
  it("may raise any value, as a key, as a value and behind other hooks", function()
    for _, thrown in ipairs({ "text", 5, {}, print, true }) do
      local bad = hooked(function() error(thrown, 0) end)
      for _, value in ipairs({
        bad, { 1, bad }, { a = { bad } }, { [bad] = 1 }, cbor.tagged(1, bad),
        hooked(function() return assert(cbor.encode({ ("x"):rep(100), bad })) end),
      }) do
        assert.equal(thrown, raised_by(function() return cbor.encode(value) end))
        assert_sound()
      end
    end
  end)

  it("that yields is an error, wherever it stands", function()
    local bad = hooked(function() return coroutine.yield() end)
    for _, value in ipairs({ bad, { bad }, { a = bad }, { [bad] = 1 }, cbor.tagged(1, bad) }) do
      local fine, message = coroutine.wrap(function() return pcall(cbor.encode, value) end)()
      assert.is_false(fine)
      assert.truthy(tostring(message):find("yield", 1, true), message)
      assert_sound()
    end
  end)

  it("may be one that fails to be found", function()
    local metatable = setmetatable({}, { __index = function(_, key)
      if key == "__tocbor" then error("not today", 0) end
    end })
    assert.equal("not today", raised_by(function() return cbor.encode({ setmetatable({}, metatable) }) end))
    assert_sound()
  end)

  it("may take its own metatable away and change what is encoded", function()
    local value
    value = hooked(function(self)
      setmetatable(self, nil)
      value.list = { value.list }
      collectgarbage()
      return assert(cbor.encode(1))
    end)
    assert.equal("\129\1", (cbor.encode({ value })))
    assert.equal("table", type((cbor.decode((cbor.encode(value))))))
  end)
end)

describe("a hook in a message", function()
  local left, right, log

  before_each(function()
    left, right = fkrpc.pair({ codec = "cbor" })
    log = {}
    right:on("echo", function(params) return params end)
    left:on("back", function(params) return params end)
  end)

  it("may send by the same peer: both messages arrive, and whole", function()
    local inner = hooked(function()
      log[#log + 1] = left:must("echo", { "inner" })[1]
      assert(left:notify("echo", { 1 }))
      return assert(cbor.encode("hooked"))
    end)
    assert.same({ "hooked", "outer" }, left:must("echo", { inner, "outer" }))
    assert.same({ "inner" }, log)
    assert.equal(0, left:stats().waiting)
  end)

  it("may close the peer it is sent by", function()
    local bad = hooked(function()
      left:close()
      return "\1"
    end)
    local result, e = left:call("echo", { bad })
    assert.is_nil(result)
    assert.equal("closed", e.code)
    assert_sound()
  end)

  it("that raises or yields leaves no call behind", function()
    local thrown = {}
    for _, f in ipairs({ function() error(thrown) end, function() coroutine.yield() end }) do
      local bad = { 1, { hooked(f) } }
      coroutine.wrap(function()
        assert.is_false((pcall(left.call, left, "echo", bad)))
        assert.is_false((pcall(left.notify, left, "echo", bad)))
      end)()
    end
    assert.equal(0, left:stats().waiting)
    assert.same({ 5 }, left:must("echo", { 5 }))
  end)

  it("may call back while a result is encoded", function()
    right:on("twice", function(_, ctx)
      return { hooked(function() return assert(cbor.encode(ctx.peer:must("back", { "b" }))) end), "end" }
    end)
    assert.same({ { "b" }, "end" }, left:must("twice"))
  end)

  it("that raises, yields or closes while a result is encoded is an error of the call", function()
    for name, f in pairs({
      raises = function() error("x") end, yields = function() coroutine.yield() end, wrong = function() return 1 end,
    }) do
      right:on(name, function() return { "before", hooked(f) } end)
      local result, e = left:call(name)
      assert.is_nil(result)
      assert.equal(-32603, e.code)
    end
    right:on("closes", function(_, ctx)
      return hooked(function()
        ctx.peer:close()
        return "\1"
      end)
    end)
    assert.equal("closed", select(2, left:call("closes")).code)
    assert.equal(0, left.depth)
    assert_sound()
  end)
end)

describe("in the codec of FreeKill's programs", function()
  it("hooks, iteration, tag handlers and simple values may raise, yield and call it again", function()
    local done = programs.run([[
      require("fkrpc.compat")
      local cbor = require("server.rpc.cbor")
      local function refused(what, f, ...)
        local arguments, count = { ... }, select("#", ...)
        local unpack = table.unpack or unpack
        local fine, message = coroutine.wrap(function() return pcall(f, unpack(arguments, 1, count)) end)()
        assert(not fine, what)
        assert(cbor.decode(cbor.encode({ 1, { 2 } }))[2][1] == 2, what)
        return tostring(message)
      end
      local thrown = setmetatable({}, { __tostring = function() return "thrown" end })
      local function raise() error(thrown) end
      for name, metatable in pairs({
        hook = { __tocbor = raise }, pairs = { __pairs = raise }, len = { __len = raise },
        iterator = { __pairs = function() return raise end },
      }) do
        if name == "hook" or _VERSION ~= "Lua 5.1" then -- before 5.2 `pairs` and `#` ask no metatable of a table
          local message = refused(name, cbor.encode, { "x", { setmetatable({ 1 }, metatable) } })
          assert(message == "thrown", name .. ": " .. message)
        end
      end
      local own = {}
      assert(refused("option", cbor.encode, { setmetatable({}, own) }, { [own] = raise }) == "thrown")
      assert(refused("yield", cbor.encode, setmetatable({}, { __tocbor = coroutine.yield })):find("yield"))
      for _, handlers in ipairs({ cbor.tagged_decoders, {} }) do
        handlers[33010] = raise
        assert(refused("tag", cbor.decode, "\129\217\128\242\1", handlers) == "thrown")
        handlers[33010] = coroutine.yield
        assert(refused("tag", cbor.decode, "\129\217\128\242\1", handlers):find("yield"))
        handlers[33010] = function(bytes) return cbor.decode(bytes) end
        assert(cbor.decode("\129\217\128\242" .. cbor.encode("\130\1\2"), handlers)[1][2] == 2)
        handlers[33010] = nil
      end
      local lookup = setmetatable({}, { __index = raise })
      assert(refused("handlers", cbor.decode, "\193\1", lookup) == "thrown")
      assert(refused("more", cbor.decode, "\130\1", { more = raise }) == "thrown")
      assert(refused("simple", cbor.decode, "\224", { simple = raise }) == "thrown")
      print("fine")
    ]], "")
    programs.finish()
    assert.equal("fine\n", done.out, done.err)
  end)
end)
