-- fkrpc.cbor: options are checked here, the work is native.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable
local options = native.module("options")

if native.features == "luajit" then native.module("cdata") end

local KNOWN = options.set(
  "strings", "big", "depth", "empty", "max_size", "floats", "integral", "order", "tags", "simple", "utf8",
  "sorted"
)
local BIG = { error = 0, float = 1, string = 2, wrap = 3, cdata = 4 }
local UNLIMITED = -1

local function simple(value)
  return setmetatable({ simple = value }, native.simple_metatable)
end

local undefined = simple(23)

-- Above all tags (RFC 8949, section 3.4), and above all simple values.
local TAGS, SIMPLE = 2 ^ 64, 256

-- An option that is a table by numbers.
local function numbered(given, name, limit, level)
  local values = options.typed("cbor.new", given, name, "table", level)
  for number, value in pairs(values or {}) do
    if type(number) ~= "number" or number % 1 ~= 0 or number < 0 or number >= limit
      or limit == TAGS and type(value) ~= "function" then
      error("fkrpc.cbor.new: option '" .. name .. "' must map integers from 0 to below " .. ("%.0f"):format(limit)
        .. (limit == TAGS and " to functions" or "") .. ", not " .. tostring(number) .. " to a " .. type(value), level)
    end
  end
  return values
end

-- What simple values decode to: the caller's, and one `undefined` for all.
local function simple_values(given)
  local values = { [23] = undefined }
  for number, value in pairs(numbered(given, "simple", SIMPLE, 4) or {}) do values[number] = value end
  return values
end

local function new(given)
  given = options.check("cbor.new", given, KNOWN)
  local big = options.choice("cbor.new", given, "big", BIG, "error")
  if big == BIG.cdata and native.features ~= "luajit" then
    error("fkrpc.cbor.new: big = \"cdata\" needs LuaJIT", 2)
  end
  local tags, simples = numbered(given, "tags", TAGS, 3), simple_values(given)
  local codec = { null = native.null }
  codec.encode, codec.decode = native.cbor_codec(
    options.typed("cbor.new", given, "utf8", "boolean") or false,
    big,
    options.integer("cbor.new", given, "depth", 128, 1, 1000),
    options.choice("cbor.new", given, "empty", { object = false, array = true }, "object"),
    options.integer("cbor.new", given, "max_size", UNLIMITED, 0, 2 ^ 53),
    options.choice("cbor.new", given, "strings", { bytes = false, text = true }, "bytes"),
    options.choice("cbor.new", given, "floats", { shortest = true, double = false }, "shortest"),
    options.typed("cbor.new", given, "integral", "boolean") or false,
    options.choice("cbor.new", given, "order", { any = true, strict = false }, "any"),
    tags,
    simples,
    options.typed("cbor.new", given, "sorted", "boolean") or false
  )
  return codec
end

local cbor = new()

--- A codec of its own; see types/fkrpc.lua for its options.
cbor.new = new

--- A value under a tag, as decoding gives it where no handler is registered.
function cbor.tagged(tag, value)
  if type(tag) ~= "number" or tag % 1 ~= 0 or tag < 0 then
    error("bad argument #1 to 'tagged' (tag number expected, got " .. tostring(tag) .. ")", 2)
  end
  return setmetatable({ tag = tag, value = value }, native.tagged_metatable)
end

--- A simple value that is neither boolean nor null; 23 is CBOR's undefined.
function cbor.simple(value)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 255 then
    error("bad argument #1 to 'simple' (integer from 0 to 255 expected, got " .. tostring(value) .. ")", 2)
  end
  return value == 23 and undefined or simple(value)
end

function native.tagged_metatable.__tostring(t) return tostring(t.tag) .. "(" .. tostring(t.value) .. ")" end

function native.simple_metatable.__tostring(t)
  return t.simple == 23 and "undefined" or "simple(" .. tostring(t.simple) .. ")"
end

--- CBOR's undefined, always this one value when decoded.
cbor.undefined = undefined

--- Mark a table as an array.
function cbor.array(t) return setmetatable(t or {}, native.array_metatable) end

--- Mark a table as an object.
function cbor.object(t) return setmetatable(t or {}, native.object_metatable) end

return cbor
