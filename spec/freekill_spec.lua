-- fkrpc.freekill in a process of its own, with a parent that takes only what FreeKill's server can.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local fkrpc = require("fkrpc")
local parent = require("spec.freekill_parent")

-- A child that does what a request's text says: HandleRequest loads it. `say` tells the parent values as a text.
local CHILD = [[
fk = require "fkrpc.freekill"
rooms = {}
local load = loadstring or load
local function words(...)
  local t = { ... }
  for i = 1, select("#", ...) do
    local v = t[i]
    t[i] = type(v) == "table" and v.code and tostring(v.code) .. " " .. tostring(v.message) .. " " .. tostring(v.data)
      or tostring(v)
  end
  return table.concat(t, "|")
end
function say(...) fk.call("say", words(...)) end
function HandleRequest(text) return assert(load(text))() end
function ResumeRoom(id, reason) return resumed(id, reason) end
function GetRoom(id) return rooms[id] end
assert(fk.start())
player, room, task = fk.ServerPlayer{ connId = 7, id = 70 }, fk.Room{ id = 3, players = {} }, fk.Task{ id = -1000 }
fk.serve()
]]

for _, codec in ipairs({ "cbor", "json" }) do
  describe("a FreeKill child in " .. codec, function()
    local server

    before_each(function()
      server = parent.start(CHILD, { codec = codec })
      server.handlers.say = function(params) server.said = params[1] end
      server:greet()
    end)

    after_each(function()
      server:finish()
    end)

    -- Run a text in the child: what it called.
    local function run(text)
      local result, err = server:call("HandleRequest", text)
      assert.is_nil(err and (err.data or err.code))
      assert.is_true(result)
      return server:calls()
    end

    it("answers ping and bye, and ends with status 0", function()
      assert.equal("PONG", (server:call("ping")))
      assert.equal("Goodbye", (server:call("bye")))
      local rest, status, errors = server:finish()
      assert.same({ "", 0, "" }, { rest, status, errors })
    end)

    it("ends with status 0 when its input ends", function()
      local rest, status, errors = server:finish()
      assert.same({ "", 0, "" }, { rest, status, errors })
    end)

    it("calls every method of its objects by the server's names", function()
      assert.same({
        { "ServerPlayer_doRequest", 7, "Ask", "data", 15, 1700000000000 }, { "ServerPlayer_doNotify", 7, "Log", "12" },
        { "ServerPlayer_setThinking", 7, true }, { "ServerPlayer_setDied", 7, false }, { "ServerPlayer_emitKick", 7 },
        { "ServerPlayer_saveState", 7, "{}" }, { "ServerPlayer_getSaveState", 7 },
        { "ServerPlayer_saveGlobalState", 7, "key", "{}" }, { "ServerPlayer_getGlobalSaveState", 7, "key" },
      }, run([[player:doRequest("Ask", "data", 15, 1700000000000) player:doNotify("Log", 12)
        player:setThinking(true) player:setDied(false) player:emitKick() player:saveState("{}")
        player:getSaveState() player:saveGlobalState("key", "{}") player:getGlobalSaveState("key")]]))
      assert.same({
        { "Room_delay", 3, 500 }, { "Room_updatePlayerWinRate", 3, 70, "mode", "role", 1 },
        { "Room_updateGeneralWinRate", 3, "caocao", "mode", "role", 2 }, { "Room_gameOver", 3 },
        { "Room_setRequestTimer", 3, 20 }, { "Room_destroyRequestTimer", 3 }, { "Room_decreaseRefCount", 3 },
        { "Room_setSessionData", 3, "{}" }, { "Room_removeNpc", 3, 7 }, { "Room_saveGlobalState", 3, "key", "{}" },
        { "Room_getGlobalSaveState", 3, "key" },
      }, run([[room:delay(500) room:updatePlayerWinRate(70, "mode", "role", 1)
        room:updateGeneralWinRate("caocao", "mode", "role", 2) room:gameOver() room:setRequestTimer(20)
        room:destroyRequestTimer() room:increaseRefCount() room:decreaseRefCount() room:setSessionData("{}")
        room:removeNpc(player) room:saveGlobalState("key", "{}") room:getGlobalSaveState("key")]]))
      assert.same({
        { "Task_delay", -1000, 5 }, { "Task_decreaseRefCount", -1000 }, { "Task_saveGlobalState", -1000, "k", "v" },
        { "Task_getGlobalSaveState", -1000, "k" }, { "Task_savePlayerGlobalState", -1000, "k", "v" },
        { "Task_getPlayerGlobalSaveState", -1000, "k" },
      }, run([[task:delay(5) task:decreaseRefCount() task:saveGlobalState("k", "v") task:getGlobalSaveState("k")
        task:savePlayerGlobalState("k", "v") task:getPlayerGlobalSaveState("k")]]))
    end)

    it("returns results as they are, and nothing for methods without one", function()
      server.handlers.ServerPlayer_thinking = false
      server.handlers.ServerPlayer_waitForReply = "\161\0\255"
      server.handlers.Room_getSessionId = 12
      server.handlers.Room_getSessionData = ""
      server.handlers.ServerPlayer_saveState = true
      run([[say(player:thinking(), player:waitForReply(0) == "\161\0\255", room:getSessionId(), room:getSessionData(),
        player:saveState(""), select("#", player:doNotify("a", "b")), select("#", room:delay(1)))]])
      assert.equal("false|true|12||true|0|0", server.said)
    end)

    it("reads the descriptions of rooms, players and tasks", function()
      local function described(t) return assert(fkrpc.cbor.new({ strings = "text" }).encode(t)) end
      local one = { avatar = "liubei", connId = 7, gameData = { 10, 4, 1 }, id = 70, screenName = "Liu Bei",
        state = 1, totalGameTime = 99 }
      server.handlers.RoomThread_getRoom = described({ id = 3, ownerId = 70, players = { one }, settings = "\160",
        timeout = 15 })
      server.handlers.Server_getTask = described({ id = -1000, taskType = "save", data = "\246" })
      server.handlers.Task_getPlayer = described(one)
      server.handlers.Room_addNpc = described(one)
      run([[local r = fk.RoomThread():getRoom(3)
        local o = r:getOwner()
        say(r:getId(), r:getTimeout(), r:settings() == "\160", r:getPlayers():length(), r:getPlayers():at(0) == o,
          r:getObservers():length(), r:hasObserver(o), o:getScreenName(), o:getAvatar(), o:getId(), o:getState(),
          o:getTotalGameTime(), o:getGameData():at(1), o:getGameData():length())]])
      assert.equal("3|15|true|1|true|0|false|Liu Bei|liubei|70|1|99|4|3", server.said)
      run([[local t = fk.Server():getTask(-1000)
        say(t:getId(), t:getTaskType(), t:getData() == "\246", t:getPlayer():getScreenName(), room:addNpc().connId)]])
      assert.equal("-1000|save|true|Liu Bei|7", server.said)
    end)

    it("gets nil for the owner of a task who is gone", function()
      run("say(task:getPlayer())")
      assert.equal("nil|nil", server.said)
    end)

    it("gets nil and an error where the server refuses, and the server's log has a warning", function()
      local function refused()
        return nil, { code = -32602, message = "Invalid params", data = "Player not found" }
      end
      server.handlers.ServerPlayer_thinking = refused
      server.handlers.ServerPlayer_doNotify = refused
      server.handlers.ServerPlayer_waitForReply = refused
      server.handlers.RoomThread_getRoom = refused
      local calls = run([[say(player:thinking())]])
      assert.equal("nil|-32602 Invalid params Player not found", server.said)
      assert.same({ "qWarning", "ServerPlayer_thinking failed: -32602 Invalid params (Player not found)" }, calls[2])
      run([[say(player:doNotify("a", "b"))]])
      assert.equal("nil|-32602 Invalid params Player not found", server.said)
      run([[say((player:waitForReply(0))) ]])
      assert.equal("__cancel", server.said)
      run([[say(fk.RoomThread():getRoom(9))]])
      assert.equal("nil|-32602 Invalid params Player not found", server.said)
    end)

    it("serves requests that come while it waits", function()
      server.handlers.Room_delay = function(_, self)
        local outer = self.requests
        assert.equal("PONG", (self:call("ping")))
        self.requests = outer
      end
      run([[room:delay(5) room:gameOver()]])
      assert.equal("Room_gameOver", server:calls()[2][1])
    end)

    it("sends print and the logs as the server can take them", function()
      assert.same({ { "print" }, { "print", "1", "nil", "x" }, { "print", "1", "2", "3", "4", "5\t6\t7" } },
        run([[print() print(1, nil, "x") print(1, 2, 3, 4, 5, 6, 7)]]))
      assert.same({
        { "qInfo", "room 3 of x" }, { "qWarning", "100% sure" }, { "qDebug", "50%" }, { "qCritical", "%d rooms x" },
        { "qInfo", "nil" },
      }, run([[fk.qInfo("room %d of %s", 3, "x") fk.qWarning("100% sure") fk.qDebug("50%%")
        fk.qCritical("%d rooms", "x") fk.qInfo(nil)]]))
    end)

    it("mends delays the server would never end, and whole floats", function()
      assert.same({ { "Room_delay", 3, 1 }, { "Task_delay", -1000, 1 }, { "Room_setRequestTimer", 3, 1 },
        { "Room_delay", 3, 250 }, { "ServerPlayer_doNotify", 7, "a", "b" } },
        run([[room:delay(0) task:delay(-5) room:setRequestTimer(0) room:delay(2.5e2)
          fk.ServerPlayer{ connId = 7.0 }:doNotify("a", "b")]]))
    end)

    it("refuses what the server cannot read before anything is sent", function()
      for _, wrong in ipairs({ "room:delay(1.5)", "room:delay('soon')", "fk.call('m', {})", "fk.call('m', 1 / 0)",
        "fk.call('m', 1, 2, 3, 4, 5, 6)", "fk.call('m', nil)", "player:doNotify(nil, 'x')",
        "player:doRequest('a', 'b', 15)", "fk.tell('m', print)" }) do
        run("say((pcall(function() " .. wrong .. " end)))")
        assert.equal("false", server.said, wrong)
        assert.equal(1, #server.requests, wrong)
      end
    end)

    it("answers failing handlers with data that the server can read", function()
      for _, raised in ipairs({ "error({})", "error('text')", "error({ code = -32001, data = { 1 } })", "error(nil)",
        "error(setmetatable({}, { __tostring = error }))", "error({ code = -32001, data = 1.5 })", "error(true)",
        "fk.on('odd', function() return nil, { code = -32001, data = {} } end)" }) do
        local _, err = server:call("HandleRequest", raised)
        assert.equal(raised:match("^fk") == nil, err ~= nil, raised)
      end
      local _, err = server:call("odd")
      assert.same({ -32001, "{}" }, { err.code, err.data })
      run("for name, value in pairs({ a = {}, b = 1.5, c = print }) do fk.on(name, function() return value end) end")
      for _, name in ipairs({ "a", "b", "c" }) do
        _, err = server:call(name)
        assert.equal(-32603, err.code)
      end
      _, err = server:call("unknown")
      assert.equal(-32601, err.code)
    end)

    it("changes players and observers as the server tells", function()
      run([[rooms[3] = { room = fk.Room{ id = 3, players = { { id = 70, state = 1 } } } }]])
      assert.is_true((server:call("SetPlayerState", 3, 70, 4)))
      assert.is_true((server:call("SetPlayerProperty", 3, 70, "screenName", "Guan Yu")))
      run("local p = rooms[3].room:getPlayers():at(0) say(p:getState(), p:getScreenName())")
      assert.equal("4|Guan Yu", server.said)
      assert.is_true((server:call("SetPlayerProperty", 3, 70, 5)))
      local blob = assert(fkrpc.cbor.encode({ id = 71, connId = 8, screenName = "Zhang Fei", gameData = { 0, 0, 0 } }))
      assert.is_true((server:call("AddObserver", 3, blob)))
      run("local r = rooms[3].room say(r:hasObserver({ id = 71 }), r:getPlayers():at(0).state)")
      assert.equal("true|5", server.said)
      assert.is_true((server:call("RemoveObserver", 3, 71)))
      for _, case in ipairs({
        { -32603, "Room not found", "SetPlayerState", 9, 70, 1 },
        { -32603, "Player not found", "SetPlayerState", 3, 9, 1 },
        { -32603, "Room not found", "AddObserver", 9, blob }, { -32603, "Player not found", "RemoveObserver", 3, 71 },
        { -32602, nil, "SetPlayerState", "3", 70, 1 }, { -32602, nil, "SetPlayerState", 3, 70, "1" },
        { -32602, nil, "AddObserver", "3", blob }, { -32602, nil, "HandleRequest", 1 },
        { -32602, nil, "ResumeRoom", "1" },
        { -32602, nil, "RemoveObserver", 3, "71" }, { -32602, nil, "SetPlayerProperty", 3, 70, "id", 1 },
      }) do
        local result, err = server:call(case[3], case[4], case[5], case[6], case[7])
        assert.is_nil(result)
        assert.same({ case[1], case[2] }, { err.code, err.data }, case[3])
      end
      local _, err = server:call("AddObserver", 3, "\255")
      assert.equal(-32603, err.code)
    end)

    it("resumes rooms", function()
      run("resumed = function(id, reason) return reason == 'reply' and id == 3 end")
      assert.is_true((server:call("ResumeRoom", 3, "reply")))
      assert.is_false((server:call("ResumeRoom", 4, "delay_done")))
    end)

    it("ends at once with status 0 when the server goes away inside a call", function()
      server.handlers.Room_delay = function(_, self)
        self:finish()
        self.send = function() end
        self.read = function() end
      end
      server:call("HandleRequest", "while true do pcall(room.delay, room, 5) end")
      assert.same({ 0, "" }, { server.status, server.errors })
    end)

    it("ends at once with status 0 when bye comes inside a call", function()
      local answer
      server.handlers.Room_delay = function(_, self)
        answer = self:call("bye")
        self.send = function() end
      end
      server:call("HandleRequest", "while true do pcall(room.delay, room, 5) end")
      assert.equal("Goodbye", answer)
      local rest, status, errors = server:finish()
      assert.same({ "", 0, "" }, { rest, status, errors })
    end)

    it("changes nothing on the wire for a server that asks for pipelining without announcing it", function()
      local _, err = server:call("pipeline", 1)
      assert.equal(-32601, err.code)
      run("room:delay(5)")
      assert.is_number(server.requests[1].id)
    end)
  end)

  describe("a FreeKill child whose server takes pipelined packets, in " .. codec, function()
    it("sends calls without a result as notifications, in order, and the others as requests", function()
      local server = parent.start(CHILD, { codec = codec, env = "FK_RPC_PIPELINE=1" })
      server.handlers.say = function(params) server.said = params[1] end
      server:greet()
      server:call("HandleRequest", "room:delay(1)")
      assert.is_number(server.requests[1].id)
      assert.is_false((server:call("pipeline", 2)))
      assert.is_true((server:call("pipeline", 1)))
      server.pipelined = true
      server.handlers.ServerPlayer_thinking = true
      server:call("HandleRequest", [[for i = 1, 300 do player:doNotify("Log", i) end print("done", fk.pipelined())
        say(player:thinking()) room:gameOver()]])
      local requests = server.requests
      assert.equal(304, #requests)
      for i = 1, 300 do assert.same({ tostring(i) }, { requests[i].params[3], requests[i].id }) end
      assert.same({ "done", "true" }, requests[301].params)
      assert.is_number(requests[302].id)
      assert.equal("true", server.said)
      assert.same({ "Room_gameOver" }, { requests[304].method, requests[304].id })
      server:finish()
      assert.equal(0, server.status)
    end)
  end)
end
