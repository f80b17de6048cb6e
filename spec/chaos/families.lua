-- Families of processes, to see what a parent's death does to them: whoever uses this is the grandfather, starts a
-- parent, which starts a child in some state, and kills the parent.
--
-- Whoever uses it has the library on package.cpath. It judges nothing: how long the child lived on is handed back.

local fkrpc = require("fkrpc")
local clock = fkrpc.clock

local families = {}

-- What the child does, what its parent does after starting it, and by when it has to be gone, in seconds.
-- `%s` is the option parent_death.
local CHILD = [[
  package.cpath = %q
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio({ parent_death = %s }))
  %s
  peer:serve()
]]
local READY = [[peer:notify("ready", { 0 })]]

families.STATES = {
  idle = { child = READY, limit = 0.1 },
  spinning = {
    child = [[peer:on("go", function() peer:notify("ready", { 0 }) while true do end end)]],
    parent = [[child:notify("go")]], limit = 1, needs_option = true,
  },
  ["in C"] = {
    child = [[peer:on("go", function()
      peer:notify("ready", { 0 })
      string.find(("a"):rep(32), ("a?"):rep(32) .. ("a"):rep(32))
    end)]],
    parent = [[child:notify("go")]], limit = 1, needs_option = true,
  },
  ["blocked writing"] = {
    child = READY .. [[
      local piece = ("x"):rep(1000)
      repeat local sent = peer:notify("flood", { piece }) until not sent
      os.exit(7)
    ]], limit = 0.1,
  },
  ["in a nested call"] = {
    child = [[peer:on("go", function() return (peer:call("inner")) end)]],
    parent = [[
      child:on("inner", function() ready({ 0 }) fkrpc.clock.sleep(1000) end)
      child:notify("go")
    ]], limit = 0.1,
  },
  ["with an idle child of its own"] = {
    child = [[
      local own = assert(fkrpc.spawn({ %q, %q }))
      own:on("ready", function() peer:notify("ready", { own.pid }) end)
      assert(own:step())
    ]], limit = 0.1, grandchild = READY,
  },
  ["with a spinning child of its own"] = {
    child = [[
      local own = assert(fkrpc.spawn({ %q, %q }))
      own:on("ready", function() peer:notify("ready", { own.pid }) end)
      own:notify("go")
      assert(own:step())
    ]],
    grandchild = [[peer:on("go", function() peer:notify("ready", { 0 }) while true do end end)]],
    limit = 1, needs_option = true,
  },
}

local PARENT = [[
  package.cpath = %q
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio())
  local child = assert(fkrpc.spawn({ %q, %q }))
  local function ready(params) peer:notify("ready", { child.pid, params[1] }) done = true end
  child:on("ready", ready)
  %s
  while not done do assert(child:step()) end
  fkrpc.clock.sleep(1000)
]]

local function file(text)
  local path = os.tmpname()
  local handle = assert(io.open(path, "wb"))
  handle:write(text)
  assert(handle:close())
  return path
end

--- A state as a kind of family: `option` is the text of parent_death. `kind:start()`, `kind:remove()`.
function families.kind(state, option, interpreter)
  local kind = { files = {}, interpreter = interpreter }
  local function script(text)
    kind.files[#kind.files + 1] = file(text)
    return kind.files[#kind.files]
  end
  local child = state.child
  if state.grandchild then
    local grandchild = script(CHILD:format(package.cpath, option, state.grandchild))
    child = child:format(interpreter, grandchild)
  end
  local childs = script(CHILD:format(package.cpath, option, child))
  kind.script = script(PARENT:format(package.cpath, interpreter, childs, state.parent or ""))
  return setmetatable(kind, { __index = families })
end

--- Remove its files.
function families.remove(kind)
  for _, path in ipairs(kind.files) do os.remove(path) end
end

--- Start a family whose child is in its state: the parent's peer and the pids of its descendants.
function families.start(kind)
  local parent = assert(fkrpc.spawn({ "sh", "-c", 'exec "$@" 2>/dev/null', "sh", kind.interpreter, kind.script }))
  local pids
  parent:on("ready", function(params)
    pids = { params[1] }
    if params[2] > 0 then pids[2] = params[2] end
  end)
  while not pids do
    local served, err = parent:step(30)
    if not served then error("a family did not get ready: " .. tostring(err or "30 s"), 0) end
  end
  return parent, pids
end

--- Whether a process runs: it is neither gone nor a zombie that its new parent does not collect.
function families.runs(pid)
  local stat = io.open(("/proc/%d/stat"):format(pid))
  if not stat then return false end
  local state = (stat:read("*a") or ""):match("%) (%a)")
  stat:close()
  return state ~= nil and state ~= "Z" and state ~= "X"
end

--- Start `count` families at once and kill their parents; the seconds until the last of each one's descendants is gone,
--- and how many are not after `patience` seconds (these are killed).
function families.trial(kind, count, patience)
  local parents, open = {}, {}
  for i = 1, count do
    local parent, pids = families.start(kind)
    parents[i], open[i] = parent, pids
  end
  local times, left, began = {}, count, {}
  for i, parent in ipairs(parents) do
    began[i] = clock.monotonic_us()
    parent:kill(9)
  end
  local limit = clock.monotonic_us() + patience * 1e6
  while left > 0 and clock.monotonic_us() < limit do
    for i = 1, count do
      while open[i] and open[i][1] and not families.runs(open[i][#open[i]]) do table.remove(open[i]) end
      if open[i] and not open[i][1] then
        times[#times + 1] = (clock.monotonic_us() - began[i]) / 1e6
        open[i], left = false, left - 1
      end
    end
    if left > 0 then clock.sleep(0.0005) end
  end
  local survivors = 0
  for i = 1, count do
    if open[i] then
      survivors = survivors + 1
      for _, pid in ipairs(open[i]) do os.execute("kill -9 " .. pid .. " 2>/dev/null") end
    end
    parents[i]:wait()
    parents[i]:close()
  end
  return times, survivors
end

return families
