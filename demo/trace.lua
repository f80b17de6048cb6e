-- Recorded conversations of FreeKill's parent and child: reading the recordings, and handing them to another process.
--
-- A recording has one JSON object a line, `{"dir": "c2p" or "p2c", "msg": ...}`: `msg` is a JSON line with each byte as
-- one character (Latin-1), or a CBOR packet in base64. It refuses recordings whose calls do not lie inside each other:
-- nobody could play them.
--
-- A record is `{ dir =, kind = "request", "notification", "result" or "error", ... }` with method and params, with
-- result, or with code, message and data. Ids are left out: they are the player's own. No result is nil.

local fkrpc = require("fkrpc")

local trace = {}

-- How the recorded envelope and error objects name their members.
local NAMES = {
  json = {
    method = "method", params = "params", error = "error", id = "id", result = "result",
    code = "code", message = "message", data = "data",
  },
  cbor = { method = 101, params = 102, error = 103, id = 104, result = 105, code = 200, message = 201, data = 202 },
}

local outer = fkrpc.json.new({})
local packets = {
  json = fkrpc.json.new({ strings = "bytes" }),
  -- Error codes of FreeKill's parent are beyond 64 bits.
  cbor = fkrpc.cbor.new({ big = "wrap" }),
}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- ---- text to bytes --------------------------------------------------------------------------------------------------

-- The characters U+0080 to U+00FF in UTF-8, and the bytes they stand for.
local latin1 = {}
for byte = 128, 255 do
  latin1[string.char(byte < 192 and 194 or 195, byte % 64 + 128)] = string.char(byte)
end

local function from_latin1(text)
  return (text:gsub("[\194\195][\128-\191]", latin1))
end

local sextet = {}
for value = 0, 63 do
  sextet[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(value + 1)] = value
end

-- Packets resemble each other, so most groups of four characters were met before.
local groups = setmetatable({}, {
  __index = function(known, group)
    local digits, padding = group:gsub("=", "")
    local a, b, c, d = digits:byte(1, 4)
    a, b, c, d = sextet[a], sextet[b], c and sextet[c] or 0, d and sextet[d] or 0
    assert(a and b and padding <= 2, "not base64")
    local number = ((a * 64 + b) * 64 + c) * 64 + d
    local bytes = string.char(math.floor(number / 65536), math.floor(number / 256) % 256, number % 256)
    known[group] = bytes:sub(1, 3 - padding)
    return known[group]
  end,
})

local function from_base64(text)
  return (text:gsub("....", groups))
end

trace.from_base64 = from_base64

-- ---- one record -----------------------------------------------------------------------------------------------------

-- A recorded error. FreeKill's parent writes -code-1 where CBOR wants code: every code of its comes out positive.
local function error_record(record, names, e)
  record.kind = "error"
  record.code, record.message, record.data = e[names.code], e[names.message], e[names.data]
  if names == NAMES.cbor and record.code > 0 then
    record.code = -record.code - 1
  end
end

-- The record for one packet, and its id.
local function record_of(dir, codec, packet)
  local envelope = assert(packets[codec].decode(packet))
  local names = NAMES[codec]
  local record = { dir = dir, method = envelope[names.method] }
  local id = envelope[names.id]
  if record.method then
    record.kind = id and "request" or "notification"
    record.params = envelope[names.params]
  elseif envelope[names.error] then
    error_record(record, names, envelope[names.error])
  else
    record.kind = "result"
    record.result = envelope[names.result]
    if record.result == fkrpc.null then
      record.result = nil
    end
  end
  return record, id
end

-- Checks that every response belongs to the innermost open request; returns how many requests stay open.
local function nesting()
  local open = {}
  return function(record, id)
    if record.kind == "request" then
      open[#open + 1] = { id = id, dir = record.dir }
    elseif record.kind ~= "notification" then
      local request = table.remove(open)
      assert(request and request.id == id and request.dir ~= record.dir, "a reply to another call than the last one")
    end
    return #open
  end
end

-- ---- recordings -----------------------------------------------------------------------------------------------------

-- The lines of a file, `.gz` or not. A decompressor that fails is an error at the end.
local function lines_of(path)
  local file = assert(io.open(path, "rb"))
  if not path:match("%.gz$") then
    return file:lines()
  end
  file:close()
  local pipe = assert(io.popen("gzip -dc " .. quote(path) .. " 2>/dev/null; echo \"status $?\""))
  return function()
    local line = pipe:read("*l")
    local status = line and line:match("^status (%d+)$")
    if not status then
      return line
    end
    pipe:close()
    assert(status == "0", path .. " could not be decompressed: gzip ended with status " .. status)
    return nil
  end
end

--- Read a recording, `*.json.jsonl`, `*.cbor.jsonl` or either with `.gz`:
--- `{ codec =, records =, open = calls that it ends inside of }`. Raises when it cannot be read.
function trace.read(path)
  local codec = path:match("%.(%a+)%.jsonl$") or path:match("%.(%a+)%.jsonl%.gz$")
  assert(NAMES[codec], path .. " is no recording: its name must end in .json.jsonl or .cbor.jsonl, perhaps with .gz")
  local to_bytes = codec == "json" and from_latin1 or from_base64
  local records, nested, open = {}, nesting(), 0
  local function add(line)
    local recorded = assert(outer.decode(line))
    local record, id = record_of(recorded.dir, codec, to_bytes(recorded.msg))
    open = nested(record, id)
    records[#records + 1] = record
  end
  for line in lines_of(path) do
    local good, message = pcall(add, line)
    assert(good, ("%s, line %d: %s"):format(path, #records + 1, tostring(message)))
  end
  return { codec = codec, records = records, open = open }
end

--- The packets of a recording as they were: `for dir, bytes in trace.packets(path) do`.
function trace.packets(path)
  local to_bytes = path:match("%.json%.jsonl") and from_latin1 or from_base64
  local lines = lines_of(path)
  return function()
    local line = lines()
    if line then
      local recorded = assert(outer.decode(line))
      return recorded.dir, to_bytes(recorded.msg)
    end
  end
end

-- ---- handing records over -------------------------------------------------------------------------------------------

-- Records are handed over in blocks: few enough to take little memory, enough to make reading them cheap.
local BLOCK = 500

--- Write records for `trace.blocks`.
function trace.write(path, records)
  local file = assert(io.open(path, "wb"))
  for first = 1, #records, BLOCK do
    local block = {}
    for at = first, math.min(first + BLOCK - 1, #records) do
      block[#block + 1] = records[at]
    end
    local bytes = assert(fkrpc.cbor.encode(block))
    file:write(("%d\n"):format(#bytes), bytes)
  end
  file:close()
end

--- The records of a list, one at each call.
function trace.list(records)
  local at = 0
  return function()
    at = at + 1
    return records[at]
  end
end

--- The records that `trace.write` wrote, one at each call; `spent.seconds` is the CPU time that reading them took.
function trace.blocks(path)
  local file = assert(io.open(path, "rb"))
  local spent = { seconds = 0 }
  local block, at = {}, 0
  return function()
    at = at + 1
    if block[at] == nil and file then
      local started = os.clock()
      local length = file:read("*l")
      if length then
        block, at = assert(fkrpc.cbor.decode(file:read(tonumber(length)))), 1
      else
        file:close()
        file, block = nil, {}
      end
      spent.seconds = spent.seconds + os.clock() - started
    end
    return block[at]
  end, spent
end

return trace
