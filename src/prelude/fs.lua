-- fkrpc.fs: files and folders; the functions are native, walking and root handles are put together here.
local native = ...
local type, error, tostring, pairs, setmetatable = type, error, tostring, pairs, setmetatable

local function typename(value)
  return value == nil and "no value" or type(value)
end

-- fs.walk over a base's entries: an iterator of path, type and, for a folder that cannot be read, message and errno.
-- A folder comes before what is in it, names in the order of their bytes. Symlinks are told, not followed.
local function walker(entries, kinds)
  return function(dir)
    local list, message, errno = entries(dir, true)
    if not list then return nil, message, errno end
    local prefix = dir:sub(-1) == "/" and dir or dir .. "/"
    local depth, lists, places, prefixes = 1, { list }, { 1 }, { prefix }
    return function()
      while depth > 0 do
        local names, at = lists[depth], places[depth]
        local name = names[at]
        if name then
          places[depth] = at + 2
          local path, kind = prefixes[depth] .. name, kinds[names[at + 1]]
          if kind ~= "directory" then return path, kind end
          local below, why, number = entries(path, false)
          if below then
            depth = depth + 1
            lists[depth], places[depth], prefixes[depth] = below, 1, path .. "/"
          end
          return path, kind, why, number
        end
        lists[depth] = nil
        depth = depth - 1
      end
    end
  end
end

-- What is wrong with a root's options, if anything.
local function wrong(given)
  if given == nil then return end
  if type(given) ~= "table" then return "table expected, got " .. type(given) end
  for name, value in pairs(given) do
    if name ~= "symlinks" then return "unknown option '" .. tostring(name) .. "'" end
    if type(value) ~= "boolean" then return "option 'symlinks' must be a boolean, not a " .. type(value) end
  end
end

local handle

-- Completes a base's native functions with those that are written in Lua.
local function complete(functions, open_root)
  local walk = walker(functions.entries, functions.kinds)
  functions.entries, functions.kinds = nil, nil

  --- Every entry below a folder: `for path, type, message, errno in fs.walk(dir) do`.
  function functions.walk(path)
    if type(path) ~= "string" then
      error("bad argument #1 to 'walk' (string expected, got " .. typename(path) .. ")", 2)
    end
    return walk(path)
  end

  --- The same functions confined below a folder, or nil, message, errno.
  function functions.root(path, options)
    if type(path) ~= "string" then
      error("bad argument #1 to 'root' (string expected, got " .. typename(path) .. ")", 2)
    end
    local why = wrong(options)
    if why then error("bad argument #2 to 'root' (" .. why .. ")", 2) end
    local opened, message, errno = open_root(path, options)
    if not opened then return nil, message, errno end
    return handle(opened, path)
  end

  return functions
end

-- A root's function that passes over the root itself, as the native ones do: it may be called with a colon.
local function method(root, f)
  return function(first, ...)
    if first == root then return f(...) end
    return f(first, ...)
  end
end

-- Makes a handle of a new root's native functions.
function handle(root, path)
  local close, closed = root.close, false
  complete(root, root.root)
  root.walk, root.root = method(root, root.walk), method(root, root.root)

  --- Gives the folder back; everything else fails from then on.
  function root.close()
    closed = true
    return close()
  end

  return setmetatable(root, {
    __name = "fkrpc.fs.root",
    __metatable = false,
    __close = root.close,
    __tostring = function() return "fkrpc.fs.root: " .. path .. (closed and " (closed)" or "") end,
  })
end

return complete(native.fs_functions(), native.fs_root)
