-- From fkrpc.spawn to `hello` of a trivial child, beside a C parent's posix_spawn of a bare Lua to its first byte; with
-- a small parent and with one that holds much memory. It exits with 1 when a median ratio is over its bound.
--
-- A round compares the quickest of some starts on either side, one side after the other: what else the machine does
-- makes starts slower, and never quicker.
--
--   lua5.4 bench/spawn.lua C_PROGRAM [--rounds=21] [--starts=10]

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local library = dofile(here .. "/library.lua")
local fkrpc = require("fkrpc")
local now, median = fkrpc.clock.monotonic_us, library.median

local BOUND = 1.5
local HEAP = 256 -- MiB
local CHILD = 'local peer = require("fkrpc").stdio() peer:notify("hello") peer:serve()'

local function least(times)
  table.sort(times)
  return times[1]
end

local program, rounds, starts = arg[1], 21, 10
for i = 2, #arg do
  rounds = tonumber(arg[i]:match("^%-%-rounds=(%d+)$")) or rounds
  starts = tonumber(arg[i]:match("^%-%-starts=(%d+)$")) or starts
end
if not program then
  io.stderr:write("usage: lua bench/spawn.lua C_PROGRAM [--rounds=21] [--starts=10]\n")
  os.exit(2)
end

local function c_parent()
  local times = {}
  local pipe = assert(io.popen(("%s %d %s"):format(library.quote(program), starts, library.quote(library.interpreter))))
  for line in pipe:lines() do times[#times + 1] = tonumber(line) end
  pipe:close()
  assert(#times == starts, "the C program did not print as many times as it should")
  return least(times)
end

local function our_parent()
  local times = {}
  for i = 1, starts do
    local started = now()
    local child = assert(fkrpc.spawn({ library.interpreter, "-e", CHILD, handshake = "hello" }))
    times[i] = now() - started
    assert(child:stop().code == 0)
  end
  return least(times)
end

local failed = false

local function compare(name)
  local ratios, theirs, ours = {}, {}, {}
  for i = 1, rounds do
    theirs[i], ours[i] = c_parent(), our_parent()
    ratios[i] = ours[i] / theirs[i]
  end
  local ratio = median(ratios)
  print(("%-24s C %7.0f us   spawn to hello %7.0f us   %5.2fx (bound %.1fx)"):format(name, median(theirs),
    median(ours), ratio, BOUND))
  failed = failed or ratio > BOUND
end

compare("a small parent")
local heap = {}
for i = 1, HEAP do heap[i] = (string.char(i % 256)):rep(2 ^ 20) end
compare(("a parent of %d MiB"):format(HEAP))
assert(#heap == HEAP)
os.exit(failed and 1 or 0)
