-- The option framing: how messages are told apart, what a frame looks like, and what happens to a broken one.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local function header(body)
  return ("Content-Length: %d\r\n\r\n%s"):format(#body, body)
end

local function length(body)
  local n = #body
  return string.char(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256, math.floor(n / 256) % 256, n % 256)
    .. body
end

local SPOKEN = {
  { framing = "line" },
  { framing = "content-length" },
  { framing = "length" },
  { codec = "cbor", framing = "sequence" },
  { codec = "cbor", framing = "length" },
}

local function name_of(options)
  return (options.codec or "json") .. " with framing " .. options.framing
end

local SUMS = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio(%s))
  peer:on("sum", function(params, ctx)
    local sum = 0
    for _, n in ipairs(params) do sum = sum + n end
    print("STRAY")
    ctx.peer:notify("said", { sum, ("x"):rep(100000) })
    return ctx.peer:must("double", { sum }) + (ctx.peer:call("fail") or 1)
  end)
  assert(peer:serve() == "eof")
]]

local function as_lua(options)
  local words = {}
  for name, value in pairs(options) do
    words[#words + 1] = (type(value) == "string" and "%s = %q" or "%s = %d"):format(name, value)
  end
  return "{" .. table.concat(words, ", ") .. "}"
end

describe("a conversation", function()
  for _, options in ipairs(SPOKEN) do
    it("between processes goes both ways in " .. name_of(options), function()
      local child, log = programs.spawn(SUMS:format(as_lua(options)), options)
      local said
      child:on("double", function(params) return 2 * params[1] end)
      child:on("fail", function() return nil, "no" end)
      child:on("said", function(params) said = #params[2] end)
      for _ = 1, 3 do assert.equal(13, child:must("sum", { 1, 2, 3 })) end
      assert.equal(100000, said)
      assert.equal(0, programs.ended(child).code)
      assert.truthy(programs.read(log):find("STRAY", 1, true))
    end)

    it("in memory takes messages of every length in " .. name_of(options), function()
      local one, other = fkrpc.pair(options)
      other:on("echo", function(params) return params end)
      for _, n in ipairs({ 0, 1, 10, 99, 100, 255, 256, 65535, 65536, 1000000 }) do
        assert.equal(("x"):rep(n), one:must("echo", { ("x"):rep(n) })[1])
      end
    end)
  end
end)

-- What a peer with these options sends for these bytes.
local function answers_to(options, bytes)
  return programs.run('local fkrpc = require("fkrpc")\nlocal peer = assert(fkrpc.stdio(' .. as_lua(options) .. "))\n"
    .. 'peer:on("echo", function(params) return params end)\nassert(peer:serve() == "eof")', bytes)
end

local CALL = '{"jsonrpc":"2.0","id":1,"method":"echo","params":["ö"]}'
local ANSWER = '{"jsonrpc":"2.0","id":1,"result":["ö"]}'

describe("a frame", function()
  it("of content-length is a header that counts bytes, and the message", function()
    assert.equal(header(ANSWER), answers_to({ framing = "content-length" }, header(CALL)).out)
  end)

  it("of content-length is taken with any case, other headers and bare line feeds", function()
    local calls = {
      "content-length:" .. #CALL .. "\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" .. CALL,
      "CONTENT-LENGTH :  " .. #CALL .. " \r\n\r\n" .. CALL,
      "\r\n\r\nContent-Length: " .. #CALL .. "\n\n" .. CALL,
    }
    assert.equal(header(ANSWER):rep(3), answers_to({ framing = "content-length" }, table.concat(calls)).out)
  end)

  it("of length is four bytes, the highest first, and the message", function()
    assert.equal(length(ANSWER), answers_to({ framing = "length" }, length(CALL)).out)
    local cbor = { codec = "cbor", framing = "length" }
    local call = fkrpc.cbor.encode({ jsonrpc = "2.0", id = 7, method = "nothing" })
    local answer = answers_to(cbor, length(call)).out
    assert.equal(length(answer:sub(5)), answer)
    assert.equal(-32601, fkrpc.cbor.decode(answer:sub(5)).error.code)
  end)

  it("holds a whole batch", function()
    local sent = answers_to({ framing = "content-length" }, header("[" .. CALL .. "," .. CALL .. "]")).out
    assert.equal(header("[" .. ANSWER .. "," .. ANSWER .. "]"), sent)
  end)

  it("holds line feeds without being cut there", function()
    local call = CALL:gsub(",", "\n,\n")
    assert.equal(header(ANSWER), answers_to({ framing = "content-length" }, header(call)).out)
    assert.equal(length(ANSWER), answers_to({ framing = "length" }, length(call)).out)
  end)
end)

describe("a broken frame", function()
  local PARSE_ERROR = '^Content%-Length: %d+\r\n\r\n{"jsonrpc":"2.0","id":null,"error":{"code":%-32700,'

  local function assert_goes_on(bytes, said)
    local done = answers_to({ framing = "content-length" }, bytes .. header(CALL))
    assert.truthy(done.out:find(PARSE_ERROR), done.out)
    assert.equal(header(ANSWER), done.out:sub(-#header(ANSWER)))
    assert.truthy(done.err:find(said or "invalid header", 1, true), done.err)
    assert.equal(0, done.code)
  end

  it("is answered once, and the next is served", function()
    assert_goes_on("a stray line\n")
    assert_goes_on("stray bytes")
    assert_goes_on("Content-Length: many\r\n\r\n{}")
    assert_goes_on("Content-Type: text/plain\r\n\r\n" .. CALL)
    assert_goes_on(CALL .. "\n", "looks like JSON")
    assert_goes_on(header("{]"), "unexpected character")
  end)

  it("of CBOR is answered, and costs nothing that follows", function()
    local call = fkrpc.cbor.encode({ jsonrpc = "2.0", id = 7, method = "echo" })
    local sent = answers_to({ codec = "cbor", framing = "length" }, length("\255\255") .. length(call)
      .. length(call .. "\1") .. length(call)).out
    local answers, at = {}, 1
    while at <= #sent do
      local n = sent:byte(at + 2) * 256 + sent:byte(at + 3)
      local answer = fkrpc.cbor.decode(sent:sub(at + 4, at + 3 + n))
      answers[#answers + 1] = answer.error and answer.error.code or answer.id
      at = at + 4 + n
    end
    assert.same({ -32700, 7, -32600, 7 }, answers)
  end)

  it("that claims to be too long is answered at once and passed over", function()
    local long = CALL:gsub("ö", ("x"):rep(1000))
    for framing, framed in pairs({ ["content-length"] = header, length = length }) do
      local done = answers_to({ framing = framing, max_frame = 512 }, framed(long) .. framed(CALL))
      assert.truthy(done.out:find('"error":{"code":-32600,', 1, true), done.out)
      assert.equal(framed(ANSWER), done.out:sub(-#framed(ANSWER)))
      assert.truthy(done.err:find("longer than 512 bytes (option max_frame)", 1, true), done.err)
    end
  end)

  it("ends the conversation where garbage does", function()
    local done = answers_to({ framing = "content-length", garbage = "error" }, "stray\n" .. header(CALL))
    assert.equal("", done.out)
    assert.equal(1, done.code)
    done = answers_to({ framing = "content-length", garbage = "log" }, "stray\n" .. header(CALL))
    assert.equal(header(ANSWER), done.out)
  end)

  it("at the end of the stream is answered and logged", function()
    local done = answers_to({ framing = "content-length" }, header(CALL):sub(1, -5))
    assert.truthy(done.out:find(PARSE_ERROR), done.out)
    assert.truthy(done.err:find("unexpected end", 1, true), done.err)
    assert.equal("", answers_to({ framing = "content-length" }, "\r\n").out)
  end)
end)

describe("the option", function()
  local function message_of(options)
    local ok, message = pcall(fkrpc.pair, options)
    assert.is_false(ok)
    return message
  end

  it("framing names what there is for the codec", function()
    assert.truthy(message_of({ framing = "lines" }):find(
      "option 'framing' must be one of \"content-length\", \"length\", \"line\", not \"lines\"", 1, true))
    assert.truthy(message_of({ codec = "cbor", framing = "line" }):find('"length", "sequence"', 1, true))
    assert.truthy(message_of({ codec = "cbor", keys = "freekill", framing = "length" }):find("sequences only", 1, true))
  end)

  it("calls = false keeps a peer from sending requests, not from answering and notifying", function()
    local one, other = fkrpc.pair({ calls = false })
    local heard
    other:on("tell", function(params) heard = params[1] end)
    for _, name in ipairs({ "call", "must" }) do
      local ok, message = pcall(one[name], one, "tell", { 1 })
      assert.is_false(ok)
      assert.truthy(message:find("calls = false", 1, true))
    end
    assert.is_nil(heard)
    assert.is_true(one:notify("tell", { 2 }))
    assert.is_true(other:step(0))
    assert.equal(2, heard)
    assert.is_true(other:send_raw('{"jsonrpc":"2.0","id":1,"method":"ping"}\n'))
    one:on("ping", function() return {} end)
    assert.is_true(one:step(0))
    assert.equal(1, one:stats().requests)
  end)

  it("calls is a boolean, and forbids a print that sends requests, before anything is taken", function()
    assert.truthy(message_of({ calls = "no" }):find("option 'calls' must be a boolean", 1, true))
    local ok, message = pcall(fkrpc.stdio, { calls = false, print = "request" })
    assert.is_false(ok)
    assert.truthy(message:find("calls = false forbids them", 1, true))
  end)
end)
