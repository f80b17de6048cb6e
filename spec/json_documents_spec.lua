-- json.documents: the values that stand one after the other in a text; and the excerpts in errors.

local fkrpc = require("fkrpc")
local json = fkrpc.json

local function all(text, ...)
  local found = {}
  for at, value, message in json.documents(text, ...) do
    found[#found + 1] = at .. "=" .. (message and "error" or json.encode(value))
  end
  return table.concat(found, " ")
end

describe("json.documents", function()
  it("goes through JSON lines", function()
    assert.equal('1={"a":1} 9=[2] 14="x" 20=null', all('{"a":1}\n[2]\n\n"x"\r\n\tnull\n'))
    assert.equal("1=1", all("1"))
  end)

  it("goes through values with nothing between them", function()
    assert.equal('1={} 3=[] 5="a" 8="b" 11=true 15=false', all('{}[]"a""b"truefalse'))
  end)

  it("finds nothing in nothing", function()
    assert.equal("", all(""))
    assert.equal("", all(" \n\t\r "))
    assert.equal("", all("1", 2))
  end)

  it("starts where it is told to", function()
    assert.equal("3=2 5=3", all("1 2 3", 2))
  end)

  it("ends with what is wrong, and where", function()
    assert.equal("1=1 4=error", all("1 [,2] 3"))
    assert.equal("1=1 3=error", all("1 \v2"))
    assert.equal("1=error", all(",1"))
    local last
    for at, value, message in json.documents('{"a":1}\n{"a":}\n{"a":2}') do last = { at, value, message } end
    assert.equal(14, last[1])
    assert.is_nil(last[2])
    assert.equal('unexpected character at line 2 col 6 (byte 14), near "}\\n{"a":2}"', last[3])
  end)

  it("belongs to every codec, with its options", function()
    local seen = {}
    for at, value, message in json.new({ drop_null = true }).documents("null 1 null") do
      assert.is_nil(message)
      seen[#seen + 1] = at .. ":" .. tostring(value)
    end
    assert.same({ "1:nil", "6:1", "8:nil" }, seen)
    for _, _, message in json.new({ depth = 1 }).documents("[[]]") do assert.is_string(message) end
  end)

  it("can be left and nested", function()
    local pairs_seen = 0
    for at in json.documents("1 2 3") do
      for other in json.documents("1 2 3") do
        if other > at then break end
        pairs_seen = pairs_seen + 1
      end
    end
    assert.equal(6, pairs_seen)
  end)

  it("raises mistakes in the call at the caller's line", function()
    local function assert_refused(which, ...)
      local arguments = { ... }
      local fine, message = pcall(function() json.documents(arguments[1], arguments[2]) end)
      assert.is_false(fine)
      assert.truthy(message:find("json_documents_spec.lua:%d+: bad argument #" .. which), message)
    end
    assert_refused(1, 5)
    for _, start in ipairs({ 0, 3, 1.5, "1", -1 }) do assert_refused(2, "1", start) end
  end)
end)

describe("the message of a refused text", function()
  local function message_of(text) return (select(2, json.decode(text))) end

  it("shows what stands there", function()
    assert.equal('unexpected character at line 1 col 4 (byte 4), near "]"', message_of("[1,]"))
    assert.equal("unexpected end of input at line 1 col 4 (byte 4)", message_of("[1,"))
    assert.equal('trailing garbage after the value at line 2 col 1 (byte 3), near "x"', message_of("1\nx"))
  end)

  it("shows little of it, no control characters and no part of a character", function()
    assert.equal('unexpected character at line 1 col 1 (byte 1), near "xxxxxxxxxxxxxxxxxxxx..."',
      message_of(("x"):rep(99)))
    assert.equal([[control character in string at line 1 col 2 (byte 2), near "\u{0}\n\xff"]], message_of('"\0\n\255'))
    local han = "\228\189\160"
    assert.truthy(message_of("x" .. han:rep(9)):find('near "x' .. han:rep(6) .. '..."', 1, true))
  end)
end)
