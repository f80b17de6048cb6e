-- The leniencies of rxi's json.lua, for texts that the native decoder refuses, and its errors.
--
-- Taken beside JSON: whatever tonumber reads where it starts with a digit or a minus (0x10, 01, 1.), a comma before a
-- closing bracket, lone surrogates (three bytes each), any depth. Errors end in "at line L col C".
local error, tonumber, type = error, tonumber, type
local byte, char, find, match, sub = string.byte, string.char, string.find, string.match, string.sub
local concat, floor = table.concat, math.floor

local function fail(text, at, what)
  local line, start, from = 1, 1, 1
  while true do
    local feed = find(text, "\n", from, true)
    if not feed or feed >= at then break end
    line, start, from = line + 1, feed + 1, feed + 1
  end
  error(("%s at line %d col %d"):format(what, line, at - start + 1), 0)
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
    0x80 + code % 64)
end

local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function hex(text, at)
  local digits = match(text, "^%x%x%x%x", at)
  return digits and tonumber(digits, 16)
end

-- After `\u`: the bytes, and where the text goes on.
local function unicode(text, at)
  local code = hex(text, at)
  if not code then fail(text, at - 2, "invalid unicode escape in string") end
  if code >= 0xD800 and code < 0xDC00 and sub(text, at + 4, at + 5) == "\\u" then
    local low = hex(text, at + 6)
    if low and low >= 0xDC00 and low < 0xE000 then
      return utf8(0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00)), at + 10
    end
  end
  return utf8(code), at + 4
end

-- After the quote.
local function string_at(text, from)
  local parts, at = {}, from
  while true do
    local stop = find(text, '["\\%c]', at)
    while stop and byte(text, stop) == 0x7F do stop = find(text, '["\\%c]', stop + 1) end
    if not stop then fail(text, from - 1, "expected closing quote for string") end
    parts[#parts + 1] = sub(text, at, stop - 1)
    local c = sub(text, stop, stop)
    if c == '"' then return concat(parts), stop + 1 end
    if c ~= "\\" then fail(text, stop, "control character in string") end
    c = sub(text, stop + 1, stop + 1)
    if c == "u" then
      parts[#parts + 1], at = unicode(text, stop + 2)
    elseif ESCAPES[c] then
      parts[#parts + 1], at = ESCAPES[c], stop + 2
    else
      fail(text, stop, "invalid escape char '" .. c .. "' in string")
    end
  end
end

local LITERALS = { ["true"] = { true }, ["false"] = { false }, ["null"] = {} }
local value

local function skip(text, at) return find(text, "[^ \t\r\n]", at) or #text + 1 end

local function array_at(text, at)
  local result, n = {}, 0
  while true do
    at = skip(text, at)
    if byte(text, at) == 0x5D then return result, at + 1 end
    n = n + 1
    result[n], at = value(text, at)
    at = skip(text, at)
    local c = byte(text, at)
    if c == 0x5D then return result, at + 1 end
    if c ~= 0x2C then fail(text, at, "expected ']' or ','") end
    at = at + 1
  end
end

local function object_at(text, at)
  local result = {}
  while true do
    at = skip(text, at)
    if byte(text, at) == 0x7D then return result, at + 1 end
    if byte(text, at) ~= 0x22 then fail(text, at, "expected string for key") end
    local key
    key, at = string_at(text, at + 1)
    at = skip(text, at)
    if byte(text, at) ~= 0x3A then fail(text, at, "expected ':' after key") end
    result[key], at = value(text, skip(text, at + 1))
    at = skip(text, at)
    local c = byte(text, at)
    if c == 0x7D then return result, at + 1 end
    if c ~= 0x2C then fail(text, at, "expected '}' or ','") end
    at = at + 1
  end
end

function value(text, at)
  local c = sub(text, at, at)
  if c == '"' then return string_at(text, at + 1) end
  if c == "{" then return object_at(text, at + 1) end
  if c == "[" then return array_at(text, at + 1) end
  if not match(c, "[%d%-tfn]") then fail(text, at, "unexpected character '" .. c .. "'") end
  local word = match(text, "^[^ \t\r\n%]},]*", at)
  local after = at + #word
  if match(c, "[tfn]") then
    local literal = LITERALS[word]
    if not literal then fail(text, at, "invalid literal '" .. word .. "'") end
    return literal[1], after
  end
  local number = tonumber(word)
  if not number then fail(text, at, "invalid number '" .. word .. "'") end
  return number, after
end

return function(text)
  if type(text) ~= "string" then
    error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 3)
  end
  local result, at = value(text, skip(text, 1))
  at = skip(text, at)
  if at <= #text then fail(text, at, "trailing garbage") end
  return result
end
