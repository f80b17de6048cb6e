-- fkrpc.jsonrpc: JSON-RPC 2.0 messages as values, without I/O.
-- Rules: JSON-RPC 2.0 Specification, sections 4 (request), 5 (response, errors), 6 (batch).
local native = ...
local type, error, tostring, pairs, ipairs, next = type, error, tostring, pairs, ipairs, next
local json, peer = native.module("json"), native.module("peer")
local null = native.null
local setmetatable, getmetatable = setmetatable, getmetatable

local jsonrpc = {}

-- ---- errors ---------------------------------------------------------------------------------------------------------

local STANDARD = {
  parse_error = -32700, invalid_request = -32600, method_not_found = -32601,
  invalid_params = -32602, internal_error = -32603, server_error = -32000,
}
local FIRST, LAST = -32099, -32000 -- what the specification leaves to implementations

local by_name, by_code = {}, {}
for name, code in pairs(STANDARD) do
  by_name[name] = { code = code, message = native.standard_message(code) }
  by_code[code] = name
end

local errors = {}

--- Register an error of your own: a name, a code from -32099 to -32000 that is free, a message.
function errors.add(name, code, message)
  if type(name) ~= "string" then
    error("bad argument #1 to 'add' (name expected, got " .. type(name) .. ")", 2)
  end
  if STANDARD[name] then error("fkrpc.jsonrpc: '" .. name .. "' is a standard error and stays as it is", 2) end
  if type(code) ~= "number" or code % 1 ~= 0 or code < FIRST or code > LAST then
    error("bad argument #2 to 'add' (integer from " .. FIRST .. " to " .. LAST .. " expected, got "
      .. tostring(code) .. ")", 2)
  end
  if by_code[code] and by_code[code] ~= name then
    error("fkrpc.jsonrpc: code " .. ("%d"):format(code) .. " already belongs to '" .. by_code[code] .. "'", 2)
  end
  if type(message) ~= "string" then
    error("bad argument #3 to 'add' (message expected, got " .. type(message) .. ")", 2)
  end
  if by_name[name] then by_code[by_name[name].code] = nil end
  by_name[name] = { code = code, message = message }
  by_code[code] = name
end

--- Take an error of your own away; false if there is none of that name. The standard ones stay.
function errors.remove(name)
  if STANDARD[name] then error("fkrpc.jsonrpc: '" .. tostring(name) .. "' is a standard error and stays", 2) end
  local known = by_name[name]
  if not known then return false end
  by_name[name] = nil
  by_code[known.code] = nil
  return true
end

--- A new error object by name or code, with `data` if given; nil if there is none.
function errors.get(name, data)
  local known = by_name[name] or by_name[by_code[name]]
  if not known then return nil end
  return setmetatable({ code = known.code, message = known.message, data = data }, native.error_metatable)
end

jsonrpc.errors = errors

-- ---- building -------------------------------------------------------------------------------------------------------

local function check_method(where, method, params)
  if type(method) ~= "string" then
    error("bad argument #1 to '" .. where .. "' (method name expected, got " .. type(method) .. ")", 3)
  end
  if params ~= nil and type(params) ~= "table" then
    error("bad argument #2 to '" .. where .. "' (params table or nil expected, got " .. type(params) .. ")", 3)
  end
end

local function check_id(where, id, position)
  if type(id) ~= "string" and type(id) ~= "number" and id ~= null then
    error("bad argument #" .. position .. " to '" .. where .. "' (id: integer, string or fkrpc.null expected, got "
      .. type(id) .. ")", 3)
  end
end

-- The params of a call: an unmarked empty table is an empty array.
local function params_of(params)
  if params ~= nil and next(params) == nil and getmetatable(params) == nil then return json.array() end
  return params
end

--- A request as a table; encode it with the codec of your choice.
function jsonrpc.request(method, params, id)
  check_method("request", method, params)
  check_id("request", id, 3)
  return { jsonrpc = "2.0", id = id, method = method, params = params_of(params) }
end

--- A notification as a table.
function jsonrpc.notification(method, params)
  check_method("notification", method, params)
  return { jsonrpc = "2.0", method = method, params = params_of(params) }
end

--- A response as a table; nil becomes a null result.
function jsonrpc.response(id, result)
  check_id("response", id, 1)
  if result == nil then result = null end
  return { jsonrpc = "2.0", id = id, result = result }
end

--- An error response as a table: an error object, or the name or code of a registered one. Id nil becomes null.
function jsonrpc.error(id, err)
  if id == nil then id = null end
  check_id("error", id, 1)
  if type(err) ~= "table" then
    local known = errors.get(err)
    if not known then
      error("bad argument #2 to 'error' (error object or registered name or code expected, got " .. tostring(err)
        .. ")", 2)
    end
    err = known
  end
  return { jsonrpc = "2.0", id = id, error = { code = err.code, message = err.message, data = err.data } }
end

--- Several messages as one batch.
function jsonrpc.batch(messages)
  if type(messages) ~= "table" or #messages == 0 then
    error("bad argument #1 to 'batch' (non-empty array of messages expected)", 2)
  end
  local batch = json.array()
  for i, message in ipairs(messages) do batch[i] = message end
  return batch
end

-- ---- reading --------------------------------------------------------------------------------------------------------

local function refused(name, data) return nil, errors.get(name, data) end

local function is_array(value) return type(value) == "table" and getmetatable(value) == native.array_metatable end

local function is_id(id) return type(id) == "string" or type(id) == "number" or id == null end

-- One message: `{ kind =, id =, method =, params =, result =, error = }`, or nil and an error object.
local function read_one(value)
  if type(value) ~= "table" or is_array(value) then
    return refused("invalid_request", "a message must be an object")
  end
  if value.jsonrpc ~= "2.0" then return refused("invalid_request", 'jsonrpc must be "2.0"') end
  local id = value.id
  if id ~= nil and not is_id(id) then
    return refused("invalid_request", "an id must be an integer, a string or null")
  end
  if value.method ~= nil then
    if type(value.method) ~= "string" then return refused("invalid_request", "a method must be a string") end
    local params = value.params
    if params == null then params = nil end
    if params ~= nil and type(params) ~= "table" then
      return refused("invalid_params", "params must be an array or an object")
    end
    return { kind = id == nil and "notification" or "request", id = id, method = value.method, params = params }
  end
  if value.error ~= nil then
    local e = value.error
    if type(e) ~= "table" or type(e.code) ~= "number" then
      return refused("invalid_request", "the error is not an object with a code")
    end
    if value.result ~= nil then return refused("invalid_request", "both a result and an error") end
    return { kind = "error", id = id, error = setmetatable(e, native.error_metatable) }
  end
  if value.result ~= nil then
    if id == nil then return refused("invalid_request", "a response needs an id") end
    return { kind = "response", id = id, result = value.result }
  end
  return refused("invalid_request", "a message needs a method, a result or an error")
end

--- What a JSON text says: `{ kind = "request" | "notification" | "response" | "error", ... }`, where a null result is
--- fkrpc.null; for a batch `{ kind = "batch", ... }` with its messages as items, those that are none as
--- `{ kind = "invalid", error = }`. Otherwise nil and an error object (-32700, -32600 or -32602).
function jsonrpc.read(text)
  if type(text) ~= "string" then
    error("bad argument #1 to 'read' (string expected, got " .. type(text) .. ")", 2)
  end
  local value, message = json.decode(text)
  if value == nil then return refused("parse_error", message) end
  if not is_array(value) then return read_one(value) end
  if #value == 0 then return refused("invalid_request", "an empty batch") end
  local batch = { kind = "batch" }
  for i, item in ipairs(value) do
    local one, err = read_one(item)
    batch[i] = one or { kind = "invalid", error = err }
  end
  return batch
end

-- ---- handling -------------------------------------------------------------------------------------------------------

-- A peer whose wire is a buffer in memory, for each table of methods; nil while it is in use.
local servers = setmetatable({}, { __mode = "k" })

local function new_server(methods)
  local outside, inside = native.pair(0, true, 0, 128, false, -1)
  native.mute(inside)
  local server = peer.new(inside, "handle")
  server.outside = outside
  server:on("*", function(params, ctx)
    local method = methods[ctx.method] or methods["*"]
    if method then return method(params, ctx) end
    if not ctx.notification then return nil, errors.get("method_not_found", ctx.method) end
  end)
  return server
end

--- Handle one message (or batch) with `methods[name](params, ctx)`: the answer as text, nil where there is none.
function jsonrpc.handle(methods, text)
  if type(methods) ~= "table" then
    error("bad argument #1 to 'handle' (table of methods expected, got " .. type(methods) .. ")", 2)
  end
  if type(text) ~= "string" then
    error("bad argument #2 to 'handle' (string expected, got " .. type(text) .. ")", 2)
  end
  if text:find("\n", 1, true) then
    -- Below, several lines become one: an error's place is told while they are still there.
    local value, message = json.decode(text)
    if value == nil then return json.encode(jsonrpc.error(nil, errors.get("parse_error", message))) end
  end
  local server = servers[methods] or new_server(methods)
  servers[methods] = nil
  -- One line is one message. A carriage return is white space where a line feed is, and as wrong inside a string.
  native.send_raw(server.outside, (text:gsub("\n", "\r")) .. "\n")
  while server:step(0) do end
  local answer = native.take(server.outside)
  servers[methods] = server
  return answer ~= "" and answer:sub(1, -2) or nil
end

return jsonrpc
