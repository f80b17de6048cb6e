-- fkrpc.compat: modules that FreeKill programs require, on this library alone.
--
-- It does nothing until it is called: `fkrpc.compat{ "socket", "lfs" }` installs those, `fkrpc.compat()` all.
-- `require "fkrpc.compat"` installs all. Installing means an entry in package.preload, nothing more: no module is
-- loaded, no descriptor moves before somebody requires the module. What is loaded already stays what it is.
local native = ...
local require, type, error, tostring, setmetatable = require, type, error, tostring, setmetatable
local preload = (package or require "package").preload

-- The game puts tables with fewer functions in these places later.
native.compat = {
  exit = os.exit,
  getenv = os.getenv,
  globals = _G,
  items = setmetatable({}, { __mode = "k" }), -- file handle = function that returns its next CBOR item, undecoded
}

local SHIMS = {
  socket = "compat/socket",
  lfs = "compat/lfs",
  posix = "compat/posix",
  ["posix.sys.time"] = "compat/posix_sys_time",
  ["posix.time"] = "compat/posix_time",
  qrandomgen = "compat/qrandomgen",
  ["freekill-qrandomgen"] = "compat/qrandomgen",
  json = "compat/json",
  cjson = "compat/cjson",
  ["cjson.safe"] = "compat/cjson_safe",
  ["server.rpc.cbor"] = "compat/cbor",
  ["server.rpc.stdio"] = "compat/stdio",
  ["server.rpc.jsonrpc"] = "compat/jsonrpc",
}

local function install(name)
  local module = SHIMS[name]
  preload[name] = function() return native.module(module) end
end

return setmetatable({}, {
  __call = function(self, names)
    if names == nil then
      for name in next, SHIMS do install(name) end
      -- The game guards each coroutine with a count hook, which costs it a quarter of its time. From here on such a
      -- hook is called about once a second instead. It has to be now: the game keeps coroutine.resume at its start.
      native.module("watchdog").soft_hooks(true)
      return self
    end
    if type(names) ~= "table" then
      error("bad argument #1 to 'compat' (table of module names expected, got " .. type(names) .. ")", 2)
    end
    for i = 1, #names do
      if not SHIMS[names[i]] then
        error("fkrpc.compat: there is no shim for '" .. tostring(names[i]) .. "'", 2)
      end
    end
    for i = 1, #names do install(names[i]) end
    return self
  end,
})
