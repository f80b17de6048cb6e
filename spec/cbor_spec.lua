-- fkrpc.cbor: RFC 8949 there and back, against its appendix A, and what the options change.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local cbor = fkrpc.cbor

local INTEGERS = math.type ~= nil
local NEGATIVE_ZERO = tonumber("-0.0")
local LUAJIT = fkrpc.features().lua == "luajit"

local function bin(hex)
  return (hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function hex(bytes)
  return bytes and (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function encoded(value, options)
  local bytes, message = (options and cbor.new(options) or cbor).encode(value)
  return hex(bytes) or message
end

local function decoded(digits, options)
  return (options and cbor.new(options) or cbor).decode(bin(digits))
end

-- What RFC 8949's diagnostic notation in the fixture stands for, where JSON has no such value.
local DIAGNOSTIC = {
  ["Infinity"] = math.huge, ["-Infinity"] = -math.huge,
  ["undefined"] = cbor.undefined, ["simple(16)"] = cbor.simple(16), ["simple(255)"] = cbor.simple(255),
  ["2(h'010000000000000000')"] = cbor.tagged(2, "\1\0\0\0\0\0\0\0\0"),
  ["3(h'010000000000000000')"] = cbor.tagged(3, "\1\0\0\0\0\0\0\0\0"),
  ['0("2013-03-21T20:04:00Z")'] = cbor.tagged(0, "2013-03-21T20:04:00Z"),
  ["1(1363896240)"] = cbor.tagged(1, 1363896240), ["1(1363896240.5)"] = cbor.tagged(1, 1363896240.5),
  ["23(h'01020304')"] = cbor.tagged(23, "\1\2\3\4"), ["24(h'6449455446')"] = cbor.tagged(24, "dIETF"),
  ['32("http://www.example.com")'] = cbor.tagged(32, "http://www.example.com"),
  ["h''"] = "", ["h'01020304'"] = "\1\2\3\4", ["h'0102030405'"] = "\1\2\3\4\5", ["{1: 2, 3: 4}"] = { 2, [3] = 4 },
}

describe("every row of RFC 8949's appendix A", function()
  local rows
  do
    local file = assert(io.open(helper.root .. "/spec/fixtures/cbor/appendix_a.json", "rb"))
    rows = assert(fkrpc.json.new({ big = "float" }).decode(file:read("*a"))).rows
    file:close()
  end

  it("is there", function()
    assert.is_true(#rows > 75)
  end)

  for _, row in ipairs(rows) do
    it(row.hex .. " is read", function()
      local value, after = decoded(row.hex, { big = "float" })
      assert.equal(#row.hex / 2 + 1, after)
      if row.diagnostic == "NaN" then
        assert.is_true(value ~= value)
      elseif row.diagnostic == "18446744073709551615" or row.diagnostic == "-18446744073709551616" then
        assert.equal(tonumber(row.diagnostic), value)
      elseif row.diagnostic then
        assert.is_not_nil(DIAGNOSTIC[row.diagnostic], row.diagnostic)
        assert.same(DIAGNOSTIC[row.diagnostic], value)
      else
        assert.same(row.decoded, value)
      end
    end)
  end

  it("comes back byte for byte where it is the shortest form", function()
    local again = 0
    for _, row in ipairs(rows) do
      local value = decoded(row.hex, { big = "string" })
      local float = type(value) == "number" and row.hex:find("^f[9ab]") and value % 1 == 0
      -- Integral floats are integers where Lua has no such; the order of keys is Lua's; a Lua string does not know
      -- whether it was text.
      local possible = row.roundtrip and not row.hex:find("^[ab]")
        and (INTEGERS or not (float or row.hex:find("^[13]b")))
      if possible and not row.hex:find("^[13]bf") then
        local bytes, text = encoded(value), encoded(value, { strings = "text" })
        assert.is_true(row.hex == bytes or row.hex == text, row.hex .. " " .. bytes .. " " .. text)
        again = again + 1
      end
    end
    assert.is_true(again >= 40, again)
  end)
end)

describe("a Lua value as CBOR", function()
  it("has the shortest head", function()
    for number, digits in pairs({ [0] = "00", [23] = "17", [24] = "1818", [255] = "18ff", [256] = "190100",
      [65535] = "19ffff", [65536] = "1a00010000", [4294967295] = "1affffffff", [4294967296] = "1b0000000100000000",
      [-1] = "20", [-24] = "37", [-25] = "3818", [-256] = "38ff", [-257] = "390100", [-4294967297] =
      "3b0000000100000000" }) do
      assert.equal(digits, encoded(number))
      assert.equal(number, (decoded(digits)))
    end
    if INTEGERS then
      assert.equal("1b7fffffffffffffff", encoded(math.maxinteger))
      assert.equal("3b7fffffffffffffff", encoded(math.mininteger))
    end
  end)

  it("is a float of the shortest width that is exact, or always of eight bytes", function()
    assert.equal("f93e00", encoded(1.5))
    assert.equal("fa3e000001", encoded(0.125 + 2 ^ -26))
    assert.equal("fb3ff199999999999a", encoded(1.1))
    assert.equal("f98000", encoded(NEGATIVE_ZERO))
    assert.equal("fb3ff8000000000000", encoded(1.5, { floats = "double" }))
    assert.equal("fb7ff0000000000000", encoded(math.huge, { floats = "double" }))
    assert.equal("f97e00", encoded(0 / 0))
    if INTEGERS then assert.equal("f93c00", encoded(1.0)) else assert.equal("01", encoded(1.0)) end
  end)

  it("is a byte string, or text where it is UTF-8 and that is wanted", function()
    assert.equal("43616263", encoded("abc"))
    assert.equal("63616263", encoded("abc", { strings = "text" }))
    assert.equal("41ff", encoded("\255", { strings = "text" }))
    assert.equal("a1616101", encoded({ a = 1 }, { strings = "text" }))
    for _, size in ipairs({ 23, 24, 255, 256, 65535, 65536 }) do
      local text = ("x"):rep(size)
      assert.is_true(text == cbor.decode(cbor.encode(text)))
    end
  end)

  it("is an array for keys 1 to n and a map for any others", function()
    assert.equal("83010203", encoded({ 1, 2, 3 }))
    assert.same({ [1] = 1, [3] = 3 }, (cbor.decode(cbor.encode({ [1] = 1, [3] = 3 }))))
    assert.equal("a2", encoded({ 1, nil, 3 }):sub(1, 2))
    assert.equal("a1f501", encoded({ [true] = 1 }))
    assert.equal("a1f93e0001", encoded({ [1.5] = 1 }))
    assert.equal("a1810102", encoded({ [{ 1 }] = 2 }))
    assert.equal("a0", encoded({}))
    assert.equal("80", encoded(cbor.array()))
    assert.equal("80", encoded({}, { empty = "array" }))
    assert.equal("a0", encoded(cbor.object(), { empty = "array" }))
    assert.equal("a10140", encoded(cbor.object({ "" })))
    for _, size in ipairs({ 23, 24, 255, 256, 70000 }) do
      local list = {}
      for i = 1, size do list[i] = i % 7 end
      assert.equal(size, #cbor.decode(cbor.encode(list)))
    end
  end)

  it("is an array in whatever order it is stored, unless the order must be strict", function()
    local t = { [2] = "b" }
    t[1] = "a"
    assert.equal("8241614162", encoded(t))
    assert.equal("8241614162", encoded(cbor.array({ [2] = "b", [1] = "a" }), { order = "strict" }))
  end)

  it("is refused with its path", function()
    assert.equal("cannot encode a function", encoded(print))
    assert.equal("a.b[2]: cannot encode a thread", encoded({ a = { b = { 1, coroutine.create(function() end) } } }))
    local t = {}
    t.t = t
    assert.equal("t: table contains itself (a cycle)", encoded(t))
    assert.equal("[1]: table is marked as an array but has other keys than 1 to n", encoded({ cbor.array({ x = 1 }) }))
  end)
end)

describe("an integer beyond Lua's", function()
  it("follows the option big", function()
    local value, message = decoded("1bffffffffffffffff")
    assert.is_nil(value)
    assert.truthy(message:find("integer out of range", 1, true))
    assert.equal(2 ^ 64, (decoded("1bffffffffffffffff", { big = "float" })))
    assert.equal("18446744073709551615", (decoded("1bffffffffffffffff", { big = "string" })))
    assert.equal("-18446744073709551616", (decoded("3bffffffffffffffff", { big = "string" })))
    if LUAJIT then
      assert.equal("18446744073709551615ULL", tostring(decoded("1bffffffffffffffff", { big = "cdata" })))
      assert.equal("1bffffffffffffffff", encoded((decoded("1bffffffffffffffff", { big = "cdata" }))))
    end
  end)

  it("wraps as FreeKill's does when told so", function()
    assert.equal(-1, (decoded("1bffffffffffffffff", { big = "wrap" })))
    assert.equal(0, (decoded("3bffffffffffffffff", { big = "wrap" })))
    assert.equal(32601, (decoded("3bffffffffffff80a6", { big = "wrap" })))
  end)

  it("is exact up to what Lua's numbers hold", function()
    assert.equal(9007199254740991, (decoded("1b001fffffffffffff")))
    if INTEGERS then
      assert.equal("9007199254740993", ("%d"):format((decoded("1b0020000000000001"))))
    else
      assert.is_nil((decoded("1b0020000000000001")))
    end
  end)
end)

describe("CBOR is refused", function()
  it("when it is not well-formed", function()
    for digits, message in pairs({
      [""] = "unexpected end of input at byte 1", ["18"] = "unexpected end of input at byte 2",
      ["1c"] = "invalid CBOR head at byte 1", ["fc"] = "invalid CBOR head at byte 1",
      ["1f"] = "invalid CBOR head at byte 1", ["df"] = "invalid CBOR head at byte 1",
      ["ff"] = "unexpected CBOR break at byte 1", ["bf01ff"] = "unexpected CBOR break at byte 3",
      ["81ff"] = "unexpected CBOR break at byte 2", ["f801"] = "invalid CBOR simple value at byte 1",
      ["f818"] = "invalid CBOR simple value at byte 1",
      ["5f01ff"] = "invalid chunk in an indefinite-length CBOR string at byte 2",
      ["5f6161ff"] = "invalid chunk in an indefinite-length CBOR string at byte 2",
      ["0000"] = "trailing garbage after the value at byte 2", ["a1f97e0001"] = "NaN as a map key at byte 2",
    }) do
      local value, said, position = decoded(digits)
      assert.is_nil(value, digits)
      assert.equal(message, said, digits)
      assert.is_true(position >= 1 and position <= #digits / 2 + 1)
    end
  end)

  it("when a length is beyond the input, without taking memory for it", function()
    local before = collectgarbage("count")
    for _, head in ipairs({ "5b", "7b", "9b", "bb" }) do
      for _, length in ipairs({ "ffffffffffffffff", "7fffffffffffffff", "0000000100000000", "000000003fffffff" }) do
        assert.is_nil((decoded(head .. length .. "00")))
      end
    end
    assert.is_true(collectgarbage("count") - before < 10000)
  end)

  it("when it nests too deeply, of whatever kind the nesting is", function()
    for _, kind in ipairs({ "81", "9f", "a100", "c1", "bf00" }) do
      local value, message = decoded(kind:rep(129) .. "00")
      assert.is_nil(value)
      assert.truthy(message:find("nested too deeply", 1, true), kind .. message)
      assert.is_nil((decoded(kind:rep(100000))))
    end
  end)

  it("at whatever place it is cut", function()
    local bytes = cbor.encode({ a = { 1, 2.5, "text", true, fkrpc.null, { x = cbor.tagged(5, "y") } }, b = -70000 })
    for i = 0, #bytes - 1 do
      local value, message = cbor.decode(bytes:sub(1, i))
      assert.is_nil(value)
      assert.truthy(message:find("unexpected end of input", 1, true), message)
    end
  end)

  it("or accepted, but never anything else, when bytes change at random", function()
    local bytes = cbor.encode({ a = { 1, 2.5, "text", true, fkrpc.null, { x = cbor.tagged(5, "y") } }, b = -70000 })
    local seed = 7
    for _ = 1, 20000 do
      seed = (seed * 16807) % 2147483647
      local at = seed % #bytes + 1
      local broken = bytes:sub(1, at - 1) .. string.char(math.floor(seed / 1024) % 256) .. bytes:sub(at + 1)
      local value, message = cbor.decode(broken)
      if value == nil then assert(type(message) == "string", hex(broken)) end
    end
  end)
end)

describe("cbor.decode", function()
  it("can start anywhere and tells where the item ended", function()
    local bytes = bin("0182020343616263f6")
    local values, at = {}, 1
    while at <= #bytes do
      values[#values + 1], at = cbor.decode(bytes, at)
    end
    assert.same({ 1, { 2, 3 }, "abc", fkrpc.null }, values)
    assert.is_nil((cbor.decode(bytes, #bytes + 1)))
    assert.error_matches(function() cbor.decode(bytes, #bytes + 2) end, "position out of range")
    assert.error_matches(function() cbor.decode(5) end, "string expected")
  end)

  it("checks text only when told so", function()
    assert.equal("\255", (decoded("61ff")))
    local value, message = decoded("61ff", { utf8 = true })
    assert.is_nil(value)
    assert.equal("invalid UTF-8 at byte 1", message)
    assert.equal("\255", (decoded("41ff", { utf8 = true })))
  end)

  it("makes integers of integral floats when told so", function()
    local value = decoded("82f93c00f98000", { integral = true })
    assert.equal("1", tostring(value[1]))
    assert.equal("0", tostring(value[2]))
    assert.equal(math.huge, (decoded("f97c00", { integral = true })))
  end)

  it("marks arrays and has the limits it is given", function()
    assert.equal(getmetatable(fkrpc.array()), getmetatable((decoded("80"))))
    assert.is_nil((decoded("8100", { max_size = 1 })))
    assert.is_nil((decoded("818100", { depth = 1 })))
    assert.error_matches(function() cbor.new({ depth = 1001 }) end, "'depth'")
    assert.error_matches(function() cbor.new({ tag = {} }) end, "unknown option 'tag'")
    assert.error_matches(function() cbor.new({ tags = 1 }) end, "'tags' must be a table")
    for _, wrong in ipairs({ { tags = { x = print } }, { tags = { [1.5] = print } }, { tags = { [-1] = print } },
      { tags = { [1] = "x" } }, { simple = { x = 1 } }, { simple = { [256] = 1 } } }) do
      local fine, message = pcall(function() cbor.new(wrong) error("taken") end)
      assert.is_false(fine)
      local said = "^[^:]*spec/cbor_spec.lua:%d+: fkrpc.cbor.new: option '" .. next(wrong) .. "'"
      assert.truthy(message:find(said), message)
    end
    cbor.new({ tags = { [0] = print, [2 ^ 53] = print }, simple = { [0] = 1, [23] = 2, [255] = 3 } })
    assert.error_matches(function() cbor.new({ integral = 1 }) end, "'integral' must be a boolean")
  end)
end)
