-- examples/04_freekill is a complete child: a whole game of its own with the strict parent, and its guards.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local fkrpc = require("fkrpc")
local parent = require("spec.freekill_parent")

local ENTRY = helper.root .. "/examples/04_freekill/entry.lua"

local function blob(t) return assert(fkrpc.cbor.new({ strings = "text" }).encode(t)) end

local ROOM = blob({
  id = 3, ownerId = 70, settings = "\160", timeout = 15,
  players = {
    { avatar = "a", connId = 7, gameData = { 0, 0, 0 }, id = 70, screenName = "Liu Bei", state = 1, totalGameTime = 0 },
    { avatar = "b", connId = 8, gameData = { 0, 0, 0 }, id = 80, screenName = "Cao Cao", state = 1, totalGameTime = 0 },
  },
})

local function names_of(server)
  local names = {}
  for i, request in ipairs(server.requests) do names[i] = request.method end
  return table.concat(names, " ")
end

for _, codec in ipairs({ "cbor", "json" }) do
  describe("examples/04_freekill in " .. codec, function()
    local server

    after_each(function() server:finish() end)

    it("plays a game and ends with status 0", function()
      server = parent.start("", { codec = codec, script = ENTRY })
      server:greet()
      assert.same({ "print", "high card is ready" }, server:calls()[1])
      local cards = { [7] = "__notready", [8] = "__notready" }
      server.handlers.RoomThread_getRoom = ROOM
      server.handlers.ServerPlayer_waitForReply = function(params) return cards[params[1]] end

      assert.is_true((server:call("HandleRequest", "-1,3,newroom")))
      assert.equal("RoomThread_getRoom ServerPlayer_doNotify ServerPlayer_doNotify Room_delay", names_of(server))
      assert.is_false((server:call("ResumeRoom", 3, "delay_done")))
      assert.equal("ServerPlayer_doRequest ServerPlayer_setThinking ServerPlayer_doRequest ServerPlayer_setThinking "
        .. "Room_setRequestTimer", names_of(server))
      cards[7] = "9"
      assert.is_false((server:call("ResumeRoom", 3, "reply")))
      cards[8] = "__cancel"
      assert.is_true((server:call("SetPlayerState", 3, 80, 4)))
      assert.is_true((server:call("ResumeRoom", 3, "request_timer")))
      assert.equal("ServerPlayer_waitForReply ServerPlayer_setThinking Room_destroyRequestTimer ServerPlayer_doNotify "
        .. "ServerPlayer_doNotify Room_gameOver Room_decreaseRefCount", names_of(server))
      assert.same({ "ServerPlayer_doNotify", 8, "GameOver", "Liu Bei" }, server:calls()[5])
      local _, err = server:call("SetPlayerState", 3, 80, 4)
      assert.equal("Room not found", err.data)

      assert.equal("Goodbye", (server:call("bye")))
      local rest, status, errors = server:finish()
      assert.same({ "", 0, "" }, { rest, status, errors })
    end)

    it("ends with status 0 when the server goes away", function()
      server = parent.start("", { codec = codec, script = ENTRY })
      server:greet()
      local rest, status, errors = server:finish()
      assert.same({ "", 0, "" }, { rest, status, errors })
    end)
  end)
end

describe("a FreeKill child with a watchdog", function()
  it("stops a handler that runs for ever, and serves on", function()
    local server = parent.start([[
      if jit then jit.off() end -- compiled code cannot be stopped
      local fk = require("fkrpc.freekill")
      assert(fk.start())
      assert(require("fkrpc").watchdog(0.3, { per = "resume" }))
      function HandleRequest(text)
        if text == "loop" then while true do pcall(function() while true do end end) end end
        fk.Room({ id = 1 }):gameOver()
      end
      fk.serve()]])
    server:greet()
    local _, err = server:call("HandleRequest", "loop")
    assert.equal(-32603, err.code)
    assert.is_string(err.data)
    assert.is_true((server:call("HandleRequest", "work")))
    assert.equal("Room_gameOver", server:calls()[1][1])
    server:finish()
    assert.equal(0, server.status)
  end)

  it("lets the game see that a room did not end, and release it, while others play on", function()
    local server = parent.start([[
      if jit then jit.off() end
      local fk = require("fkrpc.freekill")
      assert(fk.start())
      assert(require("fkrpc").watchdog(0.3, { per = "resume" }))
      local rooms = {}
      local function resume(id)
        local fine, message = coroutine.resume(rooms[id])
        if not fine then fk.qCritical(message) end
        if coroutine.status(rooms[id]) ~= "dead" then return false end
        fk.Room({ id = id }):decreaseRefCount()
        return true
      end
      function HandleRequest(text)
        local id = tonumber(text)
        rooms[id] = coroutine.create(function()
          while true do
            coroutine.yield()
            fk.Room({ id = id }):delay(10)
            if id == 1 then while true do pcall(function() while true do end end) end end
          end
        end)
        resume(id)
      end
      ResumeRoom = resume
      fk.serve()]])
    server:greet()
    for _, room in ipairs({ "1", "2" }) do assert.is_true((server:call("HandleRequest", room))) end
    assert.is_true((server:call("ResumeRoom", 1, "reply")))
    local calls = server:calls()
    assert.same({ "Room_delay", 1, 10 }, calls[1])
    assert.equal("qCritical", calls[2][1])
    assert.is_truthy(calls[2][2]:find("the time limit of 0.3 seconds is exceeded", 1, true), calls[2][2])
    assert.is_truthy(calls[2][2]:find("stack traceback:\n", 1, true), calls[2][2])
    assert.same({ "Room_decreaseRefCount", 1 }, calls[3])
    for _ = 1, 3 do assert.is_false((server:call("ResumeRoom", 2, "reply"))) end
    server:finish()
    assert.equal(0, server.status)
  end)

  it("stops the text of an error that never ends", function()
    local server = parent.start([[
      if jit then jit.off() end
      local fk = require("fkrpc.freekill")
      assert(fk.start())
      assert(require("fkrpc").watchdog(0.3, { per = "resume" }))
      function HandleRequest(text)
        local function spin() while true do pcall(function() while true do end end) end end
        if text == "fail" then error(setmetatable({}, { __tostring = spin })) end
      end
      fk.serve()]])
    server:greet()
    for _ = 1, 2 do
      local _, err = server:call("HandleRequest", "fail")
      assert.equal(-32603, err.code)
      assert.is_true((server:call("HandleRequest", "work")))
    end
    server:finish()
    assert.equal(0, server.status)
  end)
end)
