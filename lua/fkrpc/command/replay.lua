-- `fkrpc replay FILE -- CMD`: plays one side of a recorded conversation and compares what the other side says.
--
-- What was recorded is sent byte for byte, unless it answers a request whose id is another now. What is expected comes
-- in the recorded order; it refuses to guess another.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")
local compare = require("fkrpc.command.compare")
local message = require("fkrpc.command.message")
local recording = require("fkrpc.command.recording")

local replay = {}

replay.HELP = [[
fkrpc replay FILE [OPTION...] -- CMD...
fkrpc replay FILE [OPTION...]

Plays one side of the conversation in FILE against the other. With CMD it starts CMD and plays its parent; without, it
plays the child over its own stdin and stdout: let the parent start it in place of its child. Each message of the other
side is compared with the recording, by value; the ids of its requests may differ. Differences are printed, to stderr
where stdout is the conversation, and the exit status is then 1.

  --ignore NAME      leave out members of this name, wherever they are; may be given again
  --timeout SECONDS  how long to wait for each message (10)
  --most N           stop after so many differences (10)
  --pace             wait as long before each message as the recorded side did
]]

local KNOWN = { ["--ignore"] = "list", ["--timeout"] = "number", ["--most"] = "number", ["--pace"] = true }

-- Which of the two ways is the child's in this recording: a child names itself stdio.
local function childs_way(about)
  return tostring(about.name):match("^stdio") and "out" or "in"
end

local function encoder(about)
  if about.codec == "json" then
    local codec = fkrpc.json.new({ strings = "bytes" })
    return function(value) return assert(codec.encode(value)) end
  end
  local codec = fkrpc.cbor.new({ strings = about.keys == "freekill" and "bytes" or "text" })
  return function(value) return assert(codec.encode(value)) end
end

local Player = {}
Player.__index = Player

function Player:differ(number, record, what)
  self.differences = self.differences + 1
  self.report(("message %d, recorded at %.6f s: %s\n"):format(number, record.time, what))
end

-- The recorded bytes, with the ids of today where they answer requests that came with others.
function Player:bytes_of(record)
  local members = message.describe(self.read, record.bytes)
  local answer = members[1]
  local is_answer = #members == 1 and (answer.kind == "result" or answer.kind == "error")
  local id = is_answer and self.ids[message.key(answer.id)]
  if id == nil or id == false or id == answer.id or self.about.keys == "freekill" then return record.bytes end
  answer.value.id = id
  return self.encode(answer.value)
end

-- The next message is here and is the recorded one; false if it makes no sense to go on.
function Player:expect(number, record)
  local bytes, err = self.peer:receive_raw(self.timeout)
  if bytes == false then
    self:differ(number, record, ("nothing came within %g s"):format(self.timeout))
    return false
  elseif bytes == nil then
    self:differ(number, record, err.code == "garbage" and "what came is no message: " .. err.message or err.message)
    return err.code == "garbage"
  end
  local expected, found = message.describe(self.read, record.bytes), message.describe(self.read, bytes)
  local ignored = {}
  for _, name in ipairs(self.ignore) do ignored[name] = true end
  for i, member in ipairs(expected) do
    local other = found[i] or {}
    if member.kind == "request" and other.kind == "request" then
      self.ids[message.key(member.id)] = other.id
      if type(other.id) ~= type(member.id) then
        self:differ(number, record, "the id is of another type")
      end
      other.value.id = member.id
    end
    if member.kind == "unreadable" and bytes ~= record.bytes then
      self:differ(number, record, "it cannot be read, and the bytes are others")
    elseif member.kind ~= "unreadable" then
      local what = compare.difference(member.value, other.value, ignored)
      if what then
        self:differ(number, record, what)
        break
      end
    end
  end
  if #found > #expected then self:differ(number, record, "a batch with more members") end
  return true
end

function Player:play(records, mine)
  local last = 0
  for number, record in ipairs(records) do
    if record.way ~= "remark" and record.whole then
      arguments.wrong(("message %d is cut short in the recording and cannot be played"):format(number))
    elseif record.way == mine then
      if self.pace and record.time > last then fkrpc.clock.sleep(record.time - last) end
      local sent, err = self.peer:send_raw(message.framed(self.about, self:bytes_of(record)))
      if not sent then
        self:differ(number, record, "it cannot be sent: " .. err.message)
        return
      end
    elseif record.way ~= "remark" then
      if not self:expect(number, record) or self.differences >= self.most then return end
    end
    last = record.time
  end
  return true
end

function replay.run(words)
  local options, others, command = arguments.parse(words, 2, KNOWN)
  if #others ~= 1 then arguments.wrong("which file? fkrpc replay FILE -- CMD") end
  if command and #command == 0 then arguments.wrong("no command after --") end
  local about, records, torn = recording.read(others[1])
  if not about then arguments.wrong(records) end
  local spoken = { codec = about.codec, keys = about.codec == "cbor" and about.keys or nil, framing = about.framing }
  local peer, why
  if command then
    spoken.command = command
    peer, why = fkrpc.spawn(spoken)
  else
    peer, why = fkrpc.stdio(spoken)
  end
  if not peer then arguments.wrong(why) end
  local childs = childs_way(about)
  local mine = childs
  if command then mine = childs == "in" and "out" or "in" end
  local player = setmetatable({
    about = about, peer = peer, read = message.reader(about), encode = encoder(about), ids = {}, differences = 0,
    ignore = options.ignore or {}, timeout = options.timeout or 10, most = options.most or 10, pace = options.pace,
    report = function(text) (command and io.stdout or io.stderr):write(text) end,
  }, Player)
  local whole = player:play(records, mine)
  if command then
    peer:close_stdin()
    if whole then
      local extra = peer:receive_raw(player.timeout)
      if extra then player:differ(#records, records[#records] or { time = 0 }, "more came after the end: " .. extra) end
    end
    peer:close()
    if peer:wait(player.timeout) == false then
      player:differ(#records, records[#records] or { time = 0 }, "the program goes on after the end of its input")
      peer:kill(9)
      peer:wait()
    end
  else
    peer:close()
  end
  player.report(("%d messages, %d differences\n"):format(#records, player.differences))
  if torn then io.stderr:write("fkrpc: ", others[1], " ends early, at ", torn, "\n") end
  return player.differences == 0 and 0 or 1
end

return replay
