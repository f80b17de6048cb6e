-- Every document of the corpora and every message of the traces through every codec: whole, cut and damaged.
--
-- For memory checkers (scripts/asan.sh, scripts/valgrind.sh): lua spec/corpora.lua STRIDE FOLDER ... reads the *.jsonl
-- files of the folders (documents) and of their *.jsonl.gz (traces) each STRIDEth line. What comes back whole must be
-- what went in; of the rest it is only asked that nothing breaks.

local fkrpc = require("fkrpc")
local json, cbor = fkrpc.json, fkrpc.cbor
local loose = cbor.new({ strings = "text", big = "float", tags = { [1] = function(value) return value end } })
local strict = json.new({ strings = "bytes", big = "string", depth = 20 })

local stride = tonumber(arg[1])
local seed = 1

-- A small generator of our own: the same damage on every Lua.
local function random(most)
  seed = (seed * 16807) % 2147483647
  return seed % most + 1
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or (a ~= a and b ~= b) end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local documents, damaged = 0, 0

local function damage(decode, bytes)
  for _ = 1, 4 do
    local at = random(#bytes)
    decode(bytes:sub(1, at))
    decode(bytes:sub(at))
    decode(bytes:sub(1, at - 1) .. string.char(random(256) - 1) .. bytes:sub(at + 1))
    decode(bytes, at)
    damaged = damaged + 4
  end
end

local function check(text)
  local value = json.decode(text)
  if value == nil then return end
  documents = documents + 1
  assert(same(value, json.decode((assert(json.encode(value))))), text)
  local bytes = assert(cbor.encode(value))
  assert(same(value, (cbor.decode(bytes))), text)
  damage(json.decode, text)
  damage(strict.decode, text)
  damage(cbor.decode, bytes)
  damage(loose.decode, bytes)
end

local DIGITS = {}
for i = 0, 63 do
  DIGITS[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i
end

-- RFC 4648, section 4.
local function from_base64(text)
  local bytes, held, bits = {}, 0, 0
  for i = 1, #text do
    local digit = DIGITS[text:byte(i)]
    if not digit then break end
    held, bits = held * 64 + digit, bits + 6
    if bits >= 8 then
      bits = bits - 8
      bytes[#bytes + 1] = string.char(math.floor(held / 2 ^ bits))
      held = held % 2 ^ bits
    end
  end
  return table.concat(bytes)
end

-- A line of a trace is `{ "dir": , "msg": }`; CBOR messages are in base64.
local function check_message(line, is_cbor)
  local text = assert(json.decode(line)).msg
  if not is_cbor then return check(text) end
  local bytes = from_base64(text)
  local value = cbor.decode(bytes)
  if value == nil then return end
  documents = documents + 1
  assert(same(value, (cbor.decode((assert(cbor.encode(value)))))), text)
  damage(cbor.decode, bytes)
  damage(loose.decode, bytes)
end

local function read(file, is_trace, is_cbor)
  local number = 0
  for line in file:lines() do
    number = number + 1
    if not is_trace then
      check(line)
    elseif number % stride == 0 then
      check_message(line, is_cbor)
    end
  end
  file:close()
end

for i = 2, #arg do
  for name in assert(io.popen("ls '" .. arg[i] .. "'")):lines() do
    local path = arg[i] .. "/" .. name
    if name:match("%.jsonl$") then
      read(assert(io.open(path)))
    elseif name:match("%.jsonl%.gz$") then
      read(assert(io.popen("gzip -dc '" .. path .. "'")), true, name:find(".cbor.", 1, true))
    end
  end
end
assert(documents > 0, "no documents")
print(("%d documents, %d damaged ones"):format(documents, damaged))
