-- The limit for each resume: a handler's rooms run out of time one by one, and the handler sees it.

local helper = require("spec.helper")
package.path = helper.root .. "/spec/fixtures/watchdog/?.lua;" .. package.path
local run = require("run")

local cpath = helper.library:gsub("fkrpc%.so$", "?.so")

-- The code sees `one:call`, and `on(method, handler)` for the other end, which is under the watchdog.
local PAIR = [[
local one, other = fkrpc.pair()
local function on(method, handler) other:on(method, handler) end
local function burn(seconds) local till = os.clock() + seconds while os.clock() < till do end end
local function spin() while true do end end
local function late(limit, ok, text)
  assert(ok == false and type(text) == "string", tostring(text))
  assert(text:find("the time limit of " .. limit .. " seconds is exceeded", 1, true), text)
  assert(text:find("stack traceback:\n", 1, true), text)
end
]]

local function passes(code)
  local output, status = run(PAIR .. code)
  assert.equal("passed", output:match("([^\n]*)\n$"), output)
  assert.equal(0, status)
end

describe("a coroutine.resume in a handler, with a limit for each resume,", function()
  for _, name in ipairs({ "tight_loop", "pcall_in_a_loop", "three_nested_coroutines", "resume_in_a_loop", "wrap",
    "allocation" }) do
    it("returns false and a traceback when the room does not end: " .. name:gsub("_", " "), function()
      passes(([[
assert(fkrpc.watchdog(0.05, { per = "resume" }))
on("wake", function()
  local room = coroutine.create(require("cases").%s)
  local ok, text = coroutine.resume(room)
  late("0.05", ok, text)
  assert(coroutine.status(room) == "dead")
  assert(debug.gethook() == nil and debug.gethook(room) == nil, "a hook stays")
  return "released"
end)
for _ = 1, 3 do
  local result, e = one:call("wake")
  assert(result == "released", e and e.data)
end
print("passed")
]]):format(name))
    end)
  end

  it("has the whole time, whatever the ones before took", function()
    passes([[
assert(fkrpc.watchdog(0.9, { per = "resume" }))
on("wake", function()
  local room = coroutine.create(function() while true do burn(0.03) coroutine.yield() end end)
  for _ = 1, 40 do assert(coroutine.resume(room)) end
  for _ = 1, 2 do late("0.9", coroutine.resume(coroutine.create(spin))) end
  return "done"
end)
local result, e = one:call("wake")
assert(result == "done", e and e.data)
print("passed")
]])
  end)

  it("is one slice with all that it resumes in turn", function()
    passes([[
assert(fkrpc.watchdog(0.1, { per = "resume" }))
on("wake", function()
  local room = coroutine.create(function()
    while true do
      local inner = coroutine.create(function() burn(0.03) end)
      assert(coroutine.resume(inner))
    end
  end)
  local ok, text = coroutine.resume(room)
  late("0.1", ok, text)
  return "done"
end)
local result, e = one:call("wake")
assert(result == "done", e and e.data)
print("passed")
]])
  end)

  it("leaves the handler a deadline of its own", function()
    passes([[
assert(fkrpc.watchdog(0.1, { per = "resume" }))
local resumed
on("wake", function()
  late("0.1", coroutine.resume(coroutine.create(spin)))
  resumed = true
  spin()
end)
local result, e = one:call("wake")
assert(result == nil and e.code == -32603, tostring(e))
assert(e.data:find("limit of 0.1 seconds", 1, true), e.data)
assert(resumed)
print("passed")
]])
  end)

  it("does not end a handler whose room has slept", function()
    passes([[
assert(fkrpc.watchdog(0.5, { per = "resume" }))
on("wake", function()
  burn(0.06)
  coroutine.resume(coroutine.create(function() os.execute("sleep 1") end))
  burn(0.06)
  return "done"
end)
local result, e = one:call("wake")
assert(result == "done", e and e.data)
print("passed")
]])
  end)

  it("counts apart from a request that is served while the room waits", function()
    passes([[
assert(fkrpc.watchdog(0.4, { per = "resume" }))
one:on("ask", function() return one:must("state") end)
on("state", function()
  late("0.4", coroutine.resume(coroutine.create(spin)))
  burn(0.05)
  return 7
end)
on("wake", function()
  local room = coroutine.create(function()
    burn(0.05)
    assert(other:must("ask") == 7)
    burn(0.03)
    return "went on"
  end)
  local ok, text = coroutine.resume(room)
  assert(ok and text == "went on", text)
  return text
end)
local result, e = one:call("wake")
assert(result == "went on", e and e.data)
print("passed")
]])
  end)

  it("is no way around the limit of a watchdog.run", function()
    passes([[
assert(fkrpc.watchdog(10, { per = "resume" }))
on("wake", function()
  local ok, text = fkrpc.watchdog.run(0.1, function()
    while true do coroutine.resume(coroutine.create(function() burn(0.01) end)) end
  end)
  late("0.1", ok, text)
  return "done"
end)
local result, e = one:call("wake")
assert(result == "done", e and e.data)
print("passed")
]])
  end)

  it("stops a handler that lets one coroutine after another run into its limit, for ever", function()
    passes([[
assert(fkrpc.watchdog(0.05, { per = "resume" }))
local rooms = 0
on("wake", function()
  while true do
    rooms = rooms + 1
    coroutine.resume(coroutine.create(function() while true do end end))
  end
end)
local result, e = one:call("wake")
assert(result == nil and e.code == -32603, e)
assert(e.data:find("time limit of 0.05 seconds is exceeded", 1, true), e.data)
assert(rooms >= 10, rooms)
print("passed")
]])
  end)

  it("gives a program without handlers what it had", function()
    passes([[
assert(fkrpc.watchdog(0.1, { per = "resume" }))
local ok, text = coroutine.resume(coroutine.create(function()
  for _ = 1, 20 do coroutine.resume(coroutine.create(function() burn(0.02) end)) end
end))
late("0.1", ok, text)
print("passed")
]])
  end)

  it("puts back a hook that the handler had, after a timeout of the handler itself", function()
    passes([[
assert(fkrpc.watchdog(0.05, { per = "resume" }))
local function hook() end
on("wake", function()
  debug.sethook(hook, "r")
  late("0.05", coroutine.resume(coroutine.create(spin)))
  local f, mask = debug.gethook()
  debug.sethook()
  return jit ~= nil or f == hook and mask == "r"
end)
local result, e = one:call("wake")
assert(result == true, e and e.data)
print("passed")
]])
  end)
end)

describe("coroutine.wrap in such a handler", function()
  it("belongs to the handler", function()
    passes([[
assert(fkrpc.watchdog(0.1, { per = "resume" }))
on("wake", function()
  for _ = 1, 20 do coroutine.wrap(function() burn(0.02) end)() end
  return "not stopped"
end)
local result, e = one:call("wake")
assert(result == nil and e.data:find("limit of 0.1 seconds", 1, true), tostring(result))
print("passed")
]])
  end)
end)

describe("the limit for each handler", function()
  it("is what there is without the option, and can be gone back to", function()
    passes([[
on("wake", function()
  for _ = 1, 20 do coroutine.resume(coroutine.create(function() burn(0.02) end)) end
  return "done"
end)
for _, per in ipairs({ false, "handler" }) do
  assert(fkrpc.watchdog(0.1, { per = "resume" }))
  assert(one:call("wake") == "done")
  assert(fkrpc.watchdog(0.1, per and { per = per } or nil))
  local result, e = one:call("wake")
  assert(result == nil and e.data:find("limit of 0.1 seconds", 1, true), tostring(result))
end
local ok, e = pcall(fkrpc.watchdog, 1, { per = "room" })
assert(not ok and e:find('option \'per\' must be one of "handler", "resume", not "room"', 1, true), e)
print("passed")
]])
  end)
end)

describe("a room that cannot be stopped", function()
  it("has its request answered, and ends the process", function()
    local output, status = run(([[
local child = assert(fkrpc.spawn{ %q, "-e", %q })
local result, e = child:call("wake")
assert(result == nil and e.code == -32603, tostring(e))
assert(e.data:find("cannot be stopped", 1, true), tostring(e.data))
assert(child:wait(10).code == 124)
print("passed")
]]):format(helper.interpreter, ([[
package.cpath = %q
if jit then jit.off() end
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio())
assert(fkrpc.watchdog(0.05, { grace = 0.1, per = "resume" }))
peer:on("wake", function()
  coroutine.resume(coroutine.create(function()
    xpcall(function() while true do end end, function() while true do end end)
  end))
end)
peer:serve()
]]):format(cpath)))
    assert.equal("passed", output:match("([^\n]*)\n$"), output)
    assert.equal(0, status)
  end)
end)
