-- fkrpc.stdio: serve the parent that started this process, over a channel nobody else can touch.
local native = ...
local type, error, tostring, select, rawget, rawset, pcall = type, error, tostring, select, rawget, rawset, pcall
local unpack = table.unpack or unpack
local concat = table.concat
local globals, debug_library = _G, debug
local options, wire, peer = native.module("options"), native.module("wire"), native.module("peer")
local environment = os.getenv
local log = native.log

local KNOWN = wire.known("print", "stdout", "parent_death")

local function nothing() end

-- Replace a field and remember how to undo it: only if it is still ours.
local function replace(undo, t, name, value)
  local old = rawget(t, name)
  rawset(t, name, value)
  undo[#undo + 1] = function()
    if rawget(t, name) == value then rawset(t, name, old) end
  end
end

-- print as a message: every argument through tostring, as the original does it.
local function print_through(self, send)
  return function(...)
    local count = select("#", ...)
    local texts = {}
    for i = 1, count do texts[i] = tostring((select(i, ...))) end
    -- A raised error is a text that cannot be encoded; print itself never raises for its arguments' bytes.
    local fine, sent = pcall(send, self, "print", texts)
    if not (fine and sent) then log(concat(texts, "\t") .. "\n") end -- nobody hears it there: stderr it is
  end
end

local senders = {
  stderr = false,
  notify = function(self, method, params) return self:notify(method, params) end,
  request = function(self, method, params)
    local _, err = self:call(method, params)
    return err == nil, err
  end,
}

--- Take stdin and stdout for the protocol. The peer, or nil, message, errno.
local function stdio(given)
  given = options.check("stdio", given, KNOWN)
  local arguments, name = wire.arguments("stdio", given)
  local send = options.choice("stdio", given, "print", senders, "stderr")
  local forwards = options.choice("stdio", given, "stdout", { stderr = false, forward = true }, "stderr")
  local patience = given.parent_death and native.module("conduct").patience(given.parent_death)
  if given.calls == false and given.print == "request" then
    error("fkrpc.stdio: print = \"request\" sends requests, calls = false forbids them", 2)
  end
  local conn, message, errno
  if native.zygote then
    message, errno = native.module("forked").enter()
    if message then return nil, message, errno end
  end
  conn, message, errno = native.stdio(unpack(arguments, 1, 10))
  if not conn then return nil, message, errno end
  local started = true
  if forwards then started, message, errno = native.forward(conn) end
  if started and patience then started, message, errno = native.watch_parent(conn, patience) end
  if not started then
    native.close(conn)
    return nil, message, errno
  end
  name = "stdio " .. name
  local settings = arguments.settings
  local wanted = settings.trace
  if not wanted then settings.trace = environment("FKRPC_TRACE") end
  local observed
  observed, message, errno = wire.observe(conn, settings, name)
  if not observed then
    if wanted then return nil, message, errno end
    log("fkrpc: " .. name .. ": " .. message .. "\n") -- nobody asked for it who could be told
  end
  local self = wire.restrict(given, peer.new(conn, name, settings))
  self.forked = native.origin

  local undo = {}
  -- A debugger's prompt would wait on a stdin that is no terminal, for ever.
  replace(undo, globals, "dbg", nothing)
  if type(debug_library) == "table" then replace(undo, debug_library, "debug", nothing) end
  if send then replace(undo, globals, "print", print_through(self, send)) end
  self.on_close = function()
    for i = #undo, 1, -1 do undo[i]() end
  end
  return self
end

return { stdio = stdio }
