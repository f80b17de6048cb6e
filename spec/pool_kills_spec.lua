-- SIGKILL in every state of a pool's children under load, a few times each; `make pool-kills` does it by the thousand.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local pool_kills = dofile(helper.root .. "/spec/chaos/pool_kills.lua")

describe("children of a pool that are killed while callers never stop", function()
  it("end every call once, soon, and leave nothing behind", function()
    local run = pool_kills(fkrpc, helper.interpreter, 50)
    assert.equal(0, run.lost)
    assert.truthy(next(run.times))
    assert.equal(0, run.zombies)
    assert.equal(0, run.descriptors)
    local states = 0
    for _ in pairs(run.by_state) do states = states + 1 end
    assert.equal(10, states)
  end)
end)
