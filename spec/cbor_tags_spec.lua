-- What CBOR calls back into Lua for: tags with handlers, simple values, and values with an encoded form of their own
-- (__tocbor). The code called may raise, yield, call the codec again or change what is being encoded.

local fkrpc = require("fkrpc")
local cbor = fkrpc.cbor

local function bin(hex)
  return (hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function userdata_with(metatable)
  if newproxy then -- luacheck: ignore (of Lua 5.1 and LuaJIT)
    local value = newproxy(true) -- luacheck: ignore
    for name, field in pairs(metatable) do getmetatable(value)[name] = field end
    return value
  end
  local value = io.tmpfile()
  debug.setmetatable(value, metatable)
  return value
end

describe("a tag", function()
  it("is a table with the tag and the value where nobody handles it, and goes out as it came", function()
    local value = cbor.decode(bin("c11a514b67b0"))
    assert.equal(1, value.tag)
    assert.equal(1363896240, value.value)
    assert.equal("1(1363896240)", tostring(value))
    assert.equal("c11a514b67b0", hex(cbor.encode(value)))
    assert.equal("c11a514b67b0", hex(cbor.encode(cbor.tagged(1, 1363896240))))
    assert.equal("c1c2d864f6", hex(cbor.encode(cbor.tagged(1, cbor.tagged(2, cbor.tagged(100, nil))))))
  end)

  it("is refused where its number is none that Lua can hold: a rounded one would be another tag", function()
    local value, message, position = cbor.decode(bin("81dbffffffffffffffff00"))
    assert.is_nil(value)
    assert.truthy(message:find("integer out of range", 1, true), message)
    assert.equal(2, position)
    local beyond_double = bin("db0020000000000001f6")
    if math.type then
      assert.equal("db0020000000000001f6", hex(cbor.encode((cbor.decode(beyond_double)))))
    else
      assert.is_nil((cbor.decode(beyond_double)))
    end
    assert.equal("db0020000000000000f6", hex(cbor.encode((cbor.decode(bin("db0020000000000000f6"))))))
  end)

  it("goes to its handler with value and number", function()
    local codec = cbor.new({ tags = { [1] = function(value, tag) return { value, tag } end } })
    assert.same({ 5, 1 }, (codec.decode(bin("c105"))))
    assert.same({ { 5, 1 }, { 6, 1 } }, (codec.decode(bin("82c105c106"))))
    assert.equal(2, codec.decode(bin("c205")).tag)
  end)

  it("goes to handlers that are registered later, too", function()
    local tags = {}
    local codec = cbor.new({ tags = tags })
    assert.equal(7, codec.decode(bin("c701")).tag)
    tags[7] = function(value) return value + 1 end
    assert.equal(2, (codec.decode(bin("c701"))))
    tags[7] = nil
    assert.equal(7, codec.decode(bin("c701")).tag)
  end)

  it("may be handled by a function that gives nothing, and cannot be a key then", function()
    local codec = cbor.new({ tags = { [1] = function() end, [2] = function() return 0 / 0 end } })
    assert.is_nil((codec.decode(bin("c105"))))
    assert.same({ x = 1 }, (codec.decode(bin("a2417801" .. "4179c105"))))
    assert.error_matches(function() codec.decode(bin("a1c10102")) end, "a map key became nil or NaN")
    assert.error_matches(function() codec.decode(bin("a1c20102")) end, "a map key became nil or NaN")
  end)

  it("may be handled by a function that decodes and encodes", function()
    local codec
    codec = cbor.new({ tags = {
      [24] = function(bytes) return (codec.decode(bytes)) end,
      [25] = function(value) return fkrpc.json.decode(fkrpc.json.encode(value)) end,
    } })
    local inner = cbor.encode(cbor.tagged(24, cbor.encode(cbor.tagged(25, { a = { 1, 2 } }))))
    local bytes = cbor.encode({ "before", cbor.tagged(24, inner), "after", { ["a key after it"] = "b" } })
    for _ = 1, 50 do
      assert.same({ "before", { a = { 1, 2 } }, "after", { ["a key after it"] = "b" } }, (codec.decode(bytes)))
    end
  end)

  it("raises what its handler raises, and the codec works on", function()
    local thrown = {}
    local depth = 0
    local codec
    codec = cbor.new({ tags = {
      [1] = function() error(thrown) end,
      [2] = function(bytes)
        depth = depth + 1
        return codec.decode(bytes)
      end,
    } })
    local bytes = bin("82" .. "63616263" .. "c105")
    for _ = 1, 5 do bytes = bin("c2") .. cbor.encode(bytes) end
    for _ = 1, 200 do
      local fine, caught = pcall(codec.decode, bytes)
      assert.is_false(fine)
      assert.equal(thrown, caught)
      assert.same({ "abc" }, (codec.decode(bin("8143616263"))))
    end
    assert.equal(1000, depth)
  end)

  it("cannot be handled by a function that yields, which is an error and no more", function()
    local codec = cbor.new({ tags = { [1] = function() coroutine.yield(1) end } })
    local co = coroutine.create(function() return codec.decode(bin("c105")) end)
    local fine, message = coroutine.resume(co)
    assert.is_false(fine)
    assert.truthy(tostring(message):find("yield", 1, true))
    assert.equal(5, (codec.decode(bin("05"))))
  end)

  it("is refused by tagged() and by encode where it is no tag", function()
    for _, tag in ipairs({ -1, 1.5, "1", 0 / 0, {} }) do
      assert.error_matches(function() cbor.tagged(tag, 1) end, "tag number expected")
      local value = cbor.tagged(1, 1)
      value.tag = tag
      local bytes, message = cbor.encode({ v = value })
      assert.is_nil(bytes)
      assert.equal("v: tag or simple value out of range", message)
    end
  end)

  it("counts as a level of nesting", function()
    local value = 1
    for _ = 1, 128 do value = cbor.tagged(1, value) end
    assert.is_string((cbor.encode(value)))
    assert.is_table((cbor.decode(cbor.encode(value))))
    assert.is_nil((cbor.encode(cbor.tagged(1, value))))
    local cycle = cbor.tagged(1, nil)
    cycle.value = cycle
    assert.is_nil((cbor.encode(cycle)))
  end)
end)

describe("a simple value", function()
  it("is a table, and undefined always the same one", function()
    assert.equal(cbor.undefined, (cbor.decode("\247")))
    assert.equal("undefined", tostring(cbor.undefined))
    assert.equal("simple(255)", tostring(cbor.decode(bin("f8ff"))))
    assert.equal("f7", hex(cbor.encode(cbor.undefined)))
    assert.equal("f8ff", hex(cbor.encode(cbor.simple(255))))
    assert.equal("f4", hex(cbor.encode(cbor.simple(20))))
  end)

  it("can be given a meaning", function()
    local none = {}
    local codec = cbor.new({ simple = { [16] = "sixteen", [23] = none } })
    assert.same({ "sixteen", none }, (codec.decode(bin("82f0f7"))))
    assert.equal(none, codec.decode(bin("f7")))
    assert.equal("simple(17)", tostring(codec.decode(bin("f1"))))
  end)

  it("is refused where there is none of that number", function()
    for _, number in ipairs({ -1, 256, 1.5, "1" }) do
      assert.error_matches(function() cbor.simple(number) end, "integer from 0 to 255 expected")
    end
    for number = 24, 31 do
      local bytes = cbor.encode(cbor.simple(number))
      assert.is_nil(bytes, "simple " .. number .. " cannot be read back")
    end
  end)
end)

describe("a value with __tocbor", function()
  local answer = setmetatable({}, { __tocbor = function() return "\24\42" end })

  it("puts in what that returns, wherever it stands", function()
    assert.equal("182a", hex(cbor.encode(answer)))
    assert.equal("82182a182a", hex(cbor.encode({ answer, answer })))
    assert.equal("a14161182a", hex(cbor.encode({ a = answer })))
    assert.equal("a1182a01", hex(cbor.encode({ [answer] = 1 })))
    assert.equal("182a", hex(cbor.encode(userdata_with({ __tocbor = function() return "\24\42" end }))))
  end)

  it("may inherit it, and is given to it", function()
    local class = { __tocbor = function(self) return cbor.encode(self.name) end }
    local object = setmetatable({ name = "x" }, setmetatable({}, { __index = class }))
    assert.equal("4178", hex(cbor.encode(object)))
  end)

  it("may encode itself with the codec again, many levels deep", function()
    local class = {}
    class.__tocbor = function(self) return cbor.encode(self.inner or "end") end
    local value = setmetatable({}, class)
    for _ = 1, 30 do value = setmetatable({ inner = { value } }, class) end
    assert.equal(("81"):rep(30) .. "43656e64", hex(cbor.encode(value)))
  end)

  it("fails with what it raises", function()
    local thrown = {}
    local bad = setmetatable({}, { __tocbor = function() error(thrown) end })
    for _ = 1, 200 do
      local fine, caught = pcall(cbor.encode, { a = { 1, bad } })
      assert.is_false(fine)
      assert.equal(thrown, caught)
      assert.equal("01", hex(cbor.encode(1)))
    end
  end)

  it("must return one whole data item: anything else would change what stands around it", function()
    for _, bytes in ipairs({ "", "\1\2", "\255", "\129", "\162", "\28" }) do
      assert.error_matches(function()
        cbor.encode({ setmetatable({}, { __tocbor = function() return bytes end }), 7 })
      end, "which is one data item")
    end
  end)

  it("must return a string and must not yield", function()
    for _, result in ipairs({ 5, {}, true }) do
      assert.error_matches(function()
        cbor.encode(setmetatable({}, { __tocbor = function() return result end }))
      end, "__tocbor must return a string of CBOR")
    end
    local co = coroutine.create(function()
      return cbor.encode(setmetatable({}, { __tocbor = function() coroutine.yield() end }))
    end)
    local fine, message = coroutine.resume(co)
    assert.is_false(fine)
    assert.truthy(tostring(message):find("yield", 1, true))
  end)

  it("may change the table it stands in: an error or an answer, and never a crash", function()
    local raised = 0
    for keys = 1, 40 do
      local t = {}
      local class = { __tocbor = function()
        for i = 1, keys do t["k" .. i] = nil end
        for i = 1, 500 do t["n" .. i] = true end
        for i = 1, 500 do t["n" .. i] = nil end
        collectgarbage()
        t.last = 1
        return "\1"
      end }
      for i = 1, keys do t["k" .. i] = setmetatable({}, class) end
      local fine, result = pcall(cbor.encode, { t })
      if fine then
        assert.is_table((cbor.decode(result)))
      else
        assert.truthy(tostring(result):find("next", 1, true))
        raised = raised + 1
      end
    end
    assert.is_true(raised > 0, "no table was caught changing")
  end)

  it("may change the array it stands in", function()
    local t = {}
    local class = { __tocbor = function()
      for i = 2, #t do t[i] = nil end
      t.x, t[100000] = 1, 2
      return "\1"
    end }
    t[1] = setmetatable({}, class)
    for i = 2, 100 do t[i] = i end
    local fine, result = pcall(cbor.encode, t)
    assert.is_true(fine == false or type((cbor.decode(result))) == "table")
  end)

  it("is nothing to JSON", function()
    assert.equal("{}", fkrpc.json.encode(answer))
  end)
end)

describe("calls of the codec nested in each other", function()
  local function string_head(length)
    return "\90" .. string.char(math.floor(length / 65536 / 256), math.floor(length / 65536) % 256,
      math.floor(length / 256) % 256, length % 256)
  end

  -- Items of tag 24 (an encoded item), one in the other, each `depth` arrays deep.
  local function nested(count, depth)
    local item = "\1"
    for _ = 1, count do item = ("\129"):rep(depth - 1) .. "\216\24" .. string_head(#item) .. item end
    return item
  end

  it("do not use up the machine's stack: a handler that decodes is told so", function()
    for _, depth in ipairs({ 128, 1000 }) do
      local codec
      codec = cbor.new({ depth = depth, tags = { [24] = function(bytes) return (codec.decode(bytes)) end } })
      local fine, message = pcall(codec.decode, nested(240, depth))
      assert.is_false(fine)
      assert.truthy(tostring(message):find("nested too deeply", 1, true), message)
      assert.equal(1, (codec.decode("\216\24\65\1")))
      assert.equal("table", type((codec.decode(nested(3, depth)))))
    end
  end)

  it("do not use up the machine's stack: nor does a hook that encodes", function()
    local codec = cbor.new({ depth = 1000 })
    local calls = 0
    local function deep(n)
      local t = setmetatable({}, { __tocbor = function()
        calls = calls + 1
        return assert(codec.encode(n > 0 and deep(n - 1) or {}))
      end })
      for _ = 1, 990 do t = { t } end
      return t
    end
    assert.is_false((pcall(codec.encode, deep(240))))
    assert.is_true(calls > 1, calls)
    assert.is_true(#codec.encode(deep(1)) > 1900)
  end)
end)

describe("what FreeKill's codec does", function()
  local codec = cbor.new({ empty = "array", order = "strict", floats = "double", integral = true, big = "wrap" })

  it("can be had: empty arrays, long floats, keys in order or a map, wrapped integers", function()
    assert.equal("80", hex(codec.encode({})))
    if math.type then assert.equal("fb3ff0000000000000", hex(codec.encode(1.0))) end
    assert.equal("fb3ff8000000000000", hex(codec.encode(1.5)))
    assert.equal("4161", hex(codec.encode("a")))
    local t = { [2] = "b" }
    t[1] = "a"
    local first = next(t)
    assert.equal(first == 1 and "8241614162" or "a2024162014161", hex(codec.encode(t)))
    assert.equal(32601, (codec.decode(bin("3bffffffffffff80a6"))))
    assert.equal("0", tostring((codec.decode(bin("fb8000000000000000")))))
    local value, after = codec.decode(bin("0102"), 1)
    assert.equal(1, value)
    assert.equal(2, after)
  end)
end)
