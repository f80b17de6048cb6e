-- A module table that names what it lacks instead of being nil there.
local error, tostring, setmetatable = error, tostring, setmetatable

return function(name, module)
  return setmetatable(module, {
    __index = function(_, field)
      error("fkrpc.compat: " .. name .. "." .. tostring(field) .. " is not covered", 2)
    end,
  })
end
