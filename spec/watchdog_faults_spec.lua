-- The runaway guard where it cannot stop the code, and in odd surroundings.

local helper = require("spec.helper")
package.path = helper.root .. "/spec/fixtures/watchdog/?.lua;" .. package.path
local run = require("run")

local cpath = helper.library:gsub("fkrpc%.so$", "?.so")
local TEXT = "fkrpc.watchdog: the code does not end and cannot be stopped; the process ends with status 124"

local function passes(code, seconds)
  local output, status = run(code, seconds)
  assert.equal("passed\n", output)
  assert.equal(0, status)
end

-- Code that no hook stops.
local STUBBORN = {
  ["an error handler that spins"] = [[
    xpcall(function() while true do end end, function() while true do end end)]],
  ["a finalizer that spins"] = [[
    local m = { __gc = function() while true do end end }
    local _ = setmetatable({}, m)
    if newproxy then local p = newproxy(true) getmetatable(p).__gc = m.__gc end
    _ = nil
    while true do collectgarbage() end]],
  ["a C function that takes for ever"] = [[
    return (("a"):rep(200):find(("a?"):rep(60) .. ("a"):rep(60) .. "b"))]],
}

describe("code that cannot be stopped", function()
  for what, code in pairs(STUBBORN) do
    it("ends the process after its grace: " .. what, function()
      local output, status = run(([[
assert(fkrpc.watchdog(0.05, { grace = 0.1 }))
coroutine.resume(coroutine.create(function() %s end))
print("came back")
]]):format(code))
      assert.equal(TEXT .. "\n", output)
      assert.equal(124, status)
    end)

    it("is answered with an error before: " .. what, function()
      local output, status = run(([[
for _, codec in ipairs{ "json", "cbor" } do
  local child = assert(fkrpc.spawn{ %q, "-e", %q, codec = codec, env = { CODEC = codec } })
  assert(child:must("ready"))
  local result, e = child:call("stubborn")
  assert(result == nil and e.code == -32603, tostring(e))
  assert(e.data == %q, tostring(e.data))
  assert(child:wait(10).code == 124)
end
print("passed")
]]):format(helper.interpreter, ([[
package.cpath = %q
if jit then jit.off() end
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio{ codec = os.getenv("CODEC") })
assert(fkrpc.watchdog(0.05, { grace = 0.1 }))
peer:on("ready", function() return true end)
peer:on("stubborn", function() %s end)
peer:serve()
]]):format(cpath, code), TEXT))
      assert.equal((TEXT .. "\n"):rep(2) .. "passed\n", output)
      assert.equal(0, status)
    end)
  end

  it("goes on without end where there is no grace", function()
    local output, status = run([[
assert(fkrpc.watchdog(0.02, { grace = false }))
local till
coroutine.resume(coroutine.create(function()
  xpcall(function() while true do end end, function() till = os.clock() + 0.5 while os.clock() < till do end end)
end))
print("came back")
]])
    assert.equal("came back\n", output)
    assert.equal(0, status)
  end)
end)

describe("the watchdog", function()
  -- Plain Lua cannot fork.
  local fork = rawget(_G, "jit") and [[
local ffi = require("ffi")
ffi.cdef("int fork(void); int waitpid(int, int *, int); void _exit(int);")
local C, status = ffi.C, ffi.new("int[1]")
local fork, exit = C.fork, C._exit
local function wait(pid) C.waitpid(pid, status, 0) return bit.rshift(status[0], 8) end
]] or pcall(require, "posix.unistd") and [[
local unistd = require("posix.unistd")
local fork, exit = unistd.fork, unistd._exit
local function wait(pid) return (select(3, require("posix.sys.wait").wait(pid))) end
]]
  if fork then
    it("is at work in a forked child, too", function()
      passes(fork .. [[
assert(fkrpc.watchdog(0.05))
local pid = fork()
local ok, e = coroutine.resume(coroutine.create(function() while true do end end))
assert(not ok and e:find("is exceeded"), e)
if pid == 0 then exit(42) end
assert(wait(pid) == 42)
print("passed")
]])
    end)
  end

  it("lets a state be closed from inside a slice, finalizers that spin included", function()
    local output, status = run([[
assert(fkrpc.watchdog(0.02))
local till = 0
local m = { __gc = function() till = os.clock() + 0.2 while os.clock() < till do end end }
keep = setmetatable({}, m)
coroutine.wrap(function()
  coroutine.wrap(function()
    os.exit(7, true)
  end)()
end)()
]])
    assert.equal("", output)
    assert.equal(7, status)
  end)

  it("watches nothing any more once its Lua state is closed", function()
    local output, status = run([[
assert(fkrpc.watchdog(0.02, { grace = 0.05 }))
coroutine.wrap(function() coroutine.wrap(function() os.exit(7, true) end)() end)()
]], nil, [[
-- Older than the library, so it is finalized after the library's own state.
local m = { __gc = function()
  local till = os.clock() + 0.5
  while os.clock() < till do end
  print(fkrpc.watchdog(1))
end }
if newproxy then
  keep = newproxy(true)
  for name, f in pairs(m) do getmetatable(keep)[name] = f end
else
  keep = setmetatable({}, m)
end
]])
    assert.equal(7, status)
    if helper.name == "lua51" then return end -- its os.exit closes nothing
    assert.truthy(output:find("^nil\tthe watchdog cannot be turned on: .*the Lua state is being closed"), output)
  end)

  it("can be turned on and off inside slices", function()
    passes([[
for i = 1, 50 do
  assert(fkrpc.watchdog(0.02))
  coroutine.wrap(function()
    assert(fkrpc.watchdog(nil))
    coroutine.wrap(function() assert(fkrpc.watchdog(0.01)) end)()
  end)()
  local ok, e = coroutine.resume(coroutine.create(function() while true do end end))
  assert(not ok and e:find("limit of 0.01", 1, true), e)
  assert(fkrpc.watchdog(false))
end
print("passed")
]])
  end)

  it("does not disturb programs that are started inside a slice", function()
    passes([[
assert(fkrpc.watchdog(0.01))
for _ = 1, 20 do
  coroutine.wrap(function()
    local status = os.execute("exit 0")
    assert(status == true or status == 0)
    local pipe = io.popen("sleep 0.01; echo here")
    assert(pipe:read("*l") == "here")
    pipe:close()
  end)()
end
print("passed")
]])
  end)

  it("puts stderr's text and a position into the error where the code was", function()
    local output = run([[
assert(fkrpc.watchdog(0.02))
local function outer()
  while true do end
end
local _, e = coroutine.resume(coroutine.create(outer))
print((e:gsub("^[^:]*/", "")))
]])
    assert.truthy(output:match("^[%w_.]+:%d+: fkrpc%.watchdog: the time limit of 0%.02 seconds is exceeded\n"), output)
  end)
end)

describe("soft hooks", function()
  it("call a function about once a second of running, where a count hook was asked for", function()
    passes([[
assert(fkrpc.watchdog.soft_hooks())
local calls, where = 0, nil
local function hook(event, line)
  calls = calls + 1
  where = coroutine.running()
  assert(event == "count" and line == nil)
end
local function burn(seconds) local till = os.clock() + seconds while os.clock() < till do end end
local co = coroutine.create(function() for _ = 1, 25 do burn(0.1) coroutine.yield() end end)
debug.sethook(co, hook, "", 50000)
local f, mask, count = debug.gethook(co)
assert(f == hook and mask == "" and count == 50000)
for _ = 1, 25 do assert(coroutine.resume(co)) end
assert(calls >= 1 and calls <= 3, tostring(calls))
assert(where == co)
debug.sethook(co)
assert(debug.gethook(co) == nil)
print("passed")
]])
  end)

  it("stop what runs too long by raising, in the coroutine alone", function()
    passes([[
assert(fkrpc.watchdog.soft_hooks())
local co = coroutine.create(function() while true do end end)
debug.sethook(co, function() error("Execution time exceed.") end, "", 50000)
local ok, e = coroutine.resume(co)
assert(not ok and e:find("Execution time exceed.", 1, true), e)
local wrapped = coroutine.wrap(function()
  debug.sethook(function() error("mine") end, "", 1000)
  while true do end
end)
ok, e = pcall(wrapped)
assert(not ok and e:find("mine", 1, true), e)
print("passed")
]])
  end)

  it("pass other hooks through, and can be taken back", function()
    passes([[
local sethook, gethook = debug.sethook, debug.gethook
assert(fkrpc.watchdog.soft_hooks())
assert(fkrpc.watchdog.soft_hooks())
assert(debug.sethook ~= sethook)
local function hook() end
debug.sethook(hook, "", 999)
local f, mask, count = gethook()
assert(f == hook and mask == "" and count == 999)
debug.sethook(hook, "", 1000)
assert(gethook() == nil)
f, mask, count = debug.gethook()
assert(f == hook and mask == "" and count == 1000)
debug.sethook(hook, "l")
f, mask = gethook()
assert(f == hook and mask == "l")
assert(select("#", debug.gethook()) == select("#", gethook()))
debug.sethook()
assert(debug.gethook() == nil and gethook() == nil)
assert(fkrpc.watchdog.soft_hooks(false))
assert(debug.sethook == sethook and debug.gethook == gethook)
print("passed")
]])
  end)

  it("work in the main program and beside a limit", function()
    passes([[
assert(fkrpc.watchdog.soft_hooks())
assert(fkrpc.watchdog(0.03))
local called = 0
debug.sethook(function() called = called + 1 end, "", 10000)
local till = os.clock() + 1.6
while os.clock() < till do end
assert(called == 1, tostring(called))
local ok, e = coroutine.resume(coroutine.create(function() while true do end end))
assert(not ok and e:find("is exceeded"), e)
assert(fkrpc.watchdog(nil))
till = os.clock() + 1.6
while os.clock() < till do end
assert(called > 1)
print("passed")
]])
  end)
end)

if rawget(_G, "jit") then
  describe("compiled LuaJIT code", function()
    it("is not stopped, as it never looks at hooks, but the process ends", function()
      local output, status = run([[JIT = true
assert(fkrpc.watchdog(0.05, { grace = 0.1 }))
local co = coroutine.create(function() local x = 0 while true do x = x + 1 end end)
coroutine.resume(co)
print("came back")
]])
      assert.equal(TEXT .. "\n", output)
      assert.equal(124, status)
    end)
  end)
end
