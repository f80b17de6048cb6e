-- fkrpc.cbor: options are checked here, the work is native.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable

if native.features == "luajit" then native.module("cdata") end

local KNOWN = {
  strings = true, big = true, depth = true, empty = true, max_size = true, floats = true, integral = true,
  order = true, tags = true, simple = true, utf8 = true,
}
local BIG = { error = 0, float = 1, string = 2, wrap = 3, cdata = 4 }
local UNLIMITED = -1

local function choice(options, name, known, default)
  local value = options[name]
  if value == nil then return known[default] end
  if known[value] == nil then
    error("fkrpc.cbor.new: option '" .. name .. "' cannot be " .. tostring(value), 3)
  end
  return known[value]
end

local function count(options, name, default, least, most)
  local value = options[name]
  if value == nil then return default end
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    error("fkrpc.cbor.new: option '" .. name .. "' must be an integer from " .. least .. " to " .. most, 3)
  end
  return value
end

local function flag(options, name)
  local value = options[name]
  if value ~= nil and type(value) ~= "boolean" then
    error("fkrpc.cbor.new: option '" .. name .. "' must be a boolean", 3)
  end
  return value or false
end

local function table_of(options, name)
  local value = options[name]
  if value ~= nil and type(value) ~= "table" then
    error("fkrpc.cbor.new: option '" .. name .. "' must be a table", 3)
  end
  return value
end

local function simple(value)
  return setmetatable({ simple = value }, native.simple_metatable)
end

local undefined = simple(23)

-- What simple values decode to: the caller's, and one `undefined` for all.
local function simple_values(options)
  local values = { [23] = undefined }
  for number, value in pairs(table_of(options, "simple") or {}) do values[number] = value end
  return values
end

local function new(options)
  options = options or {}
  if type(options) ~= "table" then
    error("bad argument #1 to 'new' (table of options expected, got " .. type(options) .. ")", 2)
  end
  for name in pairs(options) do
    if not KNOWN[name] then error("fkrpc.cbor.new: unknown option '" .. tostring(name) .. "'", 2) end
  end
  local big = choice(options, "big", BIG, "error")
  if big == BIG.cdata and native.features ~= "luajit" then
    error("fkrpc.cbor.new: big = \"cdata\" needs LuaJIT", 2)
  end
  local codec = { null = native.null }
  codec.encode, codec.decode = native.cbor_codec(
    flag(options, "utf8"),
    big,
    count(options, "depth", 128, 1, 1000),
    choice(options, "empty", { object = false, array = true }, "object"),
    count(options, "max_size", UNLIMITED, 0, 2 ^ 53),
    choice(options, "strings", { bytes = false, text = true }, "bytes"),
    choice(options, "floats", { shortest = true, double = false }, "shortest"),
    flag(options, "integral"),
    choice(options, "order", { any = true, strict = false }, "any"),
    table_of(options, "tags"),
    simple_values(options)
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
