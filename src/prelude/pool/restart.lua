-- How often a pool may start a child again: so many times within so many seconds, each time later than before.
--
-- It refuses to start anything: it counts, and says when.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable
local remove = table.remove
local options = native.module("options")

local Restart = {}
Restart.__index = Restart

local KNOWN = options.set("max", "within", "backoff")

local function number(given, name, default, least, told)
  local value = given[name]
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < least then
    error("fkrpc.pool: option 'restart" .. (told or "." .. name) .. "' must be a number from " .. least .. " up, not "
      .. options.shown(value), 4)
  end
  return value
end

--- Forget what is too long ago; the number of restarts that are not.
function Restart:recent(now)
  local times = self.times
  while times[1] and now - times[1] >= self.within do remove(times, 1) end
  return #times
end

--- Seconds to wait before the next restart; nil if there were too many of them.
function Restart:delay(now)
  local count = self:recent(now)
  if count >= self.max then return nil end
  if count > 60 then count = 60 end
  local delay = self.first * 2 ^ count
  if delay > self.most then delay = self.most end
  return delay * (0.75 + 0.5 * self.random:double()) -- those who fell together need not rise together
end

--- A restart happens now.
function Restart:count(now)
  self:recent(now)
  self.times[#self.times + 1] = now
end

--- As the option `restart = { max, within, backoff = { first, most } }` says.
local function new(given, random)
  if given == nil then given = {} end
  if type(given) ~= "table" then
    error("fkrpc.pool: option 'restart' must be a table { max, within, backoff }, not a " .. type(given), 3)
  end
  for name in pairs(given) do
    if not KNOWN[name] then
      error("fkrpc.pool: unknown option 'restart." .. tostring(name) .. "'; there are " .. options.names_of(KNOWN), 3)
    end
  end
  local backoff = given.backoff
  if backoff == nil then backoff = {} end
  if type(backoff) ~= "table" then
    error("fkrpc.pool: option 'restart.backoff' must be a table { first, most } of seconds, not "
      .. options.shown(backoff), 3)
  end
  return setmetatable({
    max = number(given, "max", 5, 0), within = number(given, "within", 10, 0),
    first = number(backoff, 1, 0.1, 0, ".backoff[1]"), most = number(backoff, 2, 10, 0, ".backoff[2]"),
    times = {}, random = random,
  }, Restart)
end

return { new = new }
