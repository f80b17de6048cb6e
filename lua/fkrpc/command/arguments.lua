-- The words of a command line: options, other words, and the command after `--`.
--
-- It refuses what it does not know: a mistyped option is an error, not a file name.

local arguments = {}

local UsageError = {}
UsageError.__index = UsageError
UsageError.__tostring = function(self) return self.text end

--- Raise an error that the user made.
function arguments.wrong(text)
  error(setmetatable({ text = text }, UsageError), 0)
end

--- Whether an error is one of these.
function arguments.is_wrong(e)
  return getmetatable(e) == UsageError
end

local function value_of(kind, option, text)
  if text == nil then arguments.wrong(option .. " needs a value") end
  if kind == "number" then
    local number = tonumber(text)
    if not number then arguments.wrong(option .. " needs a number, not '" .. text .. "'") end
    return number
  elseif type(kind) == "table" then
    for _, word in ipairs(kind) do
      if word == text then return text end
    end
    arguments.wrong(option .. " must be one of " .. table.concat(kind, ", ") .. ", not '" .. text .. "'")
  end
  return text
end

--- `known` maps options to true (a flag), "text", "number", "list" (may be given again) or a table of words. Returns
--- the options by name without dashes, the other words, and the words after `--` (nil if there is none).
function arguments.parse(words, first, known)
  local options, others, command = {}, {}, nil
  local i = first
  while i <= #words do
    local word = words[i]
    if word == "--" then
      command = {}
      for j = i + 1, #words do command[#command + 1] = words[j] end
      break
    elseif word:sub(1, 2) == "--" then
      local option, given = word:match("^(%-%-[%w-]+)=(.*)$")
      option = option or word
      local kind = known[option]
      local name = option:sub(3):gsub("-", "_")
      if not kind then arguments.wrong("there is no option " .. option .. " here") end
      if kind == true then
        if given then arguments.wrong(option .. " takes no value") end
        options[name] = true
      else
        if not given then
          i = i + 1
          given = words[i]
        end
        local value = value_of(kind, option, given)
        if kind == "list" then
          options[name] = options[name] or {}
          table.insert(options[name], value)
        else
          options[name] = value
        end
      end
    else
      others[#others + 1] = word
    end
    i = i + 1
  end
  return options, others, command
end

return arguments
