-- fkrpc.cbor.new{ sorted = true }: the core deterministic encoding of RFC 8949, section 4.2.1.

local fkrpc = require("fkrpc")
local cbor = fkrpc.cbor

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("the option sorted of CBOR", function()
  local codec = cbor.new({ sorted = true })

  it("orders the example of RFC 8949, section 4.2.1", function()
    local text = cbor.new({ sorted = true, strings = "text" })
    -- 10, 100, -1, "z", "aa", false; a key that is an array cannot be a Lua key and come back.
    assert.equal("a60a011864022003617a0462616105f406",
      hex(text.encode({ [10] = 1, [100] = 2, [-1] = 3, z = 4, aa = 5, [false] = 6 })))
  end)

  it("orders maps at every depth and with more than 23 pairs", function()
    local forth, back = {}, {}
    for i = 1, 300 do forth["k" .. i] = { b = i, a = { y = 1, x = 2 } } end
    for i = 300, 1, -1 do back["k" .. i] = { b = i, a = { y = 1, x = 2 } } end
    local bytes = codec.encode(forth)
    assert.equal(hex(bytes), hex(codec.encode(back)))
    assert.same(forth, (codec.decode(bytes)))
    assert.equal("a24161a2417802417901416201", hex(codec.encode({ b = 1, a = { y = 1, x = 2 } })))
  end)

  it("orders what hooks and tags bring by its bytes", function()
    local hooked = setmetatable({}, { __tocbor = function() return "\24\100" end })
    assert.equal("a301f51864f4c102f5",
      hex(codec.encode({ [cbor.tagged(1, 2)] = true, [hooked] = false, [1] = true })))
  end)

  it("keeps the rest: arrays, holes as maps, hooks' errors, the path to what is wrong", function()
    assert.equal("83010203", hex(codec.encode({ 1, 2, 3 })))
    assert.equal("a2014101034103", hex(codec.encode({ [3] = "\3", [1] = "\1" })))
    assert.same({ nil, "a.b: cannot encode a function" }, { codec.encode({ a = { b = print } }) })
    local bad = setmetatable({}, { __tocbor = function() error("mine", 0) end })
    assert.same({ false, "mine" }, { pcall(codec.encode, { a = { b = bad, c = 1 } }) })
    assert.equal("f6", hex(codec.encode(fkrpc.null)))
  end)

  it("survives hooks that change the map they stand in", function()
    for _ = 1, 20 do
      local map = {}
      local hook = setmetatable({}, { __tocbor = function()
        for i = 1, 100 do map["new" .. i] = i end
        for key in pairs(map) do map[key] = nil end
        return "\1"
      end })
      for i = 1, 20 do map["k" .. i] = hook end
      local fine, message = pcall(codec.encode, map)
      assert.is_true(fine or message:find("next", 1, true) ~= nil, tostring(message))
    end
    assert.equal("a1416101", hex(codec.encode({ a = 1 })))
  end)

  it("is true or false", function()
    assert.error_matches(function() cbor.new({ sorted = "yes" }) end, "option 'sorted' must be a boolean")
  end)
end)
