-- Player and ServerPlayer: what the server told of a player, and what can be asked of the client behind it.
--
-- Methods without a result return nothing, or nil and an error; the others `result, err`.
local native = ...
local setmetatable = setmetatable
local link, calls = native.module("freekill/link"), native.module("freekill/calls")
local value, void, opened, text, check = link.value, link.void, link.opened, calls.text, calls.check
local QList = native.module("freekill/facilities").QList

local players = {}

local Player = {}

function Player:getId() return self.id end
function Player:getScreenName() return self.screenName end
function Player:getAvatar() return self.avatar end
function Player:getTotalGameTime() return self.totalGameTime end
function Player:getGameData() return self.gameData end
function Player:getState() return self.state end

local function player_of(t)
  return {
    connId = t.connId, id = t.id, screenName = t.screenName, avatar = t.avatar, totalGameTime = t.totalGameTime,
    state = t.state, gameData = QList(t.gameData or {}),
  }
end

local player_metatable = { __index = Player, __name = "fk.Player" }

--- A player who is not asked anything.
function players.Player(t)
  return setmetatable(player_of(check(t, "Player")), player_metatable)
end

local ServerPlayer = setmetatable({}, player_metatable)

--- Ask the client; `waitForReply` has its answer. `timeout` in seconds, `timestamp` in milliseconds since 1970.
function ServerPlayer:doRequest(command, data, timeout, timestamp)
  return void("ServerPlayer_doRequest", link.tell(link.conn or opened(), link.handlers, "ServerPlayer_doRequest",
    self.connId, command, text(data), timeout, timestamp))
end

--- The client's answer, "__notready" while there is none, "__cancel" if there will be none.
function ServerPlayer:waitForReply(timeout)
  local result, err = value("ServerPlayer_waitForReply", link.ask(link.conn or opened(), link.handlers,
    "ServerPlayer_waitForReply", self.connId, timeout))
  if err ~= nil then return "__cancel", err end
  return result
end

--- Send the client a message.
function ServerPlayer:doNotify(command, data)
  return void("ServerPlayer_doNotify", link.tell_text(link.conn or opened(), link.handlers, "ServerPlayer_doNotify",
    self.connId, command, data))
end

--- Whether the player is thinking.
function ServerPlayer:thinking()
  return value("ServerPlayer_thinking", link.ask(link.conn or opened(), link.handlers, "ServerPlayer_thinking",
    self.connId))
end

function ServerPlayer:setThinking(thinking)
  return void("ServerPlayer_setThinking", link.tell(link.conn or opened(), link.handlers, "ServerPlayer_setThinking",
    self.connId, not not thinking))
end

function ServerPlayer:setDied(died)
  return void("ServerPlayer_setDied", link.tell(link.conn or opened(), link.handlers, "ServerPlayer_setDied",
    self.connId, not not died))
end

function ServerPlayer:emitKick()
  return void("ServerPlayer_emitKick", link.tell(link.conn or opened(), link.handlers, "ServerPlayer_emitKick",
    self.connId))
end

local server_player_metatable = { __index = ServerPlayer, __name = "fk.ServerPlayer" }

--- A player as the server describes it: connId, id, screenName, avatar, totalGameTime, state, gameData.
function players.ServerPlayer(t)
  return setmetatable(player_of(check(t, "ServerPlayer")), server_player_metatable)
end

calls.saving(ServerPlayer, "ServerPlayer_", "connId", {
  saveState = "one", getSaveState = "load", saveGlobalState = "two", getGlobalSaveState = "one",
})

return players
