-- Two ends with different codecs or framings: both say so at once, calls that time out say why, and nothing that is
-- valid is taken for it.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local function as_lua(options)
  local words = {}
  for name, value in pairs(options) do words[#words + 1] = ("%s = %q"):format(name, value) end
  return "{ " .. table.concat(words, ", ") .. " }"
end

local SERVER = [[
  local peer = assert(require("fkrpc").stdio(%s))
  peer:on("echo", function(params) return params end)
  peer:serve()
]]

local LINES, CBOR = {}, { codec = "cbor" }
local HEADER, LENGTH = { framing = "content-length" }, { framing = "length" }
local CBOR_LENGTH, FREEKILL = { codec = "cbor", framing = "length" }, { codec = "cbor", keys = "freekill" }

-- Here, there; what each end says of the other.
local PAIRS = {
  { "JSON and CBOR", LINES, CBOR, "looks like CBOR", "looks like JSON" },
  { "CBOR and JSON", CBOR, LINES, "looks like JSON", "looks like CBOR" },
  { "FreeKill and JSON", FREEKILL, LINES, "looks like JSON", "looks like CBOR" },
  { "JSON and FreeKill", LINES, FREEKILL, "looks like CBOR", "looks like JSON" },
  { "CBOR with a length and JSON", CBOR_LENGTH, LINES, "looks like JSON", "looks like CBOR" },
  { "CBOR and JSON, both with a length", CBOR_LENGTH, LENGTH, "looks like JSON", "looks like CBOR" },
  { "CBOR with a length and CBOR", CBOR_LENGTH, CBOR, "looks like CBOR", "a message that is none" },
  { "JSON with a length and JSON", LENGTH, LINES, "looks like JSON", "looks like JSON" },
  { "lines and a header", LINES, HEADER, "looks like a Content-Length header", "looks like JSON" },
  { "FreeKill's keys and names", FREEKILL, CBOR, "looks like CBOR with other keys", "looks like CBOR with other keys" },
  { "names and FreeKill's keys", CBOR, FREEKILL, "looks like CBOR with other keys", "looks like CBOR with other keys" },
  { "CBOR and a header", CBOR, HEADER, "looks like a Content-Length header", "looks like CBOR" },
}

describe("ends that do not understand each other:", function()
  for _, pair in ipairs(PAIRS) do
    it(pair[1] .. " are told apart by both at once", function()
      local given = { garbage = "error" }
      for name, value in pairs(pair[2]) do given[name] = value end
      local child, log = programs.spawn(SERVER:format(as_lua(pair[3])), given)
      local _, err = child:call("echo", { 1 }, { timeout = programs.DEADLINE })
      assert.equal("closed", err.code)
      assert.truthy(err.message:find(pair[4], 1, true), err.message)
      assert.truthy(child:stats().mismatch:find(pair[4], 1, true))
      programs.ended(child)
      assert.truthy(programs.read(log):find(pair[5], 1, true), programs.read(log))
    end)
  end

  for _, pair in ipairs({ PAIRS[1], PAIRS[2], PAIRS[7], PAIRS[10], PAIRS[12] }) do
    it(pair[1] .. " do not answer each other for ever, and a call that times out says why", function()
      local child = programs.spawn(SERVER:format(as_lua(pair[3])), pair[2])
      local deadline = os.time() + programs.DEADLINE
      local _, err
      repeat
        _, err = child:call("echo", { 1 }, { timeout = 0.5 })
        assert.equal("timeout", err.code)
      until err.message:find(pair[4], 1, true) or os.time() > deadline
      assert.truthy(err.message:find(pair[4], 1, true), err.message)
      local stats = child:stats()
      assert.truthy(stats.errors_sent <= 2, stats.errors_sent)
      assert.equal(stats.calls + stats.errors_sent, stats.sent)
    end)
  end

  it("a call in a loop says it, too", function()
    local loop = fkrpc.loop()
    local child = programs.spawn(SERVER:format('{ codec = "cbor" }'))
    loop:add(child)
    local _, err
    local deadline = os.time() + programs.DEADLINE
    repeat
      _, err = child:call("echo", { 1 }, { timeout = 0.5 })
      assert.equal("timeout", err.code)
    until err.message:find("looks like CBOR", 1, true) or os.time() > deadline
    assert.truthy(err.message:find("looks like CBOR", 1, true), err.message)
    loop:remove(child)
  end)
end)

-- How two peers in memory take `bytes`, then a call; in pieces of one byte, too.
local function takes(options, bytes)
  for _, size in ipairs({ #bytes, 1 }) do
    local one, other = fkrpc.pair(options)
    other:on("echo", function(params) return params[1] end)
    for at = 1, #bytes, size do
      one:send_raw(bytes:sub(at, at + size - 1))
      other:step(0)
    end
    while other:step(0) do end
    assert.is_nil(other:stats().mismatch)
    assert.equal(7, one:must("echo", { 7 }))
    assert.equal(0, other:stats().garbage)
  end
end

describe("what is valid is not taken for another codec:", function()
  local function note(params) return { jsonrpc = "2.0", method = "echo", params = params } end

  it("JSON in any order, in batches, with CBOR's bytes inside", function()
    takes({ garbage = "log" }, fkrpc.json.encode(note({ "\194\164gjsonrpc" })) .. "\n")
    takes({ garbage = "log" }, '[{"jsonrpc":"2.0","method":"echo"}]\n')
    takes({ garbage = "log" }, ' \t{"id":null,"jsonrpc":"2.0","method":"echo"}\r\n')
  end)

  it("CBOR with texts of JSON inside, and with one as a whole", function()
    takes({ codec = "cbor", garbage = "log" }, fkrpc.cbor.encode(note({ '{"jsonrpc":"2.0"}' })))
    local one, other = fkrpc.pair({ codec = "cbor" })
    one:send_raw(fkrpc.cbor.encode('{"jsonrpc":"2.0","id":1}'))
    assert.is_true(other:step(0)) -- a text is no message, but it is CBOR
    assert.is_nil(other:stats().mismatch)
  end)

  it("messages with a header or a length, which hold the other's bytes", function()
    local body = fkrpc.json.encode(note({ "Content-Length: 5\r\n\r\n{\"jsonrpc\"" }))
    takes({ framing = "content-length", garbage = "log" }, "Content-Length: " .. #body .. "\r\n\r\n" .. body)
    takes({ framing = "length", garbage = "log" }, "\0\0\0" .. string.char(#body) .. body)
  end)

  it("text that somebody printed", function()
    for _, text in ipairs({ "\178\204\206\196\188\167\n", "{ a table }\n", "Content: 5\n", "\0\0\0\n" }) do
      local one, other = fkrpc.pair({ garbage = "log" })
      one:send_raw(text)
      other:step(0)
      assert.is_nil(other:stats().mismatch)
      assert.equal(1, other:stats().garbage)
    end
  end)

  it("what comes after messages that were read", function()
    local one, other = fkrpc.pair({ garbage = "log" })
    other:on("echo", function(params) return params[1] end)
    assert.equal(7, one:must("echo", { 7 }))
    one:send_raw("\164gjsonrpc")
    assert.is_false(other:step(0))
    assert.is_nil(other:stats().mismatch)
    assert.equal(0, other:stats().garbage)
  end)
end)
