-- What a parent's death does to its child, a few times in each state of it; scripts/deaths.lua does it often, and looks
-- at the times. Here the time is there to detect what lives on.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local families = dofile(helper.root .. "/spec/chaos/families.lua")

local TRIALS = 3

describe("a parent that is killed", function()
  for name, state in pairs(families.STATES) do
    for _, option in ipairs(state.needs_option and { "true" } or { "true", "false" }) do
      it("takes along a child that is " .. name .. ", with parent_death = " .. option, function()
        local kind = families.kind(state, option, helper.interpreter)
        local times, survivors = families.trial(kind, TRIALS, programs.DEADLINE)
        kind:remove()
        assert.equal(0, survivors)
        assert.equal(TRIALS, #times)
      end)
    end
  end

  it("leaves a child in a loop alone without the option, which is how one sees the others end by it", function()
    local kind = families.kind(families.STATES.spinning, "false", helper.interpreter)
    local times, survivors = families.trial(kind, 1, 1)
    kind:remove()
    assert.same({ 0, 1 }, { #times, survivors })
  end)
end)

describe("a thread that ends", function()
  after_each(programs.finish)

  it("does not end the child that it has started", function()
    local program = programs.file()
    local source = helper.root .. "/spec/chaos/thread_parent.c"
    local built = os.execute("cc -O1 -o " .. program .. " " .. helper.quote(source) .. " -lpthread 2>/dev/null")
    if not (built == true or built == 0) then return pending("there is no C compiler") end
    local child = programs.file([[
      local peer = assert(require("fkrpc").stdio({ parent_death = 0 }))
      peer:on("ping", function() return "pong" end)
      os.exit(peer:serve() == "eof" and 5 or 6)
    ]])
    local done = programs.shell("exec " .. program .. " " .. helper.quote(helper.interpreter) .. " " .. child
      .. ' >"$OUT" 2>"$ERR"', "")
    -- With parent_death = 0 it is a race at the end whether the program or the thread ends it.
    assert.truthy(done.out:find('^{"jsonrpc":"2.0","id":1,"result":"pong"}\nstatus %d+\n$'), done.out .. done.err)
    assert.truthy(done.out:find("status 5\n", 1, true) or done.out:find("status 123\n", 1, true), done.out)
  end)
end)

describe("a child whose reader has gone", function()
  after_each(programs.finish)

  -- Its stdin stays open: a shell has it, and `true` is who should read.
  local function unheard(script)
    local marker = programs.file()
    local child = assert(fkrpc.spawn({ "sh", "-c", '{ "$@" 2>/dev/null; echo $? >"$0"; } | true', marker,
      helper.interpreter, programs.file(script) }))
    return child, marker
  end

  it("ends when it writes, whatever it was going to do", function()
    local child, marker = unheard([[
      local peer = assert(require("fkrpc").stdio())
      local sent, err
      repeat sent, err = peer:notify("n") until not sent
      os.exit(err.code == "closed" and 5 or 6)
    ]])
    assert.equal(0, child:wait(programs.DEADLINE).code)
    assert.equal("5\n", programs.read(marker))
    child:close()
  end)

  it("waits without using the processor, and stops serving when it cannot answer", function()
    local child, marker = unheard([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio())
      local before
      peer:on("begin", function() before = os.clock() end)
      peer:on("ask", function() used = os.clock() - before return 1 end)
      local how = peer:serve()
      os.exit(how == "closed" and used < 0.05 and 5 or 6)
    ]])
    assert(child:notify("begin"))
    fkrpc.clock.sleep(0.3)
    assert(child:send_raw('{"jsonrpc":"2.0","id":1,"method":"ask"}\n'))
    assert.equal(0, child:wait(programs.DEADLINE).code)
    assert.equal("5\n", programs.read(marker))
    child:close()
  end)
end)
