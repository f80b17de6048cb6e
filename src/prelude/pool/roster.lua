-- Who takes a call: the child that has the key, or the one with the fewest calls in flight; and who waits for one.
--
-- It refuses to know of processes: a member is its connection (for the number of its calls), the places kept in it for
-- calls that are about to begin, its keys and its generation.
local native = ...
local next_of, setmetatable, waiting, HUGE = next, setmetatable, native.waiting, math.huge

local Roster = {}
Roster.__index = Roster

--- A ready member joins those who take calls.
function Roster:join(member)
  self.live[#self.live + 1] = member
end

--- A member takes no new calls any more. True if it did.
function Roster:leave(member)
  local live = self.live
  if self.latest == member then self.latest = nil end
  for i = 1, #live do
    if live[i] == member then
      live[i] = live[#live]
      live[#live] = nil
      return true
    end
  end
  return false
end

--- The member with the fewest calls in flight: the one that had the last call, if it has none, since its memory is in
--- the processor's caches. Nil if each has as many as it may, or there is none.
---
--- `load` is what a pool counts of a member's calls without asking; a call that raised has left it too high. Zero is
--- believed, unless a bound has to be kept; anything else is looked up here.
function Roster:least()
  local live, best, load = self.live, nil, self.most
  local latest = self.latest
  if latest then
    latest.load = waiting(latest.conn)
    if latest.load + latest.kept == 0 then return latest end
  end
  for i = 1, #live do
    local other = live[i]
    local its = waiting(other.conn) + other.kept
    if its < load then best, load = other, its end
  end
  if best and self.most == HUGE then self.latest = best end
  return best
end

-- New keys go to the newest children; among them to the one with the fewest keys, since a key stays.
local function newest(self)
  local live, best = self.live, nil
  for i = 1, #live do
    local member = live[i]
    if not best or member.generation > best.generation
      or member.generation == best.generation and (member.keys < best.keys
        or member.keys == best.keys and waiting(member.conn) < waiting(best.conn)) then
      best = member
    end
  end
  return best
end

--- The member that has the key, which it is given if none has; nil if that has as many calls as it may, or if there is
--- none.
function Roster:keyed(key)
  local member = self.bound[key]
  if not member then
    member = newest(self)
    if not member then return nil end
    self.bound[key] = member
    member.keys = member.keys + 1
  end
  if waiting(member.conn) + member.kept < self.most then return member end
end

--- The key is not used any more. The member that had it.
function Roster:release(key)
  local member = self.bound[key]
  if member then
    self.bound[key] = nil
    member.keys = member.keys - 1
  end
  return member
end

--- All keys of a member go to others, when they are used again.
function Roster:unbind(member)
  if member.keys == 0 then return end
  for key, its in next_of, self.bound do
    if its == member then self.bound[key] = nil end -- a field that exists may be cleared while walking
  end
  member.keys = 0
end

-- ---- those who wait -------------------------------------------------------------------------------------------------

--- Wait for a member; `entry.key` is wanted if it is not nil, `entry.go(member)` is called once.
function Roster:enqueue(entry)
  local last = self.last + 1
  self.queue[last], self.last = entry, last
  entry.place = last
  self.waiting = self.waiting + 1
end

--- Nobody waits with this entry any more.
function Roster:dequeue(entry)
  if self.queue[entry.place] ~= entry then return end
  self.queue[entry.place] = nil
  self.waiting = self.waiting - 1
end

--- Give members to those who wait, first come, first served; a key's call does not wait for calls of other keys.
function Roster:pump()
  local queue, all_busy = self.queue, false
  for place = self.first, self.last do
    local entry = queue[place]
    if entry then
      local member
      if entry.key ~= nil then
        member = self:keyed(entry.key)
      elseif not all_busy then
        member = self:least()
        all_busy = not member
      end
      if member then
        self:dequeue(entry)
        -- Until its call is begun the place is kept for it.
        member.kept = member.kept + 1
        entry.go(member)
        if self.queue ~= queue then return end -- refused meanwhile
      end
    end
    if place == self.first and not queue[place] then self.first = place + 1 end
  end
  if self.waiting == 0 then self.first, self.last = 1, 0 end
end

--- All who wait go on with nothing.
function Roster:refuse()
  local queue, first, last = self.queue, self.first, self.last
  self.queue, self.first, self.last, self.waiting = {}, 1, 0, 0
  for place = first, last do
    if queue[place] then queue[place].go(nil) end
  end
end

--- Nobody yet; each member has at most `most` calls in flight.
local function new(most)
  return setmetatable({
    live = {}, bound = {}, most = most, queue = {}, first = 1, last = 0, waiting = 0,
  }, Roster)
end

return { new = new }
