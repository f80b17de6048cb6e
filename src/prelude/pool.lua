-- fkrpc.pool: children that do the same work, replaced while it goes on.
--
-- It keeps `size` children that take calls, and `warm` more that could at once. A child that should go is first
-- replaced by one that is ready, then it finishes what it has. All of it happens while the pool's loop runs: in a call
-- that waits, or in `loop:run`.
local native = ...
local type, error, tostring, pairs, next_of, setmetatable = type, error, tostring, pairs, next, setmetatable
local options, process = native.module("options"), native.module("process")
local staff, calls = native.module("pool/staff"), native.module("pool/calls")
local rosters, restarts = native.module("pool/roster"), native.module("pool/restart")
local recycles = native.module("pool/recycle")
local now, reconcile = staff.now, staff.reconcile
local HUGE = math.huge

local Pool = { __name = "fkrpc.pool" }
for name, method in pairs(calls.methods) do Pool[name] = method end
Pool.__index = Pool

local OWN = options.set("size", "warm", "concurrency", "recycle", "restart", "handlers", "handshake",
  "handshake_timeout", "grace", "drain_timeout", "hang_timeout", "check", "backlog", "loop", "prefork", "control")
local EVENTS = options.set("started", "ready", "recycled", "stopped", "hung", "died", "failed")

--- Call `handler(event)` when something happens: "started", "ready", "recycled", "stopped", "hung", "died", "failed";
--- nil takes the handler away.
function Pool:on(name, handler)
  if not EVENTS[name] then
    error("fkrpc.pool: no event '" .. tostring(name)
      .. "'; there are started, ready, recycled, stopped, hung, died, failed; what children ask for is handled with"
      .. " pool:handle", 2)
  end
  if handler ~= nil and type(handler) ~= "function" then
    error("bad argument #2 to 'on' (function or nil expected, got " .. type(handler) .. ")", 2)
  end
  self.listeners[name] = handler
  return self
end

--- Handle requests and notifications that children send, as `peer:on` does it.
function Pool:handle(method, handler)
  if type(method) ~= "string" then
    error("bad argument #1 to 'handle' (method name expected, got " .. type(method) .. ")", 2)
  end
  if handler ~= nil and type(handler) ~= "function" then
    error("bad argument #2 to 'handle' (function or nil expected, got " .. type(handler) .. ")", 2)
  end
  self.handlers[method] = handler
  for member in pairs(self.members) do
    -- Until a child has said hello that is for the pool.
    if not (method == "hello" and member.state == "starting") then member.peer:on(method, handler) end
  end
  return self
end

-- ---- replacing ------------------------------------------------------------------------------------------------------

--- Replace the child with this pid, once another is ready. True; or nil, message.
function Pool:drain(pid)
  for member in pairs(self.members) do
    if member.pid == pid then
      if member.state == "ready" then
        staff.mark(self, member, "asked", "asked for")
      elseif member.state == "starting" or member.state == "spare" then
        member:stop()
      end
      return true
    end
  end
  return nil, "the pool has no child with the pid " .. tostring(pid)
end

-- From here on new children are of the next generation, and take the places of the others.
local function begin_generation(self)
  self.generation = self.generation + 1
  self.state, self.reason, self.debt, self.restart.times = "running", nil, 0, {}
  if self.retry then
    self.retry:cancel()
    self.retry = nil
  end
  for member in pairs(self.members) do
    if member.state == "starting" or member.state == "spare" then
      member:stop()
    elseif member.state == "ready" then
      member.marked, member.marked_text = "reload", "generation " .. self.generation
    end
  end
  reconcile(self)
end

--- Start a new generation, with `changes` to the options of the command; the old children go as the new are ready. A
--- pool that gave up tries again.
function Pool:reload(changes)
  if self.closing then return nil, "the pool is closed" end
  if changes ~= nil then
    if type(changes) ~= "table" then
      error("bad argument #1 to 'reload' (table of options expected, got " .. type(changes) .. ")", 2)
    end
    for name in pairs(changes) do
      if OWN[name] then
        error("fkrpc.pool: option '" .. name .. "' is the pool's own; a reload changes those of its children", 2)
      end
    end
    options.check("pool", changes, process.known)
    if changes.command or changes[1] then self.given.command = process.command_of(changes, "pool") end
    for name, value in pairs(changes) do
      if type(name) == "string" and name ~= "command" then self.given[name] = value end
    end
  end
  if not self.renew then
    begin_generation(self)
  else
    self.renew(function(message)
      if message then return staff.give_up(self, "the program for the next generation does not load: " .. message) end
      begin_generation(self)
    end)
  end
  return true
end

-- ---- what others see ------------------------------------------------------------------------------------------------

--- What there is now: `{ state, generation, children = { { pid, state, private, calls, ... } }, ... }`.
function Pool:info()
  return native.module("pool/report").info(self)
end

--- The same for Prometheus, as text; `name` is the value of the label "pool".
function Pool:metrics(name)
  return native.module("pool/report").metrics(self, name)
end

-- ---- set-up and end -------------------------------------------------------------------------------------------------

--- Wait until all children are there and none is about to be replaced, at most `timeout` seconds. True; or nil,
--- message.
function Pool:wait(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'wait' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  local _, _, count = staff.candidates(self)
  local timer
  if not self.closing and self.state ~= "failed" and (#self.roster.live < self.size or count.marked > 0) then
    self.loop:await(function(resume)
      self.waiters = self.waiters or {}
      self.waiters[#self.waiters + 1] = resume
      if timeout then timer = self.loop:after(timeout, resume) end
    end)
    if timer then timer:cancel() end
    _, _, count = staff.candidates(self)
  end
  if #self.roster.live >= self.size and count.marked == 0 then return true end
  if self.closing or self.state == "failed" then return nil, calls.nobody(self).message end
  return nil, ("%d of %d children are ready"):format(#self.roster.live, self.size)
end

-- What is left to do when all children have gone.
local function finish(self)
  if self.finished then return end
  self.finished = true
  if self.zygote then self.zygote():close() end
  for zygote in pairs(self.loading or {}) do zygote:close() end
  if self.on_closed then self.on_closed() end
  if self.own_loop then self.loop:close() end
end

-- Wait until the last child has ended.
local function outlast(self)
  if next_of(self.members) == nil then return end
  if self.loop.closed then
    -- Nobody else looks after them any more. They end beside each other, and are waited for one after the other.
    local peers = {}
    for member in pairs(self.members) do peers[#peers + 1] = member.peer end
    for i = 1, #peers do peers[i]:close_stdin() end
    for i = 1, #peers do peers[i]:stop({ grace = self.grace, terminate = self.grace }) end
    return
  end
  self.loop:await(function(resume) self.closers[#self.closers + 1] = resume end)
end

--- Stop all children and wait for their ends. Calls that wait for a child fail. Twice does no harm.
function Pool:close()
  if self.closing then return outlast(self) end
  local loop = self.loop
  self.closers = {}
  function self.closing()
    for i = 1, #self.closers do self.closers[i]() end
    -- Whoever has called `close` may have been cancelled.
    if not loop.closed then loop:go(finish, self) end
  end
  self.state = "closed"
  for _, timer in pairs{ self.retry or false, self.pending or false, self.ticker or false, self.vigil or false } do
    if timer then timer:cancel() end
  end
  self.roster:refuse()
  if self.waiters then
    for i = 1, #self.waiters do self.waiters[i]() end
    self.waiters = nil
  end
  if not loop.closed then
    for member in pairs(self.members) do member:stop() end
  end
  outlast(self)
  finish(self)
end

Pool.__close = Pool.close

function Pool:__tostring()
  return ("fkrpc.pool: %d of %d ready, generation %d, %s"):format(#self.roster.live, self.size, self.generation,
    self.state)
end

local function seconds(given, name, default)
  local value = options.typed("pool", given, name, "number", 4)
  if value == nil then return default end
  if value <= 0 or value ~= value then
    error("fkrpc.pool: option '" .. name .. "' must be seconds above 0, not " .. tostring(value), 3)
  end
  return value
end

local KNOWN
local function known()
  if not KNOWN then
    KNOWN = {}
    for name in pairs(process.known) do KNOWN[name] = true end
    for name in pairs(OWN) do KNOWN[name] = true end
  end
  return KNOWN
end

--- Start a pool. It; or nil, message, errno if its first child cannot be started.
local function pool(given)
  given = options.check("pool", given, known())
  local handlers = {}
  for name, handler in pairs(options.typed("pool", given, "handlers", "table") or {}) do
    if type(name) ~= "string" or type(handler) ~= "function" then
      error("fkrpc.pool: option 'handlers' must map method names to functions, not " .. tostring(name) .. " to a "
        .. type(handler), 2)
    end
    handlers[name] = handler
  end
  local handshake = given.handshake
  if handshake ~= nil and handshake ~= "hello" and type(handshake) ~= "function" then
    error("fkrpc.pool: option 'handshake' must be \"hello\" or a function, not " .. options.shown(handshake), 2)
  end
  local loop, control = given.loop, options.typed("pool", given, "control", "string")
  options.typed("pool", given, "trace", "string")
  if loop ~= nil and (type(loop) ~= "table" or not loop.await or loop.closed) then
    error("fkrpc.pool: option 'loop' must be an fkrpc.loop() that is open, not "
      .. (type(loop) == "table" and tostring(loop) or "a " .. type(loop)), 2)
  end
  local random = native.module("random")()
  local of_child = {}
  for name, value in pairs(given) do
    if type(name) == "string" and not OWN[name] then of_child[name] = value end
  end
  of_child.command = process.command_of(given, "pool")
  if control and of_child.latency == nil then of_child.latency = true end -- `fkrpc top` shows it
  local self = setmetatable({
    size = options.integer("pool", given, "size", 1, 1, 1000),
    warm = options.integer("pool", given, "warm", 0, 0, 1000),
    backlog = options.integer("pool", given, "backlog", 100000, 0, 2 ^ 40),
    recycle = recycles.new(given.recycle, random), restart = restarts.new(given.restart, random),
    shake = { how = handshake, patience = seconds(given, "handshake_timeout", 10) },
    grace = seconds(given, "grace", 2),
    drain_timeout = seconds(given, "drain_timeout"), check = seconds(given, "check", 1),
    moved = staff.moved, pump_soon = staff.pump_soon, given = of_child, handlers = handlers,
    listeners = {}, members = {},
    counts = {}, serial = 0, generation = 1,
    debt = 0, state = "running", now = now, born = now(), gone_calls = 0,
  }, Pool)
  local most = options.integer("pool", given, "concurrency", nil, 1, 2 ^ 31)
  self.roster = rosters.new(most or HUGE)
  local hang = seconds(given, "hang_timeout")
  if hang then self.hang = native.module("pool/hang").new(hang, now()) end
  self.own_loop = loop == nil
  self.loop = loop or native.module("loop").loop()
  function self.launch()
    local command = {}
    for name, value in pairs(self.given) do command[name] = value end
    if command.trace then command.trace = command.trace .. "-" .. self.serial end
    return process.spawn(command)
  end
  function self.again() reconcile(self) end
  local started, message, errno = true, nil, nil
  if given.prefork then started, message, errno = native.module("pool/prefork").install(self, given.prefork) end
  if started then started, message, errno = staff.start(self) end
  if not started then
    if self.zygote then self.zygote():close() end
    if self.own_loop then self.loop:close() end
    if self.mistake then error(self.mistake, 2) end
    return nil, message, errno
  end
  if control then
    self.on_closed, message, errno = native.module("pool/control").open(self, control)
    if not self.on_closed then
      self:close()
      return nil, message, errno
    end
  end
  if self.hang then self.vigil = self.loop:every(self.hang.every, function() staff.watch(self) end) end
  if self.recycle.memory or self.recycle.age then
    self.ticker = self.loop:every(self.check, function() staff.look(self) end)
  end
  reconcile(self)
  self.begun = true
  return self
end

return { pool = pool }
