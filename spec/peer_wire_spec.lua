-- What goes over the wire: bad input gets its code and the peer goes on; strange replies end no call.
--
-- Bytes are sent through files to a child that serves, and its answers read as text.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json = fkrpc.json

-- A peer whose wire is two files: everything it is sent and everything it writes, decoded and as text.
local function transcript(lines)
  local done = programs.run([[
    local fkrpc = require("fkrpc")
    local peer = assert(fkrpc.stdio())
    peer:on("add", function(params) return params[1] + params[2] end)
    peer:on("id", function(_, ctx) return { id = ctx.id } end)
    peer:on("nothing", function() end)
    peer:on("fail", function() return nil, fkrpc.error({ code = 7, message = "seven" }) end)
    assert(peer:serve() == "eof")
  ]], lines)
  programs.finish()
  assert.equal(0, done.code, done.err)
  local answers = {}
  for line in done.out:gmatch("([^\n]*)\n") do
    answers[#answers + 1] = assert(json.decode(line))
  end
  return answers, done.out
end

local function codes(lines)
  local found = {}
  for i, answer in ipairs((transcript(lines))) do
    assert.equal("2.0", answer.jsonrpc)
    found[i] = { answer.error and answer.error.code or answer.result, answer.id }
  end
  return found
end

local NULL = fkrpc.null

describe("bad input gets its code", function()
  it("-32700 with a null id when it is no JSON", function()
    assert.same({ { -32700, NULL }, { -32700, NULL }, { -32700, NULL }, { -32700, NULL }, { 3, 1 } }, codes(
      "{\n" .. "hello\n" .. '{"jsonrpc":"2.0","method":"a\255"}\n' .. "\n"
        .. '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}\n'))
    assert.same({ { -32700, NULL }, { 3, 2 } }, codes(("["):rep(100000) .. "\n"
      .. '{"jsonrpc":"2.0","id":2,"method":"add","params":[1,2]}\n'))
  end)

  it("-32600 with its id when it can only be read with the limits off", function()
    assert.same({ { -32600, 1 }, { -32600, "x" }, { -32600, 3 } }, codes(
      '{"jsonrpc":"2.0","id":1,"method":"a\255"}\n'
        .. '{"jsonrpc":"2.0","id":"x","method":"add","params":[1e9,18446744073709551616]}\n'
        .. '{"jsonrpc":"2.0","id":3,"method":"add","params":' .. ("["):rep(200) .. ("]"):rep(200) .. "}\n"))
  end)

  it("-32600 when it is JSON and no request", function()
    assert.same({ { -32600, NULL }, { -32600, NULL }, { -32600, NULL }, { -32600, NULL }, { -32600, NULL },
      { -32600, NULL }, { -32600, NULL } }, codes('1\n"x"\nnull\ntrue\n{}\n[]\n-0.5\n'))
    assert.same({ { -32600, 5 }, { -32600, 6 }, { -32600, "x" }, { -32600, NULL }, { -32600, NULL } }, codes(
      '{"id":5}\n' .. '{"jsonrpc":"1.0","id":6,"method":"add"}\n' .. '{"id":"x","method":"add"}\n'
        .. '{"jsonrpc":"2.0","id":[1],"method":"add"}\n' .. '{"jsonrpc":"2.0","id":{},"method":"add"}\n'))
    assert.same({ { -32600, 1 }, { -32600, 2 }, { -32600, NULL } }, codes(
      '{"jsonrpc":"2.0","id":1,"method":5}\n' .. '{"jsonrpc":"2.0","id":2,"method":null}\n'
        .. '{"jsonrpc":"2.0","id":true,"method":"add"}\n'))
  end)

  it("-32601 when nobody handles the method, unless it is a notification", function()
    assert.same({ { -32601, 1 } }, codes('{"jsonrpc":"2.0","id":1,"method":"rpc.none"}\n'
      .. '{"jsonrpc":"2.0","method":"rpc.none"}\n'))
  end)

  it("-32602 when params are neither an array nor an object; null is as none", function()
    assert.same({ { -32602, 1 }, { -32602, 2 }, { NULL, 3 } }, codes(
      '{"jsonrpc":"2.0","id":1,"method":"add","params":1}\n'
      .. '{"jsonrpc":"2.0","id":2,"method":"add","params":"x"}\n'
      .. '{"jsonrpc":"2.0","id":3,"method":"nothing","params":null}\n'))
  end)

  it("-32603 when the handler fails", function()
    local answers, text = transcript('{"jsonrpc":"2.0","id":1,"method":"add","params":[]}\n')
    assert.equal(-32603, answers[1].error.code)
    assert.is_nil(text:find("traceback", 1, true))
  end)

  it("and never two answers, nor one to a response, however malformed", function()
    assert.same({}, codes('{"jsonrpc":"2.0","id":1,"result":5}\n' .. '{"jsonrpc":"2.0","id":null,"error":null}\n'
      .. '{"id":{},"result":null}\n' .. '{"error":5}\n' .. '{"jsonrpc":"2.0","id":7,"error":{"code":"x"}}\n'
      .. '{"result":1,"error":{}}\n'))
  end)

  it("and has the members of an answer and no others", function()
    local _, text = transcript('{"jsonrpc":"2.0","id":1,"method":"nothing"}\n'
      .. '{"jsonrpc":"2.0","id":2,"method":"fail"}\n')
    assert.equal('{"jsonrpc":"2.0","id":1,"result":null}\n'
      .. '{"jsonrpc":"2.0","id":2,"error":{"code":7,"message":"seven"}}\n', text)
  end)
end)

describe("an id", function()
  it("comes back as it was sent: integer, string and null are distinct", function()
    local ids = { "0", "1", "-1", "9007199254740991", '"1"', '""', '"a\\nb"', "null", '"\228\184\173"', "1.5" }
    local lines = {}
    for _, id in ipairs(ids) do
      lines[#lines + 1] = '{"jsonrpc":"2.0","id":' .. id .. ',"method":"id"}\n'
    end
    local answers, text = transcript(table.concat(lines))
    assert.equal(#ids, #answers)
    local n = 0
    for line in text:gmatch("[^\n]+") do
      n = n + 1
      assert.truthy(line:find('"id":' .. ids[n] .. ",", 1, true), line)
      assert.truthy(line:find('"result":{"id":' .. ids[n] .. "}", 1, true), line)
    end
  end)

  it("may be used twice by the caller: each request is answered", function()
    assert.same({ { 3, 1 }, { 5, 1 } }, codes('{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}\n'
      .. '{"jsonrpc":"2.0","id":1,"method":"add","params":[2,3]}\n'))
  end)
end)

describe("a batch", function()
  local function answer(text)
    local answers, written = transcript(text .. "\n")
    assert.is_true(#answers <= 1, written)
    return answers[1]
  end

  it("is answered by an array of what its members' answers are", function()
    local batch = answer('[{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}, '
      .. '{"jsonrpc":"2.0","method":"nothing"} ,{"jsonrpc":"2.0","id":"b","method":"none"},5,[],'
      .. '{"jsonrpc":"2.0","id":9,"result":[{"a":"]},"}]},{"jsonrpc":"2.0","id":3,"method":"fail"}]')
    local found = {}
    for _, one in ipairs(batch) do
      found[#found + 1] = { one.id, one.error and one.error.code or one.result }
    end
    assert.same({ { 1, 3 }, { "b", -32601 }, { NULL, -32600 }, { NULL, -32600 }, { 3, 7 } }, found)
  end)

  it("of one is answered by an array of one", function()
    assert.equal(1, #answer('[{"jsonrpc":"2.0","id":1,"method":"nothing"}]'))
    assert.equal(1, #answer("[1]"))
  end)

  it("of notifications and responses alone is not answered", function()
    assert.is_nil(answer('[{"jsonrpc":"2.0","method":"nothing"},{"jsonrpc":"2.0","id":1,"result":2}]'))
  end)

  it("that is empty is no request", function()
    local one = answer("[]")
    assert.equal(-32600, one.error.code)
  end)

  it("may come many at once, large ones too", function()
    local member = '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}'
    local text = "[" .. (member .. ","):rep(999) .. member .. "]\n"
    local answers = transcript(text:rep(3) .. member .. "\n")
    assert.equal(4, #answers)
    assert.equal(1000, #answers[1])
    assert.equal(1000, #answers[3])
    assert.equal(3, answers[4].result)
  end)

  it("may hold calls of a handler that calls back while it waits", function()
    local left, right = fkrpc.pair()
    local order = {}
    right:on("outer", function(params, ctx)
      order[#order + 1] = params[1]
      return (ctx.peer:call("inner", params))
    end)
    left:on("inner", function(params) return params[1] * 10 end)
    assert.is_true(left:send_raw('[{"jsonrpc":"2.0","id":100,"method":"outer","params":[1]},'
      .. '{"jsonrpc":"2.0","id":101,"method":"outer","params":[2]}]\n'))
    assert.equal("stopped", (left:serve()))
    -- The second member is served while the first waits for its inner call.
    assert.same({ 1, 2 }, order)
    assert.equal(2, left:stats().strays)
  end)
end)

describe("a strange reply", function()
  local left, right, result, err

  -- Call, and let the other end answer with these lines instead.
  local function called_with(...)
    left, right = fkrpc.pair()
    local lines = { ... }
    right:on("x", function()
      for _, line in ipairs(lines) do right:send_raw(line .. "\n") end
      return "own"
    end)
    result, err = left:call("x")
    return result, err
  end

  it("for another id, or none, or null ends no call, whether it is an error or not", function()
    for _, line in ipairs({
      '{"jsonrpc":"2.0","id":99,"result":1}', '{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"m"}}',
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}', '{"jsonrpc":"2.0","id":"1","result":1}',
      '{"error":{"code":1,"message":"m"}}', '{"jsonrpc":"2.0","id":[1],"result":1}', "nonsense", "5", "[1]",
    }) do
      assert.equal("own", called_with(line, line), line)
      assert.is_nil(err)
    end
  end)

  it("with a result beside a null error is a result", function()
    assert.equal(5, called_with('{"jsonrpc":"2.0","id":1,"result":5,"error":null}'))
    assert.equal(5, called_with('{"id":1,"result":5}'))
  end)

  it("with a result beside an error is the error", function()
    called_with('{"jsonrpc":"2.0","id":1,"result":5,"error":{"code":3,"message":"m","data":[1]}}')
    assert.is_nil(result)
    assert.same({ 3, "m", { 1 } }, { err.code, err.message, err.data })
  end)

  it("with an error that is none is -32603 with the reason", function()
    for line, reason in pairs({
      ['{"jsonrpc":"2.0","id":1,"error":"x"}'] = "the reply's error is not an object",
      ['{"jsonrpc":"2.0","id":1,"error":null}'] = "the reply's error is not an object",
      ['{"jsonrpc":"2.0","id":1,"error":{}}'] = "the reply's error has no integer code",
      ['{"jsonrpc":"2.0","id":1,"error":{"code":"1"}}'] = "the reply's error has no integer code",
    }) do
      called_with(line)
      assert.is_nil(result)
      assert.same({ -32603, "Invalid reply", reason }, { err.code, err.message, err.data })
    end
    called_with('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":5}}')
    assert.equal("Method not found", err.message)
  end)

  it("that comes twice counts once", function()
    assert.equal(5, called_with('{"jsonrpc":"2.0","id":1,"result":5}', '{"jsonrpc":"2.0","id":1,"result":6}'))
    left:step(0)
    assert.equal(1, left:stats().replies)
  end)

  it("with a null result is nil, and 0, false and empty ones are what they are", function()
    assert.is_nil(called_with('{"jsonrpc":"2.0","id":1,"result":null}'))
    assert.is_nil(err)
    assert.equal(0, called_with('{"jsonrpc":"2.0","id":1,"result":0}'))
    assert.equal(false, called_with('{"jsonrpc":"2.0","id":1,"result":false}'))
    assert.same({}, called_with('{"jsonrpc":"2.0","id":1,"result":[]}'))
  end)
end)
