---@meta fkrpc.freekill

---What a FreeKill child needs of its server: the table that the game calls `fk`. See docs/migrating-freekill.md.
---
---Methods that ask the server return `result, err`, or nothing and `nil, err` where there is no result; they failed if
---and only if `err ~= nil`.
---@class fkrpc.freekill
---@field Player_Invalid 0
---@field Player_Online 1
---@field Player_Trust 2
---@field Player_Run 3
---@field Player_Leave 4
---@field Player_Robot 5
---@field Player_Offline 6
---@field _rpc_finished boolean the server has said bye
local fk = {}

---Take stdin and stdout and become the server's child. From here on `print` is a message to the server.
---@param options? fkrpc.freekill.options
---@return fkrpc.peer? peer, string? message, integer? errno
function fk.start(options) end

---Say hello and serve until the server says bye or goes away.
---@return "stopped"|"eof"|"closed" reason, string? detail
function fk.serve() end

---Handle the server's requests of this name; nil takes the handler away.
---@param method string
---@param handler? fun(params: table): (integer|string|boolean)?, any
function fk.on(method, handler) end

---Call a method of the server; params are integers, strings and booleans, at most five.
---@param method string
---@return any result, fkrpc.error? err
function fk.call(method, ...) end

---Call a method of the server that has no result: without waiting, where the server can take that.
---@param method string
---@return nil, fkrpc.error? err
function fk.tell(method, ...) end

---Whether calls without a result leave without waiting.
---@return boolean
function fk.pipelined() end

---Close what reads the server's stdin or waits for a person.
---@return string[] closed
function fk.lockdown() end

---Give an array the methods `at` (from 0) and `length`.
---@param array table
---@return fkrpc.freekill.QList
function fk.QList(array) end

---Microseconds since 1970.
---@return integer
function fk.GetMicroSecond() end

---The packages that are turned off, as a JSON array.
---@return string
function fk.GetDisabledPacks() end

---@param path string
---@return true?, string? message
function fk.QmlBackend_cd(path) end

---@return string path
function fk.QmlBackend_pwd() end

---The names in a folder, sorted by their bytes; raises if it cannot be read.
---@param path? string
---@return string[]
function fk.QmlBackend_ls(path) end

---@param path string
---@return boolean
function fk.QmlBackend_exists(path) end

---Whether it is a folder; nil if nothing is there.
---@param path string
---@return boolean?
function fk.QmlBackend_isDir(path) end

---A line in the server's log, made as string.format does; a text that is no format is taken as it is.
---@param text any
function fk.qDebug(text, ...) end

---@param text any
function fk.qInfo(text, ...) end

---@param text any
function fk.qWarning(text, ...) end

---@param text any
function fk.qCritical(text, ...) end

---@param t table
---@return fkrpc.freekill.Player
function fk.Player(t) end

---@param t table connId, id, screenName, avatar, totalGameTime, state, gameData
---@return fkrpc.freekill.ServerPlayer
function fk.ServerPlayer(t) end

---@param t table id, ownerId, players, settings, timeout, observers
---@return fkrpc.freekill.Room
function fk.Room(t) end

---@param t table id, taskType, data
---@return fkrpc.freekill.Task
function fk.Task(t) end

---@return fkrpc.freekill.RoomThread
function fk.RoomThread() end

---@return fkrpc.freekill.Server
function fk.Server() end

---@class fkrpc.freekill.options
---@field mode? "cbor"|"json" what the environment's FK_RPC_MODE says if not given
---@field exit? boolean false: do not end the process when the server goes away inside a call
---@field peer? fkrpc.peer talk over this peer instead of stdin and stdout

---@class fkrpc.freekill.QList
local list = {}

---@param i integer from 0
---@return any
function list:at(i) end

---@return integer
function list:length() end

---@class fkrpc.freekill.Player
local plain_player = {}

---@return integer
function plain_player:getId() end

---@return string
function plain_player:getScreenName() end

---@return string
function plain_player:getAvatar() end

---@return integer
function plain_player:getTotalGameTime() end

---@return fkrpc.freekill.QList
function plain_player:getGameData() end

---@return integer
function plain_player:getState() end

---@class fkrpc.freekill.ServerPlayer: fkrpc.freekill.Player
local server_player = {}

---@param command string
---@param data string
---@param timeout integer seconds
---@param timestamp integer milliseconds since 1970
function server_player:doRequest(command, data, timeout, timestamp) end

---@param timeout integer
---@return string answer "__notready" while there is none, "__cancel" if there will be none
function server_player:waitForReply(timeout) end

---@param command string
---@param data string
function server_player:doNotify(command, data) end

---@return boolean
function server_player:thinking() end

---@param thinking boolean
function server_player:setThinking(thinking) end

---@param died boolean
function server_player:setDied(died) end

function server_player:emitKick() end

---@param what string JSON
---@return true?
function server_player:saveState(what) end

---@return true?
function server_player:getSaveState() end

---@param key string
---@param json string
---@return true?
function server_player:saveGlobalState(key, json) end

---@param what string the key
---@return true?
function server_player:getGlobalSaveState(what) end

---@class fkrpc.freekill.Room
local room = {}

---@return integer
function room:getId() end

---@return fkrpc.freekill.QList
function room:getPlayers() end

---@return fkrpc.freekill.QList
function room:getObservers() end

---@return integer seconds
function room:getTimeout() end

---@return string CBOR
function room:settings() end

---@return fkrpc.freekill.ServerPlayer?
function room:getOwner() end

---@param player fkrpc.freekill.Player
---@return boolean
function room:hasObserver(player) end

---@param ms number at least 1; less is taken for 1
function room:delay(ms) end

---@param ms number at least 1; less is taken for 1
function room:setRequestTimer(ms) end

---@param player integer the player's id
---@param mode string
---@param role string
---@param result integer 1 won, 2 lost, 3 drawn
function room:updatePlayerWinRate(player, mode, role, result) end

---@param general string
---@param mode string
---@param role string
---@param result integer 1 won, 2 lost, 3 drawn
function room:updateGeneralWinRate(general, mode, role, result) end

function room:gameOver() end

function room:destroyRequestTimer() end

function room:decreaseRefCount() end

function room:increaseRefCount() end

---@return integer?
function room:getSessionId() end

---@return string? JSON
function room:getSessionData() end

---@param data string JSON
function room:setSessionData(data) end

---@return fkrpc.freekill.ServerPlayer?
function room:addNpc() end

---@param player fkrpc.freekill.ServerPlayer
function room:removeNpc(player) end

---@param key string
---@param json string
---@return true?
function room:saveGlobalState(key, json) end

---@param what string the key
---@return true?
function room:getGlobalSaveState(what) end

---@class fkrpc.freekill.Task
local task = {}

---@return integer
function task:getId() end

---@return string
function task:getTaskType() end

---@return string CBOR
function task:getData() end

---@param ms number at least 1; less is taken for 1
function task:delay(ms) end

function task:decreaseRefCount() end

---@return fkrpc.freekill.ServerPlayer? nil if the player is gone
function task:getPlayer() end

---@param key string
---@param json string
---@return true?
function task:saveGlobalState(key, json) end

---@param what string the key
---@return true?
function task:getGlobalSaveState(what) end

---@param key string
---@param json string
---@return true?
function task:savePlayerGlobalState(key, json) end

---@param what string the key
---@return true?
function task:getPlayerGlobalSaveState(what) end

---@class fkrpc.freekill.RoomThread
local room_thread = {}

---@param id integer
---@return fkrpc.freekill.Room?, fkrpc.error? err
function room_thread:getRoom(id) end

---@class fkrpc.freekill.Server
local server = {}

---@param id integer
---@return fkrpc.freekill.Task?, fkrpc.error? err
function server:getTask(id) end

return fk
