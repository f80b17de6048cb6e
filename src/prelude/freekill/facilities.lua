-- The small facilities of the game's `fk`: lists, the clock, files, the environment, the states of players.
--
-- They are local: nothing here asks the server.
local native = ...
local error, setmetatable, tostring, type = error, setmetatable, tostring, type
local getenv = os.getenv

local facilities = {
  Player_Invalid = 0, Player_Online = 1, Player_Trust = 2, Player_Run = 3, Player_Leave = 4, Player_Robot = 5,
  Player_Offline = 6,
}

local List = {}
List.__index = List

--- The item at a place counted from 0.
function List:at(i) return self[i + 1] end

--- How many items there are.
function List:length() return #self end

--- Give an array the methods `at` and `length`; the array.
function facilities.QList(array)
  return setmetatable(array, List)
end

--- Microseconds since 1970.
facilities.GetMicroSecond = native.module("clock").now_us

--- The packages that are turned off, as a JSON array.
function facilities.GetDisabledPacks()
  return getenv("FK_DISABLED_PACKS") or "[]"
end

local fs = native.module("fs")

--- Change the current folder. True, or nil and a message.
function facilities.QmlBackend_cd(path)
  return fs.cd(path)
end

--- The current folder.
function facilities.QmlBackend_pwd()
  return fs.pwd()
end

--- The names in a folder, hidden ones too, sorted by their bytes; raises if it cannot be read.
function facilities.QmlBackend_ls(path)
  local names, message = fs.ls(path)
  if names then return names end
  error(("cannot open %s: %s"):format(tostring(path), message:match(": ([^:]*)$") or message), 2)
end

--- Whether something is there; a dangling link is not.
function facilities.QmlBackend_exists(path)
  return type(path) == "string" and fs.exists(path) or false
end

--- Whether it is a folder; nil if nothing is there.
function facilities.QmlBackend_isDir(path)
  return (fs.is_dir(path))
end

return facilities
