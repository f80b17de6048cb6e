-- Every fault of spec/chaos/ once: fresh children, a time limit, no zombie and no descriptor left. `make chaos` repeats
-- them in another order each time.

local helper = require("spec.helper")
local World = dofile(helper.root .. "/spec/chaos/world.lua")

local faults = World.faults(helper.root .. "/spec/chaos")

describe("faults:", function()
  it("there are at least 60 of them, each with a name of its own", function()
    local names, count = {}, 0
    for _, fault in ipairs(faults) do
      assert.is_nil(names[fault.name], fault.name)
      names[fault.name] = true
      count = count + 1
    end
    assert.is_true(count >= 60)
  end)

  for _, fault in ipairs(faults) do
    it(fault.name, function()
      local why = World.run(fault, helper.interpreter)
      assert(not why, why)
    end)
  end

  it("a fault that goes wrong is seen", function()
    local why = World.run({ run = function(world) world:fine(world:script("")) end }, helper.interpreter)
    assert.truthy(why:find("a ping was answered closed", 1, true), why)
    local kept, settling = nil, World.SETTLING
    World.SETTLING = 0
    why = World.run({ run = function() kept = assert(io.open("/dev/null")) end }, helper.interpreter)
    assert.truthy(why:find("open descriptors that were not there before (1 of /dev/null)", 1, true), why)
    World.SETTLING = settling
    kept:close()
  end)
end)
