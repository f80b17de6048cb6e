-- `fkrpc trace FILE`: a recorded conversation for people, as JSON, as messages alone, or as a summary by method.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")
local message = require("fkrpc.command.message")
local recording = require("fkrpc.command.recording")
local summary = require("fkrpc.command.summary")

local show = {}

show.HELP = [[
fkrpc trace FILE [OPTION...]

Shows a conversation that was recorded with the option trace or FKRPC_TRACE: one line a message with the seconds since
the beginning, > for sent and < for received, what it is, id, method, bytes, and for replies how long they took. A
FILE.1 of the same process goes before it.

  --method NAME   only this method, its replies included; * stands for anything; may be given again
  --from SECONDS  only from this time on
  --to SECONDS    only up to this time
  --errors        only errors, what could not be read, and remarks
  --json          one JSON object a line, with the message as its member "message"
  --as json|cbor  the messages alone: lines of JSON, or a sequence of CBOR items, whatever they were
  --summary       how many of each method, errors, and latencies
]]

local KNOWN = {
  ["--method"] = "list", ["--from"] = "number", ["--to"] = "number", ["--errors"] = true, ["--json"] = true,
  ["--as"] = { "json", "cbor" }, ["--summary"] = true,
}

-- Any bytes may be in a message; as JSON they have to be text.
local loose = fkrpc.json.new({ strings = "bytes", sorted = true, nan = "null" })
local binary = fkrpc.cbor.new({ strings = "text" })

local function matcher(names)
  if not names then return function() return true end end
  local patterns = {}
  for i, name in ipairs(names) do
    patterns[i] = "^" .. name:gsub("%W", "%%%0"):gsub("%%%*", ".*") .. "$"
  end
  return function(method)
    if type(method) ~= "string" then return false end
    for _, pattern in ipairs(patterns) do
      if method:find(pattern) then return true end
    end
    return false
  end
end

local OTHER = { ["in"] = "out", out = "in" }

--- The members of all messages in order: what `message.describe` tells, with time, way, size, and of a reply the method
--- it answers and its latency in seconds.
function show.rows(about, records)
  local read = message.reader(about)
  local asked = { ["in"] = {}, out = {} }
  local rows = {}
  for _, record in ipairs(records) do
    if record.way == "remark" then
      rows[#rows + 1] = {
        kind = "remark", why = record.bytes, time = record.time, way = "in", size = 0, record = record,
      }
    else
      for _, row in ipairs(message.describe(read, record.bytes)) do
        row.time, row.way, row.size, row.record = record.time, record.way, record.whole or #record.bytes, record
        if record.whole then row.kind, row.why = "unreadable", "cut short in the trace" end
        if row.kind == "request" then
          asked[row.way][message.key(row.id)] = row
        elseif row.kind == "result" or row.kind == "error" then
          local calls, key = asked[OTHER[row.way]], message.key(row.id)
          local call = calls[key]
          if call then
            row.method, call.answered = call.method, true
            row.latency = math.floor((row.time - call.time) * 1e6 + 0.5) / 1e6
            calls[key] = nil
          end
        end
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

local function text_of(id)
  if id == nil then return "" end
  if id == fkrpc.null then return "null" end
  if type(id) == "string" then return '"' .. id .. '"' end
  return type(id) == "number" and id % 1 == 0 and ("%.0f"):format(id) or tostring(id)
end

-- Control characters would disturb a terminal.
local function plain(text)
  return (tostring(text):gsub("%c", function(c) return ("\\%03d"):format(c:byte()) end))
end

local function line_of(row)
  local detail = ""
  if row.kind == "error" and type(row.value.error) == "table" then
    detail = ("  %s: %s"):format(text_of(row.value.error.code), plain(row.value.error.message))
  elseif row.why then
    detail = "  " .. plain(row.why)
  end
  return ("%12.6f %s %-12s %6s  %-24s %8d%s%s"):format(row.time, row.way == "out" and ">" or "<", row.kind,
    plain(text_of(row.id)), plain(row.method or ""), row.size,
    row.latency and ("  " .. summary.duration(row.latency)) or "", detail)
end

local function json_of(row)
  return assert(loose.encode(fkrpc.object({
    time = row.time, direction = row.way, kind = row.kind, id = row.id, method = row.method, size = row.size,
    latency = row.latency, why = row.why, message = row.value,
  })))
end

local function print_messages(records, about, kept, format)
  local read = message.reader(about)
  for _, record in ipairs(records) do
    if kept[record] then
      local value, why = read(record.bytes)
      local text
      if value ~= nil and not record.whole then
        if format == "json" then text, why = loose.encode(value) else text, why = binary.encode(value) end
      end
      if text then
        io.stdout:write(text, format == "json" and "\n" or "")
      else
        io.stderr:write("fkrpc: the message at ", ("%.6f"):format(record.time), " s is left out: ",
          tostring(why or "it is cut short"), "\n")
      end
    end
  end
end

function show.run(words)
  local options, others = arguments.parse(words, 2, KNOWN)
  if #others ~= 1 then arguments.wrong("which file? fkrpc trace FILE") end
  local about, records, torn = recording.read(others[1])
  if not about then arguments.wrong(records) end
  local fits = matcher(options.method)
  local wanted, kept = {}, {}
  for _, row in ipairs(show.rows(about, records)) do
    local bad = row.kind == "error" or row.kind == "unreadable" or row.kind == "remark"
    if row.time >= (options.from or 0) and row.time <= (options.to or math.huge)
        and (bad or not options.errors) and fits(row.method) then
      wanted[#wanted + 1] = row
      if row.kind ~= "remark" then kept[row.record] = true end
    end
  end
  if options.as then
    print_messages(records, about, kept, options.as)
  elseif options.summary then
    summary.print(wanted, options.json)
  else
    for _, row in ipairs(wanted) do io.stdout:write(options.json and json_of(row) or line_of(row), "\n") end
  end
  if torn then io.stderr:write("fkrpc: ", others[1], " ends early, at ", torn, "\n") end
  return 0
end

return show
