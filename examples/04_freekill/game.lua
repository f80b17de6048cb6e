-- A game for entry.lua: one round of high card. Each player is asked for a card; the highest wins.
--
-- Like the real game it runs each room in a coroutine, which yields while the server does something for it.

local rooms = {}

local function announce(room, command, data)
  for _, player in ipairs(room.room:getPlayers()) do
    player:doNotify(command, data)
  end
end

-- Asks everyone at once, then looks after each wake-up whether the answers are there.
local function ask(room, seconds)
  local answers, missing = {}, {}
  for _, player in ipairs(room.room:getPlayers()) do
    player:doRequest("PlayCard", "", seconds, math.floor(fk.GetMicroSecond() / 1000))
    player:setThinking(true)
    missing[#missing + 1] = player
  end
  room.room:setRequestTimer(seconds * 1000)
  while #missing > 0 do
    coroutine.yield()
    for i = #missing, 1, -1 do
      local player = missing[i]
      local answer = player:waitForReply(0)
      if answer ~= "__notready" then
        answers[player.id] = tonumber(answer) or 0
        player:setThinking(false)
        table.remove(missing, i)
      end
    end
  end
  room.room:destroyRequestTimer()
  return answers
end

local function play(room)
  announce(room, "StartGame", "")
  room.room:delay(500)
  coroutine.yield()
  local answers, best, winner = ask(room, 15), -1, nil
  for _, player in ipairs(room.room:getPlayers()) do
    if answers[player.id] > best then
      best, winner = answers[player.id], player
    end
  end
  announce(room, "GameOver", winner:getScreenName())
  room.room:gameOver()
end

local function resume(room)
  local fine, message = coroutine.resume(room.game, room)
  if not fine then
    fk.qCritical("the game in room %d failed: %s", room.id, message)
  end
  if coroutine.status(room.game) ~= "dead" then
    return false
  end
  rooms[room.id] = nil
  room.room:decreaseRefCount()
  return true
end

local thread

function InitScheduler(room_thread)
  thread = room_thread
  print("high card is ready")
end

function GetRoom(id)
  return rooms[id]
end

function HandleRequest(request)
  local first, second, command = request:match("^(-?%d+),(-?%d+),(%w+)")
  local id = tonumber(second)
  if first == "-1" and command == "newroom" then
    rooms[id] = { id = id, room = assert(thread:getRoom(id)), game = coroutine.create(play) }
    resume(rooms[id])
  end
  return true
end

function ResumeRoom(id, _)
  return rooms[id] ~= nil and resume(rooms[id])
end
