-- fkrpc.random: Qt's QRandomGenerator. The module is called: `fkrpc.random(seed)`; all the rest are methods.
local native = ...

local random = {}

--- The module that `require "freekill-qrandomgen"` gives: `{ new = function(seed) }`.
function random.compat()
  return native.module("compat/qrandomgen")
end

return setmetatable(random, { __call = native.random_class() })
