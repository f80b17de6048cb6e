-- cjson.safe: as cjson, but encode and decode return nil and the message instead of raising.
local native = ...
local pcall, rawset = pcall, rawset
local cjson = native.module("compat/cjson")

local function protect(f)
  return function(...)
    local ok, value = pcall(f, ...)
    if ok then return value end
    return nil, value
  end
end

local function new()
  local safe = cjson.new()
  rawset(safe, "encode", protect(safe.encode))
  rawset(safe, "decode", protect(safe.decode))
  safe.new = new
  return safe
end

return new()
