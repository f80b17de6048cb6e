-- One child of a pool in its life: starting, spare, ready, draining, stopping, gone.
--
-- Whatever happens to it comes here from the loop; what that means for the others is said to the pool by `pool:moved`.
-- It refuses to block: each wait is a timer of the loop.
local native = ...
local tostring, pairs, pcall, setmetatable, HUGE = tostring, pairs, pcall, setmetatable, math.huge
local recycle = native.module("pool/recycle")

local Member = {}
Member.__index = Member

-- Seconds between two looks at a draining child that something still keeps.
local LOOK = 0.05
-- Seconds for which an answer that is owed keeps calls away.
local DOUBT = 1
local TERM, KILL = 15, 9

local function quiet(self)
  local timer = self.timer
  if timer then
    self.timer = nil
    timer:cancel()
  end
end

-- Do something later, unless the member goes on to something else before.
local function later(self, seconds, what)
  quiet(self)
  if seconds < HUGE then
    self.timer = self.pool.loop:after(seconds, function()
      self.timer = nil
      what(self)
    end)
  end
end

-- The child is there no more; `certificate` says how it ended, or why it could not begin.
local function gone(self, certificate)
  if self.state == "gone" then return end
  quiet(self)
  if self.watch then
    self.watch:cancel() -- before its descriptor is closed
    self.peer:close()
  end
  local was = self.state
  self.state, self.certificate = "gone", certificate
  self.pool:moved(self, was)
end

local function signal(self, number)
  -- A process that is gone already is heard of by the loop.
  if self.state == "gone" then return end
  if number == KILL then self.peer.killed = true end
  native.process_signal(self.peer.process, number, true)
end

--- End the child: its input closes, then SIGTERM, then SIGKILL, each `grace` seconds later, to its whole group.
function Member:stop(failure)
  local was = self.state
  if was == "stopping" or was == "gone" then return end
  local grace = self.pool.grace
  self.state, self.failure = "stopping", self.failure or failure
  self.pool:moved(self, was)
  self.peer.state = "stopping"
  self.peer:close_stdin()
  later(self, grace, function()
    signal(self, TERM)
    later(self, grace, function() signal(self, KILL) end)
  end)
end

--- It hangs: end it at once, as what runs for ever hears of nothing.
function Member:give_up(text)
  self.hung, self.peer.hung = true, text
  self:stop(text)
  quiet(self)
  signal(self, KILL)
end

-- Somebody may be waiting for the place.
local function forgive(self)
  self.peer.heard_of = nil
  self.kept, self.owed = self.kept - self.owed, 0
  self.pool:pump_soon()
end
Member.forgive = forgive

local function strays(self)
  return native.stats(self.conn).strays
end

-- A late answer has perhaps come.
local function heard_of(peer)
  local self = peer.member
  local came = strays(self) - self.strays
  if came >= self.owed then return forgive(self) end
  if came > 0 then
    self.strays, self.owed, self.kept = self.strays + came, self.owed - came, self.kept - came
    self.pool:pump_soon()
  end
end

--- Nobody waits for a call any more that the child still has: its place stays kept until an answer comes, or until
--- `forgive`. Otherwise a child that hangs would look idle and be given everything.
function Member:owes()
  local loop = self.pool.loop
  if loop.closed then return end
  if self.owed == 0 then
    self.strays = strays(self)
    -- It may be well again, or have lost the answer.
    loop:after(DOUBT, function()
      if self.owed > 0 then forgive(self) end
    end)
  end
  local roster = self.pool.roster
  if roster.latest == self then roster.latest = nil end
  self.owed, self.kept = self.owed + 1, self.kept + 1
  self.peer.member, self.peer.heard_of = self, heard_of
end

-- Nothing is in flight either way, and no room lives in it.
local function idle(self)
  local peer = self.peer
  return native.waiting(self.conn) + self.kept == self.owed and self.keys == 0 and (peer.active or 0) == 0
end

--- Stop a draining child if it is done.
function Member:settle()
  if self.state == "draining" and idle(self) then self:stop() end
end

local function look(self)
  self:settle()
  if self.state ~= "draining" then return end
  if self.until_time and self.pool.now() >= self.until_time then
    self.pool.roster:unbind(self)
    return self:stop()
  end
  later(self, LOOK, look)
end

--- Take no new calls, finish those in flight and the rooms whose keys it has, then stop.
function Member:drain(why, text)
  local was = self.state
  if was ~= "ready" and was ~= "spare" then return end
  self.state, self.why, self.text = "draining", why, text
  local patience = self.pool.drain_timeout
  self.until_time = patience and self.pool.now() + patience
  self.pool:moved(self, was)
  self:settle()
  if self.state == "draining" then later(self, LOOK, look) end
end

-- It can take calls.
local function ready(self)
  if self.state ~= "starting" then return end
  quiet(self)
  self.state = "spare"
  self.pool:moved(self, "starting")
end

-- It did not become ready; what it says with its end, or did not say, is part of the reason.
local function failed(self, reason)
  if self.state ~= "starting" then return end
  self.failure = reason
  quiet(self)
  signal(self, KILL)
end

-- Wait for it to be ready, as the option `handshake` says.
local function shake_hands(self, handshake, patience, own)
  local peer = self.peer
  if handshake == nil then return ready(self) end
  later(self, patience, function()
    local mismatch = native.stats(self.conn).mismatch
    failed(self, ("not ready after %g s (option handshake_timeout)"):format(patience)
      .. (handshake == "hello" and ": it has not said hello" or "") .. (mismatch and "; it sent " .. mismatch or ""))
  end)
  if handshake == "hello" then
    peer:on("hello", function(params, ctx)
      ready(self)
      if own then return own(params, ctx) end
    end)
    return
  end
  local deadline = self.pool.now() + patience
  -- No pcall: Lua 5.1 could not leave it, and the handshakes of all children would lie on top of each other.
  local task = self.pool.loop:go(handshake, peer, deadline)
  task.name = "the handshake of " .. peer.name
  function task.after()
    local results = task.results or { nil, task.err }
    if results[1] then return ready(self) end
    local fine, message = pcall(tostring, results[2])
    failed(self, "the handshake failed" .. (results[2] ~= nil and fine and ": " .. message or ""))
  end
end

--- Why it should be replaced; nil if it should not. Its private memory is looked at when there is a limit for it.
function Member:overdue(now)
  local limits, memory = self.limits, nil
  if limits.memory then
    local info = self.peer:info()
    memory = info and (info.private or info.rss)
    self.memory = memory
  end
  return recycle.why(limits, self.calls, now - self.born, memory)
end

-- The conversation is over, and the process may still be there: it closed its output, or takes its time to free what
-- it had. It is waited for, and made to end.
local function silent(self, event, detail)
  local peer = self.peer
  local reason = detail or event == "eof" and "closed its output" or "its connection is " .. event
  if self.silent or self.pool.loop.closed then return end
  self.silent = true
  if peer:reap() then return peer:close() end
  local function look_at_it() peer:reap() end -- which `gone` hears of
  local fd = native.process_fd(peer.process)
  self.watch = fd and self.pool.loop:watch(fd, "r", look_at_it) or self.pool.loop:every(LOOK, look_at_it)
  if self.state ~= "stopping" then self:stop(reason) end
end

--- Start one. The member; or nil, message, errno if there is no such process.
local function start(pool, launch, shake)
  -- Wrong options raise; `reload` brings them here from a timer, where nobody would hear of it.
  local fine, peer, message, errno = pcall(launch)
  if not fine then
    pool.mistake = tostring(peer):gsub("^fkrpc%.[%w_/]+:%d+: ", "")
    return nil, pool.mistake
  end
  if not peer then return nil, message, errno end
  local self = setmetatable({
    pool = pool, peer = peer, conn = peer.conn, kept = 0, owed = 0, load = 0, pid = peer.pid, state = "starting",
    generation = pool.generation, calls = 0, keys = 0,
    born = pool.now(), limits = pool.recycle:limits(), serial = pool.serial,
  }, Member)
  self.most = self.limits.calls
  peer.owned = true -- with what it starts itself
  peer.on_death = function(_, certificate) gone(self, certificate) end
  for name, handler in pairs(pool.handlers) do peer:on(name, handler) end
  -- Who says no more gets no more to do; until it is known why, the keys are its own.
  function peer.hushed(_, what)
    if self.mute then return end
    self.mute = true
    pool.roster:leave(self)
    if what then pool.loop:after(LOOK, function() self:stop(what) end) end
  end
  function peer.freed() self:owes() end -- a task was cancelled in the middle of its call
  pool.loop:add(peer, { on_end = function(_, event, detail) silent(self, event, detail) end })
  -- A handler may close the connection by which it was called.
  function peer.on_close() silent(self, "closed", "its connection was closed from here") end
  return self, function() shake_hands(self, shake.how, shake.patience, pool.handlers.hello) end
end

return { start = start }
