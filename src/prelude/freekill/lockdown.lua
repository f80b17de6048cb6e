-- Closing the language's holes for extension code: whatever reads standard input, waits for a person, or could open
-- the server's pipe by its name.
--
-- dbg and debug.debug do nothing, so that a forgotten call is harmless; the rest raises an error that names it. It
-- refuses to be complete where it cannot be: C modules that are there and the debug library's access to locals stay.
local native = ...
local type, error, rawget, rawset, tostring, setmetatable, ipairs =
  type, error, rawget, rawset, tostring, setmetatable, ipairs
local globals = _G
local fs = native.module("fs")

local CLOSED = " is closed: standard input belongs to the server"

local function nothing() end

local function closed(name)
  return function() error(name .. CLOSED, 2) end
end

-- A pipe or socket opened by name (/proc/self/fd/10) may be the server's. Devices are harmless, except terminals.
local HARMLESS = {
  ["/dev/null"] = true, ["/dev/zero"] = true, ["/dev/full"] = true, ["/dev/random"] = true, ["/dev/urandom"] = true,
}
local REFUSED = { fifo = true, socket = true, char = true }

local function leads_to_a_stream(path)
  if type(path) ~= "string" or HARMLESS[path] then return false end
  local stat = fs.stat(path:match("^[^%z]*")) -- C reads a name up to its first NUL
  return stat ~= nil and REFUSED[stat.type] == true
end

-- A function that may be given a file's name first; without one it would read standard input.
local function by_name(name, original)
  return function(path, ...)
    if path == nil then error(name .. " without a file" .. CLOSED, 2) end
    if leads_to_a_stream(path) then error(name .. " of " .. tostring(path) .. CLOSED, 2) end
    return original(path, ...)
  end
end

-- io.open answers with nil and a message.
local function open_by_name(original)
  return function(path, ...)
    if leads_to_a_stream(path) then return nil, tostring(path) .. CLOSED, 13 end -- EACCES
    return original(path, ...)
  end
end

-- package.loadlib, which reads what it is to load.
local function library_by_name(name, original)
  return function(path, ...)
    if leads_to_a_stream(path) then error(name .. " of " .. tostring(path) .. CLOSED, 2) end
    return original(path, ...)
  end
end

-- What `require` may open for a module of this name: the first that is a stream.
local function stream_of(packages, module)
  for _, templates in ipairs({ rawget(packages, "path") or "", rawget(packages, "cpath") or "" }) do
    for template in tostring(templates):gmatch("[^;]+") do
      for _, file in ipairs({ (module:gsub("%.", "/")), module:match("^[^.]*") }) do
        local path = template:gsub("%?", (file:gsub("%%", "%%%%")))
        if leads_to_a_stream(path) then return path end
      end
    end
  end
end

-- One of the functions by which `require` looks for modules.
local function searcher(packages, original)
  return function(module, ...)
    local path = type(module) == "string" and stream_of(packages, module)
    if path then error("require of " .. path .. CLOSED, 0) end
    return original(module, ...)
  end
end

local stdin = setmetatable({}, {
  __index = function() error("io.stdin" .. CLOSED, 2) end,
  __newindex = function() error("io.stdin" .. CLOSED, 2) end,
  __tostring = function() return "file (closed: standard input belongs to the server)" end,
  __name = "fkrpc.freekill.stdin", __metatable = false,
})

-- Library, name, what takes its place. A replacement made by `make` gets the original; `closed` ones do not.
local HOLES = {
  { nil, "dbg", function() return nothing end, always = true },
  { "debug", "debug", function() return nothing end },
  { "io", "read", closed },
  { "io", "input", closed },
  { "io", "stdin", function() return stdin end },
  { "io", "lines", by_name },
  { "io", "open", function(_, original) return open_by_name(original) end },
  { "io", "popen", closed },
  { "os", "execute", closed },
  { nil, "loadfile", by_name },
  { nil, "dofile", by_name },
  { "package", "loadlib", library_by_name },
}

-- What has been put in place, so that closing twice wraps nothing twice.
local ours = setmetatable({}, { __mode = "k" })

local function close_searchers(packages, list)
  local searchers = rawget(packages, "searchers") or rawget(packages, "loaders")
  if type(searchers) ~= "table" then return end
  for i, original in ipairs(searchers) do
    if not ours[original] then
      local replacement = searcher(packages, original)
      ours[replacement] = true
      searchers[i] = replacement
    end
  end
  list[#list + 1] = "require"
end

--- Close what is open: the names of what was closed, now or before. `packages` is Lua's `package`, which the
--- game takes away while it loads.
return function(packages)
  local list = {}
  for i = 1, #HOLES do
    local library, name, make, always = HOLES[i][1], HOLES[i][2], HOLES[i][3], HOLES[i].always
    local t = globals
    if library then t = rawget(globals, library) end
    local original = type(t) == "table" and rawget(t, name)
    if type(t) == "table" and (original or always) then
      local full = library and library .. "." .. name or name
      if not (original and ours[original]) then
        local replacement = make(full, original)
        ours[replacement] = true
        rawset(t, name, replacement)
      end
      list[#list + 1] = full
    end
  end
  if packages then close_searchers(packages, list) end
  return list
end
