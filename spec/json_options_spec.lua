-- fkrpc.json.new: codecs with options of their own.

local fkrpc = require("fkrpc")
local json = fkrpc.json

local INTEGERS = math.type ~= nil
local LUAJIT = fkrpc.features().lua == "luajit"

describe("the option big", function()
  local beyond = "123456789012345678901234567890"

  it("is an error by default", function()
    local value, message = json.new().decode(beyond)
    assert.is_nil(value)
    assert.truthy(message:find("integer out of range", 1, true))
    value, message = json.new({ big = "error" }).decode(beyond)
    assert.is_nil(value)
    assert.is_string(message)
  end)

  it("makes a float of an integer beyond the exact ones", function()
    local codec = json.new({ big = "float" })
    assert.equal(1.2345678901234568e29, codec.decode(beyond))
    assert.equal(2 ^ 63, codec.decode("9223372036854775808"))
    assert.equal(INTEGERS and 9007199254740993 or 2 ^ 53, codec.decode("9007199254740993"))
    assert.is_nil((codec.decode("1" .. ("0"):rep(400))))
  end)

  it("keeps the digits of an integer beyond the exact ones", function()
    local codec = json.new({ big = "string" })
    assert.same({ beyond, 7, "-" .. beyond }, codec.decode("[" .. beyond .. ",7,-" .. beyond .. "]"))
    assert.equal("9223372036854775808", codec.decode("9223372036854775808"))
    if not INTEGERS then assert.equal("9007199254740993", codec.decode("9007199254740993")) end
  end)

  it("makes 64-bit cdata under LuaJIT and is refused elsewhere", function()
    if not LUAJIT then
      assert.error_matches(function() json.new({ big = "cdata" }) end, "needs LuaJIT")
      return
    end
    local codec = json.new({ big = "cdata" })
    local value = codec.decode("[9223372036854775807,-9223372036854775808,18446744073709551615,9007199254740993,1]")
    assert.equal("9223372036854775807LL", tostring(value[1]))
    assert.equal("-9223372036854775808LL", tostring(value[2]))
    assert.equal("18446744073709551615ULL", tostring(value[3]))
    assert.equal("9007199254740993LL", tostring(value[4]))
    assert.equal(1, value[5])
    assert.equal("[9223372036854775807,-9223372036854775808,18446744073709551615,9007199254740993,1]",
      codec.encode(value))
    assert.is_nil((codec.decode(beyond)))
  end)

  it("reads cdata with Lua code, which may change the table they stand in", function()
    if not LUAJIT then return end
    local five = json.new({ big = "cdata" }).decode("9223372036854775807")
    local gsub = string.gsub
    for _, encode in ipairs({ json.encode, require("fkrpc").cbor.encode }) do
      local t, reads = {}, 0
      for i = 1, 50 do t["k" .. i] = five end
      -- What a finalizer may do, too, at any moment.
      string.gsub = function(...) -- luacheck: ignore
        reads = reads + 1
        for key in pairs(t) do t[key] = nil end
        for i = 1, 200 do t["z" .. reads .. i] = i end
        return gsub(...)
      end
      local fine, message = pcall(encode, t)
      string.gsub = gsub -- luacheck: ignore
      assert.is_true(reads > 0)
      assert.is_true(fine or message:find("next", 1, true) ~= nil, tostring(message))
    end
    assert.equal("[1]", json.encode({ 1 }))
  end)

  it("does not touch floats", function()
    for _, big in ipairs({ "error", "float", "string" }) do
      assert.equal(1e30, json.new({ big = big }).decode("1e30"))
    end
  end)
end)

describe('the option strings = "bytes"', function()
  local codec = json.new({ strings = "bytes" })

  it("lets every byte from 0x7F on through raw, both ways", function()
    for i = 0x7F, 0xFF do
      local char = string.char(i)
      assert.equal('"' .. char .. '"', codec.encode(char))
      assert.equal(char, codec.decode('"' .. char .. '"'))
    end
    assert.equal('{"\255":"\128"}', codec.encode({ ["\255"] = "\128" }))
    assert.equal("\128", codec.decode('{"\255":"\128"}')["\255"])
  end)

  it("still escapes what JSON cannot carry", function()
    assert.equal([["\"\\\u0001]] .. '\255"', codec.encode('"\\\1\255'))
    assert.is_nil((codec.decode('"\n"')))
    assert.is_nil((codec.decode([["\ud800"]])))
  end)

  it("carries any string there and back", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local all = table.concat(bytes):rep(50)
    assert.is_true(all == codec.decode(codec.encode(all)))
  end)

  it("is not the default", function()
    assert.is_nil((json.new({ strings = "utf8" }).encode("\255")))
    assert.is_nil((json.encode("\255")))
    assert.is_nil((json.decode('"\255"')))
  end)
end)

describe("the option depth", function()
  it("holds for both ways", function()
    local codec = json.new({ depth = 2 })
    assert.same({ { 1 } }, codec.decode("[[1]]"))
    assert.is_nil((codec.decode("[[[1]]]")))
    assert.equal("[[1]]", codec.encode({ { 1 } }))
    assert.is_nil((codec.encode({ { { 1 } } })))
  end)

  it("goes from 1 to 1000", function()
    local codec = json.new({ depth = 1000 })
    local text = ("["):rep(1000) .. ("]"):rep(1000)
    assert.equal(text, codec.encode(codec.decode(text)))
    assert.is_nil((codec.decode("[" .. text .. "]")))
    for _, depth in ipairs({ 0, 1001, -1, 1.5, 0 / 0, math.huge, "8", true }) do
      assert.error_matches(function() json.new({ depth = depth }) end, "'depth' must be an integer from 1 to 1000")
    end
    assert.equal("1", json.new({ depth = 1 }).encode(1))
  end)

  it("lets a cycle be named even where it is small", function()
    local t = {}
    t[1] = t
    local text, message = json.new({ depth = 1 }).encode(t)
    assert.is_nil(text)
    assert.equal("[1]: table contains itself (a cycle)", message)
  end)
end)

describe("the option empty", function()
  it("says what an unmarked empty table is", function()
    assert.equal("[]", json.new({ empty = "array" }).encode({}))
    assert.equal('{"a":[]}', json.new({ empty = "array" }).encode({ a = {} }))
    assert.equal("{}", json.new({ empty = "array" }).encode(json.object()))
    assert.equal("{}", json.new({ empty = "object" }).encode({}))
    assert.equal("[]", json.new({ empty = "object" }).encode(json.array()))
  end)
end)

describe("the option max_size", function()
  it("refuses longer texts before it looks at them", function()
    local codec = json.new({ max_size = 5 })
    assert.same({ 1, 2 }, codec.decode("[1,2]"))
    local value, message, position = codec.decode("[1,2,]")
    assert.is_nil(value)
    assert.equal('document too large at line 1 col 6 (byte 6), near "]"', message)
    assert.equal(6, position)
  end)
end)

describe("json.new", function()
  it("refuses options that do not exist and values that an option cannot have, at the caller's line", function()
    local fine, message = pcall(function() json.new({ foo = 1 }) end)
    assert.is_false(fine)
    assert.truthy(message:find("json_options_spec.lua:%d+: fkrpc.json.new: unknown option 'foo'"), message)
    fine, message = pcall(function() json.new({ big = "wrap" }) end)
    assert.is_false(fine)
    local told = "json_options_spec.lua:%d+: fkrpc.json.new: option 'big' must be one of .*, not \"wrap\""
    assert.truthy(message:find(told), message)
    assert.error_matches(function() json.new({ 1 }) end, "unknown option '1'")
    assert.error_matches(function() json.new({ strings = true }) end, "'strings' must be one of .*, not true")
    assert.error_matches(function() json.new({ max_size = -1 }) end, "'max_size' must be an integer")
    assert.error_matches(function() json.new("x") end, "table of options expected, got string")
  end)

  it("gives codecs that do not touch each other", function()
    local loose = json.new({ strings = "bytes", empty = "array", big = "float" })
    assert.equal('["\255",[]]', loose.encode({ "\255", {} }))
    assert.is_nil((json.encode({ "\255" })))
    assert.equal("[{}]", json.encode({ {} }))
    assert.equal(fkrpc.null, loose.null)
  end)

  it("is the same module however it is reached", function()
    assert.equal(json, require("fkrpc.json"))
    assert.equal(fkrpc, require("fkrpc"))
    assert.is_function(json.new().encode)
  end)
end)
