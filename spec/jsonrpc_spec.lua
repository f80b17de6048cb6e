-- fkrpc.jsonrpc: messages as values, the error registry, and `handle` on the specification's own examples.
local fkrpc = require "fkrpc"
local json, jsonrpc = fkrpc.json, fkrpc.jsonrpc

-- Texts are compared as values: member order is free.
local function same_message(expected, got)
  if expected == nil then
    assert.is_nil(got)
  else
    assert.same(json.decode(expected), json.decode(got))
  end
end

-- The answer without its error's data, which is ours to choose.
local function without_data(text)
  local value = json.decode(text)
  local function strip(message) if message.error then message.error.data = nil end end
  if value.error then strip(value) else for _, message in ipairs(value) do strip(message) end end
  return json.encode(value)
end

describe("building", function()
  it("makes requests, with an empty params table as an array", function()
    same_message('{"jsonrpc":"2.0","id":1,"method":"m","params":[]}', json.encode(jsonrpc.request("m", {}, 1)))
    same_message('{"jsonrpc":"2.0","id":"a","method":"m"}', json.encode(jsonrpc.request("m", nil, "a")))
  end)

  it("makes notifications without an id", function()
    same_message('{"jsonrpc":"2.0","method":"m","params":{"a":1}}', json.encode(jsonrpc.notification("m", { a = 1 })))
  end)

  it("writes a nil result as null, never leaves it out", function()
    same_message('{"jsonrpc":"2.0","id":1,"result":null}', json.encode(jsonrpc.response(1)))
  end)

  it("makes error responses from objects, names and codes", function()
    local expected = '{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Method not found"}}'
    same_message(expected, json.encode(jsonrpc.error(nil, "method_not_found")))
    same_message(expected, json.encode(jsonrpc.error(fkrpc.null, -32601)))
    same_message('{"jsonrpc":"2.0","id":2,"error":{"code":-5,"message":"five","data":[1]}}',
      json.encode(jsonrpc.error(2, fkrpc.error { code = -5, message = "five", data = { 1 } })))
  end)

  it("refuses ids that are none, params that are no table and empty batches", function()
    assert.has_error(function() jsonrpc.request("m", {}, {}) end)
    assert.has_error(function() jsonrpc.request("m", 5, 1) end)
    assert.has_error(function() jsonrpc.request(nil, {}, 1) end)
    assert.has_error(function() jsonrpc.batch {} end)
    assert.has_error(function() jsonrpc.error(1, "no_such_error") end)
  end)
end)

describe("the error registry", function()
  after_each(function() jsonrpc.errors.remove("room_full") end)

  it("has the six standard errors and protects them", function()
    local codes = {}
    for _, name in ipairs { "parse_error", "invalid_request", "method_not_found", "invalid_params", "internal_error",
                            "server_error" } do
      codes[#codes + 1] = jsonrpc.errors.get(name).code
      assert.has_error(function() jsonrpc.errors.remove(name) end)
      assert.has_error(function() jsonrpc.errors.add(name, -32050, "mine") end)
    end
    assert.same({ -32700, -32600, -32601, -32602, -32603, -32000 }, codes)
  end)

  it("adds, finds by name and code, and removes errors of one's own", function()
    jsonrpc.errors.add("room_full", -32042, "Room is full")
    assert.equal("Room is full", jsonrpc.errors.get("room_full").message)
    local e = jsonrpc.errors.get(-32042, "room 7")
    assert.same({ -32042, "room 7" }, { e.code, e.data })
    assert.equal("-32042: Room is full (room 7)", tostring(e))
    assert.is_true(jsonrpc.errors.remove("room_full"))
    assert.is_nil(jsonrpc.errors.get("room_full"))
    assert.is_nil(jsonrpc.errors.get(-32042))
    assert.is_false(jsonrpc.errors.remove("room_full"))
  end)

  it("refuses codes outside -32099..-32000 and codes in use", function()
    for _, code in ipairs { -32100, -31999, 1.5, "x" } do
      assert.has_error(function() jsonrpc.errors.add("room_full", code, "m") end)
    end
    assert.has_error(function() jsonrpc.errors.add("room_full", -32000, "m") end)
  end)

  it("gives each caller an object of its own", function()
    jsonrpc.errors.get("server_error").message = "spoilt"
    assert.equal("Server error", jsonrpc.errors.get("server_error").message)
  end)
end)

describe("reading", function()
  it("tells requests, notifications, responses and errors apart", function()
    assert.equal("request", jsonrpc.read('{"jsonrpc":"2.0","id":1,"method":"m"}').kind)
    assert.equal("notification", jsonrpc.read('{"jsonrpc":"2.0","method":"m","params":[1]}').kind)
    assert.equal("response", jsonrpc.read('{"jsonrpc":"2.0","id":1,"result":0}').kind)
    assert.equal("error", jsonrpc.read('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}').kind)
  end)

  it("keeps integer, string and null ids distinct", function()
    assert.equal(92, jsonrpc.read('{"jsonrpc":"2.0","id":92,"method":"m"}').id)
    assert.equal("92", jsonrpc.read('{"jsonrpc":"2.0","id":"92","method":"m"}').id)
    assert.equal(fkrpc.null, jsonrpc.read('{"jsonrpc":"2.0","id":null,"method":"m"}').id)
  end)

  it("does not take a null result for a missing one", function()
    assert.equal(fkrpc.null, jsonrpc.read('{"jsonrpc":"2.0","id":1,"result":null}').result)
    local message, err = jsonrpc.read('{"jsonrpc":"2.0","id":1}')
    assert.is_nil(message)
    assert.equal(-32600, err.code)
  end)

  it("gives a batch's messages one by one, bad ones as invalid", function()
    local batch = jsonrpc.read('[{"jsonrpc":"2.0","method":"m"},5]')
    assert.same({ "batch", "notification", "invalid", -32600 },
      { batch.kind, batch[1].kind, batch[2].kind, batch[2].error.code })
  end)

  it("answers what cannot be read with the code that fits", function()
    local code = function(text) return select(2, jsonrpc.read(text)).code end
    assert.equal(-32700, code("{"))
    for _, text in ipairs { "5", "null", "[]", "{}", '{"jsonrpc":"1.0","method":"m"}', '{"jsonrpc":"2.0","method":1}',
                            '{"jsonrpc":"2.0","id":{},"method":"m"}', '{"jsonrpc":"2.0","id":1,"error":"text"}',
                            '{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1}}' } do
      assert.equal(-32600, code(text), text)
    end
    assert.equal(-32602, code('{"jsonrpc":"2.0","id":1,"method":"m","params":5}'))
  end)
end)

describe("handle", function()
  local updates
  local methods = {
    subtract = function(params)
      if params.minuend then return params.minuend - params.subtrahend end
      return params[1] - params[2]
    end,
    sum = function(params)
      local total = 0
      for _, n in ipairs(params) do total = total + n end
      return total
    end,
    get_data = function() return { "hello", 5 } end,
    update = function(params) updates[#updates + 1] = params end,
    notify_hello = function() end,
    again = function(params)
      return jsonrpc.handle(params.methods or {}, '{"jsonrpc":"2.0","id":1,"method":"x"}')
    end,
  }
  before_each(function() updates = {} end)

  -- JSON-RPC 2.0 Specification, section 7: what is sent, and what comes back (nil: nothing).
  local examples = {
    { '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
      '{"jsonrpc": "2.0", "result": 19, "id": 1}' },
    { '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
      '{"jsonrpc": "2.0", "result": -19, "id": 2}' },
    { '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
      '{"jsonrpc": "2.0", "result": 19, "id": 3}' },
    { '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
      '{"jsonrpc": "2.0", "result": 19, "id": 4}' },
    { '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', nil },
    { '{"jsonrpc": "2.0", "method": "foobar"}', nil },
    { '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
      '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}' },
    { '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}' },
    { '{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
      '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}' },
    { '[\n  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},\n  {"jsonrpc": "2.0", "method"\n]',
      '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}' },
    { '[]', '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}' },
    { '[1]', '[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]' },
    { '[1,2,3]', '[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},'
      .. '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},'
      .. '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]' },
    { '[\n {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},\n'
      .. ' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},\n'
      .. ' {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},\n {"foo": "boo"},\n'
      .. ' {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},\n'
      .. ' {"jsonrpc": "2.0", "method": "get_data", "id": "9"}\n]',
      '[{"jsonrpc": "2.0", "result": 7, "id": "1"}, {"jsonrpc": "2.0", "result": 19, "id": "2"},'
      .. '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},'
      .. '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},'
      .. '{"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}]' },
    { '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
      .. '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]', nil },
  }
  for number, example in ipairs(examples) do
    it("answers the specification's example " .. number, function()
      local answer = jsonrpc.handle(methods, example[1])
      same_message(example[2], answer and without_data(answer))
    end)
  end

  it("hands notifications to their methods", function()
    jsonrpc.handle(methods, '{"jsonrpc": "2.0", "method": "update", "params": [1,2]}')
    assert.same({ { 1, 2 } }, updates)
  end)

  it("may be called inside a method", function()
    local answer = json.decode(jsonrpc.handle(methods, '{"jsonrpc":"2.0","id":1,"method":"again","params":{}}'))
    assert.equal(-32601, json.decode(answer.result).error.code)
  end)

  it("refuses a line feed inside a string as the control character it is", function()
    assert.equal(-32700, json.decode(jsonrpc.handle(methods, '{"jsonrpc":"2.0","method":"a\nb","id":1}')).error.code)
  end)

  it("raises on arguments that are none", function()
    assert.has_error(function() jsonrpc.handle(nil, "{}") end)
    assert.has_error(function() jsonrpc.handle({}, 5) end)
  end)
end)
