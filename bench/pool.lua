-- What a pool costs: `lua5.4 bench/pool.lua` runs both parts and exits 1 when a bound is missed.
--
-- call   a call through a pool of 4 beside a plain call to one child, all processes on one processor, the two kinds
--        taking turns: the pool may add 1.0 us to the median
-- cores  calls a second of 4 children beside 1 for a handler that computes: 1.7 times as many on two processors
--
-- It measures calls one after the other, and many at once; no memory.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
dofile(here .. "/library.lua")
local fkrpc = require("fkrpc")
local now = fkrpc.clock.monotonic_us

local PASSES, BATCH, MOST_ADDED = 201, 200, 1.0
local TASKS, MOST_SECONDS, LEAST_RATIO = 8, 1.5, 1.7

local function has(command)
  local status = os.execute("command -v " .. command .. " >/dev/null 2>&1")
  return status == true or status == 0
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local COMMAND = { arg[-1] or "lua5.4", here .. "/pool_child.lua" }

-- Microseconds a call, as the mean of BATCH.
local function measure(f)
  local began = now()
  for _ = 1, BATCH do
    local result, err = f()
    if err ~= nil or result[2] ~= "two" then error("the child did not answer as it should: " .. tostring(err)) end
  end
  return (now() - began) / BATCH
end

local function call()
  local pool = assert(fkrpc.pool{ command = COMMAND, size = 4, handshake = "hello" })
  assert(pool:wait(30))
  local child = assert(fkrpc.spawn{ command = COMMAND, handshake = "hello" })
  local params = { 1, "two" }
  local function plain() return child:call("echo", params) end
  local function pooled() return pool:call("echo", params) end
  local plain_times, pool_times, added = {}, {}, {}
  -- A server's calls come from coroutines of its loop.
  local task = pool.loop:go(function()
    for pass = 1, PASSES do
      if pass % 2 == 0 then plain_times[pass] = measure(plain) end
      pool_times[pass] = measure(pooled)
      if pass % 2 == 1 then plain_times[pass] = measure(plain) end
      added[pass] = pool_times[pass] - plain_times[pass]
    end
    return true
  end)
  assert(task:join())
  local most = median(added)
  print(("plain %.2f us, pool of 4 %.2f us, added %.2f us (bound %.2f)"):format(median(plain_times), median(pool_times),
    most, MOST_ADDED))
  pool:close()
  child:stop()
  return most <= MOST_ADDED
end

-- Calls a second that `size` children answer.
local function rate(size)
  local pool = assert(fkrpc.pool{ command = COMMAND, size = size, handshake = "hello" })
  assert(pool:wait(30))
  local began, done = now(), 0
  local tasks = {}
  for i = 1, TASKS do
    tasks[i] = pool.loop:go(function()
      while now() - began < MOST_SECONDS * 1e6 do
        assert(pool:must("compute", {}) > 0)
        done = done + 1
      end
    end)
  end
  for i = 1, TASKS do tasks[i]:join() end
  local result = done / ((now() - began) / 1e6)
  pool:close()
  return result
end

local function cores()
  local ratios, one, four = {}, nil, nil
  for round = 1, 5 do
    one, four = rate(1), rate(4)
    ratios[round] = four / one
  end
  local ratio = median(ratios)
  print(("1 child %.0f calls/s, 4 children %.0f calls/s (last round), ratio %.2f (bound %.2f)"):format(one, four, ratio,
    LEAST_RATIO))
  return ratio >= LEAST_RATIO
end

if arg[1] == "call" then
  os.exit(call() and 0 or 1)
elseif arg[1] == "cores" then
  os.exit(cores() and 0 or 1)
end
local failed = false
local pinned = has("taskset") and "taskset -c " .. (os.getenv("CPU") or "0") .. " " or ""
for part, before in pairs({ call = pinned, cores = "" }) do
  local status = os.execute(before .. COMMAND[1] .. " " .. arg[0] .. " " .. part)
  failed = failed or not (status == true or status == 0)
end
os.exit(failed and 1 or 0)
