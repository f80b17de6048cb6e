-- Waiting until a new child is ready: for its notification `hello`, or for what a function of the program's finds.
--
-- It refuses to leave a child behind that is not: that one is stopped, and its last words are told.
local native = ...
local type, tostring, pcall = type, tostring, pcall
local clock = native.module("clock")

local handshake = {}

local PATIENCE = 10
local ETIMEDOUT, EPROTO = 110, 71

-- Serve what comes until `hello` has.
local function hello(child, deadline)
  local said
  local given = child.handlers.hello
  child:on("hello", function(params)
    said = true
    child.hello = params
  end)
  local served, err = true, nil
  while not said and served ~= nil do
    local left = (deadline - clock.monotonic_us()) / 1e6
    if left <= 0 then
      return nil, "it has not said hello in time"
    end
    served, err = child:step(left)
  end
  child.handlers.hello = given
  if not said then
    local certificate = child.certificate
    if certificate then return nil, "it has ended before it said hello: " .. certificate.reason end
    return nil, "it has not said hello: " .. tostring(err)
  end
  return true
end

--- The option of a new child: nothing, or what it waits with.
function handshake.of(given, error)
  local wanted, seconds = given.handshake, given.handshake_timeout
  if wanted ~= nil and wanted ~= "hello" and type(wanted) ~= "function" then
    error("option 'handshake' must be \"hello\" or a function, not "
      .. (type(wanted) == "string" and '"' .. wanted .. '"' or "a " .. type(wanted)))
  end
  if seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds or seconds <= 0) then
    error("option 'handshake_timeout' must be seconds, not "
      .. (type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)))
  end
  if wanted == nil then return nil end
  return wanted == "hello" and hello or wanted, seconds or PATIENCE
end

--- Do it: true; or nil, message, errno, and the child is gone.
function handshake.run(child, shake, seconds)
  local deadline = clock.monotonic_us() + seconds * 1e6
  local fine, agreed, message = pcall(shake, child, deadline)
  if fine and agreed then return true end
  if not fine then message = tostring(agreed) end
  local errno = clock.monotonic_us() >= deadline and ETIMEDOUT or EPROTO
  local mismatch = native.stats(child.conn).mismatch
  local certificate = child:reap() or child:stop({ grace = 0, terminate = 0.5 })
  child:close()
  local text = "child " .. ("%d"):format(child.pid) .. " is not ready: " .. tostring(message or "the handshake says no")
  if errno == ETIMEDOUT then text = text .. (" (after %g s, option handshake_timeout)"):format(seconds) end
  if mismatch then text = text .. "; it sent " .. mismatch end
  local words = certificate and native.module("certificate").quoted("; its last words: ", certificate.stderr) or ""
  if not text:find(words, 1, true) then text = text .. words end
  return nil, text, errno
end

return handshake
