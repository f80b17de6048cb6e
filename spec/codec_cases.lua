-- The corner cases of docs/codec.md: what each of them is and how an outcome is written in the table's cells.
--
-- A case is `{ title, decode = text }` or `{ title, encode = function that makes a value }`, with `cell` where the
-- outcome needs another look than `shown`. `run(case, library)` gives the text of a cell. It raises nothing: what a
-- library raises, or returns as nil and a message, is "error".

local cases = { list = {} }

local VERSIONS = { cjson = "2.1.0", dkjson = "dkjson 2.6" }

-- Bytes as people read them: control characters and bytes that are no ASCII as in Lua's source.
local function readable(text)
  if #text > 34 then return #text .. " bytes" end
  return (text:gsub("[%c\128-\255]", function(c) return "\\" .. c:byte() end))
end

local function number(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "inf" end
  if value == -math.huge then return "-inf" end
  if value == 0 and 1 / value < 0 then return "-0.0" end
  if math.type and math.type(value) == "integer" then return ("%d"):format(value) end
  if value % 1 == 0 and math.abs(value) < 1e15 then return ("%.0f"):format(value) .. (math.type and ".0" or "") end
  return ("%.17g"):format(value)
end

-- What was decoded: strings in quotes, numbers so that 1 and 1.0 differ, tables with their keys.
local function shown(value, null)
  if value == null then return "null" end
  local kind = type(value)
  if kind == "number" then return number(value) end
  if kind == "string" then return '"' .. readable(value) .. '"' end
  if kind ~= "table" then return tostring(value) end
  local parts, count = {}, 0
  for _ in pairs(value) do count = count + 1 end
  for i = 1, count do
    if value[i] == nil then break end
    parts[i] = shown(value[i], null)
  end
  if #parts == count then return "{" .. table.concat(parts, ", ") .. "}" end
  parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = tostring(k) .. "=" .. shown(v, null) end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function decode(title, text, cell) cases.list[#cases.list + 1] = { title = title, decode = text, cell = cell } end
local function encode(title, make, cell) cases.list[#cases.list + 1] = { title = title, encode = make, cell = cell } end

-- Empty tables and arrays.
encode("`{}`", function() return {} end)
encode("a table marked as an array", function(library) return library.array and library.array() end)
decode("`[]` there and back", "[]", function(value, library) return library.encode(value) end)
decode("`{}` there and back", "{}", function(value, library) return library.encode(value) end)
encode("`{ 1, nil, 3 }` (one hole)", function() return { [1] = 1, [3] = 3 } end)
encode("`{ [1000] = 1 }` (many holes)", function() return { [1000] = 1 } end)
encode("`{ 1, 2, x = 3 }` (mixed keys)", function() return { 1, 2, x = 3 } end, function(text)
  return text:find('"x":3', 1, true) and '`{"1":1,"2":2,"x":3}` in any order' or nil
end)
encode('`{ ["1"] = 1 }` (a string of digits)', function() return { ["1"] = 1 } end)
encode("`{ [0] = 1 }`", function() return { [0] = 1 } end)
encode("`{ [1.5] = 1 }`", function() return { [1.5] = 1 } end)
encode('`{ [1] = 1, ["1"] = 2, x = 3 }` (the same key twice)', function() return { [1] = 1, ["1"] = 2, x = 3 } end,
  function(text) return select(2, text:gsub('"1":', "")) == 2 and "both written" or nil end)
encode("`{ [true] = 1 }`", function() return { [true] = 1 } end)
encode("an array of nulls alone", function(library) return { library.null, library.null } end)
decode("`[1,null,3]`, its length", "[1,null,3]", function(value) return tostring(#value) end)
decode('`{"a":null}`', '{"a":null}')

-- Values that are no data.
encode("a function", function() return { print } end)
encode("userdata", function() return { io.stdout } end)
encode("a coroutine", function() return { coroutine.create(function() end) } end)
encode("a table inside itself", function()
  local t = {}
  t.t = t
  return t
end)
encode("the same table twice", function()
  local t = { 1 }
  return { t, t }
end)
encode("`__index` that has items", function() return setmetatable({}, { __index = { 1, 2 } }) end)
encode("`__pairs` that has members", function()
  return setmetatable({ a = 1 }, { __pairs = function() return next, { b = 2 } end })
end)
encode("`__len` that says 3", function() return setmetatable({ 1 }, { __len = function() return 3 end }) end)
encode("`__tojson`", function() return setmetatable({}, { __tojson = function() return '"mine"' end }) end)

-- Numbers.
encode("NaN", function() return { 0 / 0 } end)
encode("infinity", function() return { math.huge } end)
decode("`NaN`", "[NaN]")
decode("`Infinity`", "[Infinity]")
encode("-0.0", function() return { -0.0 } end)
decode("`-0`", "[-0]")
encode("0.1 + 0.2", function() return { 0.1 + 0.2 } end)
decode("`0.1` there and back, exactly", "[0.1]", function(value) return tostring(value[1] == 0.1) end)
encode("1.0", function() return { 1.0 } end)
decode("`1.0`", "[1.0]")
decode("`1`", "[1]")
decode("`1e3`", "[1e3]")
encode("2^53 (a float)", function() return { 2 ^ 53 } end)
decode("`9007199254740993` (2^53 + 1)", "[9007199254740993]")
decode("`9223372036854775807` (2^63 - 1)", "[9223372036854775807]")
decode("`9223372036854775808` (2^63)", "[9223372036854775808]")
decode("`18446744073709551616` (2^64)", "[18446744073709551616]")
encode("`math.maxinteger`", function() return { math.maxinteger or 2 ^ 63 } end)
encode("1e100", function() return { 1e100 } end)
decode("`1e400`", "[1e400]")
decode("`1e-400`", "[1e-400]")
decode("`01`", "[01]")
decode("`1.`", "[1.]")
decode("`.5`", "[.5]")
decode("`+1`", "[+1]")
decode("`0x10`", "[0x10]")

-- Strings.
decode("`\"\\ud83d\\ude00\"`", [["\ud83d\ude00"]])
decode("`\"\\ud800\"` (a lone surrogate)", [["\ud800"]])
decode("`\"\\u0000\"`", [["\u0000"]])
decode("a raw line break in a string", '"a\nb"')
decode("a raw byte 255 (not UTF-8)", '"\255"')
encode("a byte 255 (not UTF-8)", function() return { "\255" } end)
encode("a byte 0", function() return { "\0" } end)
encode("`/`", function() return { "/" } end)
encode("DEL (127)", function() return { "\127" } end)
encode("U+2028", function() return { "\226\128\168" } end)
decode("`\"\\x41\"` (no escape of JSON's)", [["\x41"]])
decode("a string of 10 MB", '"' .. ("x"):rep(10000000) .. '"')

-- Structure.
decode("an empty text", "")
decode("white space alone", " \n")
decode("a bare scalar, `5`", "5")
decode("`null`", "null")
decode("`[1,2,]`", "[1,2,]")
decode('`{"a":1,}`', '{"a":1,}')
decode("`[1 2]`", "[1 2]")
decode("`[,1]`", "[,1]")
decode("`/**/1`", "/**/1")
decode("`['a']`", "['a']")
decode("`{a:1}`", "{a:1}")
decode("`[1] x` (something behind)", "[1] x")
decode("`1 2` (two documents)", "1 2")
decode("a byte order mark", "\239\187\191[1]")
decode('`{"a":1,"a":2}`', '{"a":1,"a":2}')
decode("`[True]`", "[True]")
decode("a vertical tab between tokens", "[1,\v2]")

local function deep(levels)
  local value = {}
  for _ = 2, levels do value = { value } end
  return value
end
local function fine(value) return value and "read" end
local function written(text) return text and "written" end
decode("1000 arrays in one another", ("["):rep(1000) .. ("]"):rep(1000), fine)
decode("100000 arrays in one another", ("["):rep(100000) .. ("]"):rep(100000), fine)
encode("1000 tables in one another", function() return deep(1000) end, written)
decode("where `[1,\\n 2 3]` is wrong", "[1,\n 2 3]", function(_, _, message)
  if not message then return nil end
  local line, column = message:match("line (%d+),? col%a* (%d+)")
  local plain = message:match("character (%d+)")
  return line and "line " .. line .. ", column " .. column or plain and "character " .. plain
end)
encode("where `{ a = { print } }` is wrong", function() return { a = { print } } end, function(_, _, message)
  if not message then return nil end
  return message:find("a[1]", 1, true) and "`a[1]`" or "not said"
end)

-- What a call gives: value, message.
local function attempt(f, ...)
  local raised, value, message, third = pcall(f, ...)
  if not raised then return nil, tostring(value) end
  if value == nil then return nil, tostring(third or message or "") ~= "" and tostring(third or message) end
  return value
end

-- A cell's text.
function cases.run(case, library)
  local value, message
  if case.decode then
    value, message = library.try_decode(case.decode)
  else
    local made = case.encode(library)
    if made == nil then return "no such mark" end
    value, message = attempt(library.encode, made)
  end
  if case.cell and (value ~= nil or message) then
    local fine_cell, cell = pcall(case.cell, value, library, message)
    if fine_cell and cell then return (case.decode and cell:find("^[%[{]")) and "`" .. cell .. "`" or cell end
  end
  if value == nil then return message and "error" or "nil" end
  if case.decode then return "`" .. shown(value, library.null) .. "`" end
  -- One item in an array is shown alone.
  local alone = #value < 60 and value:match("^%[([^%[{,]*)%]$")
  return "`" .. readable(alone and alone ~= "" and alone or value) .. "`"
end

-- The libraries of the columns, by the column's name; nil and a reason where one is not installed.
function cases.library(name)
  if name == "fkrpc" then
    local json = require("fkrpc").json
    return {
      encode = json.encode, null = json.null, array = json.array,
      try_decode = function(text)
        local value, message = json.decode(text)
        if value == nil then return nil, message end
        return value
      end,
    }
  end
  local found, module = pcall(require, name)
  if not found then return nil, name .. " is not installed" end
  local version = tostring(module._VERSION or module.version)
  if version ~= VERSIONS[name] then return nil, "the column is of " .. VERSIONS[name] .. ", not " .. version end
  if name == "cjson" then
    return {
      encode = module.encode, null = module.null,
      try_decode = function(text)
        local fine_call, value = pcall(module.decode, text)
        if not fine_call then return nil, tostring(value) end
        return value
      end,
    }
  end
  return {
    encode = function(value) return module.encode(value) end, null = module.null,
    array = function() return setmetatable({}, { __jsontype = "array" }) end,
    try_decode = function(text)
      local fine_call, value, next_position, message = pcall(module.decode, text)
      if not fine_call then return nil, tostring(value) end
      if value == nil and message then return nil, message end
      if value ~= nil and type(next_position) == "number" and text:find("%S", next_position) then
        return nil, "stopped early"
      end
      return value
    end,
  }
end

return cases
