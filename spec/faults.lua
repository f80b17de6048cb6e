-- Panics in every guarded section of every native function: each is a Lua error that names it, and the function works
-- the next time. Run by scripts/faults.sh with a library of the feature `faults`: lua spec/faults.lua ROOT FOLDER.
--
-- What is called is in faults/cases.lua. This judges the list, too: every native function is called there or has its
-- reason not to be, and every `guarded(` in src/lua/raw was made to panic.

local root, folder = arg[1], arg[2]
local faults = require("fkrpc.faults")
local native = faults.native
local unpack = table.unpack or unpack -- luacheck: ignore
local receive = native.receive -- before it is wrapped

local entered, hit, places = nil, {}, {}

local function noted(name, f)
  hit[name] = hit[name] or 0
  return function(...)
    entered = name
    return f(...)
  end
end

-- Functions in which no Lua-free code runs: they read their arguments, make tables and closures, or resume.
local EXEMPT = {
  json_codec = "makes closures", cbor_codec = "makes closures", compat_json = "makes closures",
  compat_cbor = "makes closures", clock_functions = "makes a table", fs_functions = "makes a table",
  json_styled = "makes closures",
  random_class = "makes a metatable", qrandomgen_class = "makes a metatable", running_thread = "pushes a thread",
  concurrent = "sets a flag", delivering = "notes a number", manner = "sets a flag", after = "reads the clock",
  resume = "resumes", coroutine_resume = "resumes", coroutine_wrap = "makes a closure", coroutine_close = "closes",
}
for name in pairs(EXEMPT) do assert(native[name], name) end
for name, f in pairs(native) do
  if type(f) == "function" and not EXEMPT[name] then native[name] = noted(name, f) end
end
local function all_noted(prefix, functions)
  for name, f in pairs(functions) do
    if type(f) == "function" then functions[name] = noted(prefix .. name, f) end
  end
  return functions
end

local list_cases = assert(loadfile(root .. "/spec/faults/cases.lua"))
local cases, JSON = list_cases(faults, folder, places, noted, all_noted, receive)

-- ---- the faults -----------------------------------------------------------------------------------------------------

local lines_of = {}

local function lines(path)
  if not lines_of[path] then
    local found = {}
    for line in io.lines(root .. "/" .. path) do found[#found + 1] = line end
    lines_of[path] = found
  end
  return lines_of[path]
end

-- Sections whose panic is no error of the caller's: finalizers, the log, a detail of an event.
local function is_swallowed(place)
  local path, number = place:match("^(.*):(%d+)$")
  local line = lines(path)[tonumber(number)]
  return line:find("let _ = ", 1, true) or line:find("let detail = ", 1, true) or line:find("let copied = ", 1, true)
end

local points = 0

local function try(one, n)
  if one.before then one.before() end
  entered = nil
  faults.arm(n)
  local fine, message = pcall(one.work)
  local place = faults.disarm()
  if not place then
    assert(fine, one.name .. ": " .. tostring(message))
    return false
  end
  points = points + 1
  places[place] = true
  if entered then hit[entered] = hit[entered] + 1 end
  if not is_swallowed(place) then
    assert(not fine, one.name .. ": the panic at " .. place .. " was no error")
    local text = "internal error: a panic in the library: a fault at " .. place .. "; this is a bug"
    assert(message:find(text, 1, true), one.name .. ": " .. tostring(message))
  end
  if one.before then one.before() end
  local again, why = pcall(one.work)
  assert(again, one.name .. " does not work after the panic at " .. place .. ": " .. tostring(why))
  return true
end

local function sweep(one)
  local n = 1
  while try(one, n) do n = n + 1 end
end

for _, one in ipairs(cases) do sweep(one) end

-- These take descriptors 0 and 1 for good, and so each has a try of its own and comes last.
local channel
for _ = 1, 2 do
  faults.arm(1)
  local fine, message = pcall(native.channel)
  places[faults.disarm()] = true
  assert(not fine and message:find("a fault at", 1, true))
  points = points + 1
end
hit.channel = hit.channel + 1
channel = { native.channel() }
assert(channel[1], channel[2])
for i, name in ipairs({ "line", "item", "bytes", "write", "flush" }) do
  hit["channel." .. name] = 0
  local parameters = ({ {}, {}, { 0 }, { {}, "x" }, { {} } })[i]
  faults.arm(1)
  local fine, message = pcall(channel[i], unpack(parameters))
  local place = faults.disarm()
  assert(place and not fine and message:find("a fault at " .. place, 1, true), name)
  places[place] = true
  hit["channel." .. name], points = 1, points + 1
  assert(pcall(channel[i], unpack(parameters)))
end
channel = nil -- luacheck: ignore
faults.arm(1)
collectgarbage()
collectgarbage()
places[faults.disarm()] = true
faults.arm(1)
local fine, message = pcall(native.stdio, unpack(JSON))
places[faults.disarm()] = true
assert(not fine and message:find("a fault at", 1, true))
hit.stdio, points = 1, points + 1
assert(native.stdio(unpack(JSON)))

-- ---- the list -------------------------------------------------------------------------------------------------------

local missing = {}
for name, count in pairs(hit) do
  if count == 0 then missing[#missing + 1] = "no panic was tried in " .. name end
end
-- Sections that cannot be reached from here, by what stands on their line.
local UNREACHED = {
  ["src/lua/raw/open.rs"] = "(*place).finalize()", -- when the Lua state is closed
  ["src/lua/raw/watchdog.rs"] = "let made = guarded", -- when the timer is refused
}
local sections = 0
local list = assert(io.popen("cd '" .. root .. "' && grep -rn 'guarded(' src/lua/raw"))
for line in list:lines() do
  local path, number, text = line:match("^([^:]+):(%d+):(.*)$")
  if not text:find("^%s*//") and not text:find("fn guarded", 1, true) then
    sections = sections + 1
    local unreached = UNREACHED[path] and text:find(UNREACHED[path], 1, true)
    if not places[path .. ":" .. number] and not unreached then missing[#missing + 1] = "no panic at " .. line end
  end
end
list:close()
table.sort(missing)
local report = assert(io.open(folder .. "/report", "w"))
report:write(table.concat(missing, "\n"), #missing > 0 and "\n" or "")
local functions = 0
for _ in pairs(hit) do functions = functions + 1 end
report:write(("%d panics in %d functions and %d sections\n"):format(points, functions, sections))
report:close()
os.exit(#missing == 0 and 0 or 1, true)
