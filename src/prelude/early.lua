-- fkrpc.stdio as a child begins with it: without options, and with no more of a peer than it takes to say hello.
--
-- A parent waits for that, and most of what it waits for is Lua's compiler: the rest of a peer is loaded when it is
-- asked for. It refuses options: those are the file `stdio`'s.
local native = ...
local setmetatable, type, rawget, rawset = setmetatable, type, rawget, rawset
local globals, debug_library, environment = _G, debug, os.getenv

-- JSON in lines, with the limits that `wire.arguments` has.
local FRAME, QUEUE = 2 ^ 24, 2 ^ 26
local CODEC_DEPTH, NO_LIMIT = 128, -1

local function nothing() end

local Early = { __name = "fkrpc.peer" }

-- From now on it is a peer.
local function grown(self)
  return setmetatable(self, native.module("peer").methods)
end

function Early.__index(self, name)
  if name == "notify" then return Early.notify end
  return grown(self)[name]
end

function Early.__tostring(self) return grown(self):__tostring() end

function Early.__close(self) return grown(self):close() end

--- Tell the other end something; nothing comes back. True, or nil and an error.
function Early.notify(self, method, params)
  local sent, err = native.notify(self.conn, self.handlers, method, params)
  return sent, err
end

-- Replace a function that would wait on stdin; `undo` puts it back, if ours is still there.
local function silence(undo, t, name)
  if type(t) ~= "table" then return end
  local old = rawget(t, name)
  rawset(t, name, nothing)
  undo[#undo + 1] = function()
    if rawget(t, name) == nothing then rawset(t, name, old) end
  end
end

local function stdio(given)
  if given ~= nil or native.zygote or environment("FKRPC_TRACE") then return native.module("stdio").stdio(given) end
  local conn, message, errno = native.stdio(0, true, 0, CODEC_DEPTH, false, NO_LIMIT)
  if not conn then return nil, message, errno end
  local handlers, undo = {}, {}
  native.name(conn, "stdio json")
  native.configure(conn, FRAME, false, 0, QUEUE, 0)
  local self = setmetatable({
    conn = conn, handlers = handlers, name = "stdio json", depth = 0, slot = 0, answering = {},
    on_close = function()
      for i = #undo, 1, -1 do undo[i]() end
    end,
  }, Early)
  handlers[0] = self
  silence(undo, globals, "dbg")
  silence(undo, debug_library, "debug")
  return self
end

return { stdio = stdio }
