-- What a call through a loop costs above a plain call: the same child both ways, in turns, in one run.
--
--   taskset -c 0 lua5.4 bench/loop.lua       (or `make bench-loop`, which builds, pins and sets the path)
--
-- Four children are in the loop, as echoes: a handler that returns its params. Parent and children share one CPU, or
-- the time would be that of waking an idle one. A pass is BATCH plain calls of one child (which is out of the loop
-- meanwhile), then as many from a task of the loop; what is compared are the medians of the passes' differences. The
-- status is 1 if that is above LIMIT microseconds.

local fkrpc = require "fkrpc"
local monotonic_us = fkrpc.clock.monotonic_us

local LIMIT = 1.0
local CHILDREN, PASSES, BATCH, WARM_UP = 4, 201, 200, 2000

local least = -1
while arg[least - 1] do least = least - 1 end

local CHILD = [[
local peer = require("fkrpc").stdio()
peer:on("echo", function(params) return params end)
os.exit(peer:serve() == "eof" and 0 or 1)]]

local function median(list)
  table.sort(list)
  return list[(#list + 1) / 2]
end

local loop = fkrpc.loop()
local children = {}
for i = 1, CHILDREN do
  children[i] = assert(fkrpc.spawn{ arg[least], "-e", CHILD })
  loop:add(children[i])
end
local child = children[1]

local PARAMS = { "a request of the usual size, whose other end sends it back as it is: 150 bytes, more or less" }

-- Microseconds a call.
local function calls(count)
  local begin = monotonic_us()
  for _ = 1, count do
    local result, err = child:call("echo", PARAMS)
    if err ~= nil or result[1] ~= PARAMS[1] then error("the child did not answer as it should: " .. tostring(err)) end
  end
  return (monotonic_us() - begin) / count
end

local task = loop:go(function()
  local plain, looped, differences = {}, {}, {}
  calls(WARM_UP)
  for pass = 1, PASSES do
    looped[pass] = calls(BATCH)
    loop:remove(child)
    plain[pass] = calls(BATCH)
    loop:add(child)
    differences[pass] = looped[pass] - plain[pass]
  end
  return median(plain), median(looped), median(differences)
end)
local plain, looped, difference = task:join()
if not plain then error(looped) end

print(("plain call          %6.2f us"):format(plain))
print(("through the loop    %6.2f us, one of %d children"):format(looped, CHILDREN))
print(("difference          %6.2f us (at most %.1f)"):format(difference, LIMIT))
loop:close()
for i = 1, CHILDREN do
  children[i]:close()
  children[i]:wait(5)
end
os.exit(difference <= LIMIT and 0 or 1)
