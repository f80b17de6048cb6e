-- json, cjson and cjson.safe by fkrpc.compat.
require "fkrpc.compat"
package.loaded.json, package.loaded.cjson, package.loaded["cjson.safe"] = nil, nil, nil
local json, cjson, safe = require "json", require "cjson", require "cjson.safe"

local exact = math.type ~= nil -- this Lua has 64-bit integers

local function fails(with, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find(with, 1, true), tostring(message))
end

describe("json.encode", function()
  it("writes integers with all their digits and floats so that they read back the same", function()
    assert.equal("9007199254740992", json.encode(2 ^ 53))
    assert.equal("[1,1.5,0.1,-2]", json.encode({ 1.0, 1.5, 0.1, -2 }))
    assert.equal(1 / 3, json.decode(json.encode(1 / 3)))
    if exact then assert.equal("1234567890123456789", json.encode(1234567890123456789)) end
  end)

  it("writes an empty table as an array, and nil as null", function()
    assert.same({ "[]", "null", '{"a":[]}' }, { json.encode({}), json.encode(nil), json.encode({ a = {} }) })
  end)

  it("escapes what JSON demands and passes bytes of 0x7F and above raw", function()
    assert.equal('"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\127\128\255"', json.encode('"\\/\b\f\n\r\t\1\127\128\255'))
  end)

  it("refuses holes, mixed and other keys, NaN, infinity, functions and cycles", function()
    local cycle = {}
    cycle.t = cycle
    local refused = { { [1] = 1, [3] = 3 }, { 1, x = 2 }, { [2] = 1 }, { [true] = 1 }, 0 / 0, 1 / 0, print, cycle }
    for _, value in ipairs(refused) do
      assert.is_false((pcall(json.encode, value)))
    end
  end)
end)

describe("json.decode", function()
  it("makes nil of null: holes in arrays, no keys in objects", function()
    assert.is_nil(json.decode("null"))
    local list = json.decode("[1,null,3]")
    assert.same({ 1, nil, 3 }, { list[1], list[2], list[3] })
    assert.is_nil(next(json.decode('{"a":null}')))
  end)

  it("gives tables without metatables", function()
    assert.is_nil(getmetatable(json.decode("[1]")))
    assert.is_nil(getmetatable(json.decode("{}")))
  end)

  it("reads numbers as tonumber does", function()
    assert.same({ 16, 1, 1, 100 }, json.decode("[0x10,01,1.,1e2]"))
    if exact then
      assert.equal("float", math.type(json.decode("1.0")))
      assert.equal(1234567890123456789, json.decode("1234567890123456789"))
    end
    assert.equal(1e20, json.decode("100000000000000000000"))
  end)

  it("takes a comma before a closing bracket, and lone surrogates as three bytes", function()
    assert.same({ 1, 2 }, json.decode("[1,2,]"))
    assert.same({ a = 1 }, json.decode('{"a":1,}'))
    assert.equal("\237\160\128", json.decode('"\\ud800"'))
    assert.equal("\240\159\152\128 \195\169", json.decode('["\\ud83d\\ude00 \\u00e9",]')[1])
    assert.equal("\128\255", json.decode('"\128\255"'))
  end)

  it("lets the later of equal keys win", function()
    assert.same({ a = 2 }, json.decode('{"a":1,"a":2}'))
  end)

  it("is not stopped by depth", function()
    local depth = 3000
    local value = json.decode(("["):rep(depth) .. ("]"):rep(depth))
    for _ = 1, depth - 1 do value = value[1] end
    assert.same({}, value)
  end)

  it("says at which line and column it failed", function()
    fails("at line 1 col 2", json.decode, "[x]")
    fails("at line 2 col 7", json.decode, '{\n  "a" 1}')
    local texts = {
      "", "[1", "nul", '"a\nb"', "[1] x", '{"a" 1}', "{1:2}", "[1 2]", '"\\x"', '"\\u12"', "-", '"',
    }
    for _, text in ipairs(texts) do
      local ok, message = pcall(json.decode, text)
      assert.is_false(ok, text)
      assert.truthy(message:match("at line %d+ col %d+$"), message)
    end
    fails("string expected", json.decode, nil)
  end)
end)

describe("cjson", function()
  it("has null, objects for empty tables, and null in holes", function()
    assert.equal(cjson.null, cjson.decode("[null]")[1])
    assert.same({ "{}", "[1,null,3]", "null", "1" },
      { cjson.encode({}), cjson.encode({ [1] = 1, [3] = 3 }), cjson.encode(cjson.null), cjson.encode(1.0) })
  end)

  it("makes strings of number keys in mixed tables", function()
    assert.same({ ["1"] = 2, a = 1 }, cjson.decode(cjson.encode({ 2, a = 1 })))
  end)

  it("refuses excessively sparse arrays unless told to convert them", function()
    fails("excessively sparse array", cjson.encode, { [1] = 1, [100] = 1 })
    local own = cjson.new()
    own.encode_sparse_array(true)
    assert.same({ ["1"] = 1, ["100"] = 1 }, own.decode(own.encode({ [1] = 1, [100] = 1 })))
    assert.equal(false, (cjson.encode_sparse_array()))
  end)

  it("raises what it cannot do, and names what it does not cover", function()
    fails("Cannot serialise function", cjson.encode, { print })
    fails("Cannot serialise number", cjson.encode, { 0 / 0 })
    fails("at character", cjson.decode, "[1,")
    fails("cjson.encode_number_precision(5)", cjson.encode_number_precision, 5)
    fails("cjson.array_mt", function() return cjson.array_mt end)
    assert.equal(14, cjson.encode_number_precision())
  end)

  it("returns nil and a message in its safe form", function()
    assert.is_nil((safe.decode("[1,")))
    local _, message = safe.encode(print)
    assert.truthy(message:find("Cannot serialise", 1, true))
    assert.same({ 1 }, safe.decode(safe.encode({ 1 })))
  end)
end)
