-- FreeKill's packets as bytes: hand-made conversations with a child process, whole and in pieces.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local conversations = require("spec.fixtures.freekill.conversations")
local packets = require("spec.fixtures.freekill.packets")

local CHILD = helper.root .. "/spec/fixtures/freekill/child.lua"
local SECONDS = 20

-- The child finds the library that the specs found.
local CPATH = "LUA_CPATH=" .. helper.quote(package.cpath)
if _VERSION ~= "Lua 5.1" then
  local name = "LUA_CPATH_" .. _VERSION:match("%d.*"):gsub("%.", "_")
  CPATH = CPATH .. " " .. name .. "=" .. helper.quote(package.cpath)
end

-- child.lua with a pipe for its input and a file for its output: `write`, `expect`, `finish`. This side has no fkrpc.
local function start(codec)
  local output = os.tmpname()
  local quote = helper.quote
  local command = ("%s %s %s %s > %s 2>/dev/null; echo $? > %s"):format(CPATH, quote(helper.interpreter),
    quote(CHILD), codec, quote(output), quote(output .. ".status"))
  local pipe, file = assert(io.popen(command, "w")), assert(io.open(output, "rb"))
  local child = {}

  function child.write(bytes)
    pipe:write(bytes)
    pipe:flush()
  end

  -- The next `count` packets, once they are there.
  function child.expect(count)
    local text, deadline = "", os.time() + SECONDS
    repeat
      file:seek("cur", 0) -- or the end of the file, once seen, would stay
      text = text .. file:read("*a")
      local whole, list = pcall(packets.read, codec, text)
      if whole and #list >= count then
        return list
      end
    until os.time() > deadline
    error(("%d packets were expected, there is only: %q"):format(count, text))
  end

  -- End the input: the rest of the output, and the exit status.
  function child.finish()
    pipe:close()
    file:seek("cur", 0)
    local rest = file:read("*a")
    file:close()
    local status = assert(io.open(output .. ".status"))
    local code = status:read("*n")
    status:close()
    os.remove(output)
    os.remove(output .. ".status")
    return rest, code
  end

  return child
end

-- What child.lua says to `input`, and its exit status.
local function converse(codec, input)
  local child = start(codec)
  child.write(input)
  return child.finish()
end

local function bytes_of(codec, written)
  local parts = {}
  for at, packet in ipairs(written) do
    parts[at] = codec == "json" and packet .. "\n" or packets.hex(packet)
  end
  return table.concat(parts)
end

for _, codec in ipairs({ "json", "cbor" }) do
  describe("FreeKill's packets in " .. codec, function()
    for _, conversation in ipairs(conversations) do
      if conversation[codec] then
        it(conversation.name, function()
          local output, status = converse(codec, bytes_of(codec, conversation[codec]))
          local heard = packets.read(codec, output)
          for _, packet in ipairs(conversation.any_data and heard or {}) do
            if packet.error then
              packet.error.data = type(packet.error.data) == "string"
            end
          end
          assert.same(conversation.heard, heard)
          assert.equal(0, status)
          -- A batch of answers is the one thing FreeKill's parent cannot read; it sends no batches.
          if codec == "cbor" and not conversation.batch then
            packets.check_for_parent(output)
          end
        end)
      end
    end
  end)
end

-- Packets whose every byte is split at. Replies are told the id of the child's call.
local PIECES = {
  json = {
    ping = '{"jsonrpc":"2.0","id":60,"method":"ping"}',
    ask = '{"jsonrpc":"2.0","id":50,"method":"ask","params":["getRoom","\195\169\255\\u0000\\n"]}',
    reply = '{"jsonrpc":"2.0","id":%d,"result":"bl\195\169ob"}',
  },
  cbor = {
    ping = "A3 V 1868 183C 1865 44'ping'", ask = "A4 V 1868 1832 1865 43'ask' 1866 82 47'getRoom' 45 C3A9FF000A",
    reply = "A3 V 1868 1A %08X 1869 46 'bl' C3A9 'ob'",
  },
}
local STRING = "\195\169\255\0\n"
local PONG, TOLD = { id = 60, result = "PONG" }, { id = 50, result = "string bl\195\169ob" }

describe("packets in pieces", function()
  for codec, written in pairs(PIECES) do
    local ping, ask = bytes_of(codec, { written.ping }), bytes_of(codec, { written.ask })
    local function reply_to(id)
      return bytes_of(codec, { written.reply:format(id) })
    end

    it("are put together wherever they were split: " .. codec, function()
      local child = start(codec)
      for at = 1, math.max(#ask, #reply_to(1)) do
        -- The child has read the first piece when it answers the ping written together with it.
        local asked = { id = at, method = "getRoom", params = { STRING } }
        child.write(ping .. ask:sub(1, at))
        if at < #ask then
          assert.same({ PONG }, child.expect(1))
          child.write(ask:sub(at + 1))
          assert.same({ asked }, child.expect(1))
        else
          assert.same({ PONG, asked }, child.expect(2))
        end
        local reply = reply_to(at)
        child.write(ping .. reply:sub(1, at))
        if at < #reply then
          assert.same({ PONG }, child.expect(1))
          child.write(reply:sub(at + 1))
          assert.same({ TOLD }, child.expect(1))
        else
          assert.same({ PONG, TOLD }, child.expect(2))
        end
      end
      local rest, status = child.finish()
      assert.equal("", rest)
      assert.equal(0, status)
    end)

    it("are put together byte by byte: " .. codec, function()
      local child = start(codec)
      child.write(ping)
      assert.same({ PONG }, child.expect(1))
      for byte in (ask .. ping .. reply_to(1) .. ping):gmatch(".") do
        child.write(byte)
      end
      local asked = { id = 1, method = "getRoom", params = { STRING } }
      assert.same({ asked, PONG, TOLD, PONG }, child.expect(4))
      local _, status = child.finish()
      assert.equal(0, status)
    end)

    it("are not served when their end is missing: " .. codec, function()
      local child = start(codec)
      child.write(ping .. ask:sub(1, codec == "json" and -3 or -2)) -- a last line needs no line end
      assert.same({ PONG }, child.expect(1))
      local rest, status = child.finish()
      local codes = {}
      for at, packet in ipairs(packets.read(codec, rest)) do
        codes[at] = packet.error.code
      end
      assert.same({ -32700 }, codes)
      assert.equal(0, status)
    end)
  end
end)

describe("a CBOR stream that is broken", function()
  for _, garbage in ipairs({ "FF", "1C", "A3 V 1868 01 1F", "5F 01", "FE" }) do
    it("is answered once and starts anew after " .. garbage, function()
      local ping = bytes_of("cbor", { PIECES.cbor.ping })
      local child = start("cbor")
      child.write(ping .. packets.hex(garbage))
      -- After its answer the child has dropped what it had received.
      local heard = child.expect(2)
      assert.same({ 2, PONG, -32700 }, { #heard, heard[1], heard[2].error.code })
      assert.is_nil(heard[2].id)
      child.write(ping)
      assert.same({ PONG }, child.expect(1))
      local rest, status = child.finish()
      assert.equal("", rest)
      assert.equal(0, status)
    end)
  end
end)

describe("the check of what FreeKill's parent can read", function()
  it("takes what it can read", function()
    packets.check_for_parent(packets.hex("A4 V 1868 01 1865 41'm' 1866 83 20 F5 40"))
    packets.check_for_parent(packets.hex("A3 V 1868 01 1867 A3 18C8 39 7F59 18C9 41'x' 18CA 00"))
  end)

  for what, written in pairs({
    ["a text string"] = "A3 V 1868 01 1869 61'x'", ["a float"] = "A3 V 1868 01 1869 F9 3C00",
    ["null"] = "A3 V 1868 01 1869 F6", ["an unknown key"] = "A3 V 1868 01 186A 00", ["an array"] = "80",
    ["six params"] = "A3 V 1865 41'm' 1866 86 000000000000", ["an indefinite map"] = "BF V FF",
    ["a nested array"] = "A3 V 1865 41'm' 1866 81 80", ["error data that is a map"] = "A2 V 1867 A1 18CA A0",
  }) do
    it("refuses " .. what, function()
      assert.has_error(function()
        packets.check_for_parent(packets.hex(written))
      end)
    end)
  end
end)
