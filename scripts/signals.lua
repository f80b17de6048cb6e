-- Calls under signals: `lua5.4 scripts/signals.lua [CALLS]` (1,000,000 with each kind). Builds nothing but what sends
-- the signals, which takes a C compiler. Ends with status 1 if a call went wrong.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/stamp.lua")
local root = stamp.absolute(here .. "/..")
package.cpath = stamp.paths(root, stamp.lua_name()).folder .. "/?.so;" .. package.cpath

local nagging = dofile(root .. "/spec/chaos/nagging.lua")

local lowest = 0
while arg[lowest - 1] do lowest = lowest - 1 end
local count, wrong = tonumber(arg[1]) or 1000000, 0

local tools = assert(nagging.build(root .. "/spec/chaos"), "there is no C compiler")
for _, what in ipairs({
  { name = "SIGALRM at 1 kHz without SA_RESTART at both ends", alarm = true },
  { name = "SIGSTOP and SIGCONT at 2 kHz at the child", stop = true },
  { name = "both", alarm = true, stop = true },
}) do
  local found, said = nagging.run(tools, arg[lowest], count, what)
  if found then
    print(("%s: %d calls in %.1f s, %d errors, %d strays, %d stops, %d alarms"):format(what.name, count, found.seconds,
      found.errors, found.strays, found.stops, found.alarms))
  else
    print(what.name .. ": it did not come to its end: " .. said)
  end
  if not found or found.errors + found.strays > 0 then wrong = wrong + 1 end
end
nagging.remove(tools)
os.exit(wrong == 0 and 0 or 1)
