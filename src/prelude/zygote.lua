-- fkrpc.zygote: load a script once and start processes from it, each a child like one of fkrpc.spawn's.
local native = ...
local type, error, tostring, setmetatable = type, error, tostring, setmetatable
local options, process = native.module("options"), native.module("process")

local KNOWN = options.set("command", "env", "cwd", "stderr", "timeout")
KNOWN[1] = true -- the command may be the array part
-- Seconds for a script to load, or for a copy to be made.
local TIMEOUT = 10

local Zygote = { __name = "fkrpc.zygote" }
Zygote.__index = Zygote

-- A failure after which there is nothing to be had any more, with how the process ended.
local function failed(self, message, errno)
  local gone = errno == 110 or errno == 32 -- ETIMEDOUT, EPIPE
  local exit = native.process_wait(self.process, gone and 0.1 or 0)
  self.dead = gone or exit ~= false
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
  if type(given) == "table" and (given.command or given[1]) then
    error("bad argument #1 to 'spawn' (the command is the zygote's)", 2)
  end
  local ready, message, errno = self:ready()
  if ready == false then return nil, tostring(self) .. " has not loaded its script yet", 110 end -- ETIMEDOUT
  if not ready then return nil, message, errno end
  return process.copy(self, given)
end

-- What fkrpc.spawn calls in place of starting a program.
local function copy(self, ...)
  local copied, message, errno = native.zygote_copy(self.process, self.timeout, ...)
  if not copied then return failed(self, message, errno) end
  self.copies = self.copies + 1
  return copied
end

-- The same for a pool's loop, without waiting: nil and the descriptor that becomes readable when the copy is there, to
-- ask again then.
local function request(self, given)
  return process.copy({ copy = function(_, ...)
    local copied, message, errno = native.zygote_copy(self.process, 0, ...)
    self.asked = copied == false
    if copied == false then return nil, message end
    if not copied then return failed(self, message, errno) end
    self.copies = self.copies + 1
    return copied
  end }, given)
end

--- What it is doing and what it uses.
function Zygote:info()
  if not self.dead and native.process_wait(self.process, 0) ~= false then self.dead = true end
  local state = self.dead and "dead" or self.loaded and "ready" or "loading"
  local info = { pid = self.pid, copies = self.copies, state = state }
  if not self.dead then native.module("child").measure(info, self.pid) end
  return info
end

--- End it. Its copies go on. Twice does no harm.
function Zygote:close()
  if self.closed then return end
  self.closed, self.dead = true, true
  native.process_signal(self.process, 9)
  native.process_wait(self.process, 1)
  if self.asked then native.zygote_copy(self.process, 1) end -- one that it has made after all ends with its streams
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
  if timeout < 0 or timeout ~= timeout then error("fkrpc.zygote: option 'timeout' must be seconds", 2) end
  if not native.zygote_start then return nil, "fkrpc.zygote needs Linux", 38 end -- ENOSYS
  env[#env + 1] = "FKRPC_ZYGOTE"
  env[#env + 1] = "0:0:0"
  local started, message, errno = native.zygote_start(command, env, cwd, stderr)
  if not started then return nil, message, errno end
  return setmetatable({
    process = started, pid = native.process_pid(started), timeout = timeout, copies = 0, copy = copy,
  }, Zygote)
end

return { zygote = zygote, request = request }
