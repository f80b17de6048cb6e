-- fkrpc.spawn: start a program and talk to it over its stdin and stdout.
local native = ...
local type, error, tostring, pairs = type, error, tostring, pairs
local unpack = table.unpack or unpack
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")

local KNOWN = wire.known("command", "env", "cwd", "stderr", "limits", "handshake", "handshake_timeout", "handlers")
KNOWN[1] = true -- the command may be the array part

-- In the native side's numbers.
local STDERR = { relay = 0, keep = 1, null = 2, inherit = 3 }
local LIMITS = { "memory", "cpu", "files", "processes" }

-- The zygote that the next child is a copy of.
local source

local function wrong(text, where)
  error("fkrpc." .. (where or "spawn") .. ": " .. text, 4)
end

local function command_of(given, where)
  local command = given.command
  if command == nil then
    command = {}
    for i = 1, #given do command[i] = given[i] end
  elseif type(command) ~= "table" then
    wrong("option 'command' must be a table of strings, not a " .. type(command), where)
  elseif given[1] ~= nil then
    wrong("give the command either as 'command' or as the array part, not both", where)
  end
  if #command == 0 then
    wrong("no command: fkrpc." .. (where or "spawn") .. "{ \"lua5.4\", \"entry.lua\" }", where)
  end
  for i = 1, #command do
    if type(command[i]) ~= "string" then
      wrong("item " .. i .. " of the command must be a string, not a " .. type(command[i]), where)
    end
  end
  return command
end

-- { NAME = "value", OTHER = false } as a flat list; false removes a variable.
local function environment_of(env, where)
  if env == nil then return nil end
  local flat = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or (type(value) ~= "string" and value ~= false) then
      wrong("option 'env' must map names to strings (or false to remove one), not "
        .. tostring(name) .. " to a " .. type(value), where)
    end
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return flat
end

local function limit_of(given, name, least, most)
  local value = given[name]
  if value ~= nil and (type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most) then
    error(("fkrpc.spawn: option 'limits.%s' must be an integer from %d to %.0f, not %s"):format(name, least, most,
      type(value) == "number" and tostring(value) or "a " .. type(value)), 4)
  end
  return value
end

-- The limits in the native side's order.
local function limits_of(given)
  if given == nil then return {} end
  local limits, known = {}, options.set("nice", unpack(LIMITS))
  for name in pairs(given) do
    if not known[name] then wrong("unknown limit '" .. tostring(name) .. "'; there are " .. options.names_of(known)) end
  end
  for place, name in pairs(LIMITS) do limits[place] = limit_of(given, name, 0, 2 ^ 53) end
  limits[5] = limit_of(given, "nice", -40, 40)
  return limits
end

local function handlers_of(given)
  for name, handler in pairs(given or {}) do
    if type(name) ~= "string" or type(handler) ~= "function" then
      wrong("option 'handlers' must map methods to functions, not " .. tostring(name) .. " to a " .. type(handler))
    end
  end
  return given or {}
end

--- Start a program. The peer of its other end, or nil, message, errno.
local function spawn(given)
  local zygote = source
  source = nil
  given = options.check("spawn", given, KNOWN)
  local command = zygote or command_of(given)
  local env = environment_of(options.typed("spawn", given, "env", "table"))
  local cwd = options.typed("spawn", given, "cwd", "string")
  local stderr = options.choice("spawn", given, "stderr", STDERR, "relay")
  local limits = limits_of(options.typed("spawn", given, "limits", "table"))
  local handlers = handlers_of(options.typed("spawn", given, "handlers", "table"))
  local shake, patience
  if given.handshake ~= nil or given.handshake_timeout ~= nil then
    shake, patience = native.module("handshake").of(given, wrong)
  end
  local arguments, name = wire.arguments("spawn", given)
  native.module("certificate").prepare()
  local begin = zygote and zygote.copy or native.spawn
  local process, message, errno = begin(command, env, cwd, stderr, unpack(limits, 1, 5))
  if not process then return nil, message, errno end
  local conn
  conn, message, errno = native.adopt(process, unpack(arguments, 1, 10))
  if not conn then return nil, message, errno end
  name = ("child %d, %s"):format(native.process_pid(process), name)
  local observed
  observed, message, errno = wire.observe(conn, arguments.settings, name)
  if not observed then
    native.close(conn) -- the program sees the end of its input
    return nil, message, errno
  end
  local self = native.module("child").adopt(peer.new(conn, name, arguments.settings), process, given.limits or {},
    stderr <= 1)
  for method, handler in pairs(handlers) do self:on(method, handler) end
  if shake then
    local agreed
    agreed, message, errno = native.module("handshake").run(self, shake, patience)
    if not agreed then return nil, message, errno end
  end
  self.state = "ready"
  -- After the handshake, which may call whatever it needs.
  return wire.restrict(given, self)
end

--- The same, of a zygote's copy in place of a program.
local function copy(zygote, given)
  source = zygote
  return spawn(given)
end

return {
  spawn = spawn, known = KNOWN, copy = copy, STDERR = STDERR, command_of = command_of, environment_of = environment_of,
}
