-- Which strings of a CBOR message are text strings, and which byte strings.
local fkrpc = require("fkrpc")

local PING = "\164gjsonrpcc2.0bid%sfmethoddpingfparams\128"

local function answer(id, options, handler)
  local one, other = fkrpc.pair(options or { codec = "cbor" })
  other:on("ping", handler or function() return 1 end)
  one:send_raw((PING:gsub("%%s", function() return id end)))
  assert.is_true(other:step(0))
  return one:receive_raw(0)
end

describe("a string id in CBOR", function()
  it("comes back as the text string or the byte string it was, however its length is written", function()
    local long = ("y"):rep(300)
    local back = {
      ["`"] = "`", ["aa"] = "aa", ["x\1a"] = "aa", ["y\0\1a"] = "aa", ["z\0\0\0\1a"] = "aa",
      ["@"] = "@", ["Aa"] = "Aa", ["X\1a"] = "Aa", ["Y\0\1a"] = "Aa", ["{\0\0\0\0\0\0\0\1a"] = "aa",
    }
    for id, same in pairs(back) do assert.truthy(answer(id):find("bid" .. same .. "fresult\1", 1, true), id) end
    assert.truthy(answer("y\1\44" .. long):find("bidy\1\44" .. long .. "fresult\1", 1, true))
    assert.truthy(answer("Y\1\44" .. long):find("bidY\1\44" .. long .. "fresult\1", 1, true))
  end)

  it("is a byte string for FreeKill whatever it was", function()
    local one, other = fkrpc.pair({ codec = "cbor", keys = "freekill" })
    other:on("ping", function() return 1 end)
    one:send_raw("\164\24\100C2.0\24\104aa\24\101Dping\24\102\128")
    assert.is_true(other:step(0))
    assert.truthy(one:receive_raw(0):find("\24\104Aa", 1, true))
  end)
end)

describe("an error in CBOR", function()
  it("has text strings as message and as text in data", function()
    local bytes = answer("\1", nil, function() return nil, fkrpc.error({ code = 1, message = "no", data = "why" }) end)
    assert.truthy(bytes:find("gmessagebno", 1, true))
    assert.truthy(bytes:find("ddatacwhy", 1, true))
  end)

  it("has byte strings where that is no UTF-8", function()
    local function refuse() return nil, fkrpc.error({ code = 1, message = "\255", data = "\254" }) end
    local bytes = answer("\1", nil, refuse)
    assert.truthy(bytes:find("gmessageA\255", 1, true))
    assert.truthy(bytes:find("ddataA\254", 1, true))
  end)
end)

describe("strings = \"text\"", function()
  it("leaves bytes what a tag wants as bytes", function()
    local codec = fkrpc.cbor.new({ strings = "text" })
    local big = "\194I\1\0\0\0\0\0\0\0\0" -- 2^64
    assert.equal(big, codec.encode(codec.decode(big)))
    assert.equal("\216\24Aa", codec.encode(fkrpc.cbor.tagged(24, "a")))
    assert.equal("\216\64Aa", codec.encode(fkrpc.cbor.tagged(64, "a")))
    assert.equal("\216\32aa", codec.encode(fkrpc.cbor.tagged(32, "a")))
  end)
end)
