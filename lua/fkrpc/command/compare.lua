-- Whether two messages say the same, and where they do not.
--
-- It refuses to look at bytes: the order of members and the spelling of numbers mean nothing.

local compare = {}

local function show(value)
  if type(value) == "string" then return ("%q"):format(#value > 60 and value:sub(1, 60) .. "..." or value) end
  if type(value) == "table" then return next(value) == nil and "an empty table" or "a table" end
  -- Where all numbers are floats, tostring rounds large integers.
  if type(value) == "number" and value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return tostring(value)
end

local function find(expected, found, path, ignored)
  if type(expected) ~= "table" or type(found) ~= "table" then
    if expected == found then return nil end
    return ("%s: %s in the recording, %s now"):format(path == "" and "message" or path, show(expected), show(found))
  end
  for key, value in pairs(expected) do
    if not ignored[key] then
      local where = find(value, found[key], (path == "" and "" or path .. ".") .. tostring(key), ignored)
      if where then return where end
    end
  end
  for key, value in pairs(found) do
    if expected[key] == nil and not ignored[key] then
      return ("%s%s: nothing in the recording, %s now"):format(path == "" and "" or path .. ".", tostring(key),
        show(value))
    end
  end
end

--- Nil if they are equal but for members of the names in the set `ignored`; else a text with the first difference.
function compare.difference(expected, found, ignored)
  return find(expected, found, "", ignored)
end

return compare
