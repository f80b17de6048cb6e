-- SIGKILL in every state of a pool's children under load, a few times each; `make pool-kills` does it by the thousand.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

describe("children of a pool that are killed while callers never stop", function()
  it("end every call once, soon, and leave nothing behind", function()
    -- In a process of its own: what specs leave to the collector would count.
    local result = programs.run(([[
      local run = dofile(%q)(require("fkrpc"), %q, 50)
      local states, ended = 0, 0
      for _ in pairs(run.by_state) do states = states + 1 end
      for _, number in pairs(run.times) do ended = ended + number end
      io.write(("%%d states, %%s, %%d lost, %%d zombies, %%d descriptors"):format(states,
        ended > 0 and "calls ended" or "no call ended", run.lost, run.zombies, run.descriptors))
    ]]):format(helper.root .. "/spec/chaos/pool_kills.lua", helper.interpreter))
    assert.equal("10 states, calls ended, 0 lost, 0 zombies, 0 descriptors", result.out, result.err)
  end)
end)
