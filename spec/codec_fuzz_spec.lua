-- Random values there and back through JSON and CBOR, and random damage to what was written: the same values come
-- back, and what is refused is refused with a message and a position.
--
-- FKRPC_FUZZ_ROUNDS says how many rounds each test has, FKRPC_FUZZ_SEED which is the first; one that fails is named.

local fkrpc = require("fkrpc")
local json, cbor = fkrpc.json, fkrpc.cbor

local INTEGERS = math.type ~= nil
local ROUNDS = tonumber(os.getenv("FKRPC_FUZZ_ROUNDS") or 1500)
local SEED = tonumber(os.getenv("FKRPC_FUZZ_SEED") or 1)

-- D. Lehmer's generator as S. Park and K. Miller have it ("Random number generators: good ones are hard to find",
-- 1988): the same numbers in every Lua.
local state = 1
local function random(n)
  state = (state * 16807) % 2147483647
  return math.floor(state / 2147483647 * n)
end

local function pick(list) return list[random(#list) + 1] end

local function readable(text)
  return (text:gsub("[^\32-\126]", function(byte) return ("\\%03d"):format(byte:byte()) end))
end

-- `round` with ROUNDS seeds, each named if it fails.
local function fuzz(round)
  for seed = SEED, SEED + ROUNDS - 1 do
    state = (seed * 7919) % 2147483646 + 1
    for _ = 1, 3 do random(1) end -- neighbours begin alike
    local ok, message = xpcall(round, function(raised) return tostring(raised) .. "\n" .. debug.traceback() end)
    if not ok then error("FKRPC_FUZZ_SEED=" .. seed .. " FKRPC_FUZZ_ROUNDS=1: " .. message, 0) end
  end
end

local EDGES = { 0, 1, -1, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740992, -9007199254740992,
  0.5, -0.5, 0.1, 1e15, 1e16, 1e17, 1e100, -1e-100, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 65504.0,
  65505.0, 3.4028234663852886e38, 2 ^ 63, -2 ^ 63, 2 ^ 64, 1.0, -2.0, 123456789.0 }

local function number()
  local kind = random(6)
  if kind == 0 then return pick(EDGES) end
  if kind == 1 then return random(1000) - 500 end
  if kind == 2 and INTEGERS then
    -- Of 64 bits, of any magnitude. Written so that Lua 5.1 can read it.
    local value = 0
    for _ = 1, random(9) do value = value * 256 + random(256) end
    return value * (random(2) * 2 - 1)
  end
  if kind == 3 then return (random(2 ^ 26) * 2 ^ 27 + random(2 ^ 27)) * (random(2) * 2 - 1) end
  local float = (random(2 ^ 26) * 2.0 ^ 27 + random(2 ^ 27)) * 2.0 ^ (random(2000) - 1027)
  return float < math.huge and float or 0.25
end

local CHARACTERS = { "a", "b", "z", "0", " ", "\"", "\\", "/", "\n", "\r", "\t", "\b", "\f", "\0", "\1", "\31", "\127",
  "\194\128", "\195\169", "\223\191", "\224\160\128", "\230\157\142", "\237\159\191", "\238\128\128", "\239\191\191",
  "\240\144\128\128", "\240\159\152\128", "\244\143\191\191", "abcdefghijklmnop", "\\u0041", "null" }

local function text()
  local parts = {}
  for i = 1, random(8) do parts[i] = pick(CHARACTERS) end
  return table.concat(parts)
end

local function bytes()
  local parts = {}
  for i = 1, random(20) do parts[i] = string.char(random(256)) end
  return table.concat(parts)
end

-- A value that JSON can write; with `more`, one that only CBOR can.
local function value(depth, more)
  local kind = random(depth > 4 and 6 or 10)
  if kind == 0 then return pick({ true, false, fkrpc.null, "null" }) end
  if kind <= 2 then return number() end
  if kind <= 5 then
    if more and random(3) == 0 then
      if random(4) == 0 then return cbor.simple(pick({ 0, 19, 32, 255 })) end
      if random(4) == 0 then return cbor.tagged(pick({ 0, 24, 55799, 4294967296 }), value(depth + 1, more)) end
      if random(8) == 0 then return cbor.undefined end
      return bytes()
    end
    return text()
  end
  if kind <= 7 then
    local array = json.array({})
    for i = 1, random(6) do array[i] = value(depth + 1, more) end
    return array
  end
  local object = json.object({})
  for _ = 1, random(6) do
    local key = text()
    if more then
      local choice = random(6)
      if choice == 0 then key = number() elseif choice == 1 then key = random(2) == 0 end
    end
    object[key] = value(depth + 1, more)
  end
  return object
end

local function number_kind(n) return INTEGERS and math.type(n) or "number" end

local ARRAY, OBJECT = getmetatable(json.array()), getmetatable(json.object())

-- What a table is marked as. An object comes back without its mark; an array, a tag and a simple value keep theirs; a
-- table without a mark whose keys are 1 to n is written as an array.
local function mark(table)
  local found = getmetatable(table)
  return found ~= OBJECT and found or nil
end

-- Whether two values are the same, kinds of numbers and signs of zeros too. Tables as keys are only counted.
local function same(a, b)
  if type(a) ~= type(b) then return false end
  if type(a) == "number" then
    if a ~= a or b ~= b then return a ~= a and b ~= b end
    return a == b and number_kind(a) == number_kind(b) and 1 / a == 1 / b
  end
  if type(a) ~= "table" then return a == b end
  if mark(a) ~= mark(b) and not (mark(a) == nil and a[1] ~= nil and mark(b) == ARRAY) then return false end
  local left = 0
  for key, item in pairs(a) do
    if type(key) == "table" then
      left = left + 1
    elseif not same(item, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if type(key) == "table" then
      left = left - 1
    elseif a[key] == nil then
      return false
    end
  end
  return left == 0
end

local function damaged(source)
  for _ = 1, random(3) + 1 do
    local at = random(#source + 1)
    local kind = random(5)
    if kind == 0 then
      source = source:sub(1, at) .. string.char(random(256)) .. source:sub(at + 2)
    elseif kind == 1 then
      source = source:sub(1, at) .. source:sub(at + 2 + random(4))
    elseif kind == 2 then
      source = source:sub(1, at) .. pick({ "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "\\ud800",
        "\255", "\159", "\191", "\95", "\127", "\27", "\248", "\192", "\128", "\0", "\n" }) .. source:sub(at + 1)
    elseif kind == 3 then
      source = source:sub(1, at)
    else
      source = source:sub(1, at) .. source:sub(random(#source + 1) + 1, at) .. source:sub(at + 1)
    end
  end
  return source
end

-- What a decoder says of any bytes: a value that can be written and read again, or nil, a message and a position.
local function answered(codec, source)
  local found, message, position = codec.decode(source)
  if found == nil then
    assert(type(message) == "string" and #message > 0, readable(source))
    assert(type(position) == "number" and position >= 1 and position <= #source + 1,
      tostring(position) .. " in " .. readable(source))
    assert(message:find(tostring(position), 1, true), message)
  else
    local again = assert(codec.encode(found))
    local back, why = codec.decode(again)
    if back == nil then error(why .. ": " .. readable(again) .. " of " .. readable(source)) end
    assert(same(found, back), readable(again) .. " of " .. readable(source))
  end
  return found ~= nil
end

local function comes_back(codec, given, read)
  local written = assert(codec.encode(given))
  local back, why = read(written)
  if back == nil then error(tostring(why) .. ": " .. readable(written)) end
  assert(same(given, back), readable(written))
  return written
end

describe("a random value", function()
  it("comes back from JSON", function()
    fuzz(function() comes_back(json, value(0), json.decode) end)
  end)

  it("comes back from CBOR, in every way of writing it", function()
    local codecs = { cbor, cbor.new({ strings = "text" }), cbor.new({ floats = "double" }) }
    fuzz(function()
      local given = value(0, true)
      for _, codec in ipairs(codecs) do comes_back(codec, given, cbor.decode) end
    end)
  end)

  it("comes back from the middle of a text, with the place where it ended", function()
    fuzz(function()
      for _, codec in ipairs({ json, cbor }) do
        local before, after = bytes(), codec == json and " " .. bytes() or bytes()
        comes_back(codec, value(0, codec == cbor), function(written)
          local back, at = codec.decode(before .. written .. after, #before + 1)
          if back ~= nil then assert(at == #before + #written + 1, tostring(at)) end
          return back, at
        end)
      end
    end)
  end)

  it("is no other as bytes than as UTF-8 where it is UTF-8", function()
    local lenient = json.new({ strings = "bytes" })
    fuzz(function()
      local given = value(0)
      comes_back(lenient, given, json.decode)
      comes_back(json, given, lenient.decode)
      local raw = bytes()
      assert(lenient.decode(assert(lenient.encode(raw))) == raw, readable(raw))
    end)
  end)
end)

describe("the text of a random number", function()
  local function digits(most)
    local parts = {}
    for i = 1, random(most) + 1 do parts[i] = random(10) end
    return table.concat(parts)
  end

  it("is the number that Lua reads there", function()
    fuzz(function()
      for _ = 1, 5 do
        local source = pick({ "", "-" }) .. random(10) + 1 .. digits(pick({ 1, 5, 17, 40 })) .. "." .. digits(20)
        if random(2) == 0 then source = source .. pick({ "e", "E", "e+", "e-" }) .. digits(2) end
        local expected, found = tonumber(source), json.decode(source)
        assert(expected == found and number_kind(expected) == number_kind(found), source)
        local short = assert(json.encode(found))
        assert(json.decode(short) == found and tonumber(short) == found, source .. " as " .. short)
      end
    end)
  end)
end)

describe("a damaged text", function()
  it("of JSON is answered with a value, or with a message and a position", function()
    local taken, refused = 0, 0
    fuzz(function()
      local source = assert(json.encode(value(0)))
      for _ = 1, 6 do
        if answered(json, damaged(source)) then taken = taken + 1 else refused = refused + 1 end
      end
    end)
    assert.is_true(taken > 0 and refused > 0)
  end)

  it("of CBOR is answered with a value, or with a message and a position", function()
    local taken, refused = 0, 0
    fuzz(function()
      local source = assert(cbor.encode(value(0, true)))
      for _ = 1, 6 do
        if answered(cbor, damaged(source)) then taken = taken + 1 else refused = refused + 1 end
      end
    end)
    assert.is_true(taken > 0 and refused > 0)
  end)

  it("of nothing but random bytes is answered all the same", function()
    fuzz(function()
      local source = bytes()
      answered(json, source)
      answered(cbor, source)
      json.decode(source, random(#source + 1) + 1)
      cbor.decode(source, random(#source + 1) + 1)
    end)
  end)
end)
