-- What the Lua benchmarks share: the library built for this Lua from today's sources, and medians.
--
-- It refuses a stale build or another Lua's, as spec/helper.lua does: figures must belong to the sources beside them.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local helper = dofile(here .. "/../spec/helper.lua")

local library = {
  root = helper.root,
  path = helper.library,
  name = helper.name,
  interpreter = helper.interpreter,
  quote = helper.quote,
}

-- The middle one of some numbers.
function library.median(numbers)
  local sorted = {}
  for i = 1, #numbers do
    sorted[i] = numbers[i]
  end
  table.sort(sorted)
  local middle = #sorted / 2
  if middle % 1 ~= 0 then
    return sorted[math.floor(middle) + 1]
  end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

-- Put a list into random order.
function library.shuffle(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
end

-- A module, or nil where it is not installed.
function library.optional(name)
  local found, module = pcall(require, name)
  return found and module or nil
end

-- The fkrpc in another library file, beside the one that `require` gives: for comparing two builds in one process.
function library.load(path)
  local open = assert(package.loadlib(path, "luaopen_fkrpc"))
  local kept = package.loaded.fkrpc
  package.loaded.fkrpc = nil
  local module = open("fkrpc", path)
  package.loaded.fkrpc = kept
  return module
end

return library
