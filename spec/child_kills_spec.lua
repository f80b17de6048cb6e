-- SIGKILL in every state of a conversation, some times each; `make kills` does it by the thousand, with a time limit.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local Kills = dofile(helper.root .. "/spec/chaos/kills.lua")

local TIMES = 14

describe("a child that is killed", function()
  local kills
  setup(function() kills = Kills.new(fkrpc, helper.interpreter) end)
  teardown(function() kills:finish() end)

  for _, state in ipairs(Kills.STATES) do
    it("(" .. state .. ") ends every call that waits, once, with its certificate", function()
      for _ = 1, TIMES do assert.is_true(kills:try(state) > 0) end
    end)
  end
end)
