-- Room and RoomThread: what the server told of a room, and what can be asked of it.
--
-- Methods without a result return nothing, or nil and an error; the others `result, err`.
local native = ...
local ipairs, setmetatable = ipairs, setmetatable
local link, calls = native.module("freekill/link"), native.module("freekill/calls")
local value, void, opened, text, check = link.value, link.void, link.opened, calls.text, calls.check
local blob, made, milliseconds = calls.blob, calls.made, calls.milliseconds
local QList = native.module("freekill/facilities").QList
local ServerPlayer = native.module("freekill/players").ServerPlayer

local rooms = {}

local Room = {}

function Room:getId() return self.id end
function Room:getPlayers() return self.players end
function Room:getObservers() return self.observers end
function Room:getTimeout() return self.timeout end
--- What the client that made the room chose, as it sent it (CBOR).
function Room:settings() return self._settings end

--- The player whose room it is, if any.
function Room:getOwner()
  for _, player in ipairs(self.players) do
    if player.id == self.ownerId then return player end
  end
end

function Room:hasObserver(player)
  for _, observer in ipairs(self.observers) do
    if observer.id == player.id then return true end
  end
  return false
end

--- Wake the room after so many milliseconds, at least one.
function Room:delay(ms)
  ms = milliseconds(ms, "delay")
  return void("Room_delay", link.tell(link.conn or opened(), link.handlers, "Room_delay", self.id, ms))
end

function Room:setRequestTimer(ms)
  ms = milliseconds(ms, "setRequestTimer")
  return void("Room_setRequestTimer", link.tell(link.conn or opened(), link.handlers, "Room_setRequestTimer",
    self.id, ms))
end

--- `result`: 1 won, 2 lost, 3 drawn.
function Room:updatePlayerWinRate(player, mode, role, result)
  return void("Room_updatePlayerWinRate", link.tell(link.conn or opened(), link.handlers, "Room_updatePlayerWinRate",
    self.id, player, mode, role, result))
end

function Room:updateGeneralWinRate(general, mode, role, result)
  return void("Room_updateGeneralWinRate", link.tell(link.conn or opened(), link.handlers,
    "Room_updateGeneralWinRate", self.id, general, mode, role, result))
end

for _, name in ipairs({ "gameOver", "destroyRequestTimer", "decreaseRefCount" }) do
  local method = "Room_" .. name
  Room[name] = function(self)
    return void(method, link.tell(link.conn or opened(), link.handlers, method, self.id))
  end
end

--- The server counts by itself.
function Room:increaseRefCount() end -- luacheck: ignore 212

for _, name in ipairs({ "getSessionId", "getSessionData" }) do
  local method = "Room_" .. name
  Room[name] = function(self)
    return value(method, link.ask(link.conn or opened(), link.handlers, method, self.id))
  end
end

function Room:setSessionData(data)
  return void("Room_setSessionData", link.tell(link.conn or opened(), link.handlers, "Room_setSessionData", self.id,
    text(data)))
end

--- A new player whom the computer plays.
function Room:addNpc()
  return made(ServerPlayer, blob(value("Room_addNpc", link.ask(link.conn or opened(), link.handlers,
    "Room_addNpc", self.id))))
end

function Room:removeNpc(player)
  return void("Room_removeNpc", link.tell(link.conn or opened(), link.handlers, "Room_removeNpc", self.id,
    player.connId))
end

local room_metatable = { __index = Room, __name = "fk.Room" }

local function players_of(list)
  local players = {}
  for i, description in ipairs(list or {}) do players[i] = ServerPlayer(description) end
  return QList(players)
end

--- A room as the server describes it: id, ownerId, players, settings, timeout, perhaps observers.
function rooms.Room(t)
  check(t, "Room")
  return setmetatable({
    id = t.id, ownerId = t.ownerId, timeout = t.timeout, players = players_of(t.players),
    observers = players_of(t.observers), _settings = t.settings,
  }, room_metatable)
end

calls.saving(Room, "Room_", "id", { saveGlobalState = "two", getGlobalSaveState = "one" })

local RoomThread = {}
RoomThread.__index = RoomThread

--- The room of this id; nil and an error if there is none.
function RoomThread:getRoom(id) -- luacheck: ignore 212
  return made(rooms.Room, blob(value("RoomThread_getRoom", link.ask(link.conn or opened(), link.handlers,
    "RoomThread_getRoom", id))))
end

--- What gives rooms.
function rooms.RoomThread()
  return setmetatable({}, RoomThread)
end

return rooms
