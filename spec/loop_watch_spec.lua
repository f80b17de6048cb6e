-- Descriptors and signals in a loop, and what a program that is started from it sees of them.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local USR1, TERM = 10, 15

after_each(programs.finish)

-- A script as a child with a loop, a parent's peer in it and `say`; `$IN` is a pipe at descriptor 9 that a shell feeds.
local PROLOGUE = [[
  local fkrpc = require("fkrpc")
  local loop = fkrpc.loop()
  local function out(text) io.stdout:write(text, "\n") io.stdout:flush() end
]]

local function run(script, feed)
  local file = programs.file(PROLOGUE .. script)
  local done = programs.shell("( " .. (feed or "true") .. " ) | { exec 9<&0 </dev/null; exec "
    .. helper.quote(helper.interpreter) .. " " .. file .. "; } >\"$OUT\" 2>\"$ERR\"")
  return done
end

describe("a watch", function()
  it("is called as long as there is something, and not while it runs", function()
    local done = run([[
      local calls, running = 0, 0
      local file = assert(io.open("/proc/self/fd/9", "r"))
      local watch
      watch = loop:watch(9, "r", function(event, self)
        assert(event == "r" and self == watch and running == 0)
        running = 1
        loop:sleep(0.002)
        calls = calls + 1
        local line = file:read("*l")
        running = 0
        if not line then self:cancel() else out(line) end
      end)
      out(loop:run())
      out(tostring(calls >= 2))
      out(tostring(watch) .. tostring(watch:cancel()))
    ]], "echo one; sleep 0.1; echo two")
    assert.equal("one\ntwo\ndone\ntrue\nfkrpc.watch: descriptor 9 (ended)false\n", done.out, done.err)
  end)

  it("waits for what it wants from now on, and can be poked", function()
    local done = run([[
      local seen = {}
      local watch
      watch = loop:watch(1, "w", function(event)
        seen[#seen + 1] = event
        if #seen == 3 then watch:want("rw") elseif #seen == 4 then watch:cancel() end
      end)
      loop:watch(9, "r", function(event, self)
        seen[#seen + 1] = event or "poked"
        self:cancel()
      end):poke()
      out(loop:run())
      out(table.concat(seen, " "))
    ]], "sleep 0.5")
    assert.equal("done\nw poked w rw\n", done.out, done.err)
  end)

  it("ends with a word in the log when its descriptor is closed", function()
    local done = run([[
      loop:watch(77, "r", function() out("called") end)
      out(loop:run())
    ]])
    assert.equal("done\n", done.out)
    assert.truthy(done.err:find("descriptor 77 is not open", 1, true), done.err)
  end)

  it("that fails is told, and called again", function()
    local done = run([[
      local count = 0
      loop:watch(1, "w", function(_, watch)
        count = count + 1
        if count == 3 then watch:cancel() end
        error("number " .. count)
      end)
      out(loop:run() .. count)
    ]])
    assert.equal("done3\n", done.out)
    for i = 1, 3 do assert.truthy(done.err:find("descriptor 1 failed: .*number " .. i), done.err) end
  end)
end)

describe("signals in a loop", function()
  local function started(script)
    local child, log = programs.spawn(PROLOGUE .. "local parent = assert(fkrpc.stdio()) loop:add(parent)\n"
      .. "local function say(text) parent:notify('say', { text }) end\n" .. script)
    local said = {}
    child:on("say", function(params) said[#said + 1] = params[1] end)
    local function hear(count)
      while #said < count do assert(child:step(programs.DEADLINE)) end
    end
    hear(1)
    return child, said, hear, log
  end

  it("are handled in tasks, each, and leave the rest alone", function()
    local child, said, hear = started([[
      local count = 0
      assert(loop:signal("USR1", function(name)
        count = count + 1
        loop:sleep(0.001)
        say(name .. count)
      end))
      parent:on("ping", function() return "pong" end)
      say("ready")
      os.exit(loop:run() == "done" and 3 or 4)
    ]])
    for i = 1, 50 do
      child:kill(USR1)
      if i % 2 == 0 then assert.equal("pong", child:must("ping")) end
      hear(i + 1)
      assert.equal("USR1" .. i, said[i + 1])
    end
    child:close_stdin()
    assert.equal(3, child:wait(programs.DEADLINE).code)
  end)

  it("that a peer hears of end run, as they end serve", function()
    local child = started([[
      loop:remove(parent)
      loop:add((fkrpc.pair({ signals = { "TERM" } })))
      say("ready")
      loop:after(60, print)
      local how, name = loop:run()
      os.exit(how == "signal" and name == "TERM" and 5 or 6)
    ]])
    child:kill(TERM)
    assert.equal(5, child:wait(programs.DEADLINE).code)
  end)

  it("do what they did before when nobody hears of them any more", function()
    local collected = "loop = nil collectgarbage() collectgarbage()"
    for _, ending in ipairs({ "loop:signal('TERM', nil)", "loop:close()", collected }) do
      local child = started("loop:signal('TERM', print) loop:remove(parent) " .. ending .. [[
        say("ready")
        parent:serve()
      ]])
      child:kill(TERM)
      assert.equal(TERM, child:wait(programs.DEADLINE).signal)
    end
  end)
end)

describe("a program that is started from a loop", function()
  it("sees nothing of it", function()
    local loop = fkrpc.loop()
    loop:signal("USR1", print)
    loop:watch(0, "r", print)
    loop:add(assert(fkrpc.spawn({ "cat" })))
    loop:step(0)
    local done = programs.shell("ls /proc/self/fd >\"$OUT\"")
    -- 3 is the folder that ls reads.
    assert.equal("0\n1\n2\n3\n", done.out)
    loop:close()
  end)
end)
