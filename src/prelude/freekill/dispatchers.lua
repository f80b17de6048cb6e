-- What the server asks of its child: ping, bye, HandleRequest, ResumeRoom, and changes to players and observers.
--
-- The game's part is in its globals HandleRequest, ResumeRoom and GetRoom, looked up at each request.
local native = ...
local type, ipairs, error = type, ipairs, error
local remove = table.remove
local globals = _G
local link, calls = native.module("freekill/link"), native.module("freekill/calls")
local ServerPlayer = native.module("freekill/players").ServerPlayer

local INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603

local function refused(code, data)
  return nil, { code = code, data = data }
end

-- The game's function of this name.
local function game(name)
  local f = globals[name]
  if type(f) ~= "function" then error("the game has no function " .. name, 0) end
  return f
end

-- The list of players or observers of a room; or nil and an error.
local function list_of(id, getter)
  local room = game("GetRoom")(id)
  if not room then return refused(INTERNAL_ERROR, "Room not found") end
  room = room.room
  return room[getter](room)
end

local function place_of(list, id)
  for i, player in ipairs(list) do
    if player.id == id then return i end
  end
end

local function set_player_field(room, player, field, value)
  local list, err = list_of(room, "getPlayers")
  if not list then return nil, err end
  local at = place_of(list, player)
  if not at then return refused(INTERNAL_ERROR, "Player not found") end
  list[at][field] = value
  return true
end

link.on("ping", function() return "PONG" end)

link.on("bye", function()
  link.finish()
  return "Goodbye"
end)

-- The game answers true for rooms and commands that it does not know, too.
link.on("HandleRequest", function(params)
  if type(params[1]) ~= "string" then return refused(INVALID_PARAMS) end
  game("HandleRequest")(params[1])
  return true
end)

-- True: the game is over and its room released.
link.on("ResumeRoom", function(params)
  if type(params[1]) ~= "number" then return refused(INVALID_PARAMS) end
  return not not game("ResumeRoom")(params[1], params[2])
end)

local function set_player_state(params)
  local room, player, state = params[1], params[2], params[3]
  if type(room) ~= "number" or type(player) ~= "number" or type(state) ~= "number" then
    return refused(INVALID_PARAMS)
  end
  return set_player_field(room, player, "state", state)
end

link.on("SetPlayerState", set_player_state)

-- What a server may change of a player, and the type of its value.
local PROPERTIES = {
  state = "number", connId = "number", totalGameTime = "number", screenName = "string", avatar = "string",
}

-- room, player, property, value; with three params, the third is the state.
link.on("SetPlayerProperty", function(params)
  local room, player, property, value = params[1], params[2], params[3], params[4]
  if type(property) == "number" and value == nil then return set_player_state(params) end
  if type(room) ~= "number" or type(player) ~= "number" or not PROPERTIES[property]
    or type(value) ~= PROPERTIES[property] then
    return refused(INVALID_PARAMS)
  end
  return set_player_field(room, player, property, value)
end)

link.on("AddObserver", function(params)
  local id, description = params[1], params[2]
  if type(id) ~= "number" then return refused(INVALID_PARAMS) end
  if type(description) == "string" then
    local decoded, err = calls.blob(description)
    if not decoded then return refused(INTERNAL_ERROR, err and err.message) end
    description = decoded
  end
  if type(description) ~= "table" then return refused(INVALID_PARAMS) end
  local list, err = list_of(id, "getObservers")
  if not list then return nil, err end
  list[#list + 1] = ServerPlayer(description)
  return true
end)

link.on("RemoveObserver", function(params)
  local id, player = params[1], params[2]
  if type(id) ~= "number" or type(player) ~= "number" then return refused(INVALID_PARAMS) end
  local list, err = list_of(id, "getObservers")
  if not list then return nil, err end
  local at = place_of(list, player)
  if not at then return refused(INTERNAL_ERROR, "Player not found") end
  remove(list, at)
  return true
end)
return true
