-- Recorded conversations of whole games, played between two processes, and whether a difference would show.
--
-- The long recordings do not belong to the project: without them their specs are pending. Lua 5.4 plays all of them,
-- the other Luas one.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local parent = require("demo.parent")
local trace = require("demo.trace")

local RECORDINGS = helper.root .. "/../shared/traces/"
local SHORT = helper.root .. "/spec/fixtures/traces/short."
local GAMES = helper.name == "lua54" and { "g1", "g2", "g3", "h8" } or { "h8" }
local PATIENCE = 60

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

local function play(recording, records, patience)
  return parent.play({
    trace = recording, records = records, patience = patience, lua = helper.interpreter, root = helper.root,
  })
end

local function plays_without_a_difference(path)
  local recording = trace.read(path)
  local outcome = play(recording)
  assert.is_nil(outcome.difference)
  assert.equal(0, outcome.differences)
  assert.equal(#recording.records, outcome.messages)
end

-- The records, with `change` made to a copy of the one numbered `number`.
local function altered(records, number, change)
  local copies = {}
  for at, record in ipairs(records) do
    copies[at] = record
  end
  local copy = {}
  for field, value in pairs(records[number]) do
    copy[field] = value
  end
  copies[number] = copy
  change(copy)
  return copies
end

-- The number of the last record that has all fields as given.
local function last_with(records, fields)
  for number = #records, 1, -1 do
    local fits = true
    for field, value in pairs(fields) do
      fits = fits and records[number][field] == value
    end
    if fits then
      return number
    end
  end
  error("there is no such record")
end

local function without_nothing(record)
  -- FreeKill's parent says "no result" with null in JSON and with 0 in CBOR.
  if record.kind == "result" and record.result == 0 then
    record.result = nil
  end
  return record
end

for _, codec in ipairs({ "json", "cbor" }) do
  describe("a recorded conversation in " .. codec, function()
    local short = trace.read(SHORT .. codec .. ".jsonl")

    it("is played without a difference: the start and the end of a game", function()
      plays_without_a_difference(SHORT .. codec .. ".jsonl")
    end)

    for _, game in ipairs(GAMES) do
      it("is played without a difference: the game " .. game, function()
        local path = RECORDINGS .. game .. "." .. codec .. ".jsonl.gz"
        if not exists(path) then
          pending("the recording " .. path .. " is not here")
          return
        end
        plays_without_a_difference(path)
      end)
    end

    it("is played where each side calls inside the other's call, which no recording holds", function()
      local function request(dir, method)
        return { dir = dir, kind = "request", method = method, params = { method, -1, true, "\0\255" } }
      end
      local records = {
        request("p2c", "HandleRequest"), request("c2p", "RoomThread_getRoom"), request("p2c", "SetPlayerState"),
        request("c2p", "ServerPlayer_thinking"), request("p2c", "ping"),
        { dir = "c2p", kind = "result", result = "PONG" }, { dir = "p2c", kind = "result", result = false },
        request("c2p", "qInfo"), { dir = "p2c", kind = "result" },
        { dir = "c2p", kind = "error", code = -32603, message = "Internal error", data = "Room not found" },
        { dir = "p2c", kind = "error", code = -32602, message = "Invalid params" }, { dir = "c2p", kind = "result" },
      }
      local outcome = play({ codec = codec, records = records }, nil, PATIENCE)
      assert.is_nil(outcome.difference)
      assert.equal(#records, outcome.messages)
      assert.equal(6, outcome.calls)
    end)

    it("ends well wherever it is cut, inside calls too", function()
      local inside, outcomes = 0, {}
      for length = 1, #short.records, 7 do
        local cut = { codec = codec, records = {} }
        for number = 1, length do
          cut.records[number] = short.records[number]
        end
        local outcome = play(cut, nil, PATIENCE)
        outcomes[#outcomes + 1] = outcome.difference
        inside = inside + (short.records[length].kind == "request" and 1 or 0)
      end
      assert.same({}, outcomes)
      assert.is_true(inside > 3)
    end)

    -- What differs in the child's records, who sees it, and what the report says.
    local cases = {
      {
        "a parameter the child sends", { kind = "request", dir = "c2p", method = "ServerPlayer_doNotify" },
        function(record) record.params = { 1000, "GameLog", "another" } end, "the parent", "ServerPlayer_doNotify",
      }, {
        "a method the child calls", { kind = "request", dir = "c2p", method = "Room_gameOver" },
        function(record) record.method = "Room_gameover" end, "the parent", "c2p request Room_gameover",
      }, {
        "a result the child returns", { kind = "result", dir = "c2p", result = "Goodbye" },
        function(record) record.result = "Good-bye" end, "the parent", 'c2p result "Good-bye"',
      }, {
        "an error's data the child returns", { kind = "error", dir = "c2p" },
        function(record) record.data = "Task not found" end, "the parent", "Task not found",
      }, {
        "an error's code the child returns", { kind = "error", dir = "c2p" },
        function(record) record.code = -32602 end, "the parent", "-32602",
      }, {
        "a result the child gets", { kind = "result", dir = "p2c" },
        function(record) record.result = true end, "the child", "expected p2c result true",
      }, {
        "a parameter the child gets", { kind = "request", dir = "p2c", method = "ResumeRoom" },
        function(record) record.params = { 1, "reply" } end, "the child", "ResumeRoom",
      }, {
        "a notification's params", { kind = "notification", dir = "c2p" },
        function(record) record.params = { "World" } end, "the parent", "c2p notification hello",
      },
    }
    for _, case in ipairs(cases) do
      local what, fields, change, who, told = case[1], case[2], case[3], case[4], case[5]
      it("is reported to differ in " .. what, function()
        local number = last_with(short.records, fields)
        local outcome = play(short, altered(short.records, number, change), PATIENCE)
        assert.equal(1, outcome.differences)
        assert.matches("^" .. who .. " received a difference at record " .. number .. ":", outcome.difference)
        assert.is_truthy(outcome.difference:find(told, 1, true), outcome.difference)
        assert.is_truthy(outcome.difference:find("before it, " .. number - 1 .. ":", 1, true), outcome.difference)
      end)
    end

    it("is reported to differ when one side says less", function()
      local fewer = altered(short.records, 1, function() end)
      fewer[#fewer] = nil
      assert.equal(1, play(short, fewer, PATIENCE).differences)
    end)

    it("is reported to differ when one side says more", function()
      local more = altered(short.records, 1, function() end)
      more[#more + 1] = { dir = "c2p", kind = "notification", method = "hello", params = { "again" } }
      local outcome = play(short, more, PATIENCE)
      assert.matches("expected the end of the conversation\n  got c2p notification hello", outcome.difference)
    end)

    it("is reported to differ when the child dies", function()
      local outcome = parent.play({ trace = short, lua = "false", root = helper.root })
      assert.matches("the connection's end", outcome.difference)
    end)
  end)
end

describe("one conversation in both codecs", function()
  for _, game in ipairs({ "short", GAMES[1] }) do
    it("decodes to the same values: " .. game, function()
      local folder, suffix = RECORDINGS .. game .. ".", ".jsonl.gz"
      if game == "short" then
        folder, suffix = SHORT, ".jsonl"
      elseif not exists(folder .. "json" .. suffix) then
        pending("the recordings in " .. RECORDINGS .. " are not here")
        return
      end
      local json = trace.read(folder .. "json" .. suffix).records
      local cbor = trace.read(folder .. "cbor" .. suffix).records
      assert.equal(#json, #cbor)
      for number = 1, #json do
        assert.same(json[number], without_nothing(cbor[number]))
      end
    end)
  end
end)

describe("reading a recording", function()
  local function reading(name, text)
    local base = os.tmpname()
    local path = base .. name
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local good, result = pcall(trace.read, path)
    os.remove(base)
    os.remove(path)
    return good, result
  end

  it("refuses a reply that belongs to no open call", function()
    local good, message = reading(".json.jsonl", '{"dir":"p2c","msg":"{\\"id\\":1,\\"result\\":null}"}\n')
    assert.is_false(good)
    assert.matches("line 1: .*a reply to another call", message)
  end)

  it("refuses a name that tells no codec", function()
    local good, message = reading(".jsonl", "")
    assert.is_false(good)
    assert.matches("is no recording", message)
  end)

  it("refuses a compressed file that is broken", function()
    local good, message = reading(".json.jsonl.gz", "\31\139\8\0broken")
    assert.is_false(good)
    assert.matches("could not be decompressed", message)
  end)

  it("turns FreeKill's wrapped error codes back", function()
    -- {100: '2.0', 103: {200: -18446744073709519015, 201: 'x'}, 104: 1} after its request.
    local request = '{"dir":"c2p","msg":"pBhkQzIuMBhlQWYYZoAYaAE="}\n'
    local reply = '{"dir":"p2c","msg":"oxhkQzIuMBhnohjIO////////4CmGMlBeBhoAQ=="}\n'
    local good, recording = reading(".cbor.jsonl", request .. reply)
    assert.is_true(good, tostring(recording))
    assert.equal(-32602, recording.records[2].code)
  end)

  it("decodes base64 with and without padding", function()
    assert.equal("", trace.from_base64(""))
    assert.equal("f", trace.from_base64("Zg=="))
    assert.equal("fo", trace.from_base64("Zm8="))
    assert.equal("foo", trace.from_base64("Zm9v"))
    assert.equal("\0\255\254\128", trace.from_base64("AP/+gA=="))
  end)
end)
