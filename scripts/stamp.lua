-- The stamp of a build: which Lua a library is for, and checksums of what it was made from and of the library itself.
--
-- It trusts no clock (a checkout or a copy sets times as it likes) and knows nothing of busted or LuaRocks:
-- scripts/build.lua writes stamps, spec/helper.lua and bench scripts check them.

local stamp = {}

-- What a library is made from. Names inside are part of the checksum; dot files (an editor's swap files) are not.
local SOURCES = "src build.rs Cargo.toml Cargo.lock"

-- A word for the shell that holds `text` and nothing else.
function stamp.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a"):gsub("%s+$", "")
  pipe:close()
  return text
end

-- The absolute path of a folder.
function stamp.absolute(folder)
  local path = output_of("cd " .. stamp.quote(folder) .. " && pwd")
  assert(path ~= "", "no such folder: " .. folder)
  return path
end

-- This interpreter's name among the cargo features: "lua51" ... "lua55", "luajit".
function stamp.lua_name()
  if rawget(_G, "jit") then
    return "luajit"
  end
  return "lua" .. _VERSION:match("(%d+%.%d+)$"):gsub("%.", "")
end

-- The checksum of a project's sources. POSIX `cksum` is on every machine that has a shell.
function stamp.sources(root)
  local sums = "find " .. SOURCES .. " -type f ! -name '.*' -exec cksum {} +"
  return output_of("cd " .. stamp.quote(root) .. " && " .. sums .. " | LC_ALL=C sort | cksum")
end

-- The checksum of one file, or nil when it cannot be read.
function stamp.file(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  file:close()
  return output_of("cksum < " .. stamp.quote(path))
end

-- The folder that holds the library of the Lua called `name`, and the files in it.
function stamp.paths(root, name)
  local folder = root .. "/build/" .. name
  return { folder = folder, library = folder .. "/fkrpc.so", stamp = folder .. "/fkrpc.stamp" }
end

-- Writes the stamp of the library that lies in `paths`; `sources` is the checksum taken before it was built.
function stamp.write(paths, name, sources)
  local file = assert(io.open(paths.stamp, "w"))
  file:write("lua ", name, "\nsources ", sources, "\nlibrary ", assert(stamp.file(paths.library)), "\n")
  assert(file:close())
end

-- True when the library in build/<name> is for that Lua and made from today's sources; otherwise nil and what is wrong.
function stamp.check(root, name)
  local paths = stamp.paths(root, name)
  local file = io.open(paths.stamp)
  local library = stamp.file(paths.library)
  if not file or not library then
    if file then
      file:close()
    end
    return nil, "there is no build for " .. name .. " in " .. paths.folder
  end
  local found = {}
  for key, value in file:read("*a"):gmatch("(%w+) ([^\n]+)") do
    found[key] = value
  end
  file:close()
  if found.lua ~= name then
    return nil, paths.library .. " was built for " .. tostring(found.lua) .. ", and this is " .. name
  elseif found.library ~= library then
    return nil, paths.library .. " is not the library that its stamp describes"
  elseif found.sources ~= stamp.sources(root) then
    return nil, paths.library .. " is stale: it was built from other sources than today's"
  end
  return true
end

return stamp
