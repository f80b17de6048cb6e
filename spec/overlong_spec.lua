-- Messages longer than max_frame: nobody waits in vain for what was passed over.
local fkrpc = require("fkrpc")

local WIRES = {
  { codec = "json" }, { codec = "json", framing = "content-length" }, { codec = "json", framing = "length" },
  { codec = "cbor" }, { codec = "cbor", framing = "length" }, { codec = "cbor", keys = "freekill" },
}

describe("a message longer than max_frame", function()
  for _, wire in ipairs(WIRES) do
    local name = wire.codec .. " " .. (wire.framing or wire.keys or "")
    local function pair()
      local options = { max_frame = 1000 }
      for option, value in pairs(wire) do options[option] = value end
      return fkrpc.pair(options)
    end

    it("fails the call whose reply it is (" .. name .. ")", function()
      local one, other = pair()
      other:on("repeat", function(params) return ("x"):rep(params[1]) end)
      local result, err = one:call("repeat", { 2000 })
      assert.same({ nil, -32603, "Invalid reply", "the reply has more than 1000 bytes (option max_frame here)" },
        { result, err.code, err.message, err.data })
      assert.equal("xxx", one:must("repeat", { 3 }))
      assert.equal(1, one:stats().malformed)
      assert.equal(0, other:stats().strays)
    end)

    it("is answered under its own id if it is a request (" .. name .. ")", function()
      local one, other = pair()
      other:on("length", function(params) return #params[1] end)
      local _, err = one:call("length", { ("x"):rep(2000) })
      assert.same({ -32600, "a message may have 1000 bytes (option max_frame)" }, { err.code, err.data })
      assert.equal(3, one:must("length", { "xxx" }))
      assert.equal(0, one:stats().strays)
    end)
  end

  it("fails an outer call when it is that one's turn", function()
    local one, other = fkrpc.pair({ max_frame = 600 })
    one:on("inner", function()
      other:send_raw('{"jsonrpc":"2.0","id":1,"result":"' .. ("x"):rep(1000) .. '"}\n')
      return one:must("last")
    end)
    other:on("outer", function() return other:must("inner") end)
    other:on("last", function() return "done" end)
    local _, err = one:call("outer")
    assert.same({ -32603, "Invalid reply" }, { err.code, err.message })
    assert.is_true(one:step(0))
    assert.equal(1, one:stats().strays) -- the reply that the handler sent at last
  end)

  it("is answered with a null id if params hide the id", function()
    local one, other = fkrpc.pair({ max_frame = 600 })
    one:send_raw('{"params":["' .. ("x"):rep(1000) .. '"],"id":1,"method":"m","jsonrpc":"2.0"}\n')
    assert.is_true(other:step(0))
    local answer = fkrpc.json.decode(one:receive_raw(0))
    assert.same({ fkrpc.null, -32600 }, { answer.id, answer.error.code })
  end)

  it("is never answered if it is a reply", function()
    local one, other = fkrpc.pair({ max_frame = 600 })
    for _, id in ipairs({ "7", '"x"', "null" }) do
      one:send_raw('{"id":' .. id .. ',"result":"' .. ("x"):rep(1000) .. '"}\n')
      assert.is_true(other:step(0))
    end
    assert.is_false(one:receive_raw(0))
    assert.equal(3, other:stats().malformed)
  end)
end)
