-- `print` and the q... functions: lines in the server's log.
--
-- They never raise for what a text holds, and a line that the server cannot take goes to stderr instead.
local native = ...
local type, tostring, select, pcall, rawget, rawset = type, tostring, select, pcall, rawget, rawset
local format, concat = string.format, table.concat
local globals = _G
local link = native.module("freekill/link")
local stderr = native.log

-- The server has room for so many params, and writes a tab behind each.
local MOST = 5

local log = { functions = {} }

local function heard(_, err)
  return err == nil
end

-- The text of a log call. A text that is no format (a name with a % in it) is taken as it is.
local function formatted(text, ...)
  if type(text) ~= "string" then text = tostring(text) end
  local fine, made = pcall(format, text, ...)
  if fine then return made end
  local parts = { text }
  for i = 1, select("#", ...) do parts[i + 1] = tostring((select(i, ...))) end
  return concat(parts, " ")
end

for _, name in ipairs({ "qDebug", "qInfo", "qWarning", "qCritical" }) do
  --- Log a text, made as string.format does.
  log.functions[name] = function(text, ...)
    local line = formatted(text, ...)
    local sent = heard(link.void(name, link.tell(link.conn or link.opened(), link.handlers, name, line)))
    if not sent then stderr(line .. "\n") end
  end
end

local function send(a, ...)
  if select("#", ...) >= MOST then
    local rest = { select(MOST - 1, ...) }
    local b, c, d = ...
    return link.tell(link.conn, link.handlers, "print", a, b, c, d, concat(rest, "\t"))
  elseif a == nil then
    return link.tell(link.conn, link.handlers, "print")
  end
  return link.tell(link.conn, link.handlers, "print", a, ...)
end

-- Lua 5.1 has unpack as a global.
local unpack = table.unpack or unpack

--- print as a message: every argument through tostring.
local function print(...)
  local count = select("#", ...)
  local texts = {}
  for i = 1, count do texts[i] = tostring((select(i, ...))) end
  if not heard(link.void("print", send(unpack(texts, 1, count)))) then stderr(concat(texts, "\t") .. "\n") end
end

--- Put ours in the place of the global print, until the peer is closed.
function log.take_print(peer)
  local old, on_close = rawget(globals, "print"), peer.on_close
  rawset(globals, "print", print)
  peer.on_close = function(...)
    if rawget(globals, "print") == print then rawset(globals, "print", old) end
    if on_close then on_close(...) end
  end
end

return log
