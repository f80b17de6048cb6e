-- Signals: with the option they end waits; without it Ctrl-C does what it does in stock Lua, at the first press.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local INT, USR1, TERM = 2, 10, 15

after_each(programs.finish)

-- A child that has said "ready", and a table of what it says afterwards.
local function started(script, options)
  local child, log = programs.spawn(script, options)
  local said = {}
  child:on("say", function(params) said[#said + 1] = params[1] end)
  while said[#said] ~= "ready" do assert(child:step(programs.DEADLINE)) end
  return child, said, log
end

local function hear(child, said, count)
  while #said < count do assert.is_true(child:step(programs.DEADLINE)) end
end

-- Until the child waits in a system call: stock Lua does not hear of a signal that comes right before it.
local function asleep(child)
  for _ = 1, programs.DEADLINE * 1000 do
    local state = programs.read(("/proc/%d/stat"):format(child.pid)):match("%) (%a)")
    if state == "S" then return end
    fkrpc.clock.sleep(0.001)
  end
  error("the child does not wait")
end

describe("a signal that is heard of", function()
  it("ends serving, and what comes after it runs and is sent", function()
    for number, name in pairs({ [TERM] = "TERM", [INT] = "INT" }) do
      local child, said = started([[
        local peer = assert(require("fkrpc").stdio({ signals = { "TERM", "INT" } }))
        peer:notify("say", { "ready" })
        local how, which = peer:serve()
        peer:cork()
        for _ = 1, 100 do peer:notify("say", { how .. " " .. which }) end
        peer:close()
        os.exit(3)
      ]])
      child:kill(number)
      hear(child, said, 101)
      assert.equal("signal " .. name, said[101])
      assert.equal(3, child:wait(programs.DEADLINE).code)
    end
  end)

  it("is never missed, whenever it comes", function()
    local child, said = started([[
      local peer = assert(require("fkrpc").stdio({ signals = { "USR1", "USR1" } }))
      peer:on("x", function() end)
      peer:notify("say", { "ready" })
      local count = 0
      while true do
        local how, which = peer:serve()
        if how ~= "signal" then break end
        count = count + 1
        peer:notify("say", { which .. " " .. count })
      end
      os.exit(4)
    ]])
    for i = 1, 500 do
      if i % 3 == 0 then child:notify("x") end
      child:kill(USR1)
      if i % 2 == 0 then child:notify("x") end
      hear(child, said, i + 1)
      assert.equal("USR1 " .. i, said[i + 1])
    end
    child:close_stdin()
    assert.equal(4, child:wait(programs.DEADLINE).code)
  end)

  for _, options in ipairs({ "", ", concurrency = 4" }) do
    it("ends calls that wait with the code signal, until serving has told of it" .. options, function()
      local child, said = started([[
        local peer = assert(require("fkrpc").stdio({ signals = { "TERM" }]] .. options .. [[ }))
        peer:on("work", function()
          peer:notify("say", { "working" })
          for _ = 1, 2 do
            local _, err = peer:call("never")
            peer:notify("say", { err.code .. " " .. err.message })
          end
          return "done"
        end)
        peer:notify("say", { "ready" })
        local how, which = peer:serve()
        peer:notify("say", { how .. " " .. which })
        os.exit(5)
      ]])
      local killed = false
      child:on("never", function()
        if not killed then child:kill(TERM) end -- a second one would end it
        killed = true
        if not said[5] then hear(child, said, 5) end
      end)
      child:notify("work")
      hear(child, said, 5)
      assert.same({ "ready", "working", "signal TERM", "signal TERM", "signal TERM" }, said)
      assert.equal(5, child:wait(programs.DEADLINE).code)
    end)
  end

  it("ends a step and a call of the main program, too", function()
    local child, said = started([[
      local peer = assert(require("fkrpc").stdio({ signals = { "TERM" } }))
      peer:notify("say", { "ready" })
      local _, err = peer:step()
      peer:notify("say", { "step " .. err.code .. " " .. err.message })
      _, err = peer:call("never", nil, { timeout = 1000 })
      peer:notify("say", { "call " .. err.code .. " " .. err.message })
      os.exit(peer:serve() == "signal" and 7 or 8)
    ]])
    child:on("never", function()
      child:kill(TERM)
      hear(child, said, 3)
    end)
    child:kill(TERM)
    hear(child, said, 3)
    assert.same({ "ready", "step signal TERM", "call signal TERM" }, said)
    assert.equal(7, child:wait(programs.DEADLINE).code)
  end)

  for _, options in ipairs({ "", ", concurrency = 4" }) do
    it("ends a write that nobody reads; what was left goes out whole if somebody reads now" .. options, function()
      for _, reads in ipairs({ true, false }) do
        local child, said, log = started([[
          local peer = assert(require("fkrpc").stdio({ signals = { "TERM" }]] .. options .. [[ }))
          peer:on("giant", function() io.stderr:write("replies\n") return ("x"):rep(1e6) end)
          peer:notify("say", { "ready" })
          local how, which = peer:serve()
          io.stderr:write(how, " ", which, "\n")
          peer:notify("say", { how })
          peer:close()
          os.exit(3)
        ]])
        child:send_raw('{"jsonrpc":"2.0","id":"raw","method":"giant"}\n')
        while not programs.read(log):find("replies\n", 1, true) do fkrpc.clock.sleep(0.001) end
        asleep(child)
        child:kill(TERM)
        if reads then
          local reply = child:receive_raw(programs.DEADLINE)
          assert.equal(1e6, #fkrpc.json.decode(reply).result)
          hear(child, said, 2)
          assert.equal("signal", said[2])
        end
        assert.equal(3, child:wait(programs.DEADLINE).code)
        assert.equal("replies\nsignal TERM\n", programs.read(log))
      end
    end)
  end

  it("ends a notification and a call that nobody reads with the code signal, all of them within one moment", function()
    local child, _, log = started([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ signals = { "TERM" } }))
      peer:notify("say", { "ready" })
      io.stderr:write("writes\n")
      local piece = ("x"):rep(1e5)
      local sent, err
      repeat sent, err = peer:notify("n", { piece }) until not sent
      io.stderr:write(err.code, " ", err.message, "\n")
      local began = fkrpc.clock.monotonic_us()
      for _ = 1, 5 do
        sent, err = peer:notify("n", { piece })
        assert(not sent and err.code == "signal", err and tostring(err))
      end
      local _, why = peer:call("n", { piece })
      io.stderr:write(why.code, "\n")
      _, why = peer:send_raw("\n")
      io.stderr:write(why.code, "\n")
      -- The first of them has used up the second that there is for all.
      io.stderr:write(fkrpc.clock.monotonic_us() - began < 900000 and "at once\n" or "late\n")
      os.exit(peer:serve() == "signal" and 7 or 8)
    ]])
    while not programs.read(log):find("writes\n", 1, true) do fkrpc.clock.sleep(0.001) end
    asleep(child)
    child:kill(TERM)
    local ended = child:wait(programs.DEADLINE)
    assert.equal("writes\nsignal TERM\nsignal\nsignal\nat once\n", programs.read(log))
    assert.equal(7, ended.code)
  end)

  it("ends a program that does not ask, when it comes again", function()
    local child, said = started([[
      local peer = assert(require("fkrpc").stdio({ signals = { "TERM" } }))
      peer:notify("say", { "ready" })
      while true do end
    ]])
    assert.equal(1, #said)
    child:kill(TERM)
    assert.is_false(child:wait(0.05))
    child:kill(TERM)
    assert.equal(TERM, child:wait(programs.DEADLINE).signal)
  end)

  it("is as it was after the peer was closed, and in programs that are started", function()
    local child, said = started([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ signals = { "TERM" } }))
      local other = assert(fkrpc.spawn({ "sleep", "1000", signals = { "TERM", "USR1" } }))
      other:kill()
      peer:notify("say", { "other " .. other:wait().signal })
      other:close()
      peer:notify("say", { "ready" })
      peer:on("close", function() peer:close() end)
      peer:serve()
      while true do end
    ]])
    assert.same({ "other 15", "ready" }, said)
    child:notify("close")
    assert.is_nil((child:step(programs.DEADLINE)))
    child:kill(TERM)
    assert.equal(TERM, child:wait(programs.DEADLINE).signal)
  end)

  it("has a name that is known", function()
    assert.error_matches(function() fkrpc.pair({ signals = { "KILL" } }) end, "option 'signals' must be one of")
    assert.error_matches(function() fkrpc.pair({ signals = "TERM" }) end, "option 'signals' must be a table")
  end)
end)

describe("without the option", function()
  it("a signal ends the process, as it does any", function()
    local child = started([[
      local peer = assert(require("fkrpc").stdio())
      peer:notify("say", { "ready" })
      peer:serve()
    ]])
    child:kill(TERM)
    assert.equal(TERM, child:wait(programs.DEADLINE).signal)
  end)

  if fkrpc.features().lua == "lua54" then
    for where, wait in pairs({
      serving = "peer:serve()", ["a call"] = "peer:call('never')", ["a step"] = "peer:step()",
      ["a handler's call"] = "peer:on('go', function() peer:call('never') end) peer:serve()",
    }) do
      it("the first Ctrl-C interrupts " .. where .. " in stock Lua", function()
        local child, said, log = started([[
          local peer = assert(require("fkrpc").stdio())
          peer:notify("say", { "ready" })
          ]] .. wait)
        child:on("never", function(_, ctx)
          said[#said + 1] = "never"
          asleep(child)
          child:kill(INT)
          ctx.peer:step(programs.DEADLINE)
        end)
        if where == "a handler's call" then child:notify("go") end
        if where:find("call") then
          hear(child, said, 2)
        else
          asleep(child)
          child:kill(INT)
        end
        local ended = child:wait(programs.DEADLINE)
        assert.equal(1, ended and ended.code)
        assert.truthy(programs.read(log):find("interrupted!", 1, true), programs.read(log))
      end)
    end
  end
end)

