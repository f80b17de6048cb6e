-- The experiment fkrpc was written for: the same leaking, growing work, once in one Lua process that lives as long as
-- the server, once in a pool that replaces its children by their memory. Both get the same games at the same times.
--
-- lua5.4 demo/memory/memory.lua [GAMES [GAMES A SECOND]] writes memory.csv, and with gnuplot memory.svg and memory.png,
-- beside itself, and prints a table. A failed call ends it with status 1.

local fkrpc = require("fkrpc")

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local GAMES, RATE = tonumber(arg[1]) or 12000, tonumber(arg[2]) or 800
local LIMIT = 48 * 2 ^ 20
local SAMPLE = 0.1 -- seconds
local MEBIBYTE = 2 ^ 20

-- Memory that only this process has, from the kernel's own account of it.
local function private_memory(pid)
  local file = io.open("/proc/" .. pid .. "/smaps_rollup")
  if not file then return 0 end
  local sum = 0
  for line in file:lines() do
    local kilobytes = line:match("^Private_%a+:%s*(%d+) kB")
    if kilobytes then sum = sum + tonumber(kilobytes) * 1024 end
  end
  file:close()
  return sum
end

local function percentile(sorted, part)
  return sorted[math.max(1, math.ceil(#sorted * part))]
end

-- Play all games in one pool; what was sampled, and what became of the calls.
local function run(name, options)
  local loop = fkrpc.loop()
  options.command, options.handshake, options.loop = { "lua5.4", here .. "/child.lua" }, "hello", loop
  local pool = assert(fkrpc.pool(options))
  assert(pool:wait(30))
  local result = { name = name, samples = {}, recycled = {}, failed = 0, played = 0, took = {} }
  local began = fkrpc.clock.monotonic_us()
  local function elapsed() return (fkrpc.clock.monotonic_us() - began) / 1e6 end

  pool:on("recycled", function(event)
    table.insert(result.recycled, { at = elapsed(), memory = event.memory })
  end)
  local function sample()
    local memory, count = private_memory("self"), 0
    for _, child in ipairs(pool:info().children) do
      memory, count = memory + private_memory(child.pid), count + 1
    end
    table.insert(result.samples, { at = elapsed(), memory = memory, processes = count })
  end
  sample()
  local sampler = loop:every(SAMPLE, sample)

  local given = 0
  local tasks = {}
  local player = loop:go(function()
    while given < GAMES do
      -- As many as should have begun by now: the same for both runs, however long a game takes.
      local due = math.min(GAMES, math.floor(elapsed() * RATE))
      while given < due do
        given = given + 1
        local seed = given
        tasks[seed] = loop:go(function()
          local start = fkrpc.clock.monotonic_us()
          local answer, err = pool:call("play", { seed = seed })
          tasks[seed] = nil
          local kind = err == nil and answer.last and "played" or "failed"
          result[kind] = result[kind] + 1
          table.insert(result.took, (fkrpc.clock.monotonic_us() - start) / 1000)
        end)
      end
      loop:sleep(0.005)
    end
  end)
  player:join()
  while next(tasks) do loop:sleep(0.01) end
  loop:sleep(2) -- what is left when nothing is done
  sampler:cancel()
  sample()
  result.seconds = elapsed()
  pool:close()
  loop:close()
  table.sort(result.took)
  return result
end

local function peak(result)
  local most = 0
  for _, sample in ipairs(result.samples) do most = math.max(most, sample.memory) end
  return most
end

local function report(results)
  print(("%d games, %d a second; private memory of the parent and all children, in MiB"):format(GAMES, RATE))
  print(("%-22s %8s %8s %9s %9s %7s %8s %8s %8s"):format("", "peak", "at end", "processes", "replaced", "failed",
    "p50 ms", "p99 ms", "max ms"))
  for _, result in ipairs(results) do
    local last = result.samples[#result.samples]
    print(("%-22s %8.1f %8.1f %9d %9d %7d %8.2f %8.2f %8.2f"):format(result.name, peak(result) / MEBIBYTE,
      last.memory / MEBIBYTE, last.processes, #result.recycled, result.failed, percentile(result.took, 0.5),
      percentile(result.took, 0.99), result.took[#result.took]))
  end
end

local function write(results)
  local file = assert(io.open(here .. "/memory.csv", "w"))
  for index, result in ipairs(results) do
    if index > 1 then file:write("\n\n") end
    file:write("# ", result.name, ": seconds,MiB,processes\n")
    for _, sample in ipairs(result.samples) do
      file:write(("%.3f,%.2f,%d\n"):format(sample.at, sample.memory / MEBIBYTE, sample.processes))
    end
  end
  assert(file:close())
end

local function plot()
  for _, kind in ipairs({ "svg", "png" }) do
    local status = os.execute(("gnuplot -e \"folder='%s'; kind='%s'; limit=%g\" '%s/plot.gp'"):format(here, kind,
      LIMIT / MEBIBYTE, here))
    if status ~= true and status ~= 0 then
      io.stderr:write("memory: no plot: gnuplot is needed (package gnuplot-nox)\n")
      return
    end
  end
end

local results = {
  run("one Lua process", { size = 1 }),
  run("pool, recycled", { size = 2, recycle = { memory = LIMIT }, check = 0.1 }),
}
report(results)
write(results)
plot()
os.exit(results[1].failed + results[2].failed == 0 and results[1].played == GAMES and results[2].played == GAMES
  and 0 or 1)
