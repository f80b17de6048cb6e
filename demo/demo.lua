-- Plays recorded games of FreeKill between two processes and shows how it went: lua demo/demo.lua [TRACE ...].
--
-- A trace is a path, or a name among the recordings (`g1` for both codecs, `g1.cbor` for one). Without any it plays g1,
-- or, where the recordings are not there, a short one of spec/fixtures. The exit status is 1 if anything differed.
-- It finds the library on package.cpath, as scripts/demo.sh arranges.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local root = here .. "/.."
package.path = root .. "/?.lua;" .. package.path

local fkrpc = require("fkrpc")
local parent = require("demo.parent")
local trace = require("demo.trace")

local RECORDINGS = root .. "/../shared/traces"
local SHORT = root .. "/spec/fixtures/traces"
local BAR = 30

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

-- ---- what to play ---------------------------------------------------------------------------------------------------

-- The files of a recording called `name`; none if there is none.
local function files_of(name)
  if exists(name) then
    return { name }
  end
  local files = {}
  for _, suffix in ipairs({ ".jsonl.gz", ".json.jsonl.gz", ".cbor.jsonl.gz" }) do
    local path = RECORDINGS .. "/" .. name .. suffix
    if exists(path) then
      files[#files + 1] = path
    end
  end
  return files
end

local function what_to_play()
  local files = {}
  for _, name in ipairs(arg) do
    local found = files_of(name)
    if #found == 0 then
      io.stderr:write("demo: there is no recording '", name, "'\n")
      os.exit(2)
    end
    for _, path in ipairs(found) do
      files[#files + 1] = path
    end
  end
  if #arg == 0 then
    files = files_of("g1")
    if #files == 0 then
      files = { SHORT .. "/short.json.jsonl", SHORT .. "/short.cbor.jsonl" }
    end
  end
  return files
end

-- ---- showing it -----------------------------------------------------------------------------------------------------

local function is_terminal()
  local status = os.execute("test -t 1")
  return status == true or status == 0
end

local terminal = is_terminal()

-- A function for the player's `progress`: on a terminal one line that is rewritten, else a line for each quarter.
local function progress_of(name, total)
  local quarter = 0
  return function(number)
    local share = math.min(number / total, 1)
    if terminal then
      local full = math.floor(share * BAR)
      local bar = ("#"):rep(full) .. ("."):rep(BAR - full)
      io.write(("\r%-12s [%s] %d of %d messages "):format(name, bar, number, total))
    elseif math.floor(share * 4) > quarter then
      quarter = math.floor(share * 4)
      io.write(("%s: %d of %d messages\n"):format(name, number, total))
    end
    io.flush()
  end
end

local ROW = "%-12s %9s %9s %11s %10s %12s\n"

-- A figure that may not be known.
local function figure(form, value)
  return value and form:format(value) or "-"
end

local function show(rows)
  io.write("\n", ROW:format("recording", "messages", "calls/s", "child CPU", "child RSS", "differences"))
  for _, row in ipairs(rows) do
    local outcome = row.outcome
    -- The clock has hundredths: short conversations give no rate.
    local rate = outcome.seconds >= 0.05 and outcome.calls / outcome.seconds or nil
    io.write(ROW:format(row.name, ("%d"):format(outcome.messages), figure("%.0f", rate),
      figure("%.3f s", outcome.cpu), figure("%.1f MB", outcome.rss and outcome.rss / 1e6),
      ("%d"):format(outcome.differences)))
  end
end

-- The interpreter stands at the lowest index of `arg`, before its own options.
local lowest = 0
while arg[lowest - 1] do
  lowest = lowest - 1
end

local files = what_to_play()
io.write(fkrpc._VERSION, ", ", _VERSION, ": recorded games of FreeKill, a parent and a child process\n")
local rows, differences = {}, 0
for _, path in ipairs(files) do
  local name = path:match("([^/]*)%.jsonl") or path
  local recording = trace.read(path)
  local progress = progress_of(name, #recording.records)
  progress(0)
  local outcome = parent.play({ trace = recording, lua = arg[lowest], root = root, progress = progress })
  progress(outcome.messages)
  io.write(terminal and "\n" or "")
  rows[#rows + 1] = { name = name, outcome = outcome }
  differences = differences + outcome.differences
end
show(rows)
for _, row in ipairs(rows) do
  if row.outcome.difference then
    io.write("\n", row.name, ": ", row.outcome.difference, "\n")
  end
end
os.exit(differences == 0 and 0 or 1)
