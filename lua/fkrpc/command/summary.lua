-- A summary of a conversation: how many messages of each method, errors, what was never answered, and latencies.

local fkrpc = require("fkrpc")

local summary = {}

--- Seconds as people read them.
function summary.duration(seconds)
  if seconds < 0.001 then return ("%.0f us"):format(seconds * 1e6) end
  if seconds < 1 then return ("%.1f ms"):format(seconds * 1e3) end
  return ("%.2f s"):format(seconds)
end

local function percentile(sorted, part)
  return sorted[math.max(1, math.ceil(#sorted * part))]
end

local function group_of(groups, order, row)
  -- Requests, and the replies to them, are one line: by who asked.
  local asked = row.way
  if row.latency then asked = row.way == "in" and "out" or "in" end
  local name = row.method or "(" .. row.kind .. ")"
  local key = asked .. " " .. tostring(name)
  local group = groups[key]
  if not group then
    group = { way = asked, method = name, count = 0, bytes = 0, errors = 0, unanswered = 0, took = {} }
    groups[key] = group
    order[#order + 1] = group
  end
  return group
end

local function add(group, row)
  group.bytes = group.bytes + row.size
  if row.kind == "error" then group.errors = group.errors + 1 end
  if row.latency then
    group.took[#group.took + 1] = row.latency
  else
    group.count = group.count + 1
    if row.kind == "request" and not row.answered then group.unanswered = group.unanswered + 1 end
  end
end

--- One line a method and direction; with `as_json` one object.
function summary.print(rows, as_json)
  local groups, order = {}, {}
  for _, row in ipairs(rows) do add(group_of(groups, order, row), row) end
  table.sort(order, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.way .. tostring(a.method) < b.way .. tostring(b.method)
  end)
  local line = "%-1s %-28s %8s %12s %7s %10s %9s %9s %9s %9s\n"
  if not as_json then
    io.stdout:write(line:format("", "method", "count", "bytes", "errors", "unanswered", "p50", "p90", "p99", "max"))
  end
  for _, group in ipairs(order) do
    local took = group.took
    table.sort(took)
    local times = {}
    for i, part in ipairs({ 0.5, 0.9, 0.99, 1 }) do times[i] = percentile(took, part) end
    if as_json then
      io.stdout:write(assert(fkrpc.json.encode({
        direction = group.way, method = tostring(group.method), count = group.count, bytes = group.bytes,
        errors = group.errors, unanswered = group.unanswered,
        p50 = times[1], p90 = times[2], p99 = times[3], max = times[4],
      })), "\n")
    else
      for i = 1, 4 do times[i] = times[i] and summary.duration(times[i]) or "" end
      io.stdout:write(line:format(group.way == "out" and ">" or "<", (tostring(group.method):gsub("%c", "?")),
        group.count, ("%.0f"):format(group.bytes), group.errors, group.unanswered, times[1], times[2], times[3],
        times[4]))
    end
  end
end

return summary
