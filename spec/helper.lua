-- Loaded by busted before any spec: the specs of one Lua get the library built for that Lua from today's sources, or
-- none at all.
--
-- It never falls back on an installed fkrpc, another Lua's build or a stale one: it fails and says what to run. Only
-- scripts/asan.sh and scripts/valgrind.sh name another build of today's sources, in FKRPC_SPEC_LIBRARY.
-- Specs reach it with `require "spec.helper"`: `root`, `library` (paths), `name` ("lua54"), `interpreter`.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/../scripts/stamp.lua")

local helper = { root = stamp.absolute(here .. "/.."), name = stamp.lua_name(), quote = stamp.quote }
local paths = stamp.paths(helper.root, helper.name)
local given = os.getenv("FKRPC_SPEC_LIBRARY")
if given then paths = { library = given, folder = given:match("^(.*)/") } end
helper.library = paths.library

-- The interpreter stands at the lowest index of `arg`, before its own options.
local lowest = 0
while arg[lowest - 1] do
  lowest = lowest - 1
end
helper.interpreter = arg[lowest]

local fits, reason = stamp.check(helper.root, helper.name)
if not fits and not given then
  error(reason .. "; run: " .. helper.interpreter .. " scripts/build.lua", 0)
end

-- First on the path, for `package.searchpath` and for whoever reads it ...
package.cpath = paths.folder .. "/?.so;" .. package.cpath
-- ... and before all other searchers, because a `fkrpc.lua` on package.path or an installed `fkrpc/json.so` would go
-- before a cpath.
table.insert(package.searchers or package.loaders, 2, function(module)
  if module ~= "fkrpc" and not module:match("^fkrpc%.") then
    return nil
  end
  local loader, message = package.loadlib(paths.library, "luaopen_" .. module:gsub("%.", "_"))
  if not loader then
    error("module '" .. module .. "' is not in " .. paths.library .. ": " .. tostring(message), 0)
  end
  return loader, paths.library
end)

package.loaded["spec.helper"] = helper
return helper
