-- Who works in a pool: starting those who are missing, putting those who are ready to their places, and what it means
-- that one has ended.
--
-- It refuses to choose who takes a call (`pool/roster`) and to end anybody (`pool/member`).
local native = ...
local tostring, pairs, next_of = tostring, pairs, next
local clock = native.module("clock")
local members = native.module("pool/member")
local log = native.log

local function now()
  return clock.monotonic_us() / 1e6
end

-- ---- events ---------------------------------------------------------------------------------------------------------

-- Tell those who asked; they run in coroutines of the loop, so that they may call.
local function emit(self, name, member, fields)
  local event = fields or {}
  event.event, event.time = name, clock.gettime()
  if member then
    event.pid, event.generation = member.pid, member.generation
    member.event = name
  end
  self.counts[name] = (self.counts[name] or 0) + 1
  self.last_event = event
  local listener = self.listeners[name]
  if listener and not self.loop.closed then
    self.loop:go(listener, event).name = "the pool's handler for the event '" .. name .. "'"
  end
end

-- ---- how many there are ---------------------------------------------------------------------------------------------

local reconcile

-- Call `what(self)` once in the next round: not inside of whatever calls this, which may be in the middle of something.
local function soon(self, slot, what)
  if self[slot] or self.loop.closed then return end
  self[slot] = self.loop:after(0, function()
    self[slot] = nil
    what(self)
  end)
end

local function pump(self)
  self.roster:pump()
end

--- Whoever waits looks again whether a child is free.
local function pump_soon(self)
  soon(self, "pumping", pump)
end

-- What a launch says instead of a message when it will say `again` later.
local LATER = {}
-- Seconds until a restart that was put off so looks again.
local PAUSE = 0.005

-- One more child. True; or nil, message, errno.
local function start(self)
  self.serial = self.serial + 1
  local member, shake, errno = members.start(self, self.launch, self.shake)
  if shake == LATER then self.serial = self.serial - 1 end
  if not member then return nil, shake, errno end
  self.members[member] = true
  emit(self, "started", member)
  shake()
  return true
end

local function give_up(self, reason)
  if self.state == "failed" then return end
  self.state, self.reason = "failed", reason
  emit(self, "failed", nil, { reason = reason })
  log("fkrpc: " .. tostring(self) .. ": " .. reason .. "\n")
  if #self.roster.live == 0 then self.roster:refuse() end
end

-- A child that ended too soon, or could not be started, is started again after a while, unless that happens too often.
local function restart_later(self)
  if self.retry or self.hold or self.state == "failed" then return end
  local delay = self.restart:delay(now())
  if not delay then
    return give_up(self, ("gave up after %d restarts in %g s; the last child: %s"):format(
      self.restart:recent(now()), self.restart.within, self.last_reason or "ended"))
  end
  local function again()
    self.retry = nil
    if self.closing or self.hold or self.debt == 0 then return end
    local started, message = start(self)
    if message == LATER then
      self.retry = self.loop:after(PAUSE, again)
      return
    end
    self.restart:count(now())
    self.counts.restarts = (self.counts.restarts or 0) + 1
    if started then self.debt = self.debt - 1 else self.last_reason = message end
    reconcile(self)
  end
  self.retry = self.loop:after(delay, again)
end

-- The spare that should take calls first, and the ready child that should be replaced first.
local function candidates(self)
  local spare, marked, count = nil, nil, { starting = 0, spare = 0, ready = 0, marked = 0 }
  for member in pairs(self.members) do
    local state = member.state
    if count[state] then count[state] = count[state] + 1 end
    if state == "spare" and (not spare or member.serial < spare.serial) then spare = member end
    if state == "ready" and member.marked then
      count.marked = count.marked + 1
      if not marked or member.serial < marked.serial then marked = member end
    end
  end
  return spare, marked, count
end

-- Put those who are ready to their places, and start those who are missing.
function reconcile(self)
  if self.closing then return end
  local roster = self.roster
  local spare, marked, count = candidates(self)
  while spare and (#roster.live < self.size or marked) do
    local replaced = #roster.live >= self.size and marked
    spare.state = "ready"
    roster:join(spare)
    if replaced then replaced:drain(replaced.marked, replaced.marked_text) end
    spare, marked, count = candidates(self)
  end
  local overlap = (self.size + 3) / 4
  local missing = self.size + self.warm + (count.marked < overlap and count.marked or overlap - overlap % 1)
    - count.ready - count.spare - count.starting
  if self.debt > missing then self.debt = missing > 0 and missing or 0 end
  if self.state == "failed" or self.hold then missing = self.debt end
  for _ = 1, missing - self.debt do
    local started, message = start(self)
    if message == LATER then break end
    if not started then
      self.last_reason = message
      self.debt = self.debt + 1
    end
  end
  if self.debt > 0 then restart_later(self) end
  if roster.waiting > 0 then
    if self.state == "failed" and #roster.live == 0 and count.starting == 0 then roster:refuse() end
    roster:pump()
  end
  local waiters = self.waiters
  if waiters and (#roster.live >= self.size and count.marked == 0 or self.state == "failed") then
    self.waiters = nil
    for i = 1, #waiters do waiters[i]() end
  end
end

-- One that failed too soon: the next in its place waits, see `restart_later`. What closes its output takes its time to
-- end, and counts before.
local function fallen(self, member, was)
  if member.fallen or was == "draining" then return end
  member.fallen = true
  if member.hung or now() - member.born < self.restart.within then self.debt = self.debt + 1 end
end

local function ended(self, member, was)
  local certificate = member.certificate
  self.members[member] = nil
  self.gone_calls = self.gone_calls + member.calls
  local reason = member.failure
  if certificate and certificate.hung then
    reason = certificate.reason
  elseif certificate and certificate.reason then
    reason = reason and reason .. "; " .. certificate.reason or certificate.reason
  end
  if was == "starting" and not member.failure and reason then reason = "it ended before it was ready: " .. reason end
  if was == "stopping" and not member.failure then
    emit(self, member.why and "recycled" or "stopped", member,
      { why = member.why, reason = member.text, memory = member.memory, certificate = certificate })
  else
    self.last_reason = reason
    fallen(self, member, was)
    emit(self, "died", member, { reason = reason, certificate = certificate })
  end
  if self.closing and next_of(self.members) == nil then self.closing() end
end

--- A member has another state than before.
local function moved(self, member, was)
  if was == "ready" then self.roster:leave(member) end
  local state = member.state
  if state == "stopping" or state == "gone" then self.roster:unbind(member) end
  if state == "gone" then
    ended(self, member, was)
  elseif state == "stopping" and member.failure then
    self.last_reason = member.failure
    fallen(self, member, was)
  elseif state == "spare" then
    emit(self, "ready", member)
    if member.generation < self.generation then return member:stop() end
  end
  if not self.closing then soon(self, "pending", reconcile) end
end

-- Replace a member when there is another for it.
local function mark(self, member, why, text)
  if member.marked then return end
  member.marked, member.marked_text = why, text
  reconcile(self)
end

-- Look at the children: what they hold, and how old they are.
local function look(self)
  local time = now()
  for member in pairs(self.members) do
    if member.state == "ready" and not member.marked then
      local why, text = member:overdue(time)
      if why then
        member.marked, member.marked_text = why, text
        self.pending_marks = true
      end
    end
  end
  if self.pending_marks then
    self.pending_marks = nil
    reconcile(self)
  end
  self.roster:pump()
end

-- A child hangs: it is ended, and replaced as one that has failed.
local function hung(self, member, text)
  emit(self, "hung", member, { reason = text })
  member:give_up(text)
end

--- Look for children that hang.
local function watch(self)
  self.hang:look(self.members, now(), function(member, text) hung(self, member, text) end)
end

return {
  LATER = LATER, watch = watch,
  now = now, start = start, give_up = give_up,
  pump_soon = pump_soon, reconcile = reconcile, candidates = candidates, mark = mark, moved = moved, look = look,
}
