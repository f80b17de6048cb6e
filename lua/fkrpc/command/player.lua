-- Playing one side of a recorded conversation.
--
-- What was recorded is sent byte for byte, unless it answers a request whose id is another now. What is expected comes
-- in the recorded order; only while several of our calls wait at once may it come in another: answers are told by their
-- id then, requests and notifications by method and value. It refuses to guess more than that.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")
local compare = require("fkrpc.command.compare")
local message = require("fkrpc.command.message")

local Player = {}
Player.__index = Player

--- A player of `records`, of which the way `mine` is played. `peer`, `about`, `read`, `encode`, `report(text)`,
--- `ignore` (names), `timeout`, `most`, `pace` as the command has them.
local function new(given)
  local self = setmetatable(given, Player)
  self.differences = 0
  self.ids = {} -- today's ids of recorded requests
  self.done = {} -- records that were played or have come before their turn
  self.open, self.waiting = {}, 0 -- our calls that wait, as keys
  self.ignored = {}
  for _, name in ipairs(self.ignore) do self.ignored[name] = true end
  for _, record in ipairs(self.records) do
    if record.way ~= "remark" then record.members = message.describe(self.read, record.bytes) end
  end
  return self
end

local function is_answer(member)
  return member.kind == "result" or member.kind == "error"
end

--- Report a difference at a record.
function Player:differ(number, record, what)
  self.differences = self.differences + 1
  self.report(("message %d, recorded at %.6f s: %s\n"):format(number, record.time, what))
end

-- What is wrong with a member that has come for a recorded one, if anything is. Ids of requests may differ.
function Player:difference(expected, found)
  local id = found.id
  local both = expected.kind == "request" and found.kind == "request"
  if both then found.value.id = expected.id end
  local what = compare.difference(expected.value, found.value, self.ignored)
  if both then found.value.id = id end
  return what
end

-- ---- sending --------------------------------------------------------------------------------------------------------

-- The recorded bytes, with the ids of today where they answer requests that came with others.
function Player:bytes_of(record)
  local answer = record.members[1]
  local id = #record.members == 1 and is_answer(answer) and self.ids[message.key(answer.id)]
  if id == nil or id == false or id == answer.id or self.about.keys == "freekill" then return record.bytes end
  answer.value.id = id
  return self.encode(answer.value)
end

-- False if it makes no sense to go on.
function Player:send(number)
  local record = self.records[number]
  self.done[number] = true
  for _, member in ipairs(record.members) do
    if member.kind == "request" then self:wait_for(member.id, true) end
  end
  local sent, err = self.peer:send_raw(message.framed(self.about, self:bytes_of(record)))
  if not sent then self:differ(number, record, "it cannot be sent: " .. err.message) end
  return sent
end

-- A call of ours waits, or does so no longer.
function Player:wait_for(id, waits)
  local key = message.key(id)
  if (self.open[key] or false) ~= waits then
    self.open[key] = waits
    self.waiting = self.waiting + (waits and 1 or -1)
  end
end

-- While several calls wait, questions are answered as soon as they have come, unless something else of ours is to be
-- sent before: who asked may say nothing else until then, whatever was recorded in between. False as for `send`.
function Player:answer(number)
  for later = number, #self.records do
    local record = self.records[later]
    if record.way == self.mine and not self.done[later] then
      local member = record.members[1]
      if #record.members > 1 or not is_answer(member) or not self.ids[message.key(member.id)] then return true end
      if not self:send(later) then return false end
    end
  end
  return true
end

-- ---- expecting ------------------------------------------------------------------------------------------------------

-- What tells messages apart: answers have ids of ours, the rest has methods.
local function key_of(members)
  local member = members[1]
  if #members > 1 or member.kind == "unreadable" then return nil end
  if is_answer(member) then return "answer " .. message.key(member.id) end
  return member.kind .. " " .. tostring(member.method)
end

-- Which record it is that has come where `number` is the next: the first like it, and the first that is the same where
-- there is one.
function Player:find(number, found)
  local key = key_of(found)
  if self.waiting < 2 or key == nil then return number end
  local like
  for later = number, #self.records do
    local record = self.records[later]
    if record.members and record.way ~= self.mine and not self.done[later] and key_of(record.members) == key then
      if is_answer(found[1]) or not self:difference(record.members[1], found[1]) then return later end
      like = like or later
    end
  end
  return like or number
end

-- Compare what has come with a record.
function Player:judge(number, found, bytes)
  local record = self.records[number]
  self.done[number] = true
  for i, member in ipairs(record.members) do
    local other = found[i] or {}
    if member.kind == "request" and other.kind == "request" then
      self.ids[message.key(member.id)] = other.id
      if type(other.id) ~= type(member.id) then self:differ(number, record, "the id is of another type") end
    elseif is_answer(member) then
      self:wait_for(member.id, false)
    end
    if member.kind == "unreadable" and bytes ~= record.bytes then
      self:differ(number, record, "it cannot be read, and the bytes are others")
    elseif member.kind ~= "unreadable" then
      local what = self:difference(member, other)
      if what then
        self:differ(number, record, what)
        break
      end
    end
  end
  if #found > #record.members then self:differ(number, record, "a batch with more members") end
end

-- Until the next message is here and is the recorded one; false if it makes no sense to go on.
function Player:expect(number)
  local record = self.records[number]
  repeat
    if self.waiting > 1 and not self:answer(number) then return false end
    local bytes, err = self.peer:receive_raw(self.timeout)
    if bytes == false then
      self:differ(number, record, ("nothing came within %g s"):format(self.timeout))
      return false
    elseif bytes == nil then
      self:differ(number, record, err.code == "garbage" and "what came is no message: " .. err.message or err.message)
      return err.code == "garbage"
    end
    local found = message.describe(self.read, bytes)
    local at = self:find(number, found)
    self:judge(at, found, bytes)
  until at == number or self.differences >= self.most
  return self.differences < self.most
end

--- Play the whole; true if it came to its end.
function Player:run()
  local last = 0
  for number, record in ipairs(self.records) do
    if record.way ~= "remark" and record.whole then
      arguments.wrong(("message %d is cut short in the recording and cannot be played"):format(number))
    elseif record.way ~= "remark" and not self.done[number] then
      local ours = record.way == self.mine
      if ours and self.pace and record.time > last then fkrpc.clock.sleep(record.time - last) end
      if not (ours and self:send(number) or not ours and self:expect(number)) then return end
    end
    last = record.time
  end
  return true
end

return { new = new }
