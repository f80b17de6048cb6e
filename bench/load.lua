-- What `require` costs: CPU time (os.clock around it) and growth of the resident set, median of 40 fresh processes;
-- and the size of the library file, without what only a parent needs. It exits with 1 when one of them is over its
-- bound. The bounds are for Lua 5.4 on Debian 12 and hold no other Lua to account.
--
--   lua5.4 bench/load.lua [--processes=40]
--
-- The resident set is that of /proc/self/statm, so it needs Linux. "stdio" is what a room process does: require, and
-- touch fkrpc.stdio and fkrpc.json, whose modules load on first use.

local here = arg[0]:match("^(.*)/[^/]*$") or "."

local loads = {
  fkrpc = function() require("fkrpc") end,
  ["fkrpc+stdio+json"] = function()
    local fkrpc = require("fkrpc")
    assert(fkrpc.stdio and fkrpc.json)
  end,
  ["fkrpc.compat"] = function() require("fkrpc.compat") end,
  cjson = function() require("cjson") end,
  dkjson = function() require("dkjson") end,
}
-- Microseconds and KiB (0.8 MB), and bytes of the stripped file.
local bounds = {
  fkrpc = { 300, 781 },
  ["fkrpc.compat"] = { 800, 781 },
}
local LARGEST_FILE = 900 * 1000

local order = { "fkrpc", "fkrpc+stdio+json", "fkrpc.compat", "cjson", "dkjson" }

local function resident()
  local file = assert(io.open("/proc/self/statm"))
  local pages = file:read("*l"):match("^%d+ (%d+)")
  file:close()
  return tonumber(pages) * 4 -- KiB: OK because every Linux this runs on in practice has pages of 4 KiB
end

if arg[1] == "--child" then
  local load = loads[arg[2]]
  resident() -- its own first use takes memory
  collectgarbage()
  local before, started = resident(), os.clock()
  load()
  local taken = os.clock() - started
  print(("%.9f %d"):format(taken, resident() - before))
  return
end

local library = dofile(here .. "/library.lua")
local processes = tonumber((arg[1] or "--processes=40"):match("^%-%-processes=(%d+)$"))
if not processes then
  io.stderr:write("usage: lua bench/load.lua [--processes=40]\n")
  os.exit(2)
end

local function one(name)
  local pipe = assert(io.popen(("%s %s --child %s"):format(
    library.quote(library.interpreter), library.quote(arg[0]), library.quote(name))))
  local taken, grown = pipe:read("*a"):match("^(%S+) (%S+)\n$")
  pipe:close()
  assert(taken, "the child that loads " .. name .. " failed")
  return tonumber(taken) * 1e6, tonumber(grown)
end

local function present(name)
  return name:match("^fkrpc") or library.optional(name)
end

local times, sizes = {}, {}
for _ = 1, processes do
  library.shuffle(order)
  for _, name in ipairs(order) do
    if present(name) then
      times[name], sizes[name] = times[name] or {}, sizes[name] or {}
      local taken, grown = one(name)
      table.insert(times[name], taken)
      table.insert(sizes[name], grown)
    end
  end
end

table.sort(order)
print(("%s (%s), median of %d fresh processes"):format(_VERSION, library.name, processes))
local missed = false

-- " (bound 300)", with a word where `value` is over it.
local function bounded(value, bound)
  if not bound or library.name ~= "lua54" then
    return ""
  end
  missed = missed or value > bound
  return (" (%s %d)"):format(value > bound and "OVER THE BOUND" or "bound", bound)
end

for _, name in ipairs(order) do
  if times[name] then
    local time, size, bound = library.median(times[name]), library.median(sizes[name]), bounds[name] or {}
    print(("%-18s %7.0f us%s %7.0f KiB resident%s"):format(
      name, time, bounded(time, bound[1]), size, bounded(size, bound[2])))
  end
end
local function bytes_of(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:seek("end")
  file:close()
  return bytes
end

local built = os.execute(("%s %s/../scripts/build.lua --child"):format(library.quote(library.interpreter), here))
assert(built == true or built == 0, "the library without the parent's part cannot be built")
local bytes = bytes_of((library.path:gsub("/fkrpc.so$", "-child/fkrpc.so")))
print(("what a child needs: %d bytes%s"):format(bytes, bounded(bytes, LARGEST_FILE)))
print(("%s, which can run children, too: %d bytes"):format(library.path:match("[^/]+/[^/]+$"), bytes_of(library.path)))
os.exit(missed and 1 or 0)
