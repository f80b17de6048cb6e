-- The module `freekill-qrandomgen`: `new(seed)` makes generators that have `random` alone.
local native = ...
local setmetatable, getmetatable = setmetatable, getmetatable

local new, metatable = native.qrandomgen_class()

-- `g.__gc` is there, as in the module this stands for, and can be called any number of times. It is not in the
-- metatable itself: there is nothing to finalize.
local outer = { __index = { __gc = function() end } }
setmetatable(metatable, outer)

-- That module keeps its metatable in the registry under the class's name. What lies there now only compares equal to
-- the metatable: another library that makes a class of that name writes to it, and our generators are not reached.
function outer.__eq(one, other)
  return getmetatable(one) == outer and getmetatable(other) == outer
end
local registry = debug.getregistry()
if registry.QRandomGenerator == nil then
  registry.QRandomGenerator = setmetatable({ __name = "QRandomGenerator" }, outer)
end

return { new = new }
