-- Runs the specs with busted under the Lua that runs this script, after building the library for it:
-- `lua5.3 scripts/spec.lua`, `lua5.4 scripts/spec.lua spec/json_spec.lua`, `luarocks test`.
--
-- `--lua=luajit` hands over to that interpreter (LuaRocks 3.8 runs `luarocks test` with plain Lua 5.1 when it serves
-- LuaJIT). FKRPC_GC=generational or incremental runs them, and all programs they start, with that collector of Lua 5.4,
-- FKRPC_GC=stress with a full collection whenever anything is allocated; FKRPC_GC_PAUSE=104 lets the specs' own process
-- (not the programs) allocate 4 % of its heap in between, since busted's heap is large. scripts/gc.sh runs it all. All
-- else is passed to busted. It needs no `busted` command, only the modules: a command belongs to one Lua.

local here = arg[0]:match("^(.*)/[^/]*$") or "."

if arg[1] == "--run" then
  table.remove(arg, 1)
  local pause = tonumber(os.getenv("FKRPC_GC_PAUSE"))
  if pause then collectgarbage("setpause", pause) end
  require("busted.runner")({ standalone = false })
  return
end

local stamp = dofile(here .. "/stamp.lua")
local quote = stamp.quote
local root = stamp.absolute(here .. "/..")

local function run(command)
  local status = os.execute(command)
  if not (status == true or status == 0) then
    os.exit(1)
  end
end

local switched, passed = nil, {}
for _, word in ipairs(arg) do
  if word:match("^%-%-lua=") then
    switched = word:sub(7)
  else
    passed[#passed + 1] = quote(word)
  end
end
-- The interpreter stands at the lowest index, before its own options.
local lowest = 0
while arg[lowest - 1] do
  lowest = lowest - 1
end
local interpreter = arg[lowest]

if switched then
  run(quote(switched) .. " " .. quote(arg[0]) .. " " .. table.concat(passed, " "))
  return
end

run(quote(interpreter) .. " " .. quote(here .. "/build.lua"))

-- Programs that specs start find the same library. The variable with a version goes before the plain one.
local cpath = quote(stamp.paths(root, stamp.lua_name()).folder .. "/?.so;;")
local environment = "LUA_CPATH=" .. cpath
if _VERSION ~= "Lua 5.1" then
  environment = environment .. " LUA_CPATH_" .. _VERSION:match("%d.*"):gsub("%.", "_") .. "=" .. cpath
end
-- The interpreter lua5.4 is generational by itself, where a pause means nothing; hosts are incremental.
local COLLECTORS = {
  generational = "collectgarbage([[generational]])",
  incremental = "if _VERSION > [[Lua 5.3]] then collectgarbage([[incremental]]) end",
}
COLLECTORS.stress = COLLECTORS.incremental
  .. " collectgarbage([[setpause]], 0) collectgarbage([[setstepmul]], 1000) collectgarbage()"
local collector = os.getenv("FKRPC_GC")
if collector and collector ~= "" then
  local chunk = assert(COLLECTORS[collector], "FKRPC_GC must be generational, incremental or stress")
  if collector == "generational" and _VERSION ~= "Lua 5.4" and _VERSION ~= "Lua 5.5" then
    error("only Lua 5.4 and later have a generational collector", 0)
  end
  environment = environment .. " LUA_INIT=" .. quote(chunk)
end
-- busted looks for .busted and the specs where it is started.
local command = environment .. " " .. quote(interpreter) .. " scripts/spec.lua --run " .. table.concat(passed, " ")
run("cd " .. quote(root) .. " && " .. command)
