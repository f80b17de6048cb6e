-- fkrpc.json.decode: RFC 8259 to the letter, and what becomes of each value in Lua.

local fkrpc = require("fkrpc")
local json = fkrpc.json

-- Whether this Lua has 64-bit integers beside its floats.
local INTEGERS = math.type ~= nil
local NEGATIVE_ZERO = tonumber("-0.0")

local function integral(value)
  return not INTEGERS or math.type(value) == "integer"
end

local function refused(text, kind, line, column, byte)
  local value, message, position = json.decode(text)
  assert.is_nil(value, text)
  local place, near = message:match("^(.-%(byte %d+%))(.*)$")
  assert.equal(kind .. " at line " .. line .. " col " .. column .. " (byte " .. byte .. ")", place)
  assert.equal(byte <= #text, near:find('^, near ".+"$') ~= nil, message)
  assert.equal(byte, position)
end

describe("a JSON text", function()
  it("gives the six kinds of values", function()
    assert.equal(true, json.decode("true"))
    assert.equal(false, json.decode("false"))
    assert.equal(fkrpc.null, json.decode("null"))
    assert.equal(42, json.decode("42"))
    assert.equal("x", json.decode('"x"'))
    assert.same({ 1, { a = "b" } }, json.decode('[1,{"a":"b"}]'))
  end)

  it("may have the four white spaces anywhere between", function()
    assert.same({ a = { 1, 2 } }, json.decode(' \t\r\n{ "a"\n:\t[ 1 ,\r2 ] } \n'))
  end)

  it("tells integers from floats where Lua does", function()
    assert.is_true(integral(json.decode("1")))
    if INTEGERS then
      assert.equal("float", math.type(json.decode("1.0")))
      assert.equal("float", math.type(json.decode("1e2")))
    end
    assert.equal(1, json.decode("1.0"))
    assert.equal(100, json.decode("1e2"))
  end)

  it("keeps integers of 64 bits exact", function()
    for _, digits in ipairs({ "9007199254740993", "9223372036854775807", "-9223372036854775808" }) do
      if INTEGERS then
        assert.equal(digits, ("%d"):format(json.decode(digits)))
      else
        local value, message = json.decode(digits)
        assert.is_nil(value)
        assert.truthy(message:find("integer out of range", 1, true))
      end
    end
    for _, digits in ipairs({ "9007199254740991", "9007199254740992", "-9007199254740992" }) do
      assert.equal(digits, ("%.0f"):format(json.decode(digits)))
    end
  end)

  it("is refused when an integer has more than 64 bits", function()
    refused("[0, 9223372036854775808]", 'integer out of range (set big = "float" or "string" to accept it)', 1, 5, 5)
    refused("-9223372036854775809", 'integer out of range (set big = "float" or "string" to accept it)', 1, 1, 1)
  end)

  it("gives the nearest double for a float", function()
    for _, digits in ipairs({ "0.1", "2.2250738585072014e-308", "5e-324", "1.7976931348623157e308", "123456789.125",
      "0.30000000000000004", "1E+2", "1e-7", "8.5e22", "9007199254740993.0" }) do
      assert.equal(tonumber(digits), json.decode(digits), digits)
    end
  end)

  it("keeps the sign of a negative zero", function()
    assert.equal(1 / NEGATIVE_ZERO, 1 / json.decode("-0.0"))
    assert.equal(1 / NEGATIVE_ZERO, 1 / json.decode("-0"))
  end)

  it("resolves every escape", function()
    assert.equal('"\\/\b\f\n\r\t', json.decode([["\"\\\/\b\f\n\r\t"]]))
    assert.equal("A\0\195\169\228\184\173", json.decode([["\u0041\u0000\u00e9\u4E2d"]]))
    assert.equal("\240\159\152\128", json.decode([["\ud83d\ude00"]]))
  end)

  it("takes every byte that UTF-8 allows", function()
    for _, text in ipairs({ "\127", "\194\128", "\223\191", "\224\160\128", "\237\159\191", "\238\128\128",
      "\239\191\191", "\240\144\128\128", "\244\143\191\191" }) do
      assert.equal(text, json.decode('"' .. text .. '"'))
    end
  end)

  it("lets the last of equal keys win", function()
    assert.same({ a = 2, b = 3 }, json.decode('{"a":1,"b":3,"a":2}'))
  end)

  it("leaves keys strings, also those that look like numbers", function()
    local value = json.decode('{"1":"a","":"b","true":"c"}')
    assert.equal("a", value["1"])
    assert.is_nil(value[1])
    assert.equal("b", value[""])
    assert.equal("c", value["true"])
  end)

  it("gives the right key however many there were before", function()
    for _ = 1, 2 do
      for i = 1, 5000 do
        local key = ("k"):rep(i % 20) .. i
        assert.equal(i, json.decode('{"' .. key .. '":' .. i .. "}")[key])
      end
    end
  end)

  it("marks arrays so that [] and {} come back as they were", function()
    for _, text in ipairs({ "[]", "{}", "[[],{}]", '{"a":[],"b":{}}' }) do
      local again = json.encode(json.decode(text))
      assert.is_true(again == text or again == '{"b":{},"a":[]}', again)
    end
    assert.equal(getmetatable(fkrpc.array()), getmetatable(json.decode("[1]")))
    assert.is_nil(getmetatable(json.decode("{}")))
  end)

  it("keeps null in arrays and objects as the one null", function()
    local value = json.decode('[null,{"a":null}]')
    assert.equal(2, #value)
    assert.equal(fkrpc.null, value[1])
    assert.equal(fkrpc.null, value[2].a)
    assert.equal("userdata", type(fkrpc.null))
  end)

  it("knows the null of lua-cjson", function()
    local found, cjson = pcall(require, "cjson")
    assert.equal(fkrpc.null, json.null)
    if not found then pending("lua-cjson is not installed") return end
    assert.equal(cjson.null, fkrpc.null)
    assert.equal("[null]", json.encode({ cjson.null }))
  end)

  it("may nest 128 deep and no deeper", function()
    assert.is_table(json.decode(("["):rep(128) .. ("]"):rep(128)))
    refused(("["):rep(129) .. ("]"):rep(129), "nested too deeply", 1, 129, 129)
    assert.is_table(json.decode(('{"a":'):rep(128) .. "1" .. ("}"):rep(128)))
    local value, message = json.decode(("["):rep(1000000))
    assert.is_nil(value)
    assert.truthy(message:find("nested too deeply", 1, true))
  end)

  it("may be long: there is no limit on its size", function()
    local long = ("x"):rep(5000000)
    assert.is_true(long == json.decode('"' .. long .. '"'))
    assert.equal(300000, #json.decode("[" .. ("1,"):rep(299999) .. "1]"))
  end)
end)

describe("a JSON text is refused", function()
  it("when a value ends too early", function()
    refused("", "unexpected end of input", 1, 1, 1)
    refused(" \n ", "unexpected end of input", 2, 2, 4)
    refused("[1,", "unexpected end of input", 1, 4, 4)
    refused('{"a"', "unexpected end of input", 1, 5, 5)
    refused('"abc', "unexpected end of input", 1, 5, 5)
    refused("tru", "unexpected end of input", 1, 4, 4)
  end)

  it("with the line, the column and the byte", function()
    refused('[\n\n  1,\n  {"a" 2}]', "unexpected character", 4, 8, 16)
    refused('{\r\n"\228\184\173": x}', "unexpected character", 2, 8, 11)
  end)

  it("for what looks like JSON and is not", function()
    for text, byte in pairs({ ["[1,]"] = 4, ['{"a":1,}'] = 8, ["{1:2}"] = 2, ["[1 2]"] = 4, ["'a'"] = 1, ["NaN"] = 1,
      ["Infinity"] = 1, ["nil"] = 2, ["True"] = 1, ["/**/1"] = 1, ["\239\187\1911"] = 1, ["[,1]"] = 2, ["{,}"] = 2,
      ["]"] = 1, ["[}"] = 2, ["\0"] = 1, ["\f1"] = 1 }) do
      refused(text, "unexpected character", 1, byte, byte)
    end
  end)

  it("for a number outside the grammar", function()
    for text, byte in pairs({ ["+1"] = 1, [".5"] = 1, ["01"] = 2, ["-"] = 2, ["1."] = 3, ["-01"] = 3, ["1e"] = 3,
      ["1e+"] = 4, ["-x"] = 2 }) do
      refused(text, "invalid number", 1, byte, byte)
    end
    refused("[1e400]", "number out of range", 1, 2, 2)
    refused("0x10", "trailing garbage after the value", 1, 2, 2)
  end)

  it("for a bad string", function()
    refused([["\x41"]], "invalid escape sequence", 1, 3, 3)
    refused([["\u12g4"]], "invalid escape sequence", 1, 6, 6)
    refused([["a\ud800"]], "lone surrogate in escape sequence", 1, 3, 3)
    refused([["\udc00"]], "lone surrogate in escape sequence", 1, 2, 2)
    refused([["\ud800\u0041"]], "lone surrogate in escape sequence", 1, 2, 2)
    refused('"a\nb"', "control character in string", 1, 3, 3)
    refused('"a\0b"', "control character in string", 1, 3, 3)
  end)

  it("for bytes that are no UTF-8", function()
    for _, bytes in ipairs({ "\255", "\128", "\192\128", "\193\191", "\224\159\191", "\237\160\128", "\244\144\128\128",
      "\245\128\128\128", "\226\130" }) do
      local value, message = json.decode('{"k":"ab' .. bytes .. '"}')
      assert.is_nil(value)
      assert.truthy(message:find("^invalid UTF%-8 at line 1 col %d+ %(byte %d+%), near \".*\"$"), message)
      assert.is_nil((json.decode('{"' .. bytes .. '":1}')))
    end
  end)

  it("for anything behind the value", function()
    refused("1 2", "trailing garbage after the value", 1, 3, 3)
    refused("{}\n\0", "trailing garbage after the value", 2, 1, 4)
    refused("[]]", "trailing garbage after the value", 1, 3, 3)
  end)

  it("at whatever place it is cut", function()
    local text = '{"name":"caf\195\169\\n\\ud83d\\ude00","list":[1,-2.5e3,true,false,null,{}],"o":{"x":[[]]}}'
    assert.is_table(json.decode(text))
    for i = 0, #text - 1 do
      local value, message, position = json.decode(text:sub(1, i))
      assert.is_nil(value)
      assert.is_string(message)
      assert.is_true(position >= 1 and position <= i + 1)
    end
  end)

  it("or accepted, but never anything else, when bytes change at random", function()
    local text = '{"name":"caf\195\169\\n\\ud83d","list":[1,-2.5e3,true,false,null,{}],"o":{"x":[[]]}}'
    local seed = 1
    local function random(n)
      seed = (seed * 16807) % 2147483647
      return seed % n
    end
    for _ = 1, 20000 do
      local at = random(#text) + 1
      local broken = text:sub(1, at - 1) .. string.char(random(256)) .. text:sub(at + random(3))
      local value, message, position = json.decode(broken)
      if value == nil then
        assert(type(message) == "string" and position >= 1 and position <= #broken + 1, broken)
      else
        assert(message == nil, broken)
      end
    end
  end)
end)

describe("json.decode", function()
  it("takes a start and tells where the value ended", function()
    local value, after = json.decode('[1]  {"a":2}x', 1)
    assert.same({ 1 }, value)
    assert.equal(4, after)
    value, after = json.decode('[1]  {"a":2}x', after)
    assert.same({ a = 2 }, value)
    assert.equal(13, after)
    local none, message, position = json.decode("[1]", 4)
    assert.is_nil(none)
    assert.equal("unexpected end of input at line 1 col 4 (byte 4)", message)
    assert.equal(4, position)
  end)

  it("raises for arguments that are no text and no place in it", function()
    assert.error_matches(function() json.decode() end, "string expected")
    assert.error_matches(function() json.decode(5) end, "string expected")
    assert.error_matches(function() json.decode({}) end, "string expected")
    assert.error_matches(function() json.decode("1", 0) end, "position out of range")
    assert.error_matches(function() json.decode("1", 3) end, "position out of range")
    assert.error_matches(function() json.decode("1", -1) end, "position out of range")
    assert.error_matches(function() json.decode("1", "x") end, "number expected")
  end)

  it("works on after any failure", function()
    for _ = 1, 100 do
      assert.is_nil((json.decode('{"a":[1,{"b":')))
      assert.same({ a = 1 }, json.decode('{"a":1}'))
    end
  end)
end)
