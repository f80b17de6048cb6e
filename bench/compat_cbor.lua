-- What `cbor.encode` of fkrpc.compat costs for the payloads of recorded games, beside lua-messagepack.
--
--   lua5.4 bench/compat_cbor.lua TRACE.cbor.jsonl.gz... [--rounds=20]
--
-- A trace is a gzip file with one JSON object a line, `{"dir":"c2p","msg":<base64 of a CBOR packet>}`; the payloads are
-- the third parameters of ServerPlayer_doNotify and ServerPlayer_doRequest. They are decoded once, then all are encoded
-- again and again; the figure is the CPU time of one round through the public function, per payload, best of all
-- rounds. Under Lua 5.4 encoding has a bound of 0.25 us; the status is 1 when a trace misses it. Needs the library on
-- package.cpath, and zcat; lua-messagepack takes part where Lua finds it.

local rounds, traces = 20, {}
for _, word in ipairs(arg) do
  local given = word:match("^%-%-rounds=(%d+)$")
  if given then rounds = tonumber(given) else traces[#traces + 1] = word end
end
if #traces == 0 then
  io.stderr:write("usage: lua bench/compat_cbor.lua TRACE.cbor.jsonl.gz... [--rounds=20]\n")
  os.exit(2)
end

require "fkrpc.compat"
local json, cbor = require "json", require "server.rpc.cbor"
local has_messagepack, messagepack = pcall(require, "MessagePack")

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local DIGITS = {}
for i = 1, #ALPHABET do DIGITS[ALPHABET:byte(i)] = i - 1 end

local function from_base64(text)
  return (text:gsub("%s", ""):gsub("....", function(four)
    local a, b, c, d = four:byte(1, 4)
    local n = DIGITS[a] * 262144 + DIGITS[b] * 4096 + (DIGITS[c] or 0) * 64 + (DIGITS[d] or 0)
    local bytes = string.char(math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
    return bytes:sub(1, c == 61 and 1 or d == 61 and 2 or 3)
  end))
end

local METHOD, PARAMS = 101, 102
local PAYLOAD = { ServerPlayer_doNotify = 3, ServerPlayer_doRequest = 3 }

local function payloads_of(path)
  local pipe = assert(io.popen("zcat '" .. path:gsub("'", "'\\''") .. "'"))
  local payloads = {}
  for line in pipe:lines() do
    local entry = json.decode(line)
    local packet = entry.dir == "c2p" and cbor.decode(from_base64(entry.msg))
    local at = packet and PAYLOAD[packet[METHOD]]
    if at then payloads[#payloads + 1] = packet[PARAMS][at] end
  end
  pipe:close()
  return payloads
end

local function best(encode, values)
  local least = math.huge
  for _ = 1, rounds do
    collectgarbage()
    local started = os.clock()
    for i = 1, #values do encode(values[i]) end
    least = math.min(least, os.clock() - started)
  end
  return least / #values * 1e6
end

-- messagepack has no values for CBOR's tags: what a tag holds is encoded in its place.
local function untagged(value)
  if type(value) ~= "table" then return value end
  if getmetatable(value) then return untagged(value.value) end
  local copy = {}
  for k, v in pairs(value) do copy[untagged(k)] = untagged(v) end
  return copy
end

local BOUND, missed = 0.25, 0

for _, path in ipairs(traces) do
  local payloads = payloads_of(path)
  local sizes, values, plain = {}, {}, {}
  for i, payload in ipairs(payloads) do
    sizes[i] = #payload
    values[i] = cbor.decode(payload)
    plain[i] = untagged(values[i])
  end
  table.sort(sizes)
  print(("%s: %d payloads, median %d bytes"):format(path:match("[^/]*$"), #payloads, sizes[math.floor(#sizes / 2) + 1]))
  local encoding = best(cbor.encode, values)
  if _VERSION == "Lua 5.4" and encoding > BOUND then missed = missed + 1 end
  print(("  cbor.encode (compat)  %.3f us"):format(encoding))
  print(("  cbor.decode (compat)  %.3f us"):format(best(cbor.decode, payloads)))
  if has_messagepack then
    print(("  MessagePack.pack      %.3f us"):format(best(messagepack.pack, plain)))
  end
end
if missed > 0 then
  print(("cbor.encode took more than %.2f us in %d of %d traces"):format(BOUND, missed, #traces))
  os.exit(1)
end
