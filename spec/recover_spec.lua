-- Messages that lead nowhere: whoever waits for one is told, and the log says why.
local fkrpc = require("fkrpc")
local programs = require("spec.programs")

local TIMEOUT = { timeout = programs.DEADLINE }

-- A program that answers each line it reads with the same bytes.
local function answering(answer)
  return assert(fkrpc.spawn({ "sh", "-c", "while read -r line; do printf '" .. answer .. "'; done" }))
end

after_each(programs.finish)

describe("a reply that cannot be decoded", function()
  for what, answer in pairs({
    ["a string that is not UTF-8"] = [[{"jsonrpc":"2.0","id":1,"result":"\377"}\n]],
    ["an integer beyond 64 bits"] = [[{"jsonrpc":"2.0","id":1,"result":[18446744073709551616]}\n]],
    ["deeper nesting than is allowed"] = '{"jsonrpc":"2.0","id":1,"result":' .. ("["):rep(200)
      .. ("]"):rep(200) .. "}\\n",
  }) do
    it("because of " .. what .. " fails its call and says why", function()
      local result, err = answering(answer):call("x", {}, TIMEOUT)
      assert.is_nil(result)
      assert.equal(-32603, err.code)
      assert.truthy(err.data:find("cannot be decoded: ", 1, true), err.data)
    end)
  end

  it("fails the outer call it belongs to, when it comes while an inner one waits", function()
    local one, other = fkrpc.pair()
    other:on("outer", function(_, ctx)
      other:send_raw('{"jsonrpc":"2.0","id":' .. ("%d"):format(ctx.id) .. ',"result":"\255"}\n')
      return other:must("inner")
    end)
    one:on("inner", function() return 1 end)
    local _, err = one:call("outer")
    assert.equal(-32603, err.code)
  end)

  it("is never answered", function()
    local one, other = fkrpc.pair()
    other:send_raw('{"jsonrpc":"2.0","id":7,"result":"\255"}\n')
    assert.is_true(one:step(0))
    assert.is_false(other:step(0))
    assert.equal(1, one:stats().strays)
  end)
end)

describe("a request that cannot be decoded", function()
  it("is answered under its own id, so that its caller does not wait for ever", function()
    local strict, lax = fkrpc.pair()
    lax:send_raw('{"jsonrpc":"2.0","id":"abc","method":"m","params":["\255"]}\n')
    assert.is_true(strict:step(0))
    assert.is_true(lax:step(0)) -- the answer, which no call of this end waits for
    assert.equal(1, lax:stats().strays)
    assert.equal(0, strict:stats().requests)
    assert.equal(1, strict:stats().malformed)
  end)

  it("too deep for the reader fails the call at once in CBOR, too", function()
    local one, other = fkrpc.pair({ codec = "cbor", depth = 1000 })
    other:on("*", function() end)
    local deep = {}
    for _ = 1, 300 do deep = { deep } end
    assert.is_nil(one:call("m", { deep }))
    local narrow = fkrpc.pair({ codec = "cbor", depth = 64 })
    local ok, message = pcall(narrow.call, narrow, "m", { deep })
    assert.is_false(ok)
    assert.truthy(message:find("nested too deeply", 1, true))
  end)
end)

describe("the log", function()
  it("names the peer and the reason, and shows the message", function()
    local text = programs.run('require("fkrpc").stdio():serve()',
      '{"jsonrpc":"2.0","method":"nobody","params":["text"]}\n{"jsonrpc":"2.0","id":9,"result":1}\n').err
    assert.truthy(text:find('stdio json: a notification nobody handles: {"jsonrpc":"2.0","method":"nobody"', 1, true),
      text)
    assert.truthy(text:find("stdio json: a reply no call waits for", 1, true), text)
  end)
end)

describe("mistakes in calling", function()
  it("are explained when the colon was forgotten", function()
    local one = fkrpc.pair()
    for _, method in ipairs({ "call", "must", "serve", "notify", "send_raw", "stats", "stop", "close_stdin" }) do
      if one[method] then
        local ok, message = pcall(one[method], "x", { 1 })
        assert.is_false(ok)
        assert.truthy(tostring(message):find("colon", 1, true), method .. ": " .. tostring(message))
      end
    end
  end)

  it("name the method when it is the method that cannot be sent", function()
    local one = fkrpc.pair()
    local ok, message = pcall(one.call, one, "\255")
    assert.is_false(ok)
    assert.truthy(message:find("bad argument #1 to 'call' (method name: ", 1, true), message)
  end)

  it("are refused in error objects", function()
    assert.has_error(function() fkrpc.error({ codes = 1 }) end)
  end)
end)
