-- When a child has done enough: it holds too much memory, has answered too many calls, or is too old.
--
-- It refuses to end anything: it says why somebody else should.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable
local options = native.module("options")
local HUGE = math.huge

local Recycle = {}
Recycle.__index = Recycle

local KNOWN = options.set("memory", "calls", "age", "jitter")

local function number(given, name, most)
  local value = given[name]
  if value == nil then return nil end
  if type(value) ~= "number" or not (value > 0 and value <= most) then
    error("fkrpc.pool: option 'recycle." .. name .. "' must be a number above 0"
      .. (most < HUGE and " and at most " .. most or "") .. ", not " .. options.shown(value), 4)
  end
  return value
end

--- The limits of one child: each a little less than it is for all, so that children of one age do not go together.
function Recycle:limits()
  local function some(limit)
    return limit and limit * (1 - self.jitter * self.random:double())
  end
  return { memory = some(self.memory), calls = some(self.calls) or HUGE, age = some(self.age) }
end

--- Why a child with these limits should be replaced, as "memory", "calls" or "age" and a text; nil if it should not.
function Recycle.why(limits, calls, age, memory)
  if limits.memory and memory and memory >= limits.memory then
    return "memory", ("%.1f MiB of private memory, %.1f are allowed"):format(memory / 2 ^ 20, limits.memory / 2 ^ 20)
  elseif calls >= limits.calls then
    return "calls", ("%d calls, %d are allowed"):format(calls, limits.calls - limits.calls % 1)
  elseif limits.age and age >= limits.age then
    return "age", ("%.1f s old, %.1f are allowed"):format(age, limits.age)
  end
end

--- As the option `recycle = { memory, calls, age, jitter }` says.
local function new(given, random)
  if given == nil then given = {} end
  if type(given) ~= "table" then
    error("fkrpc.pool: option 'recycle' must be a table { memory, calls, age, jitter }, not a " .. type(given), 3)
  end
  for name in pairs(given) do
    if not KNOWN[name] then
      error("fkrpc.pool: unknown option 'recycle." .. tostring(name) .. "'; there are " .. options.names_of(KNOWN), 3)
    end
  end
  local jitter = given.jitter
  if jitter == nil then jitter = 0.1 end
  if type(jitter) ~= "number" or not (jitter >= 0 and jitter < 1) then
    error("fkrpc.pool: option 'recycle.jitter' must be a share from 0 to less than 1, not "
      .. options.shown(jitter), 3)
  end
  return setmetatable({
    memory = number(given, "memory", HUGE), calls = number(given, "calls", HUGE), age = number(given, "age", HUGE),
    jitter = jitter, random = random,
  }, Recycle)
end

return { new = new, why = Recycle.why }
