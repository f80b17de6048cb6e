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
  if best and self.most == HUGE and best.owed == 0 then self.latest = best end
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

-- The member that has the key, which it is given if none has; nil if there is none.
local function home(self, key)
  local member = self.bound[key]
  if not member then
    member = newest(self)
    if not member then return nil end
    self.bound[key] = member
    member.keys = member.keys + 1
  end
  return member
end

-- Whether a member takes one more call; one whose output has ended takes none.
local function free(self, member)
  return not member.mute and waiting(member.conn) + member.kept < self.most
end

--- The member that has the key; nil if that has as many calls as it may, if others wait for it, or if there is none.
function Roster:keyed(key)
  local member = home(self, key)
  if member and not member.line and free(self, member) then return member end
end

-- ---- those who wait -------------------------------------------------------------------------------------------------

-- A line of entries: in the order in which they came, with gaps where somebody has left. There is one of those who take
-- any member, or whose key no member has, and one for each member that others wait for.

local function append(line, entry)
  local last = line.last + 1
  line[last], line.last = entry, last
  entry.line, entry.place = line, last
end

local function head(line)
  local first, last = line.first, line.last
  while first <= last and not line[first] do first = first + 1 end
  line.first = first
  return line[first]
end

-- A line that has become empty is no line.
local function tidy(self, line)
  local member = line.member
  if member and member.line == line and not head(line) then member.line, self.crowded[member] = nil, nil end
end

-- Into the line where it belongs.
local function put(self, entry)
  local member = entry.key ~= nil and home(self, entry.key)
  if not member then return append(self.line, entry) end
  local line = member.line
  if not line then
    line = { first = 1, last = 0, member = member }
    member.line, self.crowded[member] = line, line
  end
  append(line, entry)
end

--- Wait for a member; `entry.key` is wanted if it is not nil. `entry.go(member)` is called once and says whether
--- somebody still waits.
function Roster:enqueue(entry)
  self.waiting, self.entered = self.waiting + 1, self.entered + 1
  entry.number = self.entered
  put(self, entry)
end

--- Nobody waits with this entry any more. False if it does not wait.
function Roster:dequeue(entry)
  local line, place = entry.line, entry.place
  if not line then return false end
  line[place], entry.line = nil, nil
  tidy(self, line)
  self.waiting = self.waiting - 1
  return true
end

-- Those of a line go where they belong now; of one key only, if it is given.
local function move(self, line, key)
  for place = line.first, line.last do
    local entry = line[place]
    if entry and (key == nil or entry.key == key) then
      line[place] = nil
      put(self, entry)
    end
  end
  tidy(self, line)
end

--- The key is not used any more. The member that had it.
function Roster:release(key)
  local member = self.bound[key]
  if member then
    self.bound[key] = nil
    member.keys = member.keys - 1
    if member.line then move(self, member.line, key) end
  end
  return member
end

--- All keys of a member go to others, when they are used again; those who wait for it, too.
function Roster:unbind(member)
  if member.keys > 0 then
    for key, its in next_of, self.bound do
      if its == member then self.bound[key] = nil end -- a field that exists may be cleared while walking
    end
    member.keys = 0
  end
  local line = member.line
  if line then
    member.line, self.crowded[member] = nil, nil
    move(self, line)
  end
end

--- The member for a call that takes any; nil if others wait for that, too.
function Roster:any()
  if self.waiting == 0 or not head(self.line) then return self:least() end
end

-- Who has waited longest of those for whom there is a member now, and that.
local function first_of(self)
  local shared, found, its = self.line, nil, nil
  for member, line in next_of, self.crowded do
    local entry = head(line)
    if (not found or entry.number < found.number) and free(self, member) then
      found, its = entry, member
    end
  end
  local entry = head(shared)
  while entry and entry.key ~= nil and self.live[1] do
    shared[entry.place] = nil
    put(self, entry)
    entry = head(shared)
  end
  if entry and entry.key == nil and (not found or entry.number < found.number) then
    local member = self:least()
    if member then return entry, member end
  end
  return found, its
end

--- Give members to those who wait, first come, first served; nobody waits for calls of other keys.
function Roster:pump()
  while self.waiting > 0 do
    local entry, member = first_of(self)
    if not entry then return end
    self:dequeue(entry)
    -- Until its call is begun the place is kept for it.
    if entry.go(member) then member.kept = member.kept + 1 end
  end
end

--- All who wait go on with nothing.
function Roster:refuse()
  local lines = { self.line }
  for member, line in next_of, self.crowded do
    lines[#lines + 1] = line
    member.line = nil
  end
  self.line, self.crowded = { first = 1, last = 0 }, {}
  for i = 1, #lines do
    for place = lines[i].first, lines[i].last do
      local entry = lines[i][place]
      if entry and self:dequeue(entry) then entry.go(nil) end
    end
  end
end

--- Nobody yet; each member has at most `most` calls in flight.
local function new(most)
  return setmetatable({
    live = {}, bound = {}, most = most, line = { first = 1, last = 0 }, crowded = {}, waiting = 0, entered = 0,
  }, Roster)
end

return { new = new }
