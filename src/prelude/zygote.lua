-- fkrpc.zygote: load a script once and start processes from it, each a child like one of fkrpc.spawn's.
local native = ...
local type, error, tostring, setmetatable = type, error, tostring, setmetatable
local options, wire, process = native.module("options"), native.module("wire"), native.module("process")

local KNOWN = options.set("command", "env", "cwd", "timeout")
KNOWN[1] = true -- the command may be the array part
local COPY = wire.known("env", "cwd", "timeout")
-- Seconds for a script to load, or for a copy to be made.
local TIMEOUT = 10

local Zygote = { __name = "fkrpc.zygote" }
Zygote.__index = Zygote

local function seconds(where, given, default)
  local value = options.typed(where, given, "timeout", "number", 4)
  if value == nil then return default end
  if not (value >= 0) then error("fkrpc." .. where .. ": option 'timeout' must be seconds", 3) end
  return value
end

-- A failure after which there is nothing to be had any more, with how the process ended.
local function failed(self, message, errno)
  local exit = native.process_wait(self.process, 0.1)
  if exit or errno == 110 or errno == 32 then -- ETIMEDOUT, EPIPE
    self.dead = true
  end
  if exit and (exit.signal or exit.code ~= 0) then
    message = message .. (exit.signal and " (signal " or " (status ") .. ("%d)"):format(exit.signal or exit.code)
  end
  return nil, message, errno
end

--- Whether the script is loaded, waiting for it at most `timeout` seconds: true, false, or nil, message, errno when it
--- never will be.
function Zygote:ready(timeout)
  if self.loaded and not self.dead then return true end
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'ready' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  if self.dead then return nil, tostring(self) .. " has ended; start another", 32 end -- EPIPE
  local ready, message, errno = native.zygote_ready(self.process, timeout or self.timeout)
  if ready == nil then return failed(self, message, errno) end
  self.loaded = ready
  return ready
end

--- A process copied from the loaded script. The peer of its other end, or nil, message, errno.
function Zygote:spawn(given)
  given = options.check("zygote.spawn", given, COPY)
  local env = process.environment_of("zygote.spawn", options.typed("zygote.spawn", given, "env", "table"))
  local cwd = options.typed("zygote.spawn", given, "cwd", "string")
  local timeout = seconds("zygote.spawn", given, self.timeout)
  local arguments, name = wire.arguments("zygote.spawn", given)
  local ready, message, errno = self:ready(timeout)
  if ready == false then return nil, tostring(self) .. " has not loaded its script yet", 110 end -- ETIMEDOUT
  if not ready then return nil, message, errno end
  local copy
  copy, message, errno = native.zygote_copy(self.process, timeout, env, cwd)
  if not copy then return failed(self, message, errno) end
  self.copies = self.copies + 1
  return process.child(copy, given, arguments, name)
end

--- `{ pid, state = "loading" | "ready" | "dead", copies }`
function Zygote:info()
  if not self.dead and native.process_wait(self.process, 0) then self.dead = true end
  return {
    pid = self.pid, copies = self.copies, state = self.dead and "dead" or self.loaded and "ready" or "loading",
  }
end

--- End it. Its copies go on. Twice does no harm.
function Zygote:close()
  if self.closed then return end
  self.closed, self.dead = true, true
  native.process_signal(self.process, 9)
  native.process_wait(self.process, 1)
end

Zygote.__close = Zygote.close

function Zygote:__tostring()
  return "fkrpc.zygote: pid " .. ("%d"):format(self.pid)
end

--- Start a program that will be copied where it calls fkrpc.stdio. The zygote, or nil, message, errno.
local function zygote(given)
  given = options.check("zygote", given, KNOWN)
  local command = process.command_of("zygote", given)
  local env = process.environment_of("zygote", options.typed("zygote", given, "env", "table")) or {}
  local cwd = options.typed("zygote", given, "cwd", "string")
  local timeout = seconds("zygote", given, TIMEOUT)
  if not native.zygote_start then return nil, "fkrpc.zygote needs Linux", 38 end -- ENOSYS
  env[#env + 1], env[#env + 2] = "FKRPC_ZYGOTE", "0:0:0"
  local started, message, errno = native.zygote_start(command, env, cwd)
  if not started then return nil, message, errno end
  return setmetatable({
    process = started, pid = native.process_pid(started), timeout = timeout, copies = 0,
  }, Zygote)
end

return { zygote = zygote }
