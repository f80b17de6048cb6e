-- cjson: the API of lua-cjson 2.1, over the library's codec.
--
-- Numbers are written exactly, so a precision below 14 is refused; so are invalid numbers, both ways. What has no
-- native form (tables with holes, or with string and number keys) is written here, by lua-cjson's rules.
local native = ...
local type, error, tostring, next, pairs = type, error, tostring, next, pairs
local concat, floor = table.concat, math.floor
local uncovered = native.module("compat/uncovered")
local null = native.null
local read = native.module("json").decode
local KEPT_DEPTH = 1000

local function refuse(what) error("fkrpc.compat: cjson." .. what .. " is not covered", 3) end

local function whole(number) return floor(number) == number end

local function new()
  local sparse = { convert = false, ratio = 2, safe = 10 }
  local encode, decode, scalar
  local write

  -- The largest index if all keys are positive integers, and how many; nil if it is an object.
  local function indices(t)
    local most, count = 0, 0
    for key in pairs(t) do
      if type(key) ~= "number" or key < 1 or not whole(key) then return nil end
      most, count = key > most and key or most, count + 1
    end
    if sparse.ratio > 0 and most > count * sparse.ratio and most > sparse.safe then
      if not sparse.convert then error("Cannot serialise table: excessively sparse array", 0) end
      return nil
    end
    return most
  end

  function write(value, depth)
    if type(value) ~= "table" then return scalar(value) end
    if depth > KEPT_DEPTH then
      error("Cannot serialise, excessive depth (" .. depth .. ")", 0)
    end
    local parts = {}
    local most = next(value) ~= nil and indices(value)
    if most then
      for i = 1, most do parts[i] = write(value[i], depth + 1) end
      return "[" .. concat(parts, ",") .. "]"
    end
    for key, item in pairs(value) do
      if type(key) ~= "string" and type(key) ~= "number" then
        error("Cannot serialise " .. type(key) .. ": table key must be a number or string", 0)
      end
      parts[#parts + 1] = scalar(tostring(key)) .. ":" .. write(item, depth + 1)
    end
    return "{" .. concat(parts, ",") .. "}"
  end

  encode, decode = native.compat_json(null, false, function(text)
    if type(text) ~= "string" then
      error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 3)
    end
    local _, message, position = read(text)
    error((message or "nested too deeply") .. " at character " .. (position or 1), 0)
  end, function(value)
    return write(value, 1)
  end)
  scalar = native.compat_json(null, false, nil, function(value)
    local kind = type(value)
    error("Cannot serialise " .. kind .. ": " .. (kind == "number" and "must not be NaN or Inf"
      or "type not supported"), 0)
  end)

  local cjson = { _NAME = "cjson", _VERSION = "2.1.0", null = null, encode = encode, decode = decode, new = new }

  function cjson.encode_sparse_array(convert, ratio, safe)
    if convert ~= nil then sparse.convert = convert end
    if ratio ~= nil then sparse.ratio = ratio end
    if safe ~= nil then sparse.safe = safe end
    return sparse.convert, sparse.ratio, sparse.safe
  end

  -- A setting that has one value here: asking for it answers, setting it to this value is fine.
  local function fixed(name, only, also)
    cjson[name] = function(value)
      if value ~= nil and value ~= only and not (also and also(value)) then
        refuse(name .. "(" .. tostring(value) .. ")")
      end
      return only
    end
  end
  fixed("encode_max_depth", KEPT_DEPTH)
  fixed("decode_max_depth", KEPT_DEPTH)
  fixed("encode_number_precision", 14, function(n) return type(n) == "number" and n >= 14 and n <= 17 end)
  fixed("encode_keep_buffer", true, function(keep) return type(keep) == "boolean" end)
  fixed("encode_invalid_numbers", false)
  fixed("decode_invalid_numbers", false)
  return uncovered("cjson", cjson)
end

return new()
