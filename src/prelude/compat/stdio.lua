-- server.rpc.stdio: the channel to the parent, guarded from here on as fkrpc.stdio guards it.
--
-- The end. Whoever reads after the parent closed its end, or after `bye`, is told so once, by nil: the main loop ends
-- on that, and the program with it. Whoever reads or sends once more plays a game that nobody takes part in (a call
-- that got nil goes on where an answer was expected), so the process ends there and then, with status 0: it must not
-- die of the next nil it meets, nor fill a pipe that nobody empties and hang in write(2) for ever. `stdin:read` ends it
-- at once, since no decoder takes nil for a byte. Finalizers run, as at the end of any program.
local native = ...
local error, type, tostring, rawget = error, type, tostring, rawget
local compat, uncovered = native.compat, native.module("compat/uncovered")
local exit, globals = compat.exit, compat.globals

local line, item, bytes, write, flush = native.channel()
if not line then error("server.rpc.stdio: " .. tostring(item), 0) end

local told, ending = false, false

local function finish()
  if ending then return end -- a finalizer of the closing state
  ending = true
  exit(0, true)
end

local function finished()
  local fk = rawget(globals, "fk")
  return type(fk) == "table" and fk._rpc_finished
end

local function tell()
  if told then finish() end
  told = true
  return nil
end

local function receive()
  return not finished() and line() or tell()
end

local function send(text)
  if told then return finish() end
  write(nil, tostring(text), "\n")
  flush(nil)
end

local stdin = {}

function stdin.read(_, n)
  if type(n) ~= "number" then
    error("fkrpc.compat: server.rpc.stdio.stdin:read(" .. tostring(n) .. ") is not covered", 2)
  end
  if n == 0 then return "" end
  local text = not finished() and bytes(n)
  if not text then finish() end
  return text or nil
end

local stdout = { write = write }

function stdout:flush()
  if told then return finish() end
  return flush(self)
end

-- The next item for server.rpc.cbor: its bytes; nil at the end; false and a message where none begins.
compat.items[stdin] = function()
  if finished() then return tell() end
  local text, message = item()
  if text then return text end
  if text == nil then return false, message end
  return tell()
end

return uncovered("server.rpc.stdio", {
  receive = receive,
  send = send,
  stdin = uncovered("server.rpc.stdio.stdin", stdin),
  stdout = uncovered("server.rpc.stdio.stdout", stdout),
})
