-- What FreeKill's server can read as a result or as an error's data: integers, byte strings and booleans.
--
-- It refuses everything else with a text that says what came, because that server would wait for ever on it.
local native = ...
local type, tostring, pcall, rawget, getmetatable = type, tostring, pcall, rawget, getmetatable
local floor = math.floor
local tointeger = math.tointeger
local INTERNAL_ERROR = -32603

local values = {}

-- An integral float as an integer; nil for any other number.
local function integral(number)
  if tointeger then return tointeger(number) end
  if number % 1 == 0 and number >= -2 ^ 53 and number <= 2 ^ 53 then return floor(number) end
end

--- Whether a value is an integer, as whatever kind of number.
function values.is_integer(value)
  return type(value) == "number" and integral(value) ~= nil
end

--- Any value as a text, without raising.
function values.text(value)
  if type(value) == "string" then return value end
  local meta = getmetatable(value)
  if type(value) == "table" and not (type(meta) == "table" and rawget(meta, "__tostring")) then
    local text = native.module("json").encode(value)
    if text then return text end
  end
  local fine, text = pcall(tostring, value)
  if fine and type(text) == "string" then return text end
  return "(a " .. type(value) .. " value)"
end

--- A result as it can be sent; or nil and what is wrong with it.
function values.result(value)
  local kind = type(value)
  if kind == "number" then
    local integer = integral(value)
    if integer then return integer end
    return nil, "a result must be an integer, a string or a boolean, not " .. tostring(value)
  elseif kind == "string" or kind == "boolean" or value == nil then
    return value
  end
  return nil, "a result must be an integer, a string or a boolean, not a " .. kind
end

--- An error object as it can be sent: an integer code, a message, and data that is an integer or a string. Anything
--- but a table with such a code becomes the data of an internal error.
function values.error(e)
  local code = type(e) == "table" and rawget(e, "code")
  if not values.is_integer(code) then return { code = INTERNAL_ERROR, data = values.text(e) } end
  local message, data = rawget(e, "message"), rawget(e, "data")
  if data ~= nil and type(data) ~= "string" then
    data = values.is_integer(data) and integral(data) or values.text(data)
  end
  return { code = integral(code), message = type(message) == "string" and message or nil, data = data }
end

return values
