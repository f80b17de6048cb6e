-- lfs: the API of LuaFileSystem 1.8, over fkrpc.fs.
local native = ...
local type, error, tostring, setmetatable = type, error, tostring, setmetatable
local floor = math.floor
local fs = native.module("fs")
local uncovered = native.module("compat/uncovered")
local file_lock, hard_link = native.file_lock, native.hard_link

local lfs = {
  _VERSION = "LuaFileSystem 1.8.0 (by fkrpc " .. native.version .. ")",
  _DESCRIPTION = "LuaFileSystem's functions over fkrpc.fs",
  _COPYRIGHT = "the fkrpc authors",
}

-- The system's own words at the end of a message.
local function reason(message)
  message = message:gsub(" %(errno %d+%)$", "")
  return message:match(": ([^:]*)$") or message
end

-- true, or nil, the system's words, errno.
local function answer(done, message, errno)
  if done then return true end
  return nil, reason(message), errno
end

-- ---- attributes -----------------------------------------------------------------------------------------------------

local MODES = {
  file = "file", directory = "directory", link = "link", socket = "socket", fifo = "named pipe",
  char = "char device", block = "block device",
}

local BITS = {
  { 256, "r" }, { 128, "w" }, { 64, "x" }, { 32, "r" }, { 16, "w" }, { 8, "x" }, { 4, "r" }, { 2, "w" }, { 1, "x" },
}

local function permissions(mode)
  local text = ""
  for i = 1, 9 do
    local bit = BITS[i]
    text = text .. (mode % (bit[1] * 2) >= bit[1] and bit[2] or "-")
  end
  return text
end

local ATTRIBUTES = {
  mode = function(s) return MODES[s.type] or "other" end,
  dev = function(s) return s.dev end,
  ino = function(s) return s.ino end,
  nlink = function(s) return s.nlink end,
  uid = function(s) return s.uid end,
  gid = function(s) return s.gid end,
  rdev = function(s) return s.rdev end,
  access = function(s) return floor(s.atime) end,
  modification = function(s) return floor(s.mtime) end,
  change = function(s) return floor(s.ctime) end,
  size = function(s) return s.size end,
  permissions = function(s) return permissions(s.mode) end,
  blocks = function(s) return s.blocks end,
  blksize = function(s) return s.blksize end,
}

local NOT_FOLLOWED = { follow = false }

local function attributes(path, request, options)
  local stat, message, errno = fs.stat(path, options)
  if not stat then
    return nil, "cannot obtain information from file '" .. path .. "': " .. reason(message), errno
  end
  if type(request) == "string" then
    if request == "target" and options then return (fs.readlink(path)) end
    local attribute = ATTRIBUTES[request]
    if not attribute then error("invalid attribute name '" .. request .. "'", 3) end
    return attribute(stat)
  end
  local result = type(request) == "table" and request or {}
  for name, attribute in next, ATTRIBUTES do result[name] = attribute(stat) end
  if options and stat.type ~= "file" then result.target = fs.readlink(path) end
  return result
end

--- A table of a file's attributes, or one of them; symlinks are followed.
function lfs.attributes(path, request) return attributes(path, request) end

--- The same of a symlink itself, with its `target`.
function lfs.symlinkattributes(path, request) return attributes(path, request, NOT_FOLLOWED) end

-- ---- folders --------------------------------------------------------------------------------------------------------

function lfs.chdir(path)
  local done, message, errno = fs.cd(path)
  if done then return true end
  return nil, "Unable to change working directory to '" .. path .. "'\n" .. reason(message) .. "\n", errno
end

lfs.currentdir = fs.pwd

function lfs.mkdir(path)
  return answer(fs.mkdir(path))
end

function lfs.rmdir(path)
  local stat, message, errno = fs.stat(path, NOT_FOLLOWED)
  if stat and stat.type ~= "directory" then return nil, "Not a directory", 20 end
  if not stat then return answer(stat, message, errno) end
  return answer(fs.remove(path))
end

local Dir = { __name = "directory metatable" }
Dir.__index = Dir

function Dir:next()
  local names = self.names
  if not names then error("closed directory", 2) end
  local name = names[self.at]
  self.at = self.at + 1
  if name == nil then self.names = nil end
  return name
end

function Dir:close() self.names = nil end
Dir.__close, Dir.__gc = Dir.close, Dir.close

--- `for name in lfs.dir(path) do`: every name in a folder, `.` and `..` too. Raises if it cannot be read.
function lfs.dir(path)
  local names, message = fs.ls(path)
  if not names then error("cannot open " .. path .. ": " .. reason(message), 2) end
  local all = { ".", ".." }
  for i = 1, #names do all[i + 2] = names[i] end
  local dir = setmetatable({ names = all, at = 1 }, Dir)
  return Dir.next, dir, nil, dir
end

-- ---- files ----------------------------------------------------------------------------------------------------------

--- Set the times of what exists, to now unless they are given.
function lfs.touch(path, access, modification)
  local stat, message, errno = fs.stat(path)
  if not stat then return answer(stat, message, errno) end
  return answer(fs.touch(path, access and { atime = access, mtime = modification or access } or nil))
end

--- Another name for a file, or a symlink.
function lfs.link(old, new, symbolic)
  if symbolic then return answer(fs.symlink(old, new)) end
  return answer(hard_link(old, new))
end

--- Lock a file for reading ("r") or writing ("w"), as fcntl does, without waiting.
function lfs.lock(file, mode, start, length)
  if mode ~= "r" and mode ~= "w" then error("lock: invalid mode", 2) end
  return answer(file_lock(file, mode, start, length))
end

function lfs.unlock(file, start, length) return answer(file_lock(file, "u", start, length)) end

local FolderLock = { __name = "lock metatable" }
FolderLock.__index = FolderLock

function FolderLock:free()
  if self.path then
    fs.remove(self.path)
    self.path = nil
  end
  return true
end
FolderLock.__gc, FolderLock.__close = FolderLock.free, FolderLock.free

--- A lock of a whole folder, by the file `lockfile.lfs` in it; `lock:free()` gives it back.
function lfs.lock_dir(path)
  local name = path .. "/lockfile.lfs"
  local done, message = fs.symlink("lock", name)
  if not done then return nil, reason(message) end
  return setmetatable({ path = name }, FolderLock)
end

--- Text and binary files are the same here.
function lfs.setmode(_, mode)
  if mode ~= "binary" and mode ~= "text" then
    error("bad argument #2 to 'setmode' (invalid option '" .. tostring(mode) .. "')", 2)
  end
  return true, "binary"
end

return uncovered("lfs", lfs)
