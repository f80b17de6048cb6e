-- The channel's costs that bench/rtt.c does not see: both sides in Lua, messages of 3 MB, bursts of notifications.
--
--   lua5.4 bench/channel.lua FOLDER [--rounds=7]
--
-- FOLDER holds bench/flood.c's program and what is written on the way. Run it, and with it all it starts, on one CPU
-- (bench/run.sh does). Rounds are shuffled and medians count, of ratios those within a round. It ends with status 1 if
-- a bound is missed. Shares of CPU time are the scheduler's (/proc/PID/schedstat), so it needs Linux.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local library = dofile(here .. "/library.lua")
local corpora = dofile(here .. "/corpora.lua")
local fkrpc = require("fkrpc")

local folder = assert(arg[1], "usage: lua bench/channel.lua FOLDER [--rounds=7]")
local rounds = tonumber((arg[2] or "--rounds=7"):match("^%-%-rounds=(%d+)$") or error("--rounds= takes a number"))
local CALLS, BURST, LARGE, LARGE_BYTES = 10000, 100000, 5, 3000000
local quote, interpreter = library.quote, library.interpreter

-- ---- files ----------------------------------------------------------------------------------------------------------

local function write(name, bytes)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  assert(file:write(bytes))
  assert(file:close())
  return folder .. "/" .. name
end

local result = folder .. "/result"

local function run(command)
  os.remove(result)
  local status = os.execute(command)
  assert(status == true or status == 0, "failed: " .. command)
  local file = assert(io.open(result), "no result of: " .. command)
  local figure = assert(tonumber(file:read("*l")))
  file:close()
  return figure
end

local flood, child = quote(folder .. "/flood"), quote(interpreter) .. " " .. quote(here .. "/flood_child.lua")

-- ---- what is measured -----------------------------------------------------------------------------------------------

-- Nanoseconds that a process has run.
local function cpu(pid)
  local file = assert(io.open("/proc/" .. pid .. "/schedstat"))
  local time = file:read("*n")
  file:close()
  return time
end

-- CPU microseconds for a call at either end, both in Lua.
local function both()
  local other = assert(fkrpc.spawn({ interpreter, here .. "/child.lua", "fkrpc" }))
  local params = { "player 7", "PlayCard", ("slash,jink,peach,"):rep(9):sub(1, 62) }
  local function calls(count)
    for _ = 1, count do
      local answer, err = other:call("HandleRequest", params)
      assert(answer == true, err)
    end
  end
  calls(CALLS / 10)
  local ours, theirs = cpu("self"), cpu(other.pid)
  calls(CALLS)
  ours, theirs = cpu("self") - ours, cpu(other.pid) - theirs
  other:close()
  other:wait()
  return ours / CALLS / 1000, theirs / CALLS / 1000
end

-- A notification with 3 MB of params: records of these corpora in turn, as many bytes of each.
local function large_line(names)
  local records = {}
  for _, name in ipairs(names) do
    local source, size, at = corpora.load("", name), 0, 0
    while size < LARGE_BYTES / #names do
      at = at % #source + 1
      records[#records + 1] = source[at]
      size = size + #source[at] + 1
    end
  end
  return '{"jsonrpc":"2.0","method":"Large","params":[' .. table.concat(records, ",") .. "]}\n"
end

local padding = ("slash,jink,peach,"):rep(9)
local move = '{"jsonrpc":"2.0","method":"Move","params":["player 7","PlayCard","%s"]}\n'
move = move:format(padding:sub(1, 150 - #move + 2))
assert(#move == 150)
local move_file = write("move", move)

-- CPU milliseconds for a message of this content.
local function large(kind, content)
  return run(("%s write %s %d | %s %s %d %s"):format(flood, quote(folder .. "/large_" .. content), LARGE, child, kind,
    LARGE, quote(result))) / LARGE * 1000
end

local measures = {
  { "both sides", function(row) row.parent, row.child = both() end },
  { "received", function(row)
    row.received = run(("%s write %s %d | %s receive %d %s"):format(flood, quote(move_file), BURST, child, BURST,
      quote(result)))
  end },
  { "sent", function(row)
    row.sent = run(("%s send %d - | %s read %d %s"):format(child, BURST, flood, BURST, quote(result)))
  end },
  { "C to C", function(row)
    row.c = run(("%s write %s %d | %s read %d %s"):format(flood, quote(move_file), BURST, flood, BURST, quote(result)))
  end },
}
-- The corpora of the codec's benchmark, and a quarter of each.
local contents = { "mixed" }
for _, name in ipairs(corpora.names) do contents[#contents + 1] = name end
if not library.optional("cjson") then
  print("bench: cjson is not installed: 3 MB messages have nothing to be compared with")
  contents = {}
end
for _, content in ipairs(contents) do
  write("large_" .. content, large_line(content == "mixed" and corpora.names or { content }))
  for _, kind in ipairs({ "fkrpc", "cjson" }) do
    local name = kind .. " " .. content
    measures[#measures + 1] = { name, function(row) row[name] = large(kind, content) end }
  end
end
local function large_ratio(content)
  return function(row) return row["cjson " .. content] and row["fkrpc " .. content] / row["cjson " .. content] end
end

math.randomseed(20170101)
local rows = {}
for round = 1, rounds do
  rows[round] = {}
  library.shuffle(measures)
  for _, measure in ipairs(measures) do measure[2](rows[round]) end
end

-- ---- what must hold -------------------------------------------------------------------------------------------------

-- The median over the rounds of what `figure` makes of one; nil if it makes nothing.
local function median(figure)
  local figures = {}
  for round, row in ipairs(rows) do figures[round] = figure(row) end
  return #figures > 0 and library.median(figures) or nil
end

-- The highest of them.
local function best(figure)
  local highest = -math.huge
  for _, row in ipairs(rows) do highest = math.max(highest, figure(row)) end
  return highest
end

local missed = 0
local function bound(text, limit, at_least, value, unit)
  if not value then return end
  local held = at_least and value >= limit or not at_least and value <= limit
  if not held then missed = missed + 1 end
  print(("%-58s %8.3f%s %8s"):format(("%s %s %g%s"):format(text, at_least and ">=" or "<=", limit, unit), value, unit,
    held and "held" or "MISSED"))
end

local function show(text, unit, figure)
  local value = median(figure)
  if value then print(("%-58s %8.3f %s"):format(text, value, unit)) end
end

print(("%d rounds: %d calls between Lua and Lua, %d messages of 3 MB, bursts of %d notifications of 150 bytes"):format(
  rounds, CALLS, LARGE, BURST))
show("CPU of a call, the parent's side", "us", function(row) return row.parent end)
show("CPU of a call, the child's side", "us", function(row) return row.child end)
for _, content in ipairs(contents) do
  show("CPU of a 3 MB message, " .. content, "ms", function(row) return row["fkrpc " .. content] end)
  if content ~= "mixed" then
    show("  of io.read('l') and cjson", "x", large_ratio(content))
  end
end
show("notifications received", "M/s", function(row) return row.received / 1e6 end)
show("notifications sent in batches", "M/s", function(row) return row.sent / 1e6 end)
show("lines from C to C", "M/s", function(row) return row.c / 1e6 end)
show("notifications received, of what C reads", "", function(row) return row.received / row.c end)
show("notifications sent, of what C reads", "", function(row) return row.sent / row.c end)
print()
bound("CPU of a call: parent's side, of the child's", 1, false, median(function(row)
  return row.parent / row.child
end), "x")
bound("CPU of 3 MB, mixed: of io.read('l') and cjson", 0.55, false, median(large_ratio("mixed")), "x")
-- These are no ratios: whatever else the machine does is in them, so the best round counts.
bound("notifications received, best round", 1.0, true, best(function(row) return row.received / 1e6 end), " M/s")
bound("notifications sent in batches, best round", 1.2, true, best(function(row) return row.sent / 1e6 end), " M/s")
if missed > 0 then
  io.stderr:write("bench: ", missed, " bounds are missed\n")
  os.exit(1)
end
