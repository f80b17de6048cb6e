-- fkrpc.json: options are checked here, the work is native.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable

if native.features == "luajit" then native.module("cdata") end

local KNOWN = { strings = true, big = true, depth = true, empty = true, max_size = true }
local BIG = { error = 0, float = 1, string = 2, cdata = 4 }
local UNLIMITED = -1

local function choice(options, name, known, default)
  local value = options[name]
  if value == nil then return known[default] end
  if known[value] == nil then
    error("fkrpc.json.new: option '" .. name .. "' cannot be " .. tostring(value), 3)
  end
  return known[value]
end

local function count(options, name, default, least, most)
  local value = options[name]
  if value == nil then return default end
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    error("fkrpc.json.new: option '" .. name .. "' must be an integer from " .. least .. " to " .. most, 3)
  end
  return value
end

local function new(options)
  options = options or {}
  if type(options) ~= "table" then
    error("bad argument #1 to 'new' (table of options expected, got " .. type(options) .. ")", 2)
  end
  for name in pairs(options) do
    if not KNOWN[name] then error("fkrpc.json.new: unknown option '" .. tostring(name) .. "'", 2) end
  end
  local big = choice(options, "big", BIG, "error")
  if big == BIG.cdata and native.features ~= "luajit" then
    error("fkrpc.json.new: big = \"cdata\" needs LuaJIT", 2)
  end
  local codec = { null = native.null }
  codec.encode, codec.decode = native.json_codec(
    choice(options, "strings", { utf8 = true, bytes = false }, "utf8"),
    big,
    count(options, "depth", 128, 1, 1000),
    choice(options, "empty", { object = false, array = true }, "object"),
    count(options, "max_size", UNLIMITED, 0, 2 ^ 53)
  )
  return codec
end

local json = new()

--- A codec of its own: `new{ strings =, big =, depth =, empty =, max_size = }` has `encode`, `decode`, `null`.
json.new = new

--- Mark a table as an array.
function json.array(t) return setmetatable(t or {}, native.array_metatable) end

--- Mark a table as an object.
function json.object(t) return setmetatable(t or {}, native.object_metatable) end

return json
