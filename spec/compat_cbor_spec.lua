-- server.rpc.cbor by fkrpc.compat: the old module's values, order rule, hooks, leniencies and errors.
require "fkrpc.compat"
local cbor = require "server.rpc.cbor"
local helper = require "spec.helper"
local trace = require "demo.trace"

local exact = math.type ~= nil -- this Lua tells integers from floats

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function bytes(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
end
local function encoded(value, options) return hex(cbor.encode(value, options)) end
local function decoded(text, options) return cbor.decode(bytes(text), options) end
local function fails(with, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find(with, 1, true), tostring(message))
end

describe("cbor.encode", function()
  it("gives integers the shortest head", function()
    assert.same({ "00", "17", "1818", "18ff", "190100", "1a00010000", "20", "37", "3818" },
      { encoded(0), encoded(23), encoded(24), encoded(255), encoded(256), encoded(65536), encoded(-1), encoded(-24),
        encoded(-25) })
    if exact then
      assert.equal("1b7fffffffffffffff", encoded(math.maxinteger))
      assert.equal("3b7fffffffffffffff", encoded(math.mininteger))
    end
  end)

  it("gives floats nine bytes, whatever their value", function()
    assert.equal("fb3ff8000000000000", encoded(1.5))
    assert.equal("fb7ff0000000000000", encoded(1 / 0))
    if exact then
      assert.same({ "fb3ff0000000000000", "fb8000000000000000" }, { encoded(1.0), encoded(-0.0) })
    end
    assert.truthy(encoded(0 / 0):match("^fb[7f]ff8000000000000$"))
  end)

  it("writes byte strings, booleans and nil", function()
    assert.same({ "436162ff", "f5", "f4", "f6" }, { encoded("ab\255"), encoded(true), encoded(false), encoded(nil) })
  end)

  it("takes a table for an array only if its keys come as 1, 2, 3 ...", function()
    assert.equal("83010203", encoded { 1, 2, 3 })
    assert.equal("80", encoded {})
    assert.equal("a1416101", encoded { a = 1 })
    assert.equal("a10201", encoded { [2] = 1 })
    if exact then assert.equal("a201010303", encoded { 1, nil, 3 }) end
  end)

  it("sees nothing behind __index", function()
    assert.equal("80", encoded(setmetatable({}, { __index = { 1, 2 } })))
  end)

  it("asks __pairs and __len", function()
    if not exact then return end
    local function iterate(_, k)
      k = (k or 0) + 1
      if k <= 2 then return k, k * 10 end
    end
    local list = setmetatable({}, { __pairs = function(t) return iterate, t end, __len = function() return 2 end })
    assert.equal("820a14", encoded(list))
    assert.equal("81820a14", encoded { list })
    local map = setmetatable({}, { __pairs = function() return next, { x = 1 } end })
    assert.equal("a1417801", encoded(map))
  end)

  it("splices in what __tocbor returns, also an inherited one", function()
    local metatable = { __tocbor = function(t) return cbor.encode(t.name) end }
    assert.equal("8201416e", encoded { 1, setmetatable({ name = "n" }, metatable) })
    local derived = setmetatable({}, { __index = metatable })
    assert.equal("416e", encoded(setmetatable({ name = "n" }, derived)))
    assert.equal("8107", encoded({ setmetatable({}, metatable) }, { [metatable] = function() return "\7" end }))
  end)

  it("hands its options to hooks", function()
    local given
    local options = {}
    cbor.encode({ setmetatable({}, { __tocbor = function(_, o) given = o; return "\1" end }) }, options)
    assert.equal(options, given)
  end)

  it("honours __metatable", function()
    local hidden = { __tocbor = function() return "\7" end }
    assert.equal("07", encoded(setmetatable({}, { __metatable = hidden })))
    assert.equal("8101", encoded(setmetatable({ 1 }, { __metatable = "locked", __tocbor = hidden.__tocbor })))
    assert.equal("8101", encoded(setmetatable({ 1 }, { __metatable = false })))
  end)

  it("writes tagged and simple values", function()
    assert.equal("d980e98105", encoded(cbor.tagged(33001, { 5 })))
    assert.same({ "f6", "f7", "f863" }, { encoded(cbor.null), encoded(cbor.undefined), encoded(cbor.simple(99)) })
    assert.equal("c1416e", hex(getmetatable(cbor.tagged(1, "n")).__tocbor(cbor.tagged(1, "n"))))
  end)

  it("writes deeply nested tables that only look like arrays at first", function()
    local value = 0
    for i = 1, 100 do value = { i, value, x = 1 } end
    local back = cbor.decode(cbor.encode(value))
    for i = 100, 1, -1 do
      assert.same({ i, 1 }, { back[1], back.x })
      back = back[2]
    end
    assert.equal(#cbor.encode(value), #require("fkrpc").cbor.encode(value))
  end)

  it("refuses functions, threads, userdata without __tocbor and cycles", function()
    local cycle = {}
    cycle[1] = cycle
    for _, value in ipairs { print, coroutine.create(function() end), io.stdout, cycle } do
      assert.is_false((pcall(cbor.encode, value)))
      assert.is_false((pcall(cbor.encode, { value })))
    end
  end)
end)

describe("cbor.decode", function()
  it("ignores what follows the first item", function()
    assert.equal(1, decoded("0102"))
  end)

  it("wraps integers in 64 bits", function()
    if not exact then return end
    assert.equal(-1, decoded("1bffffffffffffffff"))
    assert.equal(32601, decoded("3bffffffffffff80a6"))
  end)

  it("makes integers of floats that are some, and of no others", function()
    assert.same({ 0, 1, 0 }, { decoded("f98000"), decoded("f93c00"), decoded("fb0000000000000000") })
    assert.equal(1.5, decoded("f93e00"))
    if exact then
      assert.equal("integer", math.type(decoded("fb4000000000000000")))
      assert.equal("float", math.type(decoded("fb43e0000000000000")))
    end
    assert.equal(1 / 0, decoded("f97c00"))
  end)

  it("gives null and undefined as the same tables each time, other simple values as new ones", function()
    assert.equal(cbor.null, decoded("f6"))
    assert.equal(cbor.null, decoded("83f601f6")[3])
    assert.equal(cbor.undefined, decoded("f7"))
    assert.not_equal(decoded("e0"), decoded("e0"))
    assert.equal(99, decoded("f863").value)
    assert.same({ "null", "undefined", "simple(99)" },
      { tostring(cbor.null), tostring(cbor.undefined), tostring(cbor.simple(99)) })
  end)

  it("takes both forms of false, true and null", function()
    assert.equal(false, decoded("f814"))
    assert.equal(true, decoded("f815"))
    assert.equal(cbor.null, decoded("f816"))
  end)

  it("joins the chunks of strings, integers among them", function()
    assert.equal("a\255b", decoded("5f4161 41ff 4162ff"))
    assert.equal("A2", decoded("5f414102ff"))
  end)

  it("gives arrays and maps without metatables", function()
    assert.is_nil(getmetatable(decoded("8101")))
    assert.is_nil(getmetatable(decoded("a10102")))
    assert.same({ { 1, { x = 2 } } }, { decoded("9f01bf417802ffff") })
  end)

  it("lets the later of equal keys win", function()
    assert.same({ a = 2 }, decoded("a2416101416102"))
  end)

  it("takes lengths of 2^63 and more for 0", function()
    assert.equal("", decoded("5bffffffffffffffff"))
    assert.same({}, decoded("9bffffffffffffffff"))
  end)

  it("looks tag handlers up when it meets the tag: the options' first, with the value alone", function()
    local tagged = decoded("d980e905")
    assert.same({ 33001, 5, "33001(5)" }, { tagged.tag, tagged.value, tostring(tagged) })
    assert.equal("d980e905", encoded(tagged))
    cbor.tagged_decoders[33001] = function(...) return { select("#", ...), (...) } end
    assert.same({ 1, 5 }, decoded("d980e905"))
    assert.same({ { 1, { 1, 5 } } }, decoded("81d980e9d980e905"))
    assert.equal(-5, decoded("d980e905", { [33001] = function(v) return -v end }))
    cbor.tagged_decoders[33001] = nil
    assert.equal(33001, decoded("d980e905").tag)
  end)

  it("may be called inside a handler", function()
    cbor.tagged_decoders[33002] = function(v) return cbor.decode(v) end
    assert.same({ { 1, 2 }, { 1, 2 } }, decoded("82 d980ea43820102 d980ea43820102"))
    cbor.tagged_decoders[33002] = nil
  end)

  it("asks the options for more bytes and for simple values", function()
    local asked = {}
    local function more(n)
      asked[#asked + 1] = n
      return bytes("0203")
    end
    assert.same({ 1, 2, 3 }, cbor.decode(bytes("8301"), { more = more }))
    assert.same({ 1, 2, 3 }, cbor.decode(bytes("8301"), more))
    assert.equal(1, asked[1])
    assert.equal(-99, decoded("f863", { simple = function(n) return -n end }))
  end)

  it("raises on short input, invalid lengths, NaN keys and what is no string", function()
    fails("input too short", decoded, "82")
    fails("input too short", decoded, "5a7fffffff00")
    fails("invalid length", decoded, "1c")
    fails("NaN", decoded, "a1fb7ff800000000000001")
    fails("string expected", cbor.decode, nil)
    fails("string expected", cbor.decode, 5)
    fails("function or table expected", cbor.decode, "\1", 5)
  end)

  it("is not stopped by depth", function()
    local depth = 5000
    local value = cbor.decode(("\129"):rep(depth) .. "\1")
    for _ = 1, depth do value = value[1] end
    assert.equal(1, value)
  end)
end)

describe("cbor.decode_file", function()
  it("reads one item after the other from whatever has read", function()
    local file = io.tmpfile()
    file:write(bytes("830143616263805a00000001ff"))
    file:seek("set")
    assert.same({ 1, "abc", {} }, cbor.decode_file(file))
    assert.equal("\255", cbor.decode_file(file))
    assert.is_nil(cbor.decode_file(file))
    file:close()
  end)

  it("raises where an item is cut off", function()
    local text = bytes("8201")
    local source = { read = function(_, n)
      local taken = text:sub(1, n)
      text = text:sub(n + 1)
      return taken ~= "" and taken or nil
    end }
    fails("input too short", cbor.decode_file, source)
  end)
end)

describe("type_encoders", function()
  it("serve as __tocbor", function()
    local list = setmetatable({ 1, 2, nil, x = 3 }, { __tocbor = cbor.type_encoders.array })
    assert.equal("820102", encoded(list))
    local ordered = { __tocbor = cbor.type_encoders.ordered_map }
    assert.equal("a2416102416201", encoded(setmetatable({ b = 1, a = 2 }, ordered)))
    assert.equal("a10105", encoded(setmetatable({ 5 }, { __tocbor = cbor.type_encoders.map })))
    assert.equal("6161", hex(cbor.type_encoders.utf8string("a")))
  end)

  it("change what encode does when one is replaced", function()
    local output = io.popen(("%s -e %s -e %s"):format(helper.quote(helper.interpreter),
      helper.quote("package.cpath = '" .. helper.library:match("^.*/") .. "?.so" .. "'"),
      helper.quote([[require "fkrpc.compat"; local cbor = require "server.rpc.cbor"
        cbor.type_encoders.string = cbor.type_encoders.utf8string
        io.write(cbor.encode({ "a" }))]])))
    assert.equal("816161", hex(output:read("*a")))
    output:close()
  end)
end)

describe("recorded packets and their payloads", function()
  local path = helper.root .. "/../shared/traces/h8.cbor.jsonl.gz"

  it("come back as they were: decoded, encoded and decoded again", function()
    local file = io.open(path)
    if not file then
      pending("there are no traces beside this folder")
      return
    end
    file:close()
    local json = require "json"
    local pipe = io.popen("zcat " .. helper.quote(path) .. " 2>/dev/null | head -4000")
    local packets, payloads = 0, 0
    local function check(text)
      local value = cbor.decode(text)
      local again = cbor.encode(value)
      assert.equal(#text, #again)
      assert.same(value, cbor.decode(again))
      return value
    end
    for line in pipe:lines() do
      local entry = json.decode(line)
      if entry.dir == "c2p" then
        local packet = check(trace.from_base64(entry.msg))
        packets = packets + 1
        if packet[101] == "ServerPlayer_doNotify" then
          check(packet[102][3])
          payloads = payloads + 1
        end
      end
    end
    pipe:close()
    assert.is_true(packets > 1000 and payloads > 500)
  end)
end)
