-- What a pool tells of itself: a table for programs, and Prometheus' text format (version 0.0.4).
--
-- It refuses to change anything, and to fail: of a child that has just ended it tells what is known.
local native = ...
local pairs, tostring, sort, concat = pairs, tostring, table.sort, table.concat

local report = {}

-- Calls a second since somebody asked last, if that is long enough ago to tell.
local LONG_ENOUGH = 0.25

local function rate_of(member, now)
  local passed = now - (member.asked or member.born)
  if passed >= LONG_ENOUGH or not member.rate then
    member.rate = passed > 0 and (member.calls - (member.counted or 0)) / passed or 0
    member.asked, member.counted = now, member.calls
  end
  return member.rate
end

local function of_member(member, now)
  local child = member.peer:info() or {}
  local stats = member.peer:stats()
  return {
    pid = member.pid, worker = child.worker, generation = member.generation, state = member.state,
    marked = member.marked, event = member.event, age = now - member.born, calls = member.calls,
    inflight = native.waiting(member.conn) + member.kept, keys = member.keys, rate = rate_of(member, now),
    rss = child.rss,
    private = child.private, cpu = child.cpu, last_method = child.last_method, latency = stats.latency,
  }
end

--- `{ state, reason, generation, size, warm, waiting, keys, age, counts, last_event, children }`.
function report.info(self)
  local now, children, counts, keys = self.now(), {}, {}, 0
  for member in pairs(self.members) do children[#children + 1] = of_member(member, now) end
  sort(children, function(a, b) return a.pid < b.pid end)
  for i = 1, #children do keys = keys + children[i].keys end
  for name, count in pairs(self.counts) do counts[name] = count end
  counts.calls = self.gone_calls
  for member in pairs(self.members) do counts.calls = counts.calls + member.calls end
  return {
    state = self.state, reason = self.reason, generation = self.generation, size = self.size, warm = self.warm,
    waiting = self.roster.waiting, keys = keys, memory_limit = self.recycle.memory, age = now - self.born,
    counts = counts, last_event = self.last_event,
    children = children, zygote = self.zygote and self.zygote():info(),
  }
end

-- Name, kind, help, and what it is in the table of the pool or of a child.
local OF_POOL = {
  { "generation", "gauge", "Generation of the newest children.", "generation" },
  { "size", "gauge", "Children that should take calls.", "size" },
  { "waiting_calls", "gauge", "Calls that wait for a free child.", "waiting" },
  { "bound_keys", "gauge", "Keys that stay with a child.", "keys" },
}
local COUNTS = {
  { "calls_total", "Calls and notifications given to children.", "calls" },
  { "started_total", "Children started.", "started" },
  { "ready_total", "Children that became ready.", "ready" },
  { "recycled_total", "Children replaced by others.", "recycled" },
  { "died_total", "Children that ended unasked.", "died" },
  { "restarts_total", "Children started again because one ended too soon.", "restarts" },
  { "hung_total", "Children that hung and were killed.", "hung" },
  { "failed_total", "Times that the pool gave up.", "failed" },
}
local OF_CHILD = {
  { "child_private_bytes", "gauge", "Private memory of a child.", "private" },
  { "child_resident_bytes", "gauge", "Resident memory of a child.", "rss" },
  { "child_cpu_seconds_total", "counter", "Processor time of a child.", "cpu" },
  { "child_calls_total", "counter", "Calls given to a child.", "calls" },
  { "child_calls_in_flight", "gauge", "Calls that a child has not answered.", "inflight" },
  { "child_keys", "gauge", "Keys that stay with a child.", "keys" },
  { "child_age_seconds", "gauge", "Age of a child.", "age" },
}
local STATES = { "starting", "spare", "ready", "draining", "stopping" }

local function number(value)
  return value % 1 == 0 and ("%.0f"):format(value) or ("%.6g"):format(value)
end

--- The same as Prometheus reads it; `name` is the value of the label "pool".
function report.metrics(self, name)
  local info, lines = report.info(self), {}
  local pool = 'pool="' .. tostring(name or "pool"):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" })
    .. '"'
  local function head(metric, kind, help)
    lines[#lines + 1] = "# HELP fkrpc_" .. metric .. " " .. help
    lines[#lines + 1] = "# TYPE fkrpc_" .. metric .. " " .. kind
  end
  local function sample(metric, labels, value)
    lines[#lines + 1] = "fkrpc_" .. metric .. "{" .. pool .. labels .. "} " .. number(value)
  end
  for _, what in pairs(OF_POOL) do
    head("pool_" .. what[1], what[2], what[3])
    sample("pool_" .. what[1], "", info[what[4]])
  end
  for _, what in pairs(COUNTS) do
    head("pool_" .. what[1], "counter", what[2])
    sample("pool_" .. what[1], "", info.counts[what[3]] or 0)
  end
  local of_state = {}
  for _, child in pairs(info.children) do of_state[child.state] = (of_state[child.state] or 0) + 1 end
  head("pool_children", "gauge", "Children by state.")
  for _, state in pairs(STATES) do sample("pool_children", ',state="' .. state .. '"', of_state[state] or 0) end
  for _, what in pairs(OF_CHILD) do
    head(what[1], what[2], what[3])
    for _, child in pairs(info.children) do
      local value = child[what[4]]
      if value then
        sample(what[1], (',pid="%d",generation="%d"'):format(child.pid, child.generation), value)
      end
    end
  end
  return concat(lines, "\n") .. "\n"
end

return report
