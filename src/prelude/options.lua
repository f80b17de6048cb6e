-- Options tables: every option is known and of the right kind, or an error names it, at `level` of the stack (3: the
-- caller of the function that was given the options).
local native = ...
local type, error, tostring, pairs, ipairs, rawget, concat, sort =
  type, error, tostring, pairs, ipairs, rawget, table.concat, table.sort

local options = {}

-- A wrong value, for people.
local function shown(value)
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

options.shown = shown

--- The names there are, for people.
local function names_of(known)
  local names = {}
  for name in pairs(known) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  sort(names)
  return concat(names, ", ")
end
options.names_of = names_of

--- Check that `given` is a table with no other names than those of `known`; array items are allowed if `known[1]`.
function options.check(where, given, known)
  if given == nil then return {} end
  if type(given) ~= "table" then
    error("bad argument #1 to '" .. where .. "' (table of options expected, got " .. type(given) .. ")", 3)
  end
  if rawget(given, "_VERSION") == "fkrpc " .. native.version then
    error("fkrpc." .. where .. ": call it with a dot: fkrpc." .. where .. "{...}", 3)
  end
  for name in pairs(given) do
    if not known[name] and not (known[1] and type(name) == "number") then
      error("fkrpc." .. where .. ": unknown option '" .. tostring(name) .. "'; there are " .. names_of(known), 3)
    end
  end
  return given
end

--- The value that the option's word stands for.
function options.choice(where, given, name, words, default, level)
  local value = given[name]
  if value == nil then value = default end
  local meant = words[value]
  if meant == nil then
    local known = {}
    for word in pairs(words) do known[#known + 1] = '"' .. tostring(word) .. '"' end
    sort(known)
    error("fkrpc." .. where .. ": option '" .. name .. "' must be one of " .. concat(known, ", ") .. ", not "
      .. shown(value), level or 3)
  end
  return meant
end

--- An integer option.
function options.integer(where, given, name, default, least, most, level)
  local value = given[name]
  if value == nil then return default end
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    error("fkrpc." .. where .. ": option '" .. name .. "' must be an integer from " .. least .. " to "
      .. ("%.0f"):format(most) .. ", not " .. shown(value), level or 3)
  end
  return value
end

--- Seconds, more than none.
function options.seconds(where, given, name, level)
  local value = given[name]
  if value ~= nil and (type(value) ~= "number" or value ~= value or value <= 0) then
    error("fkrpc." .. where .. ": option '" .. name .. "' must be seconds, more than 0, not " .. shown(value),
      level or 3)
  end
  return value
end

--- An option of one Lua type.
function options.typed(where, given, name, wanted, level)
  local value = given[name]
  if value ~= nil and type(value) ~= wanted then
    error("fkrpc." .. where .. ": option '" .. name .. "' must be a " .. wanted .. ", not a " .. type(value),
      level or 3)
  end
  return value
end

--- Names as a set.
function options.set(...)
  local set = {}
  for _, name in ipairs({ ... }) do set[name] = true end
  return set
end

return options
