-- A child: a peer that is a process of ours, from its start to its certificate.
--
-- Whoever notices the end first (a call, a wait, a loop) makes the certificate; all others get the same one. It refuses
-- to signal a process that was collected.
local native = ...
local type, error, tostring, tonumber, pcall, rawget, setmetatable, getmetatable =
  type, error, tostring, tonumber, pcall, rawget, setmetatable, getmetatable
local peer, clock, fs = native.module("peer"), native.module("clock"), native.module("fs")
local process_wait, process_signal = native.process_wait, native.process_signal
local local_error = native.error_metatable

-- Seconds that the end of a process may take after that of its stdout.
local SETTLING = 0.05
local GRACE, AFTER_KILL = 2, 0.2
local TERM, KILL = 15, 9
local ECHILD, ETIMEDOUT = 10, 110

local Child = setmetatable({ __name = "fkrpc.child" }, { __index = peer.methods })
Child.__index = Child
Child.__close = peer.methods.close

-- ---- the end --------------------------------------------------------------------------------------------------------

local function now() return clock.monotonic_us() / 1e6 end

-- The process has ended: make its certificate, and let nobody wait any more.
local function bury(self, exit, method)
  local stats = native.stats(self.conn)
  -- With the call that found it already forgotten, or with those that still wait.
  if not method and stats.waiting > 0 then method = stats.last_method end
  local stderr
  if self.keeps_stderr then stderr = native.process_stderr(self.process, self.state == "stopping") end
  local certificate = native.module("certificate").complete(exit, stderr, method, self.limits, self.killed, self.hung)
  self.certificate, self.state, self.ended_at = certificate, "dead", now()
  -- Interleaved calls: what has arrived is dealt with, and what cannot be answered any more fails.
  if self.waits and not self.loop then
    while self:step(0) do end -- luacheck: ignore
  end
  local hear = self.on_death
  if hear then
    local fine, message = pcall(hear, self, certificate)
    if not fine then native.log("fkrpc: " .. self.name .. ": on_death failed: " .. tostring(message) .. "\n") end
  end
  return certificate
end

-- Look whether it has ended, for at most `timeout` seconds: the certificate; false; or nil, message, errno.
local function look(self, timeout, method)
  if self.certificate then return self.certificate end
  -- Stopped, it takes its children along: until it is collected the group's number is its own.
  if (self.state == "stopping" or self.owned) and process_wait(self.process, timeout, true) then
    process_signal(self.process, KILL, true)
  end
  local exit, message, errno = process_wait(self.process, timeout)
  if self.certificate then return self.certificate end -- a finalizer was faster
  if exit then return bury(self, exit, method) end
  if exit == nil and errno == ECHILD then
    return bury(self, { reason = "somebody else has collected it, so that how it ended is not known" }, method)
  end
  return exit, message, errno
end

--- Whether it has ended: its certificate, or false. Never waits.
function Child:reap()
  return look(self, 0) or false
end

--- Wait for the process to end, at most `timeout` seconds: its certificate; false if it still runs; or nil, message,
--- errno.
function Child:wait(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'wait' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  -- In a loop others go on meanwhile.
  if self.loop and not self.certificate and timeout ~= 0 then
    self:outlast(timeout)
    timeout = 0
  end
  local certificate, message, errno = look(self, timeout)
  if certificate and not certificate.code and not certificate.signal then
    return nil, "cannot wait for the process: " .. certificate.reason, ECHILD
  end
  return certificate, message, errno
end

-- An error of a call that has no reply to expect: a "closed" says how the process ended, or that it has not. The peer
-- calls this.
local function mourn(self, err, method)
  if getmetatable(err) ~= local_error or rawget(err, "code") ~= "closed" then return end
  -- What was closed here says nothing about the child.
  local ours = (self.closed or self.asked) and err.message == "the connection is closed"
  local certificate = look(self, (ours or self.mourned) and 0 or SETTLING, method)
  if certificate then
    err.data = certificate
    err.message = "child " .. ("%d"):format(self.pid) .. " has ended: " .. certificate.reason
  elseif not ours then
    self.mourned = true -- waited for once: there is no conversation to come
    err.message = err.message .. "; child " .. ("%d"):format(self.pid) .. " still runs"
  end
end

-- ---- signals --------------------------------------------------------------------------------------------------------

--- Close the child's stdin: it sees the end of its input, we still read what it says.
function Child:close_stdin()
  self.asked = true
  native.close_output(self.conn)
end

--- Send a signal by number (15 asks, 9 kills). True, or nil, message, errno.
function Child:kill(signal)
  signal = signal or TERM
  local sent, message, errno = process_signal(self.process, signal)
  if sent and signal == KILL then self.killed = true end
  return sent, message, errno
end

-- Read what it says until its end, for at most `seconds`; whether it has ended.
local function outlast(self, seconds)
  if self.loop then return self:outlast(seconds) end
  local deadline = now() + seconds
  local left = seconds
  while left > 0 do
    if self:step(left) == nil then break end
    left = deadline - now()
  end
  left = deadline - now()
  return process_wait(self.process, left > 0 and left or 0, true) ~= false
end

local function seconds_of(given, name, default)
  local value = given[name]
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < 0 then
    error("bad argument #1 to 'stop' (option '" .. name .. "' must be seconds)", 3)
  end
  return value
end

--- End it: close its stdin, wait; SIGTERM to its group, wait; SIGKILL to its group. Its certificate; or nil, message,
--- errno if it is not gone after all that.
function Child:stop(options)
  if options ~= nil and type(options) ~= "table" then
    error("bad argument #1 to 'stop' (table of options expected, got " .. type(options) .. ")", 2)
  end
  options = options or {}
  local grace = seconds_of(options, "grace", GRACE)
  local terminate = seconds_of(options, "terminate", GRACE)
  if not self.certificate then
    self.state = "stopping"
    self:close_stdin()
    if not outlast(self, grace) then
      process_signal(self.process, TERM, true)
      if not outlast(self, terminate) then
        self.killed = true
        process_signal(self.process, KILL, true)
        outlast(self, AFTER_KILL)
      end
    end
  end
  local certificate = self:reap()
  native.process_stderr(self.process, true)
  self:close()
  if certificate then return certificate end
  return nil, "child " .. ("%d"):format(self.pid) .. " was killed and is not gone yet", ETIMEDOUT
end

-- ---- looking at it --------------------------------------------------------------------------------------------------

-- USER_HZ of every Linux (proc(5)).
local TICKS = 100

-- Put what a process uses into `info`: its number must be its own, as it is until it was collected.
local function measure(info, pid)
  local folder = ("/proc/%d/"):format(pid)
  -- A stand-in's name says who does its work (fkrpc.standin): that one's figures count.
  info.worker = tonumber((fs.read(folder .. "comm") or ""):match("^standin:(%d+)\n"))
  if info.worker then folder = ("/proc/%d/"):format(info.worker) end
  local user, system = (fs.read(folder .. "stat") or ""):match("^.*%) %a" .. (" %-?%d+"):rep(10) .. " (%d+) (%d+)")
  if user then info.cpu = (user + system) / TICKS end
  local status = fs.read(folder .. "status") or ""
  local rss = tonumber(status:match("VmRSS:%s*(%d+)"))
  info.rss, info.threads = rss and rss * 1024, tonumber(status:match("Threads:%s*(%d+)"))
  local private
  for kilobytes in (fs.read(folder .. "smaps_rollup") or ""):gmatch("Private_%a+:%s*(%d+)") do
    private = (private or 0) + kilobytes * 1024
  end
  info.private = private
end

--- What it is doing and what it uses.
function Child:info()
  local certificate = self:reap()
  local stats = native.stats(self.conn)
  local info = {
    pid = self.pid, state = self.state, age = (self.ended_at or now()) - self.started, calls = stats.calls,
    last_method = stats.last_method, waiting = stats.waiting,
  }
  if not certificate then
    measure(info, self.pid)
  elseif certificate.user then
    info.cpu = certificate.user + certificate.system
  end
  return info
end

function Child:__tostring()
  return "fkrpc.child: pid " .. ("%d"):format(self.pid) .. (native.stats(self.conn).open and "" or " (closed)")
end

--- Make `serve` return `"stopped"` once the present request is answered: what `stop` is to other peers.
Child.stop_serving = peer.methods.stop

--- Make a new peer a child: of a process, with what its certificate needs.
local function adopt(self, process, limits, keeps_stderr)
  self.stop_serving, self.stop = self.stop ~= peer.methods.stop and self.stop or nil, nil -- an interleaved peer's own
  self.process, self.pid, self.started = process, native.process_pid(process), now()
  self.limits, self.keeps_stderr, self.state, self.mourn = limits, keeps_stderr, "starting", mourn
  return setmetatable(self, Child)
end

return { adopt = adopt, now = now, methods = Child, measure = measure }
