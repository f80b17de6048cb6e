-- fkrpc.json.new with a style: indentation, sorted keys, rules for null, NaN, sparse tables and whole floats.

local fkrpc = require("fkrpc")
local json = fkrpc.json

local INTEGERS = math.type ~= nil
local inf, nan = math.huge, 0 / 0

-- That `json.new(given)` raises what `pattern` matches, at this file's line.
local function assert_refused(given, pattern)
  local fine, message = pcall(function() json.new(given) end)
  assert.is_false(fine)
  assert.truthy(message:find("json_style_spec.lua:%d+: fkrpc.json.new: option.*" .. pattern), message)
end

describe("the option indent", function()
  it("gives each member and item a line of its own", function()
    local codec = json.new({ indent = 2, sorted = true })
    assert.equal('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}', codec.encode({ a = { 1, {} }, b = json.array() }))
    assert.equal("1", codec.encode(1))
    assert.equal("[\n\t[\n\t\t1\n\t]\n]", json.new({ indent = "\t" }).encode({ { 1 } }))
    assert.equal("[[1]]", json.new({ indent = 0 }).encode({ { 1 } }))
    assert.equal("[[1]]", json.new({ indent = "" }).encode({ { 1 } }))
    assert.equal("[\n" .. (" "):rep(16) .. "1\n]", json.new({ indent = 16 }).encode({ 1 }))
  end)

  it("touches no string", function()
    local codec = json.new({ indent = 1 })
    for _, text in ipairs({ '{"[,:]', "\\", '\\"', "a\\\\", '"},{"', "\n\t:", "\228\189\160" }) do
      assert.equal(text, codec.decode(codec.encode({ [text] = { text } }))[text][1])
      assert.equal(json.encode(text), codec.encode(text))
    end
  end)

  it("adds nothing but white space", function()
    local codec = json.new({ indent = 3, sorted = true })
    local value = { { a = 1, b = { c = "x", d = { true, false, fkrpc.null } } }, {}, json.array({}), -1.5e300 }
    assert.equal(json.new({ sorted = true }).encode(value), (codec.encode(value):gsub("[ \n]", "")))
  end)

  it("is a count of spaces or a string of white space", function()
    for _, indent in ipairs({ -1, 17, 1.5, nan, "x", "\n", (" "):rep(17), true, {} }) do
      assert_refused({ indent = indent }, "'indent' must be an integer from 0 to 16")
    end
  end)
end)

describe("the option sorted", function()
  local codec = json.new({ sorted = true })

  it("writes members in the order of their keys' bytes", function()
    assert.equal('{"":0,"A":1,"B":2,"a":3,"aa":4,"b":5,"\195\164":6}',
      codec.encode({ b = 5, a = 3, B = 2, A = 1, aa = 4, [""] = 0, ["\195\164"] = 6 }))
  end)

  it("orders by the bytes themselves, not by their escapes", function()
    assert.equal('{"\\u0001":1,"\\n":2,"!":3,"\\"":4,"#":5,"[":6,"\\\\":7,"]":8}',
      codec.encode({ ["]"] = 8, ["\\"] = 7, ["["] = 6, ["#"] = 5, ['"'] = 4, ["!"] = 3, ["\n"] = 2, ["\1"] = 1 }))
  end)

  it("goes all the way down, and gives the same text whatever order Lua has", function()
    local function made(first, last, step)
      local t = {}
      for i = first, last, step do t["k" .. i] = { ["x" .. i] = i, a = { z = 1, y = { i } } } end
      return t
    end
    local one, other = codec.encode(made(1, 300, 1)), codec.encode(made(300, 1, -1))
    assert.equal(one, other)
    assert.same(made(1, 300, 1), codec.decode(one))
    local keys = {}
    for key in one:gmatch('"(k%d+)":') do keys[#keys + 1] = key end
    local sorted = {}
    for i, key in ipairs(keys) do sorted[i] = key end
    table.sort(sorted)
    assert.equal(300, #keys)
    for i, key in ipairs(keys) do assert.equal(sorted[i], key) end
  end)

  it("leaves arrays, values and single members as they are", function()
    assert.equal('[3,1,2,{"a":[]}]', codec.encode({ 3, 1, 2, { a = json.array() } }))
    assert.equal('{"10":1,"9":2}', codec.encode(json.object({ [9] = 2, [10] = 1 })))
    assert.equal("{}", codec.encode({}))
  end)

  it("keeps what other codecs promise: depth, UTF-8, cycles, the path to what is wrong", function()
    for _, option in ipairs({ { sorted = true }, { indent = 2 }, { sorted = true, indent = "\t", nan = "null" } }) do
      local styled = json.new(option)
      local cycle = { a = {} }
      cycle.a.b = cycle
      for _, value in ipairs({ { b = 1, a = { { x = print } } }, { k = "\255" }, { ["\255"] = 1 }, cycle,
        { 1, 2, x = 3 }, { [1.5] = 1 }, { [true] = 1 }, { [1] = 1, [3] = 3 } }) do
        local text, message = styled.encode(value)
        assert.is_nil(text)
        assert.equal(select(2, json.encode(value)), message)
      end
      local deep = 1
      for _ = 1, 128 do deep = { d = deep } end
      assert.equal(json.encode(deep), (styled.encode(deep):gsub("[ \n\t]", "")))
      assert.is_nil((styled.encode({ deep })))
      option.depth = 3
      assert.is_nil((json.new(option).encode({ { { {} } } })))
    end
  end)
end)

describe("the option null", function()
  it("is what null decodes to", function()
    for _, value in ipairs({ false, 0, "none", {}, print }) do
      local codec = json.new({ null = value })
      assert.equal(value, codec.null)
      assert.equal(value, (codec.decode("null")))
      local list = codec.decode('[null,{"a":null}]')
      assert.equal(value, list[1])
      assert.equal(value, list[2].a)
      assert.equal("[]", codec.encode(codec.decode("[]")))
    end
  end)

  it("is written as null where it can be nothing else", function()
    local none = setmetatable({}, { __tostring = function() return "none" end })
    local codec = json.new({ null = none })
    assert.equal('[null,null,{"a":null},{}]', codec.encode({ none, fkrpc.null, { a = none }, {} }))
    assert.equal("null", json.new({ null = print }).encode(print))
    assert.equal("null", json.new({ null = io.stdout }).encode(io.stdout))
    assert.equal("[false,0]", json.new({ null = false }).encode({ false, 0 }))
    assert.equal('"x"', json.new({ null = "x" }).encode("x"))
    assert.is_nil((codec.encode(print)))
  end)

  it("does not count a null that is a table as a level", function()
    local none = {}
    assert.equal("[null]", json.new({ null = none, depth = 1 }).encode({ none }))
  end)
end)

describe("the option drop_null", function()
  local codec = json.new({ drop_null = true })

  it("makes nil of null", function()
    assert.is_nil(next(codec.decode('{"a":null}')))
    local list = codec.decode('[null,2,null,{"a":null,"b":[null]}]')
    assert.is_nil(list[1])
    assert.equal(2, list[2])
    assert.is_nil(list[3])
    assert.same({ b = {} }, list[4])
  end)

  it("tells null from an error by the message, or by the position after it", function()
    assert.equal(1, select("#", codec.decode("null")))
    local value, next_position = codec.decode(" null 1", 1)
    assert.is_nil(value)
    assert.equal(6, next_position)
    assert.is_string(select(2, codec.decode("nul")))
  end)

  it("excludes the option null", function()
    assert_refused({ drop_null = true, null = false }, "exclude each other")
    assert.equal(false, json.new({ drop_null = false, null = false }).decode("null"))
  end)
end)

describe("the option nan", function()
  it("is an error by default", function()
    for _, codec in ipairs({ json, json.new({ nan = "error" }), json.new({ sorted = true }) }) do
      for _, value in ipairs({ nan, inf, -inf }) do
        local text, message = codec.encode({ x = value })
        assert.is_nil(text)
        assert.equal("x: number is NaN or infinite", message)
      end
      for _, text in ipairs({ "NaN", "Infinity", "-Infinity", "[-Infinity]" }) do
        assert.is_nil((codec.decode(text)))
      end
    end
  end)

  it("writes null", function()
    local codec = json.new({ nan = "null" })
    assert.equal("[null,null,null,1.5]", codec.encode({ nan, inf, -inf, 1.5 }))
    assert.is_nil((codec.decode("NaN")))
  end)

  it("writes and reads JavaScript's words", function()
    local codec = json.new({ nan = "literal" })
    assert.equal("[NaN,Infinity,-Infinity]", codec.encode({ nan, inf, -inf }))
    local list = codec.decode(' [NaN , Infinity,-Infinity,{"a":NaN}] ')
    assert.is_true(list[1] ~= list[1])
    assert.equal(inf, list[2])
    assert.equal(-inf, list[3])
    assert.is_true(list[4].a ~= list[4].a)
    for text in ("nan Inf Na NaNN -NaN +Infinity -Infinit - -\t1 I {NaN:1}"):gmatch("[^ ]+") do
      local value, message = codec.decode(text)
      assert.is_nil(value)
      assert.is_string(message)
    end
  end)

  it("makes no key of them", function()
    assert.is_nil((json.new({ nan = "literal" }).encode(json.object({ [inf] = 1 }))))
  end)
end)

describe("the option sparse", function()
  it("is an error by default, so that nothing is lost or made up", function()
    for _, codec in ipairs({ json, json.new({ sparse = "error", sorted = true }) }) do
      for _, value in ipairs({ { [1] = 1, [3] = 3 }, { [2] = 1 }, { 1, x = 1 }, { [0] = 1 }, { [1.5] = 1 } }) do
        local text, message = codec.encode({ list = value })
        assert.is_nil(text)
        assert.truthy(message:find("^list: "), message)
      end
    end
  end)

  it("fills holes with null, up to a ratio", function()
    local codec = json.new({ sparse = "null" })
    assert.equal("[null,2]", codec.encode({ [2] = 2 }))
    assert.equal("[1,null,null,null,null,null,null,null,null,10]", codec.encode({ [1] = 1, [10] = 10 }))
    assert.equal("[1,null]", codec.encode({ 1, fkrpc.null }))
    assert.equal('["a",null,{"x":[null,1]}]', codec.encode({ [1] = "a", [3] = { x = { [2] = 1 } } }))
    assert.equal("[null,1]", codec.encode(json.array({ [2] = 1 })))
    assert.equal('{"3":1}', codec.encode(json.object({ [3] = 1 })))
    assert.equal(json.encode({ 1, 2 }), codec.encode({ 1, 2 }))
    for _, value in ipairs({ { [11] = 1 }, { [1] = 1, [21] = 1 }, { [2 ^ 53] = 1 }, { [1e300] = 1 }, { [inf] = 1 } }) do
      local text, message = codec.encode(value)
      assert.is_nil(text)
      assert.truthy(message:find("^array has holes") or message:find("no array's", 1, true), message)
    end
    for _, value in ipairs({ { [0] = 1 }, { 1, x = 2 }, { [1.5] = 1 }, { [-1] = 1 } }) do
      assert.is_nil((codec.encode(value)))
    end
  end)

  it("has a ratio of the caller's choice", function()
    assert.equal("[null,1]", json.new({ sparse = "null", sparse_ratio = 2 }).encode({ [2] = 1 }))
    assert.is_nil((json.new({ sparse = "null", sparse_ratio = 2 }).encode({ [3] = 1 })))
    assert.is_nil((json.new({ sparse = "null", sparse_ratio = 1 }).encode({ [2] = 1 })))
    assert.equal(1000, #json.new({ sparse = "null", sparse_ratio = 1000 }).decode(
      json.new({ sparse = "null", sparse_ratio = 1000 }).encode({ [1000] = 1 })))
    assert_refused({ sparse_ratio = 2 }, "'sparse_ratio' is for sparse")
    assert_refused({ sparse = "object", sparse_ratio = 2 }, "'sparse_ratio' is for sparse")
    assert_refused({ sparse = "null", sparse_ratio = 0 }, "'sparse_ratio' must be an integer")
  end)

  it("makes objects of all tables that are no arrays", function()
    local codec = json.new({ sparse = "object", sorted = true })
    assert.equal('{"1":"a","3":"c"}', codec.encode({ [1] = "a", [3] = "c" }))
    assert.equal('{"1":1,"2":2,"x":3}', codec.encode({ 1, 2, x = 3 }))
    assert.equal('{"-1":1,"0":2,"1.5":3}', codec.encode({ [-1] = 1, [0] = 2, [1.5] = 3 }))
    assert.equal("[1,2]", codec.encode({ 1, 2 }))
    assert.equal('[{"2":{"x":{"2":1}}}]', codec.encode({ { [2] = { x = { [2] = 1 } } } }))
    assert.is_nil((codec.encode(json.array({ [2] = 1 }))))
    assert.is_nil((codec.encode({ [true] = 1 })))
    assert.is_nil((codec.encode({ 1, [print] = 1 })))
  end)

  it("refuses a number and a string that would be the same key", function()
    local message = "table has a number key and a string key of the same text"
    for _, value in ipairs({ { 1, ["1"] = 2 }, { [1.5] = 1, ["1.5"] = 2 }, { a = 1, [-7] = 1, ["-7"] = 2 } }) do
      assert.same({ nil, message }, { json.new({ sparse = "object" }).encode(value) })
      assert.same({ nil, message }, { json.encode(json.object(value)) })
      assert.same({ nil, message }, { json.new({ sorted = true }).encode(json.object(value)) })
    end
    assert.equal('{"01":2,"1":1,"1.0":3,"1e0":4}', json.new({ sparse = "object", sorted = true }).encode(
      { 1, ["01"] = 2, ["1.0"] = 3, ["1e0"] = 4 }))
    if INTEGERS then
      assert.equal('{"9007199254740993":1}', json.encode(json.object({ [9007199254740993] = 1 })))
    end
  end)
end)

describe("the option integral", function()
  local codec = json.new({ integral = true })

  it("writes floats with an integral value like integers", function()
    assert.equal("[1,-3,2.5,9007199254740992]", codec.encode({ 1.0, -3.0, 2.5, 2 ^ 53 }))
    assert.equal("[-0.0,1e+300]", codec.encode({ -0.0, 1e300 }))
  end)

  it("reads them as integers where Lua has such", function()
    local list = codec.decode("[1.0,1e3,-2.50e1,1.5,1e300,-0.0,-0]")
    assert.same({ 1, 1000, -25, 1.5, 1e300, 0, 0 }, list)
    assert.equal(-inf, 1 / list[6])
    if INTEGERS then
      assert.equal("integer", math.type(list[1]))
      assert.equal("integer", math.type(list[2]))
      assert.equal("float", math.type(list[5]))
      assert.equal("float", math.type(json.decode("1.0")))
    end
  end)
end)

describe("a codec with a style", function()
  it("writes what reads back as what other codecs write", function()
    local seed = 7
    local function random(n)
      seed = seed * 16807 % 2147483647
      return seed % n
    end
    local function made(depth)
      local kind = random(depth > 4 and 5 or 9)
      if kind == 0 then return random(2000) - 1000 end
      if kind == 1 then return random(1000) / 8 end
      if kind == 2 then return random(2) == 0 end
      if kind == 3 then return fkrpc.null end
      if kind == 4 then return ('\\"{[,:\n\1 x'):sub(random(9) + 1) .. random(100) end
      local t = {}
      if kind < 7 then
        for i = 1, random(6) do t[i] = made(depth + 1) end
        return json.array(t)
      end
      for _ = 1, random(6) do t[('"\\,k'):sub(random(4) + 1) .. random(100)] = made(depth + 1) end
      return t
    end
    local sorted, indented = json.new({ sorted = true }), json.new({ sorted = true, indent = "\t" })
    for _ = 1, 2000 do
      local value = made(0)
      local compact = sorted.encode(value)
      assert.equal(#json.encode(value), #compact)
      assert.equal(compact, sorted.encode(json.decode(indented.encode(value))))
      assert.equal(indented.encode(value), indented.encode(json.decode(json.encode(value))))
    end
  end)

  it("takes the other options, too", function()
    local codec = json.new({
      sorted = true, strings = "bytes", big = "float", empty = "array", depth = 2, max_size = 21,
    })
    assert.equal('{"a":[],"b":"\255"}', codec.encode({ b = "\255", a = {} }))
    assert.equal(1e20, codec.decode("100000000000000000000"))
    assert.is_nil((codec.decode("[[[]]]")))
    assert.is_nil((codec.decode((" "):rep(21) .. "1")))
  end)

  it("decodes as every codec does", function()
    local codec = json.new({ sorted = true })
    assert.equal("[]", codec.encode(codec.decode("[]")))
    assert.equal(fkrpc.null, codec.decode("null"))
    assert.same({ json.decode("[1,]") }, { codec.decode("[1,]") })
    assert.same({ 2, 4 }, { codec.decode("1 2 3", 3) })
    assert.is_false(pcall(codec.decode, 5))
    assert.is_false(pcall(codec.encode))
  end)

  it("has options of the right kind", function()
    for name, value in pairs({ sorted = 1, drop_null = "yes", integral = 0, nan = true, sparse = "fill" }) do
      assert_refused({ [name] = value }, "'" .. name .. "' must be")
    end
  end)

  it("is collected when it is dropped, with its null", function()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local none = {}
      weak[none] = true
      assert.equal("null", json.new({ null = none }).encode(none))
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)
