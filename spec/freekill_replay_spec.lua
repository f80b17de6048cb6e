-- Recorded games played by a child whose every call goes through fkrpc.freekill's objects.
--
-- The long recordings do not belong to the project: without them their specs are pending.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local parent = require("demo.parent")
local trace = require("demo.trace")

local RECORDINGS = helper.root .. "/../shared/traces/"
local SHORT = helper.root .. "/spec/fixtures/traces/short."
local GAMES = helper.name == "lua54" and { "g1", "g2", "g3", "h8" } or { "h8" }
local CHILD = "/spec/fixtures/freekill/replay_child.lua"

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function play(recording, records)
  return parent.play({
    trace = recording, records = records, lua = helper.interpreter, root = helper.root, child = CHILD,
  })
end

local function plays_without_a_difference(path)
  local recording = trace.read(path)
  local outcome = play(recording)
  assert.is_nil(outcome.difference)
  assert.equal(#recording.records, outcome.messages)
  assert.is_true(outcome.calls > 0)
end

for _, codec in ipairs({ "json", "cbor" }) do
  describe("a game in " .. codec .. " through fkrpc.freekill's objects", function()
    it("is played without a difference: the start and the end of one", function()
      plays_without_a_difference(SHORT .. codec .. ".jsonl")
    end)

    for _, game in ipairs(GAMES) do
      it("is played without a difference: " .. game, function()
        local path = RECORDINGS .. game .. "." .. codec .. ".jsonl.gz"
        if not exists(path) then
          pending("the recordings in " .. RECORDINGS .. " are not here")
          return
        end
        plays_without_a_difference(path)
      end)
    end

    it("is reported to differ where the child's calls do", function()
      local recording = trace.read(SHORT .. codec .. ".jsonl")
      local records, changed = {}, nil
      for at, record in ipairs(recording.records) do
        local copy = {}
        for name, value in pairs(record) do copy[name] = value end
        if record.method == "ServerPlayer_doNotify" and not changed then
          changed = at
          copy.params = { record.params[1], record.params[2], "another" }
        end
        records[at] = copy
      end
      local outcome = play(recording, records)
      assert.equal(1, outcome.differences)
      assert.truthy(outcome.difference:find("at record " .. changed .. ":", 1, true), outcome.difference)
    end)
  end)
end
