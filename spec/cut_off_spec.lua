-- A stream that ends inside a message: what has come of it is logged, counted and answered in every framing, and the
-- end says so.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local CALL = { jsonrpc = "2.0", id = 1, method = "echo", params = { "whole" } }

local function header(body)
  return ("Content-Length: %d\r\n\r\n%s"):format(#body, body)
end

local function length(body)
  return "\0\0\0" .. string.char(#body) .. body
end

local JSON, CBOR = fkrpc.json.encode(CALL), fkrpc.cbor.encode(CALL)
local FRAMINGS = {
  { "a line of JSON", "{}", JSON .. "\n" },
  { "an item of CBOR", '{ codec = "cbor" }', CBOR },
  { "a message with a header", '{ framing = "content-length" }', header(JSON) },
  { "JSON after its length", '{ framing = "length" }', length(JSON) },
  { "CBOR after its length", '{ codec = "cbor", framing = "length" }', length(CBOR) },
}

-- How a peer with these options takes the bytes: its answers, and how many there were; what it said at the end.
local function taken(options, bytes, more)
  return programs.run(([[
    local peer = assert(require("fkrpc").stdio(%s))
    %s
    peer:on("echo", function(params) return params end)
    local how, why = peer:serve()
    local stats = peer:stats()
    io.stderr:write("\n", how, ": ", tostring(why), "; malformed ", stats.malformed, ", garbage ", stats.garbage,
      ", answered ", stats.sent, "\n")
  ]]):format(options, more or ""), bytes)
end

describe("a stream that ends inside", function()
  for _, framing in ipairs(FRAMINGS) do
    local name, options, message = framing[1], framing[2], framing[3]

    it(name .. " loses nothing silently", function()
      for _, at in ipairs({ 1, 3, 20, #message - 2 }) do
        local done = taken(options, message .. message:sub(1, at))
        assert.truthy(done.err:find("a message in whose middle the stream ended", 1, true), at .. ": " .. done.err)
        assert.truthy(done.err:find("; malformed 1, garbage 1, answered 2\n", 1, true), at .. ": " .. done.err)
        assert.truthy(done.err:find("\neof: the stream ended inside a message, %d+ bytes after its start"), done.err)
        assert.truthy(done.out:find("32700", 1, true) or done.out:find("\127\187", 1, true), done.out)
        assert.equal(0, done.code)
      end
    end)

    it(name .. " and one that ends after it are told apart", function()
      local done = taken(options, message)
      assert.truthy(done.err:find("\neof: nil; malformed 0, garbage 0, answered 1\n", 1, true), done.err)
      assert.is_nil(done.err:find("fkrpc:", 1, true), done.err)
    end)
  end

  it("a message does not answer it where garbage is not answered", function()
    local done = taken('{ codec = "cbor", garbage = "log" }', CBOR .. CBOR:sub(1, 9))
    assert.truthy(done.err:find("malformed 1, garbage 1, answered 1\n", 1, true), done.err)
  end)

  it("a message says so to the call that waits", function()
    local child = programs.spawn('io.read(1) io.write("\\162\\98id") io.flush() os.exit(0)', { codec = "cbor" })
    local _, err = child:call("x", {}, { timeout = programs.DEADLINE })
    assert.equal("closed", err.code)
    assert.equal(1, child:stats().garbage)
    assert.equal(0, err.data.code)
  end)

  it("a message that was passed over for its length says so once", function()
    local done = taken('{ codec = "cbor", max_frame = 512 }', CBOR .. fkrpc.cbor.encode(("x"):rep(600)):sub(1, -10))
    assert.truthy(done.err:find("longer than 512 bytes", 1, true), done.err)
    assert.is_nil(done.err:find("in whose middle", 1, true), done.err)
    assert.truthy(done.err:find("malformed 1, garbage 0, answered 2\n", 1, true), done.err)
  end)
end)
