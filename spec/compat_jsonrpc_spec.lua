-- server.rpc.jsonrpc by fkrpc.compat, in both modes: each test runs in a process of its own, whose environment says
-- which mode it is.
local helper = require "spec.helper"

-- What the chunk prints, with jsonrpc, json and cbor as locals.
local function run(mode, chunk)
  local prelude = [[require "fkrpc.compat"
    local jsonrpc, json, cbor = require "server.rpc.jsonrpc", require "json", require "server.rpc.cbor"
    local K = {}
    for name, key in pairs(jsonrpc) do if name:match("^key_") then K[name:sub(5)] = key end end
    local function show(...)
      local texts = {}
      for i = 1, select("#", ...) do texts[i] = tostring((select(i, ...))) end
      print(table.concat(texts, " "))
    end
  ]]
  local pipe = io.popen(("FK_RPC_MODE=%s %s -e %s -e %s 2>&1"):format(mode, helper.quote(helper.interpreter),
    helper.quote("package.cpath = '" .. helper.library:match("^.*/") .. "?.so'"), helper.quote(prelude .. chunk)))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("server.rpc.jsonrpc", function()
  it("has the field names of its mode", function()
    local chunk = [[show(K.jsonrpc, K.method, K.params, K.error, K.id, K.result, K.error_code, K.error_message,
      K.error_data)]]
    assert.equal("100 101 102 103 104 105 200 201 202\n", run("cbor", chunk))
    assert.equal("jsonrpc method params error id result code message data\n", run("json", chunk))
    assert.equal(run("json", chunk), run("anything", chunk))
  end)

  for _, mode in ipairs { "cbor", "json" } do
    it("numbers requests from 1 on and starts over after ten millions, in " .. mode .. " mode", function()
      assert.equal("1 2 3\n", run(mode, [[
        show(jsonrpc.request("m", {})[K.id], jsonrpc.request("m", {})[K.id], jsonrpc.get_next_free_id())]]))
      assert.equal("7 1\n", run(mode, [[show(jsonrpc.request("m", {}, 7)[K.id], jsonrpc.get_next_free_id())]]))
      assert.equal("1\n", run(mode, [[
        for i = 1, 20 do
          local name = debug.getupvalue(jsonrpc.get_next_free_id, i)
          if name == "next_id" then debug.setupvalue(jsonrpc.get_next_free_id, i, 10000000) end
        end
        jsonrpc.request("m")
        show(jsonrpc.get_next_free_id())]]))
    end)

    it("encodes what a function builds, in " .. mode .. " mode", function()
      assert.equal("2.0 hello world nil\n", run(mode, [[
        local text = jsonrpc.encode_rpc(jsonrpc.notification, "hello", { "world" })
        local packet = (K.id == "id" and json or cbor).decode(text)
        show(packet[K.jsonrpc], packet[K.method], packet[K.params][1], packet[K.id])]]))
      assert.equal("false false\n", run(mode, [[
        show((pcall(jsonrpc.encode_rpc, nil, "m")), (pcall(jsonrpc.notification, nil)))]]))
    end)

    it("answers requests, in " .. mode .. " mode", function()
      local expected = "7 5\n-32601 7\n" .. ("-32600 nil\n"):rep(5) .. "-32700 nil\n"
      assert.equal(expected, run(mode, [[
        local methods = { add = function(p) return true, p[1] + p[2] end }
        local function request(id, method) return { [K.jsonrpc] = "2.0", [K.id] = id, [K.method] = method,
          [K.params] = { 2, 3 } } end
        local answer = jsonrpc.server_response(methods, request(7, "add"))
        show(answer[K.id], answer[K.result])
        local wrong = { request(7, "other"), request(0, "add"), request("7", "add"), request(7, 5), {}, 5, "{" }
        for i = 1, 7 do
          answer = jsonrpc.server_response(methods, wrong[i])
          show(answer[K.error][K.error_code], answer[K.id])
        end]]))
    end)

    it("answers a batch with an array, in " .. mode .. " mode", function()
      assert.equal("2 1 2\n", run(mode, [[
        local batch = {}
        for id = 1, 2 do batch[id] = { [K.jsonrpc] = "2.0", [K.id] = id, [K.method] = "m" } end
        local answers = jsonrpc.server_response({ m = function() return true, 1 end }, batch)
        show(#answers, answers[1][K.id], answers[2][K.id])]]))
    end)

    it("keeps a registry of errors, in " .. mode .. " mode", function()
      assert.equal("-32050 mine data\nfalse\nfalse\nfalse\ntrue\nfalse true nil\n-32603\n", run(mode, [[
        jsonrpc.add_error_object("mine", { code = -32050, message = "mine" })
        local packet = jsonrpc.response_error({}, "mine", "data")[K.error]
        show(packet[K.error_code], packet[K.error_message], packet[K.error_data])
        show((pcall(jsonrpc.add_error_object, "other", { code = -32050, message = "m" })))
        show((pcall(jsonrpc.add_error_object, "other", { code = -31000, message = "m" })))
        show((pcall(jsonrpc.add_error_object, "parse_error", { code = -32051, message = "m" })))
        show((pcall(jsonrpc.add_error_object, "invalid_params", { code = -32052, message = "m" })))
        show(jsonrpc.remove_error_object("parse_error"), jsonrpc.remove_error_object("mine"),
          jsonrpc.get_error_object("mine"))
        show(jsonrpc.response_error({}, "mine")[K.error][K.error_code])]]))
    end)
  end

  it("builds nothing in CBOR mode that the parent cannot read", function()
    assert.equal("5 4 5\t6\nfalse\nfalse\nfalse\nfalse\n", run("cbor", [[
      local params = jsonrpc.request("print", { "1", "2", "3", "4", "5", "6" })[K.params]
      show(#params, params[4], params[5])
      show((pcall(jsonrpc.request, "m", { 1, 2, 3, 4, 5, 6 })))
      show((pcall(jsonrpc.request, "m", { 1.5 })))
      show((pcall(jsonrpc.request, "m", { {} })))
      show((pcall(jsonrpc.request, "m", { cbor.null })))]]))
    assert.equal("5 true 5.5\n", run("cbor", [[
      local given = { 5.5 - 0.5, true }
      local packet = cbor.decode(cbor.encode(jsonrpc.request("m", given)))
      local bytes = cbor.encode(jsonrpc.request("m", given)[K.params])
      show(bytes:byte(2), packet[K.params][2], given[1] + 0.5)]]))
    assert.equal("string nil string 5 string\n", run("cbor", [[
      local function data(v) return jsonrpc.response_error({}, "internal_error", v)[K.error][K.error_data] end
      show(type(data({ 1 })), data(nil), type(data(true)), data(5.0), type(data(print)))]]))
  end)

  it("leaves JSON packets as they are", function()
    assert.equal('["1","2","3","4","5","6"] [{}] 0.5 []\n', run("json", [[
      local function params(...) return json.encode(jsonrpc.request("print", { ... })[K.params]) end
      local answer = jsonrpc.server_response({ m = function() return true end },
        { jsonrpc = "2.0", id = 1, method = "m" })
      show(params("1", "2", "3", "4", "5", "6"), (params({ a = nil }):gsub("%[%[%]%]", "[{}]")),
        jsonrpc.response_error({}, "server_error", 0.5)[K.error].data, json.encode(answer.result))]]))
  end)
end)
