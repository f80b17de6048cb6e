-- Children that hang: they have calls to answer, and nothing is heard of them for too long (option `hang_timeout`).
--
-- It refuses to guess from silence alone: a child without a call may say nothing for ever, one that has asked us waits
-- for us, and time in which the pool's own loop did not run counts as two looks at most.
local native = ...
local pairs, setmetatable = pairs, setmetatable

local Hang = {}
Hang.__index = Hang

-- Seconds between two looks at most, and the share of the option's that is one.
local LOOK, SHARE = 0.5, 0.2

-- MCP's number among the manners of cancelling: there a call that nobody waits for any more is not answered.
local MCP = 2

-- What the child has to do, as far as can be seen: true; false; nil where an answer may come or not, see above.
local function is_busy(member, stats)
  if stats.waiting > 0 or stats.queued > 0 then return true end
  local manner = member.peer.manner
  if manner and manner.number == MCP then return false end
  return member.owed > 0 or nil
end

-- One more look, `passed` seconds after the last: why it hangs, or nil.
local function why(self, member, passed)
  local stats = native.stats(member.conn)
  local heard = stats.bytes_received
  if heard ~= member.heard or stats.queued < (member.unread or 0) or (member.peer.active or 0) > 0 then
    member.silence = nil -- it lives, or waits for a handler of ours
  end
  member.heard, member.unread = heard, stats.queued
  if (member.peer.active or 0) > 0 then return end
  local busy = is_busy(member, stats)
  if busy == false then
    member.silence = nil
  elseif member.silence then
    member.silence = member.silence + passed
  elseif busy then
    member.silence = 0
  end
  if member.silence and member.silence >= self.timeout then
    local calls = stats.waiting
    return ("hung: nothing was heard of it for %.1f s, with %s"):format(member.silence,
      calls == 1 and "1 call in flight" or calls > 0 and calls .. " calls in flight"
      or stats.queued > 0 and stats.queued .. " bytes that it does not read" or "a call that it has not answered")
  end
end

--- Look at all children that take calls or have some; `end_of(member, text)` for each that hangs.
function Hang:look(members, now, end_of)
  local passed, hung = now - self.last, {}
  if passed > 2 * self.every then passed = 2 * self.every end
  self.last = now
  for member in pairs(members) do
    if member.state == "ready" or member.state == "draining" then hung[member] = why(self, member, passed) end
  end
  for member, text in pairs(hung) do end_of(member, text) end
end

--- Whoever is silent for `timeout` seconds hangs; to be looked at `every` seconds, from `now` on.
local function new(timeout, now)
  local every = timeout * SHARE
  if every > LOOK then every = LOOK end
  return setmetatable({ timeout = timeout, every = every, last = now }, Hang)
end

return { new = new }
