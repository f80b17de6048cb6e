-- fkrpc.json: options are checked here, the work is native.
local native = ...
local error, setmetatable = error, setmetatable
local options = native.module("options")

if native.features == "luajit" then native.module("cdata") end

local KNOWN = options.set("strings", "big", "depth", "empty", "max_size")
local BIG = { error = 0, float = 1, string = 2, cdata = 4 }
local UNLIMITED = -1

local function new(given)
  given = options.check("json.new", given, KNOWN)
  local big = options.choice("json.new", given, "big", BIG, "error")
  if big == BIG.cdata and native.features ~= "luajit" then
    error("fkrpc.json.new: big = \"cdata\" needs LuaJIT", 2)
  end
  local codec = { null = native.null }
  codec.encode, codec.decode = native.json_codec(
    options.choice("json.new", given, "strings", { utf8 = true, bytes = false }, "utf8"),
    big,
    options.integer("json.new", given, "depth", 128, 1, 1000),
    options.choice("json.new", given, "empty", { object = false, array = true }, "object"),
    options.integer("json.new", given, "max_size", UNLIMITED, 0, 2 ^ 53)
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
