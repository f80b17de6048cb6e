-- server.rpc.jsonrpc: the game's packets as tables.
--
-- FK_RPC_MODE says which names a packet's fields have. In CBOR mode it refuses to build what makes the parent wait for
-- ever: parameters, results and error data are integers, booleans (not as data) and strings, five parameters at most;
-- floats with an integral value become integers, `print` keeps what it has beyond five in the fifth, a result of no
-- values is left out, other error data becomes text. JSON packets are what they always were.
local native = ...
local type, error, tostring, pairs, pcall, select = type, error, tostring, pairs, pcall, select
local concat, floor = table.concat, math.floor
local cbor_mode = native.compat.getenv("FK_RPC_MODE") == "cbor"
local json, cbor = native.module("compat/json"), native.module("compat/cbor")

local MOST_PARAMETERS = 5
local LAST_ID = 10000000

local function key(name, number) return cbor_mode and number or name end

local JSONRPC, METHOD, PARAMS = key("jsonrpc", 100), key("method", 101), key("params", 102)
local ERROR, ID, RESULT = key("error", 103), key("id", 104), key("result", 105)
local CODE, MESSAGE, DATA = key("code", 200), key("message", 201), key("data", 202)

local M = {
  key_jsonrpc = JSONRPC, key_method = METHOD, key_params = PARAMS, key_error = ERROR, key_id = ID, key_result = RESULT,
  key_error_code = CODE, key_error_message = MESSAGE, key_error_data = DATA,
}

-- ---- what the parent can read (CBOR) --------------------------------------------------------------------------------

local SENDABLE = { string = true, boolean = true }
local math_type = math.type or function(n)
  return type(n) == "number" and (n == floor(n) and n - n == 0 and "integer" or "float") or nil
end
local to_integer = math.tointeger or function(n) return math_type(n) == "integer" and n or nil end

-- The value as the parent can read it; nil if it cannot.
local function sendable(value)
  local kind = type(value)
  if SENDABLE[kind] then return value end
  if kind == "number" then return to_integer(value) end
  return nil
end

-- `print` with more than five texts: the parent writes each with a tab behind it, so the fifth takes the rest.
local function shorten(params)
  local short = {}
  for i = 1, MOST_PARAMETERS - 1 do short[i] = params[i] end
  short[MOST_PARAMETERS] = concat(params, "\t", MOST_PARAMETERS)
  return short
end

local function check_params(method, params)
  if type(params) ~= "table" then return params end
  local count, copy = #params, nil
  if count > MOST_PARAMETERS then
    if method ~= "print" then
      error("jsonrpc: the parent takes " .. MOST_PARAMETERS .. " parameters at most, '" .. tostring(method) .. "' has "
        .. count, 4)
    end
    params = shorten(params)
    count = MOST_PARAMETERS
  end
  for i = 1, count do
    local value = params[i]
    if not SENDABLE[type(value)] and math_type(value) ~= "integer" then
      local sent = sendable(value)
      if sent == nil then
        error("jsonrpc: the parent cannot read parameter " .. i .. " of '" .. tostring(method) .. "' ("
          .. (type(value) == "number" and tostring(value) or type(value)) .. ")", 4)
      end
      if not copy then
        copy = {}
        for j = 1, count do copy[j] = params[j] end
      end
      copy[i] = sent
    end
  end
  return copy or params
end

-- Data of an error: in text what cannot be sent as it is.
local function check_data(data)
  local kind = type(data)
  if kind == "nil" or kind == "string" then return data end
  if cbor_mode then
    if kind == "number" and to_integer(data) then return to_integer(data) end
  elseif kind ~= "table" then
    return (kind == "number" or kind == "boolean") and data or tostring(data)
  end
  local ok, text = pcall(json.encode, data)
  if ok and not cbor_mode then return data end
  return ok and text or tostring(data)
end

-- ---- errors ---------------------------------------------------------------------------------------------------------

local errors = {
  parse_error = { code = -32700, message = "Parse error" },
  invalid_request = { code = -32600, message = "Invalid request" },
  method_not_found = { code = -32601, message = "Method not found" },
  invalid_params = { code = -32602, message = "Invalid params" },
  internal_error = { code = -32603, message = "Internal error" },
  server_error = { code = -32000, message = "Server error" },
}

-- invalid_params may be replaced and removed, the others stay.
local KEPT = {
  parse_error = true, invalid_request = true, method_not_found = true, internal_error = true, server_error = true,
}

function M.get_error_object(name) return errors[name] end

function M.add_error_object(name, object)
  if not (object.code and object.message) then
    error("jsonrpc: an error object needs a code and a message", 2)
  end
  if KEPT[name] then error("jsonrpc: the standard error '" .. name .. "' stays as it is", 2) end
  if object.code < -32099 or object.code > -32000 then
    error("jsonrpc: codes of your own are from -32099 to -32000", 2)
  end
  if not errors[name] then
    for other, known in pairs(errors) do
      if known.code == object.code then
        error("jsonrpc: code " .. tostring(object.code) .. " already belongs to '" .. other .. "'", 2)
      end
    end
  end
  errors[name] = object
  return object
end

function M.remove_error_object(name)
  if KEPT[name] then return false end
  errors[name] = nil
  return true
end

-- ---- packets --------------------------------------------------------------------------------------------------------

local next_id = 1

local function notification(method, params)
  if method == nil then error("jsonrpc: a packet needs a method", 3) end
  if cbor_mode then params = check_params(method, params) end
  return { [JSONRPC] = "2.0", [METHOD] = method, [PARAMS] = params }
end

function M.notification(method, params) return (notification(method, params)) end

function M.request(method, params, id)
  local packet = notification(method, params)
  id = id or next_id
  packet[ID] = id
  if id == next_id then next_id = id < LAST_ID and id + 1 or 1 end
  return packet
end

function M.get_next_free_id() return next_id end

local encode = cbor_mode and cbor.encode or json.encode

--- The encoded packet that `build(method, params, id)` makes.
function M.encode_rpc(build, method, params, id)
  if build == nil then error("jsonrpc: encode_rpc needs a function that builds the packet", 2) end
  return encode(build(method, params, id))
end

local function response_error(request, name, data)
  local object = errors[name] or errors.internal_error
  local code = object.code
  local packet = {
    [JSONRPC] = "2.0",
    [ERROR] = { [CODE] = code, [MESSAGE] = object.message, [DATA] = check_data(data) },
  }
  if code ~= -32700 and code ~= -32600 then packet[ID] = request[ID] end
  return packet
end
M.response_error = response_error

-- ---- serving --------------------------------------------------------------------------------------------------------

local function succeed(request, ...)
  local count = select("#", ...)
  while count > 0 and select(count, ...) == nil do count = count - 1 end
  local result
  if count == 1 then
    result = (...)
    if cbor_mode and not SENDABLE[type(result)] then
      result = sendable(result)
      if result == nil then
        return response_error(request, "internal_error", "the result is a " .. type(...) .. " that cannot be sent")
      end
    end
  elseif not cbor_mode then
    result = {}
    for i = 1, count do result[i] = (select(i, ...)) end
  elseif count > 1 then
    return response_error(request, "internal_error", count .. " results cannot be sent")
  end
  return { [JSONRPC] = "2.0", [ID] = request[ID], [RESULT] = result }
end

-- What a method did: pcall's flag, its own flag, then results, or the error's name and data.
local function outcome(request, ok, success, ...)
  if not ok then return response_error(request, "internal_error", success) end
  if success == false then
    local name, data = ...
    return response_error(request, name == nil and "invalid_params" or name, data)
  end
  return succeed(request, ...)
end

local function handle(methods, request)
  if type(request) ~= "table" or type(request[METHOD]) ~= "string" then
    return response_error(request, "invalid_request", request)
  end
  local id = request[ID]
  if type(id) ~= "number" or id <= 0 then return response_error(request, "invalid_request", request) end
  local method = methods[request[METHOD]]
  if type(method) ~= "function" then return response_error(request, "method_not_found") end
  local params = request[PARAMS]
  if params == nil then params = {} end
  return outcome(request, pcall(method, params))
end

--- The answer to a packet (a table, or JSON text): a packet, or an array of them for a batch.
function M.server_response(methods, request)
  if type(request) == "string" then
    local ok, decoded = pcall(json.decode, request)
    if not ok then return response_error(nil, "parse_error", decoded) end
    request = decoded
  end
  if type(request) ~= "table" then return response_error(nil, "invalid_request", request) end
  local count = #request
  if count == 0 then
    if request[JSONRPC] ~= "2.0" then return response_error(request, "invalid_request", request) end
    return handle(methods, request)
  end
  local answers = {}
  for i = 1, count do answers[i] = handle(methods, request[i]) end
  return answers
end

return M
