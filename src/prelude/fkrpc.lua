-- The module table. Submodules load on first use, so that `require "fkrpc"` stays cheap.
local native = ...
local setmetatable, type, error, tostring, pairs = setmetatable, type, error, tostring, pairs
local rawget = rawget

-- Taken before the script can use it, or what the script starts.
local system = os
local zygote = system and system.getenv("FKRPC_ZYGOTE")
if zygote and native.spawn then native.module("forked").take(zygote) end

local fkrpc = {
  _VERSION = "fkrpc " .. native.version,
  null = native.null,
}

--- What this build contains: `{ version =, lua =, parent = }`; without `parent` there is no spawn, loop, pool, zygote.
function fkrpc.features()
  return { version = native.version, lua = native.features, parent = native.spawn ~= nil }
end

--- Mark `t` (or a new table) as an array: it encodes as `[]` even when empty.
function fkrpc.array(t)
  return setmetatable(t or {}, native.array_metatable)
end

--- Mark `t` (or a new table) as an object: number keys become strings.
function fkrpc.object(t)
  return setmetatable(t or {}, native.object_metatable)
end

local error_metatable = native.error_metatable

function error_metatable.__tostring(e)
  local text = tostring(rawget(e, "code")) .. ": " .. tostring(rawget(e, "message"))
  local data = rawget(e, "data")
  if type(data) == "string" or type(data) == "number" then
    text = text .. " (" .. tostring(data) .. ")"
  end
  return text
end

--- An error object: raised (or returned as the second value) by a handler it goes to the caller unchanged.
function fkrpc.error(fields)
  if type(fields) ~= "table" then
    error("bad argument #1 to 'error' (table { code =, message =, data = } expected, got " .. type(fields) .. ")", 2)
  end
  for name in pairs(fields) do
    if name ~= "code" and name ~= "message" and name ~= "data" then
      error("bad argument #1 to 'error' (unknown field '" .. tostring(name) .. "')", 2)
    end
  end
  local code = fields.code
  if code == nil then code = -32000 end
  if type(code) ~= "number" or code % 1 ~= 0 then
    error("bad argument #1 to 'error' (field 'code' must be an integer, got " .. tostring(code) .. ")", 2)
  end
  local message = fields.message
  if message == nil then message = native.standard_message(code) end
  if type(message) ~= "string" then
    error("bad argument #1 to 'error' (field 'message' must be a string, got " .. type(message) .. ")", 2)
  end
  return setmetatable({ code = code, message = message, data = fields.data }, error_metatable)
end

-- Names that are submodules, and functions that live in one.
local submodule = {
  json = true, cbor = true, jsonrpc = true, clock = true, fs = true, random = true, compat = true,
  watchdog = true, freekill = true, standin = true,
}
local home = {
  token = "cancel", stdio = "early", spawn = "process", zygote = "zygote", pair = "pair", connect = "socket",
  listen = "listener", pool = "pool", loop = "loop",
}

return setmetatable(fkrpc, {
  __index = function(t, name)
    local value
    if submodule[name] then
      value = native.module(name)
    elseif home[name] then
      local part = native.module(home[name])
      value = part and part[name]
    else
      return nil
    end
    t[name] = value
    return value
  end,
})
