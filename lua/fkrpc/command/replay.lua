-- `fkrpc replay FILE -- CMD`: plays one side of a recorded conversation and compares what the other side says.
--
-- It starts the other side, or is started by it; fkrpc.command.player does the playing.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")
local message = require("fkrpc.command.message")
local player = require("fkrpc.command.player")
local recording = require("fkrpc.command.recording")

local replay = {}

replay.HELP = [[
fkrpc replay FILE [OPTION...] -- CMD...
fkrpc replay FILE [OPTION...]

Plays one side of the conversation in FILE against the other. With CMD it starts CMD and plays its parent; without, it
plays the child over its own stdin and stdout: let the parent start it in place of its child. Each message of the other
side is compared with the recording, by value; the ids of its requests may differ, and while several calls were waiting
at once, so may the order. Differences are printed, to stderr where stdout is the conversation, and the exit status is
then 1.

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
  local play = player.new({
    about = about, peer = peer, read = message.reader(about), encode = encoder(about), records = records, mine = mine,
    ignore = options.ignore or {}, timeout = options.timeout or 10, most = options.most or 10, pace = options.pace,
    report = function(text) (command and io.stdout or io.stderr):write(text) end,
  })
  local whole = play:run()
  if command then
    peer:close_stdin()
    if whole then
      local extra = peer:receive_raw(play.timeout)
      if extra then play:differ(#records, records[#records] or { time = 0 }, "more came after the end: " .. extra) end
    end
    peer:close()
    if peer:wait(play.timeout) == false then
      play:differ(#records, records[#records] or { time = 0 }, "the program goes on after the end of its input")
      peer:kill(9)
      peer:wait()
    end
  else
    peer:close()
  end
  play.report(("%d messages, %d differences\n"):format(#records, play.differences))
  if torn then io.stderr:write("fkrpc: ", others[1], " ends early, at ", torn, "\n") end
  return play.differences == 0 and 0 or 1
end

return replay
