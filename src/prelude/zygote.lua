-- fkrpc.zygote: load a script once and start processes from it, each a child like one of fkrpc.spawn's.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable
local options, process = native.module("options"), native.module("process")

local KNOWN = options.set("command", "env", "cwd", "stderr", "timeout")
KNOWN[1] = true -- the command may be the array part
-- Seconds for a script to load, or for a copy to be made.
local TIMEOUT = 10

local Zygote = { __name = "fkrpc.zygote" }
Zygote.__index = Zygote

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

--- A process copied from the loaded script, with fkrpc.spawn's options: the peer of its other end, or nil, message,
--- errno.
function Zygote:spawn(given)
  local passed = { [process.ZYGOTE] = self }
  for name, value in pairs(given or {}) do passed[name] = value end
  if passed.command or passed[1] then
    error("bad argument #1 to 'spawn' (the command is the zygote's)", 2)
  end
  local ready, message, errno = self:ready()
  if ready == false then return nil, tostring(self) .. " has not loaded its script yet", 110 end -- ETIMEDOUT
  if not ready then return nil, message, errno end
  return process.spawn(passed)
end

-- What fkrpc.spawn calls in place of starting a program.
local function copy(self, ...)
  local copied, message, errno = native.zygote_copy(self.process, self.timeout, ...)
  if not copied then return failed(self, message, errno) end
  self.copies = self.copies + 1
  return copied
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
  local command = process.command_of(given, "zygote")
  local env = process.environment_of(options.typed("zygote", given, "env", "table") or {}, "zygote")
  local cwd = options.typed("zygote", given, "cwd", "string")
  local stderr = options.choice("zygote", given, "stderr", process.STDERR, "relay")
  local timeout = options.typed("zygote", given, "timeout", "number") or TIMEOUT
  if not (timeout >= 0) then error("fkrpc.zygote: option 'timeout' must be seconds", 2) end
  if not native.zygote_start then return nil, "fkrpc.zygote needs Linux", 38 end -- ENOSYS
  env[#env + 1] = "FKRPC_ZYGOTE"
  env[#env + 1] = "0:0:0"
  local started, message, errno = native.zygote_start(command, env, cwd, stderr)
  if not started then return nil, message, errno end
  return setmetatable({
    process = started, pid = native.process_pid(started), timeout = timeout, copies = 0, copy = copy,
  }, Zygote)
end

return { zygote = zygote }
