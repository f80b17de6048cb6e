-- A recorded game between a parent and a child process, played by demo/: wall time of the conversation and the child's
-- CPU time, medians over rounds in shuffled order.
--
--   lua5.4 bench/replay.lua [--rounds=7] [--games=h8,g1]
--
-- Recordings are read from $FKRPC_TRACES (default: ../shared/traces beside the project); where there are none, the
-- short one of spec/fixtures is played, and the table says so. A conversation that differs from its recording is an
-- error: its time would mean nothing. Both processes run where the kernel puts them, so wall times of two CPUs that
-- wake each other are in here; the child's CPU time, which includes the player's own checks, is steadier.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local library = dofile(here .. "/library.lua")

local options = { rounds = "7", games = "h8" }
for _, word in ipairs(arg) do
  local name, value = word:match("^%-%-(%w+)=(.+)$")
  if not name or not options[name] then
    io.stderr:write("bench: unknown option '", word, "'\n")
    os.exit(2)
  end
  options[name] = value
end
local rounds = assert(tonumber(options.rounds), "--rounds= takes a number")
local folder = os.getenv("FKRPC_TRACES") or library.root .. "/../shared/traces"

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

if not exists(library.root .. "/demo/parent.lua") then
  print("there is no demo/parent.lua to play recordings with: left out")
  return
end
package.path = library.root .. "/?.lua;" .. package.path
-- The child finds the library on this path.
package.cpath = library.path:gsub("[^/]*$", "?.so")
local parent, trace = require("demo.parent"), require("demo.trace")

local runs = {}
local function add(name, path)
  runs[#runs + 1] = { name = name, trace = trace.read(path), seconds = {}, cpu = {} }
end
for game in options.games:gmatch("[^,]+") do
  for _, codec in ipairs({ "json", "cbor" }) do
    local name = game .. "." .. codec
    local path = folder .. "/" .. name .. ".jsonl.gz"
    if exists(path) then
      add(name, path)
    else
      print(("there is no %s: the short recording of spec/fixtures is played"):format(path))
      add("short." .. codec, library.root .. "/spec/fixtures/traces/short." .. codec .. ".jsonl")
    end
  end
end

for round = 1, rounds do
  local order = {}
  for i, run in ipairs(runs) do
    order[i] = run
  end
  library.shuffle(order)
  for _, run in ipairs(order) do
    local outcome = parent.play({ trace = run.trace, lua = library.interpreter, root = library.root })
    if outcome.differences ~= 0 then
      error(run.name .. ": " .. outcome.difference, 0)
    end
    run.messages = outcome.messages
    run.seconds[round], run.cpu[round] = outcome.seconds, outcome.cpu
  end
end

print(("%s (%s), median of %d rounds"):format(_VERSION, library.name, rounds))
for _, run in ipairs(runs) do
  local seconds, cpu = library.median(run.seconds), library.median(run.cpu)
  print(("%-12s %7d messages %8.3f s wall %8.3f s child CPU %7.2f us CPU a message"):format(
    run.name, run.messages, seconds, cpu, cpu / run.messages * 1e6))
end
