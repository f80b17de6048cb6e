-- Every fault of spec/chaos/ again and again, in another order each time: `lua5.4 scripts/chaos.lua [ROUNDS] [SEED]`
-- (`make chaos`). Builds the library first. Ends with status 1 if one went wrong, and prints the seed of the order.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/stamp.lua")
local root = stamp.absolute(here .. "/..")

local lowest = 0
while arg[lowest - 1] do lowest = lowest - 1 end
local interpreter = arg[lowest]

-- Children find the library as this process does, by the environment; so it is set, and this script run again.
if not os.getenv("FKRPC_CHAOS") then
  local quote = stamp.quote
  local version = _VERSION == "Lua 5.1" and "" or "_" .. _VERSION:match("%d.*"):gsub("%.", "_")
  local words = {}
  for _, word in ipairs(arg) do words[#words + 1] = quote(word) end
  local built = os.execute(quote(interpreter) .. " " .. quote(here .. "/build.lua"))
  if not (built == true or built == 0) then os.exit(1) end
  local path = quote(stamp.paths(root, stamp.lua_name()).folder .. "/?.so;;")
  local done = os.execute("FKRPC_CHAOS=1 LUA_CPATH=" .. path .. " LUA_CPATH" .. version .. "=" .. path .. " "
    .. quote(interpreter) .. " " .. quote(arg[0]) .. " " .. table.concat(words, " "))
  os.exit((done == true or done == 0) and 0 or 1)
end

local rounds = tonumber(arg[1]) or 3
local seed = tonumber(arg[2]) or os.time()
local World = dofile(root .. "/spec/chaos/world.lua")
local random = require("fkrpc").random(seed)
local failed, count = 0, 0

print(("seed %d"):format(seed))
for round = 1, rounds do
  for _, fault in ipairs(random:shuffle(World.faults(root .. "/spec/chaos"))) do
    count = count + 1
    local why = World.run(fault, interpreter)
    if why then
      failed = failed + 1
      print(("FAILED in round %d: %s: %s"):format(round, fault.name, why))
    end
  end
end
print(("%d faults in %d rounds, %d failed"):format(count, rounds, failed))
os.exit(failed == 0 and 0 or 1)
