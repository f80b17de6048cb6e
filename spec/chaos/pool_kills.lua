-- SIGKILL in every state of a pool's children, while callers never stop: each call ends once, and the pool is whole
-- again.
--
-- `pool_kills(fkrpc, interpreter, count)` kills so many, after some to warm up, in a process that does nothing else.
-- What it returns says how the calls ended, how long after the order to kill (`times`: how many by tenths of a
-- millisecond), and what is left over.

local left = dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/left.lua")

local CHILD = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio())
  local sleep, deaf = fkrpc.clock.sleep, false
  local pid = peer:must("greet") -- in the middle of which some are killed
  local function hold(how) peer:notify("holding", { pid, how }) end
  peer:on("echo", function(params) return params end)
  peer:on("pid", function() return pid end)
  peer:on("hold", function(params) hold(params[1]) sleep(100) end)
  peer:on("half", function() hold("half") peer:send_raw('{"jsonrpc":"2.0","id":1,"resu') sleep(100) end)
  peer:on("read", function() hold("read") peer:serve() end)
  peer:on("nest", function(params) return peer:must("nested", params) end)
  peer:on("deaf", function() deaf = true return pid end)
  peer:notify("hello", {})
  peer:serve()
  if deaf then sleep(100) end
]]

local SIZE, WARM, CALLERS, PATIENCE = 4, 1, 6, 30

local Run = {}
Run.__index = Run

local function fail(what, detail)
  error(what .. (detail ~= nil and ": " .. tostring(detail) or ""), 0)
end

-- ---- killing --------------------------------------------------------------------------------------------------------

-- Ask for the death of a process; from now on the time counts.
function Run:kill(pid)
  if self.ordered[pid] then return end
  self.ordered[pid] = self.fkrpc.clock.monotonic_us()
  assert(self.killer:send_raw(("%d\n"):format(pid)))
end

-- Wait until one of the children is in this state; its pid.
function Run:one(state, own)
  local deadline = self.fkrpc.clock.monotonic_us() + PATIENCE * 1e6
  while true do
    for _, child in ipairs(self.pool:info().children) do
      if child.state == state and not self.ordered[child.pid] and (not own or child.pid == own) then
        return child.pid
      end
    end
    if self.fkrpc.clock.monotonic_us() > deadline then fail("no child was " .. state) end
    self.loop:sleep(0.002)
  end
end

-- A call that the death of its child ends, and nothing else.
function Run:doomed(method, params)
  local result, err = self:call(method, params)
  if err == nil then fail(method .. " was answered", result) end
end

local STATES = {
  { "before hello", function(self)
    local pid
    self.greeted = function(its) pid = pid or its end -- the next one that starts
    self:kill(self:one("ready"))
    while not pid do self.loop:sleep(0.001) end
    self.greeted = nil
    self:kill(pid)
    return 2
  end },
  { "spare", function(self) self:kill(self:one("spare")) end },
  { "ready", function(self) self:kill(self:one("ready")) end },
  { "in a handler", function(self) self:doomed("hold", { "hold" }) end },
  { "half a frame written", function(self) self:doomed("half") end },
  { "half a frame read", function(self) self:doomed("read") end },
  { "not reading", function(self) self:doomed("hold", { "full" }) end },
  { "in a nested call", function(self) self:doomed("nest") end },
  { "draining", function(self)
    local pool = self.pool
    local pid = pool:call("pid", nil, { key = self })
    if not pid then return 0 end
    assert(pool:drain(pid))
    self:kill(self:one("draining", pid))
    -- The key goes to another, if this one does not answer before it dies.
    self:call("pid", nil, { key = self, timeout = PATIENCE })
    pool:release(self)
  end },
  { "stopping", function(self)
    local pid = self.pool:call("deaf")
    if not pid then return 0 end
    assert(self.pool:drain(pid))
    self:kill(self:one("stopping", pid))
  end },
}

-- ---- calling --------------------------------------------------------------------------------------------------------

-- A call that ends once: with a result, or since its child was killed.
function Run:call(method, params, given)
  self.begun = self.begun + 1
  local number = self.begun
  self.waits[number] = true
  local result, err = self.pool:call(method, params, given)
  if not self.waits[number] then fail("a call ended twice") end
  self.waits[number], self.ended = nil, self.ended + 1
  if err == nil then return result end
  local pid = tonumber(err.message:match("^child (%d+) has ended"))
  local since = self.ordered[pid or 0]
  if err.code ~= "closed" or not since or err.data.signal ~= 9 then fail("a call failed for another reason", err) end
  local late = (self.fkrpc.clock.monotonic_us() - since) / 1e3
  -- Counted by tenths of a millisecond: a list of them all would look like a leak.
  local tenths = math.ceil(late * 10)
  self.times[tenths] = (self.times[tenths] or 0) + 1
  return nil, err
end

-- One of those that never stop.
function Run:caller(me)
  local turn = 0
  while not self.over do
    turn = turn + 1
    local key = turn % 3 == 0 and { key = me } or nil
    local text = ("x"):rep(turn % 7 == 0 and 100000 or turn % 50)
    local result, err = self:call("echo", { me, turn, text }, key)
    if err == nil and (result[1] ~= me or result[2] ~= turn or result[3] ~= text) then fail("a wrong answer") end
    if turn % 100 == 0 then self.pool:release(me) end
    if turn % 4 == 0 then self.loop:sleep(0.001) end
  end
end

-- ---- the run --------------------------------------------------------------------------------------------------------

local function memory(fkrpc)
  for _ = 1, 3 do collectgarbage() end
  return {
    lua = collectgarbage("count") * 1024,
    rss = fkrpc.fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)") * 1024,
  }
end

-- All children are there, and no call waits.
function Run:whole()
  assert(self.pool:wait(PATIENCE))
  local deadline = self.fkrpc.clock.monotonic_us() + PATIENCE * 1e6
  while true do
    local info, ready, spare = self.pool:info(), 0, 0
    for _, child in ipairs(info.children) do
      if child.state == "ready" then ready = ready + 1 end
      if child.state == "spare" then spare = spare + 1 end
    end
    if #info.children == SIZE + WARM and ready == SIZE and spare == WARM then return end
    if self.fkrpc.clock.monotonic_us() > deadline then fail("the pool is not whole again", self.pool) end
    self.loop:sleep(0.01)
  end
end

function Run:kills(count)
  local done, by_state = 0, {}
  self.over, self.ordered = false, {}
  local tasks = {}
  for me = 1, CALLERS do tasks[me] = self.loop:go(self.caller, self, me) end
  local turn = 0
  while done < count do
    turn = turn + 1
    local state = STATES[turn % #STATES + 1]
    local killed = state[2](self) or 1
    by_state[state[1]] = (by_state[state[1]] or 0) + killed
    done = done + killed
  end
  self.over = true
  for me = 1, CALLERS do
    local _, err = tasks[me]:join()
    if err then fail("a caller failed", err) end
  end
  self:whole()
  return done, by_state
end

return function(fkrpc, interpreter, count)
  local self = setmetatable({ fkrpc = fkrpc, begun = 0, ended = 0, waits = {}, times = {}, ordered = {} }, Run)
  self.killer = assert(fkrpc.spawn({ "sh", "-c", 'while read -r pid; do kill -9 "$pid"; done' }))
  self.loop = fkrpc.loop()
  local handlers = {}
  function handlers.greet(_, ctx)
    if self.greeted then self.greeted(ctx.peer.pid) end
    return ctx.peer.pid
  end
  function handlers.holding(params, ctx)
    if params[2] == "read" then ctx.peer:send_raw('{"jsonrpc":"2.0","id":77,"meth') end
    if params[2] == "full" then
      self.loop:go(function()
        local text = { ("x"):rep(2 ^ 18) }
        for _ = 1, 8 do ctx.peer:call("echo", text, { timeout = PATIENCE }) end
      end)
    end
    self:kill(params[1])
  end
  function handlers.nested(_, ctx)
    self:kill(ctx.peer.pid)
    return ctx.peer:call("hold", { "nested" })
  end
  self.pool = assert(fkrpc.pool({
    command = { interpreter, "-e", CHILD }, size = SIZE, warm = WARM, handshake = "hello", loop = self.loop,
    concurrency = 4, handlers = handlers, stderr = "null", grace = 5,
    restart = { max = math.huge, backoff = { 0.001, 0.001 } },
  }))
  local function run(n) return self:kills(n) end
  local function in_task(f, ...)
    local results = { self.loop:go(f, ...):join() }
    if results[1] == nil then error(results[2], 0) end
    return results[1], results[2]
  end
  in_task(run, math.max(100, count / 10)) -- to warm up
  local function sleep(seconds) self.loop:sleep(seconds) end
  local _, descriptors = left.count(fkrpc, nil, sleep)
  local before, calls = memory(fkrpc), self.begun
  self.times = {}
  local began = fkrpc.clock.monotonic_us()
  local done, by_state = 0, {}
  while done < count do
    local killed, states = in_task(run, math.min(500, count - done))
    done = done + killed
    for name, number in pairs(states) do by_state[name] = (by_state[name] or 0) + number end
  end
  local seconds = (fkrpc.clock.monotonic_us() - began) / 1e6
  local zombies, now = left.count(fkrpc, descriptors, sleep)
  local after = memory(fkrpc)
  self.pool:close()
  self.loop:close()
  self.killer:stop()
  return {
    kills = done, by_state = by_state, seconds = seconds, calls = self.begun - calls, lost = self.begun - self.ended,
    times = self.times, zombies = zombies, descriptors = now - descriptors,
    rss = after.rss - before.rss, lua = after.lua - before.lua,
  }
end
