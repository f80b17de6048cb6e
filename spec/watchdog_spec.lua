-- What the runaway guard stops, and what it leaves alone.

local helper = require("spec.helper")
package.path = helper.root .. "/spec/fixtures/watchdog/?.lua;" .. package.path
local run = require("run")

local names = {}
for name in pairs(require("cases")) do names[#names + 1] = name end
table.sort(names)

local function passes(code, seconds)
  local output, status = run(code, seconds)
  assert.equal("passed\n", output)
  assert.equal(0, status)
end

-- The log of failed handlers comes before.
local function passes_loudly(code)
  local output, status = run(code)
  assert.equal("passed", output:match("([^\n]*)\n$"), output)
  assert.equal(0, status)
end

describe("the watchdog stops", function()
  for _, name in ipairs(names) do
    it((name:gsub("_", " ")), function()
      passes(([[
local before = coroutine.create(function() while true do pcall(function() while true do end end) end end)
assert(fkrpc.watchdog(0.03))
local co = coroutine.create(require("cases").%s)
local ok, e = coroutine.resume(co, before)
assert(ok == false and type(e) == "string", tostring(e))
assert(e:find("the time limit of 0.03 seconds is exceeded", 1, true), e)
assert(e:find("stack traceback:\n", 1, true), e)
assert(debug.gethook(co) == nil and debug.gethook() == nil, "a hook stays")
-- The next one has its whole time again.
assert(coroutine.resume(coroutine.create(function() for i = 1, 1e5 do local _ = i end end)))
print("passed")
]]):format(name))
    end)
  end

  it("the same code in a handler, tells the caller, and goes on serving", function()
    passes_loudly(([[
local child = assert(fkrpc.spawn{ %q, "-e", %q })
for _, name in ipairs{ "tight_loop", "pcall_in_a_loop", "wrap", "three_nested_coroutines" } do
  local result, e = child:call("spin", { name })
  assert(result == nil and e.code == -32603, tostring(e))
  assert(e.data:find("the time limit of 0.05 seconds is exceeded", 1, true), e.data)
  assert(e.data:find("stack traceback:\n", 1, true), e.data)
  assert(child:must("add", { 1, 2 }) == 3)
end
child:close_stdin()
local ended = child:wait(10)
assert(ended and ended.code == 0)
print("passed")
]]):format(helper.interpreter, ([[
package.cpath = %q
package.path = %q
if jit then jit.off() end
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio{})
assert(fkrpc.watchdog(0.05))
peer:on("spin", function(p) local name = p[1] require("cases")[name]() end)
peer:on("add", function(p) return p[1] + p[2] end)
peer:serve()
]]):format((helper.library:gsub("fkrpc%.so$", "?.so")), helper.root .. "/spec/fixtures/watchdog/?.lua")))
  end)

  it("a handler that was running when it was turned on, and all after it", function()
    passes_loudly([[
local left, right = fkrpc.pair{}
right:on("on", function() assert(fkrpc.watchdog(0.03)) return true end)
right:on("spin", function() while true do end end)
right:on("add", function(p) return p[1] + p[2] end)
assert(left:must("on"))
for i = 1, 3 do
  local _, e = left:call("spin")
  assert(e.data:find("is exceeded"), e.data)
  assert(left:must("add", { i, 1 }) == i + 1)
end
print("passed")
]])
  end)

  it("a thousand slices in a row under varied loads", function()
    passes([[
local cases = require("cases")
local names = { "tight_loop", "calls", "allocation", "pcall_in_a_loop", "coroutine_churn", "metamethods",
  "resume_in_a_loop", "wrap" }
assert(fkrpc.watchdog(0.001))
for i = 1, 1000 do
  local ok, e = coroutine.resume(coroutine.create(cases[names[i % #names + 1] ]))
  assert(not ok and e:find("is exceeded"), tostring(e))
end
print("passed")
]], 60)
  end)
end)

describe("the watchdog leaves alone", function()
  it("a thousand coroutines kept over many timeouts", function()
    passes([[
assert(fkrpc.watchdog(0.02))
local kept = {}
for i = 1, 1000 do
  kept[i] = coroutine.create(function() local sum = 0 while true do
    for j = 1, 20 do sum = sum + j end
    coroutine.yield(sum)
  end end)
  assert(coroutine.resume(kept[i]))
  -- Made inside a slice that fails: they may have inherited its hook.
  if i % 100 == 0 then
    local made = {}
    local ok = coroutine.resume(coroutine.create(function()
      while true do pcall(function()
        local co = coroutine.create(function() return "fine" end)
        made[1 + #made % 50] = co
      end) end
    end))
    assert(not ok)
    for _, co in pairs(made) do
      local fine, word = coroutine.resume(co)
      assert(fine and word == "fine", tostring(word))
      assert(debug.gethook(co) == nil)
    end
  end
end
for round = 1, 3 do
  for i = 1, 1000 do
    local ok, e = coroutine.resume(kept[i])
    assert(ok, tostring(e))
  end
end
print("passed")
]])
  end)

  it("a handler that waits for its caller for longer than its limit", function()
    passes(([[
local child = assert(fkrpc.spawn{ %q, "-e", %q })
child:on("slowly", function() os.execute("sleep 0.8") return "done" end)
assert(child:must("ask") == "done")
child:close_stdin()
assert(child:wait(10).code == 0)
print("passed")
]]):format(helper.interpreter, ([[
package.cpath = %q
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio{})
assert(fkrpc.watchdog(0.7))
local function burn(seconds) local till = os.clock() + seconds while os.clock() < till do end end
peer:on("ask", function()
  burn(0.02)
  local a = peer:must("slowly")
  burn(0.02)
  assert(peer:must("slowly") == a)
  return a
end)
peer:serve()
]]):format((helper.library:gsub("fkrpc%.so$", "?.so")))))
  end)

  it("a handler whose caller does not read what it is told", function()
    passes(([[
local child = assert(fkrpc.spawn{ %q, "-e", %q })
child:on("text", function() end)
assert(child:notify("talk"))
os.execute("sleep 1.5") -- by now it has waited for us for longer than its limit
assert(child:must("add", { 1, 2 }) == 3)
assert(child:must("failed") == 0)
child:close_stdin()
assert(child:wait(10).code == 0)
print("passed")
]]):format(helper.interpreter, ([[
package.cpath = %q
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio{})
assert(fkrpc.watchdog(1))
local failed = 1
local function burn(seconds) local till = os.clock() + seconds while os.clock() < till do end end
peer:on("talk", function()
  local text = ("x"):rep(1e5)
  burn(0.02)
  for _ = 1, 5 do peer:notify("text", { text }) end
  burn(0.02)
  failed = 0
end)
peer:on("add", function(p) return p[1] + p[2] end)
peer:on("failed", function() return failed end)
peer:serve()
]]):format((helper.library:gsub("fkrpc%.so$", "?.so")))))
  end)

  it("the main program, and what runs while it is off", function()
    passes([[
local function burn(seconds) local till = os.clock() + seconds while os.clock() < till do end end
local resume, wrap = coroutine.resume, coroutine.wrap
assert(fkrpc.watchdog(0.02))
assert(coroutine.resume ~= resume)
burn(0.1)
assert(fkrpc.watchdog(false))
assert(coroutine.resume == resume and coroutine.wrap == wrap)
assert(resume(coroutine.create(burn), 0.1))
assert(fkrpc.watchdog(0.02) and fkrpc.watchdog(nil))
assert(resume(coroutine.create(burn), 0.1))
print("passed")
]])
  end)

  it("a debugger's hook, which is back after a timeout", function()
    passes([[
assert(fkrpc.watchdog(0.03))
local lines = 0
local function hook() lines = lines + 1 end
local co = coroutine.create(function() while true do end end)
debug.sethook(co, hook, "l", 0)
local ok, e = coroutine.resume(co)
assert(not ok and e:find("is exceeded"), e)
local f, mask = debug.gethook(co)
assert(f == hook and mask == "l", tostring(mask))
if not jit then -- its hooks are global
  debug.sethook(hook, "l")
  lines = 0
  assert(not coroutine.resume(coroutine.create(function() while true do end end)))
  assert(lines > 0 and debug.gethook() == hook)
end
debug.sethook()
print("passed")
]])
  end)

  it("no code that a debugger steps through, at whatever moment its time is over", function()
    passes([[
assert(fkrpc.watchdog(0.001))
local function hook() end
for _ = 1, 100 do
  local co = coroutine.create(function() while true do end end)
  debug.sethook(co, hook, "l", 0)
  local ok, e = coroutine.resume(co)
  assert(not ok and e:find("is exceeded"), e)
end
debug.sethook()
print("passed")
]])
  end)

  it("results, errors and states of coroutines", function()
    passes([[
local function try()
  local seen = {}
  local function note(...)
    for i = 1, select("#", ...) do seen[#seen + 1] = tostring((select(i, ...))):gsub("0x%x+", "") end
    seen[#seen + 1] = select("#", ...)
  end
  local co = coroutine.create(function(...) note(...) note(coroutine.yield(1, nil, 3)) return end)
  note(coroutine.resume(co, 1, nil, nil))
  note(coroutine.status(co))
  note(coroutine.resume(co, "a", nil))
  note(coroutine.resume(co))
  note(coroutine.resume(coroutine.create(function() error({}) end)))
  note(coroutine.resume(coroutine.create(function() error("text") end)))
  local main = coroutine.wrap(function()
    local self = coroutine.running()
    note(coroutine.resume(self))
    coroutine.wrap(function() note(coroutine.resume(self)) note(coroutine.status(self)) end)()
  end)
  main()
  note(pcall(main))
  note(pcall(coroutine.wrap(function() error("wrapped") end)))
  note(pcall(coroutine.wrap(function() error(7) end)))
  note(pcall(coroutine.resume))
  note(pcall(coroutine.resume, {}))
  note(pcall(coroutine.wrap, 1))
  local many = {}
  for i = 1, 200 do many[i] = i end
  local unpack = table.unpack or unpack
  note(coroutine.wrap(function(...) return coroutine.yield(...) end)(unpack(many)))
  local function deep(n) return coroutine.wrap(function() return n > 0 and deep(n - 1) or n end)() end
  note(deep(50))
  if coroutine.close then
    local closed = coroutine.create(function() coroutine.yield() end)
    coroutine.resume(closed)
    note(coroutine.close(closed)) note(coroutine.status(closed)) note(coroutine.close(closed))
    note(coroutine.close(coroutine.create(print)))
    local failed = coroutine.create(error)
    coroutine.resume(failed, "x")
    note(coroutine.close(failed))
    note(pcall(coroutine.wrap(function() coroutine.close(coroutine.running()) end)))
  end
  return table.concat(seen, "|")
end
local function plain(text) return (text:gsub("to '%?'", "to f"):gsub("to '[%w.]+'", "to f")) end
local before = plain(try())
assert(fkrpc.watchdog(10))
local with = plain(try())
assert(before == with, before .. "\n" .. with)
print("passed")
]])
  end)
end)

describe("watchdog.run", function()
  it("gives a call its own limit, inside another or without", function()
    passes([[
local run = fkrpc.watchdog.run
local function spin() while true do end end
local function results(ok, ...) assert(ok, ...) return select("#", ...), ... end
local count, a, b = results(run(1, function(...) return ... end, "a", nil, "c"))
assert(count == 3 and a == "a" and b == nil)
local ok, e = run(0.02, spin)
assert(ok == false and e:find("the time limit of 0.02 seconds", 1, true), e)
ok, e = run(1, function(text) error(text, 0) end, "mine")
assert(ok == false and e == "mine")
assert(fkrpc.watchdog(10))
ok, e = coroutine.resume(coroutine.create(function()
  local inner, text = run(0.02, function() coroutine.wrap(spin)() end)
  assert(inner == false and text:find("limit of 0.02 seconds", 1, true), text)
  for i = 1, 1e5 do local _ = i end
  return "went on"
end))
assert(ok and e == "went on", e)
-- A loop of short calls is not endless time.
assert(fkrpc.watchdog(0.1))
ok, e = coroutine.resume(coroutine.create(function() while true do run(0.05, function() end) end end))
assert(not ok and e:find("limit of 0.1 seconds", 1, true), e)
print("passed")
]])
  end)

  it("and the watchdog itself refuse what is no time", function()
    passes([[
local function refused(text, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and tostring(e):find(text, 1, true), tostring(e))
end
refused("seconds above 0 expected, got string", fkrpc.watchdog, "1")
refused("seconds above 0 expected, got 0", fkrpc.watchdog, 0)
refused("seconds above 0 expected", fkrpc.watchdog, 0/0)
refused("unknown option 'gracee'", fkrpc.watchdog, 1, { gracee = 1 })
refused("option 'grace'", fkrpc.watchdog, 1, { grace = "x" })
refused("function expected, got nil", fkrpc.watchdog.run, 1)
assert(require("fkrpc.watchdog") == fkrpc.watchdog)
print("passed")
]])
  end)
end)
