-- fkrpc.json.encode: what each Lua value becomes, and which values are refused with what path.

local fkrpc = require("fkrpc")
local json = fkrpc.json

local INTEGERS = math.type ~= nil
local NEGATIVE_ZERO = tonumber("-0.0")

local function refused(value, message)
  local text, said = json.encode(value)
  assert.is_nil(text)
  assert.equal(message, said)
end

local function userdata()
  return newproxy and newproxy(true) or io.stdout -- luacheck: ignore (newproxy is of Lua 5.1)
end

describe("a Lua value as JSON", function()
  it("is written without white space", function()
    assert.equal("null", json.encode(nil))
    assert.equal("null", json.encode(fkrpc.null))
    assert.equal("true", json.encode(true))
    assert.equal('"x"', json.encode("x"))
    assert.equal('[1,"a",false,[2]]', json.encode({ 1, "a", false, { 2 } }))
    assert.equal('{"a":[{"b":null}]}', json.encode({ a = { { b = fkrpc.null } } }))
  end)

  it("is an integer or a float as it is in Lua", function()
    assert.equal("1", json.encode(1))
    assert.equal("-7", json.encode(-7))
    assert.equal("9007199254740991", json.encode(9007199254740991))
    if INTEGERS then
      assert.equal("1.0", json.encode(1.0))
      assert.equal("100.0", json.encode(1e2))
      assert.equal("9223372036854775807", json.encode(math.maxinteger))
      assert.equal("-9223372036854775808", json.encode(math.mininteger))
      assert.equal("9007199254740992.0", json.encode(2 ^ 53))
    else
      assert.equal("1", json.encode(1.0))
      assert.equal("9007199254740992", json.encode(2 ^ 53))
    end
  end)

  it("is a float that comes back as it was", function()
    for _, number in ipairs({ 0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e100, 123456.789,
      2 ^ 63, -2 ^ 63, 2 ^ 64, 1e15 + 0.5, NEGATIVE_ZERO }) do
      local text = json.encode(number)
      assert.equal(number, json.decode(text), text)
      assert.equal(1 / number, 1 / json.decode(text), text)
    end
    assert.equal("0.1", json.encode(0.1))
    assert.equal("1e+100", json.encode(1e100))
    assert.equal("-0.0", json.encode(NEGATIVE_ZERO))
  end)

  it("is a string with what must be escaped escaped", function()
    assert.equal([["\"\\\b\f\n\r\t\u0000\u001f]] .. '\127/"', json.encode('"\\\b\f\n\r\t\0\031\127/'))
    for i = 0, 127 do
      local char = string.char(i)
      assert.equal(char, json.decode(json.encode(char)))
    end
    assert.equal('"\228\184\173\240\159\152\128"', json.encode("\228\184\173\240\159\152\128"))
  end)

  it("is an object when it is an empty table, and an array when it is marked as one", function()
    assert.equal("{}", json.encode({}))
    assert.equal("[]", json.encode(fkrpc.array({})))
    assert.equal("[]", json.encode(fkrpc.array()))
    assert.equal("[[],{}]", json.encode({ json.array(), json.object() }))
  end)

  it("is marked by functions that return the table they were given", function()
    local t = {}
    assert.equal(t, fkrpc.array(t))
    assert.equal(t, fkrpc.object(t))
    assert.equal(t, json.array(t))
    assert.equal(t, json.object(t))
    assert.equal(t, fkrpc.cbor.array(t))
    assert.equal("[]", json.encode(t))
  end)

  it("is an array in whatever order the items were stored", function()
    local t = {}
    for i = 50, 1, -1 do t[i] = i end
    local text = json.encode(t)
    assert.same(t, json.decode(text))
    assert.equal("[1,2,3,", text:sub(1, 7))
    t = { [3] = "c" }
    t[2], t[1] = "b", "a"
    assert.equal('["a","b","c"]', json.encode(t))
  end)

  it("is an object with text for its number keys when marked so", function()
    assert.equal('{"1":"a"}', json.encode(fkrpc.object({ "a" })))
    assert.same({ ["1"] = "a", ["3"] = "b", ["-2"] = "c", ["2.5"] = "d", x = "e" },
      json.decode(json.encode(fkrpc.object({ [1] = "a", [3] = "b", [-2] = "c", [2.5] = "d", x = "e" }))))
  end)

  it("may hold one table twice", function()
    local t = { 1 }
    assert.equal("[[1],[1]]", json.encode({ t, t }))
  end)

  it("is looked at raw: no metamethod runs", function()
    local function never() error("a metamethod ran") end
    local t = setmetatable({ a = 1 }, { __index = never, __len = never, __pairs = never, __tostring = never })
    assert.equal('{"a":1}', json.encode(t))
  end)

  it("may nest 128 deep and no deeper", function()
    local root = {}
    local deepest = root
    for _ = 1, 127 do
      deepest[1] = {}
      deepest = deepest[1]
    end
    assert.equal(("["):rep(127) .. "{}" .. ("]"):rep(127), json.encode(root))
    deepest[1] = {}
    local text, message = json.encode(root)
    assert.is_nil(text)
    assert.equal(("[1]"):rep(24) .. "...: nested too deeply", message)
  end)
end)

describe("a Lua value is refused with its path", function()
  it("when JSON has no such value", function()
    refused({ params = { players = { 1, 2, { name = print } } } }, "params.players[3].name: cannot encode a function")
    refused(print, "cannot encode a function")
    refused({ coroutine.create(function() end) }, "[1]: cannot encode a thread")
    refused({ a = userdata() }, "a: cannot encode a userdata")
  end)

  it("when it is NaN or infinite", function()
    refused({ x = { 0 / 0 } }, "x[1]: number is NaN or infinite")
    refused({ x = math.huge }, "x: number is NaN or infinite")
    refused(-math.huge, "number is NaN or infinite")
  end)

  it("when it contains itself", function()
    local t = {}
    t.me = t
    refused(t, "me: table contains itself (a cycle)")
    refused({ a = { t } }, "a[1].me: table contains itself (a cycle)")
    local one, other = {}, {}
    one.other, other[1] = other, one
    refused(one, "other[1]: table contains itself (a cycle)")
  end)

  it("when array and object are mixed", function()
    local mixed = "table has both string and number keys; mark it with object() to make the numbers strings"
    refused({ 1, 2, x = 3 }, mixed)
    refused({ a = { x = 1, [5] = 2 } }, "a: " .. mixed)
  end)

  it("when an array has holes", function()
    local sparse = "array has holes (sparse); fill them with null, or mark it with object() to make the numbers strings"
    refused({ [1] = 1, [3] = 3 }, sparse)
    refused({ list = { [0x12345678] = true } }, "list: " .. sparse)
    refused({ 1, nil, 3 }, sparse)
    refused({ fkrpc.array({ [2] = 1 }) }, "[1]: " .. sparse)
  end)

  it("when its number keys are no array's", function()
    local numbers = "table has number keys that are no array's; mark it with object() to make the numbers strings"
    refused({ [0] = 0 }, numbers)
    refused({ [-1] = 0, [1] = 1 }, numbers)
    refused({ [1.5] = 0 }, numbers)
  end)

  it("when it is marked as an array and is none", function()
    refused({ a = fkrpc.array({ x = 1 }) }, "a: table is marked as an array but has other keys than 1 to n")
    refused(fkrpc.array({ 1, 2, x = 1 }), "table is marked as an array but has other keys than 1 to n")
  end)

  it("when a key is neither a string nor a number", function()
    refused({ a = { [true] = 1 } }, "a[true]: a table key must be a string or a number, not a boolean")
    refused({ [{}] = 1 }, "[?]: a table key must be a string or a number, not a table")
    refused(fkrpc.object({ [print] = 1 }), "[?]: a table key must be a string or a number, not a function")
  end)

  it("when a string is no UTF-8", function()
    local message = 'string is not valid UTF-8 (set strings = "bytes" to send raw bytes)'
    refused("\255", message)
    refused({ a = { "fine", "\195" } }, "a[2]: " .. message)
    refused({ a = { ["\237\160\128"] = 1 } }, [[a["\xed\xa0\x80"] (as a key): ]] .. message)
  end)

  it("in which odd keys are quoted and long ones cut", function()
    refused({ ["two words"] = print }, '["two words"]: cannot encode a function')
    refused({ a = { ["q\"\n\1"] = print } }, [[a["q\"\n\x01"]: cannot encode a function]])
    refused({ [("k"):rep(100)] = print }, '["' .. ("k"):rep(40) .. '..."]: cannot encode a function')
    refused({ ["1st"] = print }, '["1st"]: cannot encode a function')
    refused(fkrpc.object({ [7] = print }), "[7]: cannot encode a function")
  end)
end)

describe("json.encode", function()
  it("raises without a value", function()
    assert.error_matches(function() json.encode() end, "value expected")
  end)

  it("works on after any failure", function()
    for _ = 1, 100 do
      assert.is_nil((json.encode({ a = { b = { print } } })))
      assert.equal('{"a":[1]}', json.encode({ a = { 1 } }))
    end
  end)

  it("gives back what decode read", function()
    local text = '{"list":[1,2.5,"x",null,true,[],{}]}'
    assert.equal(text, json.encode(json.decode(text)))
  end)
end)

describe("an argument that would be ignored", function()
  local REFUSED = "no options are taken here: new{ ... } of the same module makes a codec that has them"

  it("as a table of options is a mistake", function()
    local cbor = fkrpc.cbor
    for _, codec in ipairs({ json, json.new({ indent = 2 }), cbor, cbor.new({ sorted = true }) }) do
      assert.error_matches(function() codec.encode({}, { indent = 2 }) end, REFUSED, 1, true)
      assert.error_matches(function() codec.decode("1", { big = "float" }) end, REFUSED, 1, true)
      assert.error_matches(function() codec.decode("1", 1, { big = "float" }) end, REFUSED, 1, true)
      assert.error_matches(function() codec.encode() end, "value expected", 1, true)
    end
  end)

  it("as what other functions return besides, or as an index, is none", function()
    assert.equal('"b"', (fkrpc.json.encode(("a"):gsub("a", "b"))))
    assert.equal("1", (fkrpc.json.encode(1, nil)))
    assert.equal("null", (fkrpc.json.encode(nil, "message")))
    assert.equal(1, (fkrpc.json.decode("1", nil)))
    assert.equal("\1", (fkrpc.cbor.encode(1, 2, 3)))
  end)
end)

describe("a key that cannot be written", function()
  it("is named with its place, also where the mistake is in its bytes", function()
    local _, message = fkrpc.json.encode({ a = { b = { ["x\255"] = 1 } } })
    assert.equal([[a.b["x\xff"] (as a key): string is not valid UTF-8 (set strings = "bytes" to send raw bytes)]],
      message)
    _, message = fkrpc.json.new({ sorted = true }).encode({ a = { [false] = 1 } })
    assert.equal("a[false]: a table key must be a string or a number, not a boolean", message)
    _, message = fkrpc.cbor.encode({ a = { [print] = 1 } })
    assert.equal("a[?] (as a key): cannot encode a function", message)
    local fine, raised = pcall(function() fkrpc.pair():notify("x", { a = { [true] = 1 } }) end)
    assert.is_false(fine)
    local said = "params.a[true]: a table key must be a string or a number, not a boolean"
    assert.truthy(raised:find(said, 1, true), raised)
  end)
end)
