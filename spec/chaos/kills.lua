-- SIGKILL in every state of a conversation: each call that waits ends once, with the certificate, soon after the death.
--
-- `Kills.new(fkrpc, interpreter)` starts one program that kills on demand; `kills:try(state)` is one death. The caller
-- judges the time.

local Kills = {}
Kills.__index = Kills

-- What a child does, by state. `go` makes the parent call `hold`, which is never answered.
local START = [[
  local fkrpc = require("fkrpc")
  local peer = fkrpc.stdio()
  local function go() for i = 1, 3 do peer:notify("go", { i }) end end
]]
local CHILDREN = {
  ["before hello"] = START .. [[fkrpc.clock.sleep(100)]],
  idle = START .. [[peer:notify("ready") peer:serve()]],
  ["reading half a frame"] = START .. [[go() while true do peer:receive_raw() end]],
  ["in a handler"] = START .. [[peer:on("hold", function() fkrpc.clock.sleep(100) end) go() peer:serve()]],
  ["writing half a frame"] = START .. [[peer:on("hold", function()
    peer:send_raw('{"jsonrpc":"2.0","id":1,"resu')
    fkrpc.clock.sleep(100)
  end) go() peer:serve()]],
  ["in a nested call"] = START .. [[peer:on("hold", function() return peer:must("inner") end)
    peer:on("deep", function() fkrpc.clock.sleep(100) end) go() peer:serve()]],
  draining = START .. [[go() while peer:receive_raw() do end fkrpc.clock.sleep(100)]],
}

Kills.STATES = {
  "before hello", "idle", "reading half a frame", "in a handler", "writing half a frame", "in a nested call",
  "draining",
}

-- What the parent does before the death, in its last call.
local BEFORE = {
  ["reading half a frame"] = function(child) child:send_raw('{"jsonrpc":"2.0","id":77,"meth') end,
  draining = function(child) child:close_stdin() end,
}

local function check(what, condition, detail)
  if not condition then error(what .. (detail ~= nil and ": " .. tostring(detail) or ""), 0) end
end

function Kills.new(fkrpc, interpreter)
  local killer = assert(fkrpc.spawn({ "sh", "-c", 'while read -r pid; do kill -9 "$pid"; done' }))
  return setmetatable({ fkrpc = fkrpc, interpreter = interpreter, killer = killer, turn = 0 }, Kills)
end

function Kills:finish()
  self.killer:stop()
end

-- Ask for the death of a child, once: from now on the time counts.
function Kills:order(child)
  if self.ordered == child then return end
  self.ordered = child
  self.since = self.fkrpc.clock.monotonic_us()
  assert(self.killer:send_raw(("%d\n"):format(child.pid)))
end

function Kills:elapsed()
  return (self.fkrpc.clock.monotonic_us() - self.since) / 1e3
end

local function is_certificate(err, child)
  check("a call failed otherwise", type(err) == "table" and err.code == "closed", err)
  check("its error has no certificate", err.data ~= nil and err.data == child.certificate, err)
  check("the certificate tells another end", err.data.signal == 9, err.data.reason)
end

-- Killed while the handshake waits: spawn itself says so.
function Kills:try_handshake()
  local fkrpc, latest = self.fkrpc, nil
  local child, message = fkrpc.spawn({ self.interpreter, "-e", CHILDREN["before hello"], stderr = "keep",
    handshake = function(child)
      self:order(child)
      local _, err = child:call("ping")
      latest = self:elapsed()
      is_certificate(err, child)
      return nil, err.message
    end })
  check("a killed child was handed out", child == nil)
  check("the handshake did not say why", message:find("SIGKILL", 1, true), message)
  return 1, latest
end

--- One death: how many calls waited, and the milliseconds from the order to the last one's end. Raises what went wrong.
function Kills:try(state)
  if state == "before hello" then return self:try_handshake() end
  self.turn = self.turn + 1
  local deaths = 0
  -- With three calls that wait beside each other, or three that wait inside each other.
  local child = assert(self.fkrpc.spawn({ self.interpreter, "-e", CHILDREN[state], stderr = "keep",
    concurrency = self.turn % 2 == 0 and 8 or nil }))
  child.on_death = function() deaths = deaths + 1 end
  local waiting, begun, ended, latest = {}, 0, 0, 0
  -- What a handler raises goes to the log; it is wanted here. Only what does not wait may be inside of pcall, which
  -- cannot be left in Lua 5.1.
  local wrong
  local function noted(f, ...)
    local fine, e = pcall(f, ...)
    if not fine then wrong = wrong or e end
  end
  local function call(method)
    begun = begun + 1
    local number = begun
    waiting[number] = true
    local result, err = child:call(method)
    latest = self:elapsed()
    noted(check, "a call ended twice", waiting[number])
    waiting[number], ended = nil, ended + 1
    noted(check, "a call of a dead child has a result", result == nil, result)
    noted(is_certificate, err, child)
  end
  local last = state == "in a nested call" and "inner" or "go"
  child:on("go", function(params)
    if last == "go" and params[1] == 3 then
      if BEFORE[state] then
        BEFORE[state](child)
        self:order(child)
        return -- no call can follow
      end
      self:order(child)
    end
    call("hold")
  end)
  child:on("inner", function()
    self:order(child)
    call("deep")
  end)
  child:on("ready", function()
    self:order(child)
    child:wait(100)
    for _ = 1, 3 do call("hold") end
  end)
  local how = child:serve()
  check(tostring(wrong), wrong == nil)
  check("serving a dead child ended with " .. tostring(how), how == "eof" or how == "closed")
  check("no call was made", begun > 0)
  check("calls were lost", ended == begun, begun - ended)
  check("calls still wait", child:stats().waiting == 0)
  local certificate = child:wait(100)
  check("it is not the one certificate", certificate == child.certificate)
  check("its end was told " .. deaths .. " times", deaths == 1)
  child:close()
  return begun, latest
end

return Kills
