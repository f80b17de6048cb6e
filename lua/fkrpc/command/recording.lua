-- Recorded conversations: reading the files that the option `trace` writes (docs/trace.md).
--
-- It refuses files that are none, and goes to the end of one that was cut off by a crash.

local fkrpc = require("fkrpc")

local recording = {}

-- Times and lengths are integers of up to 64 bits; none of them is near that.
local codec = fkrpc.cbor.new({ big = "float" })

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  text, message = file:read("*a")
  file:close()
  if not text then return nil, path .. ": " .. tostring(message) end
  return text
end

-- The first item, and where the second begins.
local function first_item(text, path)
  local about, at = codec.decode(text, 1)
  if type(about) ~= "table" or about["fkrpc-trace"] == nil then return nil, path .. " is no trace of fkrpc" end
  if about["fkrpc-trace"] ~= 1 then
    return nil, path .. " has version " .. tostring(about["fkrpc-trace"]) .. ", and version 1 is what is known here"
  end
  return about, at
end

local WAYS = { [0] = "in", [1] = "out", [2] = "remark" }

local function append(records, text, at)
  while at <= #text do
    local item, next_at = codec.decode(text, at)
    if type(item) ~= "table" or not WAYS[item[2]] or type(item[3]) ~= "string" then
      return ("byte %d: %s"):format(at, item == nil and "a record that is cut off" or "what is no record")
    end
    records[#records + 1] = { time = item[1] / 1e6, way = WAYS[item[2]], bytes = item[3], whole = item[4] }
    at = next_at
  end
end

--- What the first item tells, the records `{ time = seconds, way = "in", "out" or "remark", bytes =, whole = }` of
--- `path`.1 (if it is of the same process) and `path`, and where they end before the file does; or nil and a message.
function recording.read(path)
  local text, message = read(path)
  if not text then return nil, message end
  local about, at = first_item(text, path)
  if not about then return nil, at end
  local records, torn = {}, nil
  local older = read(path .. ".1")
  if older then
    local its, start = first_item(older, path .. ".1")
    if its and its.pid == about.pid and its.monotonic == about.monotonic then torn = append(records, older, start) end
  end
  return about, records, append(records, text, at) or torn
end

return recording
