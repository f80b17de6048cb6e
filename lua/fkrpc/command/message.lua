-- Messages as values: reading their bytes in the conversation's format, and telling what they are.
--
-- It refuses nothing: what cannot be read is "unreadable" and has its reason.

local fkrpc = require("fkrpc")

local message = {}

-- FreeKill's numbers for members; errors have their own.
local OUTER = {
  [100] = "jsonrpc", [101] = "method", [102] = "params", [103] = "error", [104] = "id", [105] = "result",
}
local INNER = { [200] = "code", [201] = "message", [202] = "data" }

local function renamed(value, names)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do copy[names[key] or key] = item end
  return fkrpc.object(copy)
end

-- An envelope with names, whatever it had.
local function named(value)
  if type(value) ~= "table" then return value end
  if value[1] ~= nil then -- a batch
    local members = {}
    for i, member in ipairs(value) do members[i] = named(member) end
    return fkrpc.array(members)
  end
  local copy = renamed(value, OUTER)
  copy.error = renamed(copy.error, INNER)
  return copy
end

local json = fkrpc.json.new({ strings = "bytes", big = "float" })
local cbor = fkrpc.cbor.new({ big = "wrap" })

--- A function from the bytes of a message to its value, or nil and the reason.
function message.reader(about)
  if about.codec == "json" then
    return function(bytes)
      local value, why = json.decode(bytes)
      if value == nil then return nil, why end
      return value
    end
  end
  return function(bytes)
    local value, why = cbor.decode(bytes)
    if value == nil then return nil, why end
    return about.keys == "freekill" and named(value) or value
  end
end

--- A message as it goes over the wire, by the member `framing`.
function message.framed(about, bytes)
  if about.framing == "line" then return bytes .. "\n" end
  if about.framing == "content-length" then return ("Content-Length: %d\r\n\r\n"):format(#bytes) .. bytes end
  if about.framing == "length" then
    local n = #bytes
    return string.char(math.floor(n / 2 ^ 24), math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256) .. bytes
  end
  return bytes
end

--- An id as a key: 1 and "1" are two.
function message.key(id)
  return type(id) .. ":" .. tostring(id)
end

local function describe_one(value)
  if type(value) ~= "table" then return { kind = "unreadable", why = "not an object", value = value } end
  local what = { value = value, id = value.id, method = value.method }
  if value.method ~= nil then
    what.kind = value.id == nil and "notification" or "request"
  elseif value.error ~= nil and value.error ~= fkrpc.null then
    what.kind = "error"
  else
    what.kind = "result"
  end
  return what
end

--- The members of a message: a batch has several. `{ kind = "request", "notification", "result", "error" or
--- "unreadable", id =, method =, value =, why = }`.
function message.describe(read, bytes)
  local value, why = read(bytes)
  if value == nil then return { { kind = "unreadable", why = why } } end
  if type(value) ~= "table" or value[1] == nil then return { describe_one(value) } end
  local members = {}
  for i, member in ipairs(value) do members[i] = describe_one(member) end
  return members
end

return message
