-- Faults of handlers: what they raise, what they do to their peer, and what they ask too much of.

local faults = {}
local function fault(name, run) faults[#faults + 1] = { name = name, run = run } end

-- A handler with this body: the call fails with this code, and the child goes on.
local function failing(name, body, code, data)
  fault(name, function(world)
    local child = world:child(("peer:on('bad', function(params) %s end)"):format(body))
    local err = world:fails(code, child, "bad", { 1 })
    if data then world.has(err.data, data, "data") end
    world:fine(child)
    world:ends(child)
  end)
end

-- ---- what is raised -------------------------------------------------------------------------------------------------

failing("raises a text", "error('no')", -32603, "no")
failing("raises nil", "error(nil)", -32603, "nil")
failing("raises false", "error(false)", -32603, "boolean")
failing("raises a number", "error(42)", -32603, "42")
failing("raises a table", "error({})", -32603, "table")
failing("raises a function", "error(print)", -32603, "function")
failing("raises a coroutine", "error(coroutine.create(function() end))", -32603, "thread")
failing("raises a userdata", "error(io.stdout)", -32603)
failing("raises a table with a code", "error({ code = 7, message = 'seven' })", 7)
failing("raises a table with a fractional code", "error({ code = 7.5 })", -32603)
failing("raises a table whose __tostring raises",
  "error(setmetatable({}, { __tostring = function() error('again') end }))", -32603)
failing("raises a table whose __index raises",
  "error(setmetatable({}, { __index = function() error('again') end }))", -32603)
failing("raises a text that is no UTF-8", "error('\\255\\254')", -32603)
failing("raises a text of a megabyte", "error(('x'):rep(1e6))", -32603)
failing("returns what cannot be encoded", "return { print }", -32603, "function")
failing("returns a cycle", "local t = {} t[1] = t return t", -32603)
failing("returns NaN", "return 0/0", -32603)
failing("returns bytes that are no UTF-8", "return '\\255'", -32603)
failing("returns a table nested too deep", "local t = {} for _ = 1, 500 do t = { t } end return t", -32603)
failing("yields", "coroutine.yield(1)", -32603, "yielded")
failing("yields for ever", "while true do coroutine.yield() end", -32603, "yielded")
failing("recurses without end", "local function f() return 1 + f() end return f()", -32603, "stack overflow")
if not pcall(string.rep, "x", 1e15) then -- Lua 5.1 makes an empty string of it
  failing("asks for more memory than there is", "return ('x'):rep(1e15)", -32603)
end
if _VERSION ~= "Lua 5.1" then -- whose C stack overflows by it
  failing("overflows a pattern", "return (('a'):rep(300000)):find(('a?'):rep(300000) .. 'b')", -32603)
end

-- ---- what is done to the peer ---------------------------------------------------------------------------------------

fault("closes its peer: the caller hears, and the child can still end well", function(world)
  local child = world:child([[peer:on("bad", function() peer:close() end)]])
  world:fails("closed", child, "bad")
  world:ends(child, 9) -- serve returned "closed", not "eof"
end)
fault("closes its peer inside a nested call", function(world)
  local child = world:child([[
    peer:on("outer", function() return peer:call("more") end)
    peer:on("bad", function() peer:close() end)
  ]])
  child:on("more", function() world:fails("closed", child, "bad") end)
  world:fails("closed", child, "outer")
  world:ends(child, 9)
end)
fault("lets its peer be collected", function(world)
  local child = world:child([[peer:on("drop", function()
    peer = nil
    collectgarbage() collectgarbage()
    return 1
  end)
  peer = setmetatable({ peer }, { __index = function(t) return function() return table.remove(t):serve() end end })]])
  world.equal(1, child:must("drop"))
  world:fine(child)
  world:ends(child)
end)
fault("stops its peer: it is answered, and serve returns", function(world)
  local child = world:child([[peer:on("stop", function() peer:stop() return "bye" end)]])
  world.equal("bye", child:must("stop"))
  world:fails("closed", child, "ping")
  world:ends(child, 9)
end)
fault("serves inside a handler", function(world)
  local child = world:child([[peer:on("serve", function() return (peer:serve()) end)]])
  child:notify("serve")
  world:fine(child)
  world:ends(child)
end)
fault("takes itself away", function(world)
  local child = world:child([[peer:on("once", function() peer:on("once", nil) return 1 end)]])
  world.equal(1, child:must("once"))
  world:fails(-32601, child, "once")
  world:ends(child)
end)
fault("calls back after the end of its input: its call fails, its answer arrives", function(world)
  local child = world:child([[peer:on("late", function()
    while true do
      local _, err = peer:call("never", nil, { timeout = 20 })
      if err then return err.code end
    end
  end)]])
  child:on("never", function() child:close_stdin() end)
  world.equal("closed", child:must("late", nil, { timeout = world.PATIENCE }))
  world:ends(child)
end)
fault("takes more than one process: SIGCHLD of its own children disturbs nothing", function(world)
  local child = world:child([[peer:on("many", function()
    for _ = 1, 20 do os.execute("true &") end
    return 1
  end)]])
  world.equal(1, child:must("many"))
  world:fine(child)
  world:ends(child)
end)
fault("calls inside calls: sixty-four, and one more is refused", function(world)
  local child = world:child([[peer:on("down", function(params)
    if params[1] == 0 then return 0 end
    local result, err = peer:call("down", { params[1] - 1 })
    if err then error(err) end
    return 1 + result
  end)]])
  child:on("down", function(params)
    if params[1] == 0 then return 0 end
    local result, err = child:call("down", { params[1] - 1 }, { timeout = world.PATIENCE })
    if err then error(err) end
    return 1 + result
  end)
  world.equal(60, child:must("down", { 60 }, { timeout = world.PATIENCE }))
  world:fails(-32603, child, "down", { 500 })
  world:fine(child)
  world:ends(child)
end)
fault("a collector that is always at work", function(world)
  local child = world:child([[
    if _VERSION >= "Lua 5.4" then collectgarbage("incremental") end
    collectgarbage("setpause", 0) collectgarbage("setstepmul", 1000)
    peer:on("make", function() local t = {} for i = 1, 100 do t[i] = { i, tostring(i) } end return t end)
  ]])
  for _ = 1, 30 do world.equal(100, #child:must("make")) end
  world:ends(child)
end)
fault("finalizers that raise", function(world)
  local child = world:child([[peer:on("bad", function()
    for _ = 1, 50 do
      if newproxy then getmetatable(newproxy(true)).__gc = function() error("in a finalizer") end
      else setmetatable({}, { __gc = function() error("in a finalizer") end }) end
    end
    collectgarbage() collectgarbage()
    return 1
  end)]])
  for _ = 1, 3 do
    local result, err = child:call("bad", nil, { timeout = world.PATIENCE })
    if err == nil then world.equal(1, result) end
  end
  if _VERSION >= "Lua 5.4" then world:fine(child) end -- before, the error comes out of whatever allocates
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)

return faults
