-- fkrpc.standin: this process hands its streams to a copy of a zygote that has loaded the same script, and ends as that
-- does; `lua5.4 -l fkrpc.standin entry.lua`, or as the first thing in the script.
--
-- It refuses to fail: where there is no zygote to be had the process loads the script itself, and says why on stderr.
local native = ...
local setmetatable, tostring, error, ipairs = setmetatable, tostring, error, ipairs
local getenv, open, concat = os.getenv, io.open, table.concat
local options = native.module("options")

local KNOWN = options.set("socket", "idle", "patience")
-- Seconds that a zygote outlives its last stand-in, and that it may take to load.
local IDLE, PATIENCE = 600, 30
-- What changes what a script is without being on its command line.
local VARIABLES = { "LUA_INIT", "LUA_PATH", "LUA_CPATH", "LD_PRELOAD", "LD_LIBRARY_PATH" }

-- The words of this process's command line; arg is not there yet where `-l` runs in Lua 5.1.
local function command_line()
  local file = open("/proc/self/cmdline", "rb")
  local text = file and file:read("*a") or ""
  if file then file:close() end
  local words, from = {}, 1
  while true do
    local at = text:find("\0", from, true)
    if not at then return words end
    words[#words + 1] = text:sub(from, at - 1)
    from = at + 1
  end
end

-- Two processes with the same identity would load the same script in the same way.
local function identity(fs, words)
  local parts = { native.version, native.features, tostring((fs.pwd())) }
  for _, word in ipairs(words) do
    local stat = fs.stat(word)
    parts[#parts + 1] = word
    if stat and stat.type == "file" then parts[#parts + 1] = ("%.6f %d"):format(stat.mtime, stat.size) end
  end
  for _, name in ipairs(VARIABLES) do
    for _, ending in ipairs({ "", "_5_2", "_5_3", "_5_4", "_5_5" }) do
      parts[#parts + 1] = name .. ending .. "=" .. (getenv(name .. ending) or "")
    end
  end
  return concat(parts, "\n")
end

local function number(given, name, default)
  local value = options.typed("standin", given, name, "number", 5)
  if value == nil then return default end
  if value < 0 or value ~= value then error("fkrpc.standin: option '" .. name .. "' must be seconds", 4) end
  return value
end

local function standin(given)
  given = options.check("standin", given, KNOWN)
  local socket = options.typed("standin", given, "socket", "string") or getenv("FKRPC_STANDIN")
  local idle, patience = number(given, "idle", IDLE), number(given, "patience", PATIENCE)
  if native.zygote or native.origin or socket == "off" then return true end
  local message, errno = "it needs Linux", 38 -- ENOSYS
  if native.standin then
    local fs = native.module("fs")
    local words = command_line()
    local id = identity(fs, words)
    words[1] = fs.readlink("/proc/self/exe") or words[1]
    local folder = getenv("XDG_RUNTIME_DIR")
    if not (folder and fs.stat(folder)) then folder = "/tmp" end
    local _
    _, message, errno = native.standin(socket, folder, id, words, idle, patience)
  end
  native.log("fkrpc.standin: " .. message .. "; this process loads the script itself\n")
  return nil, message, errno
end

return setmetatable({}, { __call = function(_, given) return standin(given) end })
