-- N starts and ends of children in every way: `lua5.4 scripts/cycles.lua [N]` (`make cycles`). Builds the library
-- first. Ends with status 1 if a zombie, a descriptor or more than 1 MiB of memory is left.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local root, interpreter = dofile(here .. "/rerun.lua")(here)
local total = tonumber(arg[1]) or 1000
local left = dofile(root .. "/spec/chaos/cycles.lua")(require("fkrpc"), interpreter, total)
print(("%d starts and ends: %d zombies, %+d descriptors, %+.2f MiB of memory"):format(total, left.zombies,
  left.descriptors, left.rss / 2 ^ 20))
os.exit(left.zombies == 0 and left.descriptors == 0 and left.rss <= 2 ^ 20 and 0 or 1)
