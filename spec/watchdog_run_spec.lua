-- A limit of a part's own: what a game that resumes its rooms inside a handler needs.
local programs = require("spec.programs")

after_each(programs.finish)

describe("watchdog.run around a coroutine.resume inside a handler", function()
  it("ends the coroutine alone: the handler sees resume fail and goes on", function()
    local done = programs.run([[
      if rawget(_G, "jit") then jit.off() end
      local fkrpc = require("fkrpc")
      local one, other = fkrpc.pair()
      assert(fkrpc.watchdog(5))
      other:on("wake", function()
        local room = coroutine.create(function() coroutine.yield("asleep") while true do end end)
        local _, fine, said = fkrpc.watchdog.run(0.2, coroutine.resume, room)
        print(fine, said)
        _, fine, said = fkrpc.watchdog.run(0.2, coroutine.resume, room)
        print(fine, (said:match("time limit of [%d.]+ seconds is exceeded")))
        return "released"
      end)
      print(one:call("wake"))
    ]])
    assert.equal("true\tasleep\nfalse\ttime limit of 0.2 seconds is exceeded\nreleased\tnil\n", done.out, done.err)
    assert.equal(0, done.code)
  end)
end)
