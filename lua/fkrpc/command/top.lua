-- `fkrpc top`: the children of a running pool, over its control socket.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")
local summary = require("fkrpc.command.summary")

local top = {}

top.HELP = [[
fkrpc top [--once] [--json] [--interval SECONDS] SOCKET

Show the children of a pool that has a control socket (option control = "SOCKET"), anew every second: process id,
generation, state, private memory (a bar against the limit for recycling, or against the largest child), calls a second,
the 99th percentile of how long calls took, calls in flight, keys, age and the last event.

  --once        show it once
  --json        one JSON object a line instead of a table
  --interval N  seconds between two looks (1)

Lines are cut at the terminal's width. Times of calls are there if the children have the option latency, which they have
in a pool with a control socket unless it is switched off. Ctrl-C ends it; so does the pool's end, with status 2.
]]

local KNOWN = { ["--once"] = true, ["--json"] = true, ["--interval"] = "number" }
local WIDEST, NARROWEST = 16, 8 -- of the bar
local WIDE = 100 -- columns from which on the bar is as wide as it gets
local MEBIBYTE = 2 ^ 20

local function age(seconds)
  seconds = math.floor(seconds)
  if seconds < 60 then return ("%ds"):format(seconds) end
  if seconds < 3600 then return ("%dm%02ds"):format(math.floor(seconds / 60), seconds % 60) end
  return ("%dh%02dm"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

local function bar(value, most, length)
  local full = most > 0 and math.min(length, math.floor(length * value / most + 0.5)) or 0
  return ("#"):rep(full) .. ("."):rep(length - full)
end

-- Columns of the terminal; nil where that is not known.
local function columns()
  local pipe = io.popen("stty size 2>/dev/null", "r")
  local size = pipe and pipe:read("*l")
  if pipe then pipe:close() end
  local width = tonumber((size or ""):match("^%d+ (%d+)$"))
  return width and width > 0 and width or nil
end

local function memory_of(child)
  return child.private or child.rss or 0
end

local function event_of(child)
  if not child.marked then return child.event or "" end
  return child.state == "ready" and child.marked .. ", to be replaced" or child.marked
end

--- The lines of a table, cut to so many columns if that is given.
function top.lines(info, width)
  local lines, counts = {}, info.counts
  lines[1] = ("pool: %s, generation %d, %d children for %d places, %d calls waiting, %d keys"):format(
    info.state, info.generation, #info.children, info.size, info.waiting, info.keys)
  if info.reason then lines[1] = lines[1] .. " (" .. info.reason .. ")" end
  lines[2] = ("calls %d, started %d, recycled %d, died %d, restarts %d"):format(
    counts.calls or 0, counts.started or 0, counts.recycled or 0, counts.died or 0, counts.restarts or 0)
  local last = info.last_event
  lines[3] = last and ("last: %s%s%s"):format(last.event, last.pid and (" %d"):format(last.pid) or "",
    last.reason and ": " .. tostring(last.reason):gsub("%c+", " ") or "") or "last: nothing yet"
  lines[4] = ""
  local length = width and width < WIDE and NARROWEST or WIDEST
  lines[5] = ("%7s %3s %-8s %7s %s %7s %8s %4s %5s %6s  %s"):format("PID", "GEN", "STATE", "MiB", (" "):rep(length),
    "CALLS/S", "P99", "CALL", "KEYS", "AGE", "EVENT")
  local most = info.memory_limit or 0
  for _, child in ipairs(info.children) do
    if not info.memory_limit then most = math.max(most, memory_of(child)) end
  end
  for _, child in ipairs(info.children) do
    local latency = child.latency and child.latency.calls
    lines[#lines + 1] = ("%7d %3d %-8s %7.1f %s %7.1f %8s %4d %5d %6s  %s"):format(child.pid, child.generation,
      child.state, memory_of(child) / MEBIBYTE, bar(memory_of(child), most, length), child.rate or 0,
      latency and latency.count > 0 and summary.duration(latency.p99) or "-", child.inflight, child.keys,
      age(child.age), event_of(child))
  end
  for place, line in ipairs(lines) do lines[place] = line:sub(1, width or -1) end
  return lines
end

-- False if nobody reads it any more.
local function show(info, as_json, clear)
  local text
  if as_json then
    text = assert(fkrpc.json.encode(info)) .. "\n"
  else
    -- Home, each line with what was behind it erased, then all below.
    local ending = clear and "\27[K\n" or "\n"
    text = (clear and "\27[H" or "") .. table.concat(top.lines(info, clear and columns()), ending) .. ending
      .. (clear and "\27[J" or "")
  end
  return io.stdout:write(text) and io.stdout:flush()
end

--- Run it with the words of the command line; the exit status.
function top.run(words)
  local options, others = arguments.parse(words, 2, KNOWN)
  if #others ~= 1 then arguments.wrong("which pool? fkrpc top SOCKET") end
  local interval = options.interval or 1
  if interval <= 0 then arguments.wrong("--interval needs a number above 0") end
  local peer, message = fkrpc.connect({ path = others[1], signals = { "INT", "TERM" } })
  if not peer then arguments.wrong(message) end
  repeat
    local info, err = peer:call("info", nil, { timeout = 10 })
    if err then
      if err.code == "signal" then return 0 end
      io.stderr:write("fkrpc: the pool does not answer: ", tostring(err), "\n")
      return 2
    end
    if not show(info, options.json, not options.once and not options.json) then return 0 end
    if not options.once then
      local _, ended = peer:step(interval)
      if ended then
        if ended.code == "signal" then return 0 end
        io.stderr:write("fkrpc: the pool has gone: ", tostring(ended), "\n")
        return 2
      end
    end
  until options.once
  peer:close()
  return 0
end

return top
