-- A program under examination: started afresh, spoken to in raw messages, ended within its time.
--
-- Messages are written as JSON here, and sent in the codec and framing that it speaks. It refuses to trust: everything
-- it says must be a message of JSON-RPC 2.0, and every wait has an end.

local fkrpc = require("fkrpc")
local message = require("fkrpc.command.message")
local json = fkrpc.json
local cbor = fkrpc.cbor.new({ strings = "text" })

-- What the methods we ask for begin with.
local OURS = "fkrpc.check/"

local Probe = {}
Probe.__index = Probe

-- A failed expectation; the text is for people.
local function fail(text, ...)
  error({ expectation = text:format(...) }, 0)
end

local function shown(text)
  text = #text > 100 and text:sub(1, 100) .. "..." or text
  return (text:gsub("[%c\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

--- Whether a value is a message as JSON-RPC 2.0 has them, or why not.
local function is_message(value)
  if type(value) ~= "table" then return false, "no object" end
  if value.jsonrpc ~= "2.0" then return false, 'jsonrpc is not "2.0"' end
  if value.method ~= nil then
    if type(value.method) ~= "string" then return false, "method is no string" end
    return true
  end
  if value.id == nil then return false, "a response without an id" end
  if (value.result == nil) == (value.error == nil) then return false, "not exactly one of result and error" end
  local err = value.error
  if err ~= nil then
    if type(err) ~= "table" or type(err.code) ~= "number" or err.code % 1 ~= 0 then
      return false, "the error has no integer code"
    end
    if type(err.message) ~= "string" then return false, "the error has no message" end
  end
  return true
end

--- Start the program; `speech` has its `codec` and `framing`.
local function start(command, timeout, speech)
  local peer, why = fkrpc.spawn({
    command = command, max_frame = 2 ^ 30, codec = speech.codec, framing = speech.framing,
  })
  if not peer then error(why, 0) end
  return setmetatable({
    peer = peer, timeout = timeout, speech = speech, read = message.reader(speech),
    what = speech.framing == "line" and "a line" or "a message",
  }, Probe)
end

--- A message (JSON, or what should have been some) as it goes over the wire.
function Probe:wire(text)
  if self.speech.codec == "cbor" then text = assert(cbor.encode(assert(json.decode(text)))) end
  return message.framed(self.speech, text)
end

--- Send a message, in a line of its own where there are lines.
function Probe:line(text)
  self:bytes(self:wire(text))
end

--- Send bytes as they are.
function Probe:bytes(text)
  local sent, err = self.peer:send_raw(text)
  if sent then return end
  -- Whether its end is met by a write or by a read is chance.
  if self.peer:wait(self.timeout) then fail("it ended without an answer (%s)", err.message) end
  fail("it does not read any more: %s", err.message)
end

--- Send a request with `id` (a piece of JSON), of the method that has to be answered.
function Probe:ask(id, params)
  self:line(self:request(id, params))
end

--- The same as text. A method that no program has: answered with an error all the same.
function Probe.request(_, id, params)
  return ('{"jsonrpc":"2.0","id":%s,"method":"%sno such method","params":%s}'):format(id, OURS, params or "[]")
end

--- The next message that is no request or notification of the program's own; nil at the end, false when time is over.
function Probe:next(seconds)
  while true do
    local bytes, err = self.peer:receive_raw(seconds or self.timeout)
    if bytes == false then return false end
    if bytes == nil and err.code == "garbage" then fail("what is on stdout is no message: %s", err.message) end
    if bytes == nil then return nil, err.message end
    local value = self.read(bytes)
    if value == nil then fail("%s on stdout is no %s: %s", self.what, self.speech.codec:upper(), shown(bytes)) end
    local batch = type(value) == "table" and value[1] ~= nil
    for _, member in ipairs(batch and value or { value }) do
      local fine, why = is_message(member)
      if not fine then fail("%s on stdout is no message of JSON-RPC (%s): %s", self.what, why, shown(bytes)) end
    end
    if batch or value.method == nil then return value, bytes end
    if value.method:sub(1, #OURS) == OURS then fail("it sends our own request back") end
    if value.id ~= nil then -- it calls us: nothing is known here; and where it reads no more, nothing is lost
      self.peer:send_raw(self:wire(assert(json.encode({ jsonrpc = "2.0", id = value.id,
        error = { code = -32601, message = "Method not found" } }))))
    end
  end
end

--- The next response; fails without one.
function Probe:response()
  local value, why = self:next()
  if value == false then fail("no answer within %g s", self.timeout) end
  if value == nil then fail("it ended without an answer (%s)", why) end
  return value
end

--- The next response is an error with the code (or one of them) and the id null.
function Probe:refusal(...)
  local value = self:response()
  local code = value.error and value.error.code
  local fits = false
  for _, wanted in ipairs({ ... }) do fits = fits or code == wanted end
  if not fits then
    fail("the error %s was expected, not %s", table.concat({ ... }, " or "), code and tostring(code) or "a result")
  end
  if value.id ~= fkrpc.null then fail("the error's id is %s and not null", tostring(value.id)) end
end

--- The next response has this id.
function Probe:answer(id)
  local value = self:response()
  if type(value) ~= "table" or value[1] ~= nil then fail("a batch was not expected") end
  if value.id ~= id then
    fail("the id came back as %s, not as %s", shown(tostring(json.encode(value.id))),
      shown(tostring(json.encode(id))))
  end
  return value
end

--- It still answers, and nothing is left from before.
function Probe:alive()
  self:ask('"alive"')
  self:answer("alive")
end

--- It still answers; errors without an id may come before.
function Probe:recovers()
  self:ask('"alive"')
  for _ = 1, 10 do
    local value = self:response()
    if value.id == "alive" then return end
    if value.id ~= fkrpc.null or not value.error then fail("an answer with the id %s", tostring(value.id)) end
  end
  fail("more than ten errors for one line")
end

--- Close its stdin; all that comes is read, and it must end by itself with status 0.
function Probe:ends()
  self.peer:close_stdin()
  repeat
    local value = self:next()
    if value == false then fail("it goes on %g s after the end of its input", self.timeout) end
  until value == nil
  self:exits(0)
end

--- It must end; with this status, if one is given.
function Probe:exits(status)
  local exit = self.peer:wait(self.timeout)
  if not exit then fail("it still runs after %g s", self.timeout) end
  if status and exit.code ~= status then
    fail("it ended with %s", exit.signal and "signal " .. exit.signal or "status " .. tostring(exit.code))
  end
end

--- Whatever happened, it is gone after this.
function Probe:finish()
  self.peer:close()
  if self.peer:wait(0) == false then
    self.peer:kill(9)
    self.peer:wait()
  end
end

return { start = start, fail = fail }
