-- fkrpc.spawn: start a program and talk to it over its stdin and stdout.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local KNOWN = wire.known("command", "env", "cwd")
KNOWN[1] = true -- the command may be the array part

local Child = setmetatable({ __name = "fkrpc.child" }, { __index = peer.methods })
Child.__index = Child
Child.__close = peer.methods.close

--- Wait for the process to end, at most `timeout` seconds. `{ code | signal, user, system, max_rss }`; false if it
--- still runs; or nil, message, errno.
function Child:wait(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'wait' (seconds expected, got " .. type(timeout) .. ")", 2)
  end
  return native.process_wait(self.process, timeout)
end

--- Close the child's stdin: it sees the end of its input, we still read what it says.
function Child:close_stdin()
  native.close_output(self.conn)
end

--- Send a signal by number (15 asks, 9 kills). True, or nil, message, errno.
function Child:kill(signal)
  return native.process_signal(self.process, signal or 15)
end

function Child:__tostring()
  return "fkrpc.child: pid " .. ("%d"):format(self.pid) .. (native.stats(self.conn).open and "" or " (closed)")
end

local function command_of(where, given)
  local command = given.command
  if command == nil then
    command = {}
    for i = 1, #given do command[i] = given[i] end
  elseif type(command) ~= "table" then
    error("fkrpc." .. where .. ": option 'command' must be a table of strings, not a " .. type(command), 3)
  elseif given[1] ~= nil then
    error("fkrpc." .. where .. ": give the command either as 'command' or as the array part, not both", 3)
  end
  if #command == 0 then error("fkrpc." .. where .. ": no command: fkrpc." .. where .. "{ \"lua5.4\", \"entry.lua\" }", 3) end
  for i = 1, #command do
    if type(command[i]) ~= "string" then
      error("fkrpc." .. where .. ": item " .. i .. " of the command must be a string, not a " .. type(command[i]), 3)
    end
  end
  return command
end

-- { NAME = "value", OTHER = false } as a flat list; false removes a variable.
local function environment_of(where, env)
  if env == nil then return nil end
  local flat = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or (type(value) ~= "string" and value ~= false) then
      error("fkrpc." .. where .. ": option 'env' must map names to strings (or false to remove one), not "
        .. tostring(name) .. " to a " .. type(value), 3)
    end
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return flat
end

-- The child of a process that runs, or nil, message, errno.
local function child(process, given, arguments, name)
  local conn, message, errno = native.adopt(process, unpack(arguments, 1, 10))
  if not conn then return nil, message, errno end
  local pid = native.process_pid(process)
  name = ("child %d, %s"):format(pid, name)
  local observed
  observed, message, errno = wire.observe(conn, arguments.settings, name)
  if not observed then
    native.close(conn) -- the program sees the end of its input
    return nil, message, errno
  end
  local self = setmetatable(peer.new(conn, name, arguments.settings), Child)
  wire.restrict(given, self)
  self.process = process
  self.pid = pid
  return self
end

--- Start a program. The peer of its other end, or nil, message, errno.
local function spawn(given)
  given = options.check("spawn", given, KNOWN)
  local command = command_of("spawn", given)
  local env = environment_of("spawn", options.typed("spawn", given, "env", "table"))
  local cwd = options.typed("spawn", given, "cwd", "string")
  local arguments, name = wire.arguments("spawn", given)
  local process, message, errno = native.spawn(command, env, cwd)
  if not process then return nil, message, errno end
  return child(process, given, arguments, name)
end

return { spawn = spawn, child = child, command_of = command_of, environment_of = environment_of }
