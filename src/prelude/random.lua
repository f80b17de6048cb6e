-- fkrpc.random: Qt's QRandomGenerator. The module is called: `fkrpc.random(seed)`; all the rest are methods.
local native = ...

local random = {}

--- The module that `require "freekill-qrandomgen"` gives: `{ new = function(seed) }`.
function random.compat()
  return native.module("compat/qrandomgen")
end

local make = native.random_class()
if native.zygote then
  -- Every copy of this process gives those that have no seed of the script's another one.
  local seeded_make, unseeded = make, setmetatable({}, { __mode = "k" })
  native.unseeded = unseeded
  make = function(self, seed)
    if seed ~= nil then return seeded_make(self, seed) end
    local generator = seeded_make(self)
    unseeded[generator] = true
    return generator
  end
end

return setmetatable(random, { __call = make })
