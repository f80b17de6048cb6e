-- Waiting for a peer of a loop that is no reply: for room in what is kept for it, for what becomes of it.
--
-- Those who wait are the peer's `crowd`; whoever sees that something has happened lets them in, and they look for
-- themselves. It refuses to know what they want to send.
local native = ...
local rawget, remove = rawget, table.remove
local cancel, local_error = native.module("cancel"), native.module("peer").local_error
local MAX_DEPTH = native.module("peer").MAX_DEPTH
local scheduler, timers = native.module("loop/scheduler"), native.module("loop/timers")

-- Seconds in which it becomes known how a process has ended that takes nothing any more, and between two looks at it.
local PATIENCE, LOOK = 0.05, 0.001

-- What a wait is woken with whose time is over.
local TIMEOUT = {}

local room = {}

-- Join the crowd, until `deadline` at the latest. The wait; its `dropped` leaves the crowd.
local function join(self, loop, deadline)
  local wait, crowd = scheduler.wait(loop), self.crowd
  if self.loop == loop then crowd[#crowd + 1] = wait end
  if deadline then
    wait.timer = { at = deadline, fire = function() wait:wake(TIMEOUT) end }
    timers.add(loop.timers, wait.timer)
  end
  function wait.dropped()
    if deadline then timers.remove(loop.timers, wait.timer) end
    for i = #crowd, 1, -1 do
      if crowd[i] == wait then remove(crowd, i) end
    end
  end
  return wait
end

--- Something has become of the peer.
function room.let_in(peer)
  local crowd = peer.crowd
  if crowd[1] then
    peer.crowd = {}
    for i = 1, #crowd do crowd[i]:wake() end
  end
end

--- So much is to be sent that no more is taken: wait until the other end has read, or until `deadline`, or until the
--- token is cancelled. Nil, or an error.
function room.wait(self, co, deadline, token)
  local loop = self.loop
  local wait, fine, err = join(self, loop, deadline), true, nil
  if token then token.calls[wait] = true end
  if co then
    scheduler.suspend(loop, wait, co)
  else
    fine, err = scheduler.in_place(loop, wait)
    wait.done = true
  end
  wait.dropped()
  if not fine then return err end
  if token and token.done then return cancel.error(token) end
  if wait[1] == TIMEOUT then
    return local_error("timeout", "the other end does not read, and the call's timeout is over")
  end
end

--- Wait until something has become of the peer, or until `at`.
function room.pause(self, loop, co, at)
  local wait = join(self, loop, at)
  scheduler.suspend(loop, wait, co)
  wait.dropped()
end

--- The error of what could not be sent. How a child has ended is known in a moment, which is waited for once.
function room.unsent(self, err, method)
  local loop = self.loop
  if not loop or not self.reap or rawget(err, "code") ~= "closed" or native.stats(self.conn).open then return err end
  if self.hushed then self:hushed("closed its input") end
  local till = self.patience or native.after(PATIENCE)
  self.patience = till
  local co = scheduler.leavable(loop)
  while self.loop == loop and not self:reap() and native.after(0) < till and (co or loop.depth < MAX_DEPTH) do
    room.pause(self, loop, co, native.after(LOOK))
  end
  self:mourn(err, method)
  return err
end

return room
