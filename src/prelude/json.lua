-- fkrpc.json: options are checked here, the work is native.
local native = ...
local error, setmetatable, type, find = error, setmetatable, type, string.find
local options = native.module("options")

if native.features == "luajit" then native.module("cdata") end

local KNOWN = options.set(
  "strings", "big", "depth", "empty", "max_size",
  "indent", "sorted", "null", "drop_null", "nan", "sparse", "sparse_ratio", "integral"
)
-- Options that need the codec with a style: the plain one is faster.
local STYLE = { "indent", "sorted", "null", "drop_null", "nan", "sparse", "integral" }
local NAN = { error = 0, null = 1, literal = 2 }
local SPARSE = { error = 0, object = -1, null = true }
local WIDEST = 16
local BIG = { error = 0, float = 1, string = 2, cdata = 4 }
local UNLIMITED = -1

local function is_styled(given)
  for i = 1, #STYLE do
    if given[STYLE[i]] ~= nil then return true end
  end
  return false
end

-- The white space of a level: "" for none.
local function indent_of(given)
  local indent = given.indent
  if indent == nil then return "" end
  if type(indent) == "string" and #indent <= WIDEST and not find(indent, "[^ \t]") then return indent end
  if type(indent) == "number" and indent % 1 == 0 and indent >= 0 and indent <= WIDEST then
    return (" "):rep(indent)
  end
  error("fkrpc.json.new: option 'indent' must be an integer from 0 to " .. WIDEST .. ", or as many spaces and tabs", 3)
end

-- An iterator over the values that stand one after the other in a text.
local function documents_of(decode)
  local function following(state)
    local at = find(state.text, "[^ \t\r\n]", state.at)
    if not at then return nil end
    local value, next, position = decode(state.text, at)
    if position then
      state.at = #state.text + 1 -- nothing follows an error
      return position, nil, next
    end
    state.at = next
    return at, value
  end
  return function(text, start)
    if type(text) ~= "string" then
      error("bad argument #1 to 'documents' (string expected, got " .. type(text) .. ")", 2)
    end
    if start ~= nil and (type(start) ~= "number" or start % 1 ~= 0 or start < 1 or start > #text + 1) then
      error("bad argument #2 to 'documents' (position out of range)", 2)
    end
    return following, { text = text, at = start or 1 }
  end
end

local function new(given)
  given = options.check("json.new", given, KNOWN)
  local big = options.choice("json.new", given, "big", BIG, "error")
  if big == BIG.cdata and native.features ~= "luajit" then
    error("fkrpc.json.new: big = \"cdata\" needs LuaJIT", 2)
  end
  local utf8 = options.choice("json.new", given, "strings", { utf8 = true, bytes = false }, "utf8")
  local depth = options.integer("json.new", given, "depth", 128, 1, 1000)
  local empty = options.choice("json.new", given, "empty", { object = false, array = true }, "object")
  local max_size = options.integer("json.new", given, "max_size", UNLIMITED, 0, 2 ^ 53)
  if given.sparse_ratio ~= nil and given.sparse ~= "null" then
    error("fkrpc.json.new: option 'sparse_ratio' is for sparse = \"null\"", 2)
  end
  local codec = { null = native.null }
  if is_styled(given) then
    local indent = indent_of(given)
    local sorted = options.typed("json.new", given, "sorted", "boolean") or false
    local nan = options.choice("json.new", given, "nan", NAN, "error")
    local sparse = options.choice("json.new", given, "sparse", SPARSE, "error")
    local ratio = options.integer("json.new", given, "sparse_ratio", 10, 1, 1000)
    local integral = options.typed("json.new", given, "integral", "boolean") or false
    if given.null ~= nil then codec.null = given.null end
    local null = codec.null
    if options.typed("json.new", given, "drop_null", "boolean") then
      if given.null ~= nil then error("fkrpc.json.new: options 'null' and 'drop_null' exclude each other", 2) end
      null = nil
    end
    codec.encode, codec.decode = native.json_styled(
      utf8, big, depth, empty, max_size, indent, sorted, nan, sparse == true and ratio or sparse, integral, null
    )
  else
    codec.encode, codec.decode = native.json_codec(utf8, big, depth, empty, max_size)
  end
  codec.documents = documents_of(codec.decode)
  return codec
end

local json = new()

--- A codec of its own with `encode`, `decode`, `documents` and `null`; see types/fkrpc/json.lua for its options.
json.new = new

--- Mark a table as an array.
function json.array(t) return setmetatable(t or {}, native.array_metatable) end

--- Mark a table as an object.
function json.object(t) return setmetatable(t or {}, native.object_metatable) end

return json
