-- Plays one side of a recorded conversation with a peer and checks everything the other side sends.
--
-- It stops at the first difference and says where it was; ids and the order of map members are free. A recording that
-- ends inside a call ends by closing the connection there.

local fkrpc = require("fkrpc")

local Player = {}
Player.__index = Player

-- Records told before the one that differs.
local BEFORE = 4
-- Characters of a value told.
local LONG = 300
-- Records between two reports of progress.
local OFTEN = 1000

-- Lua 5.3 and later tell integers from floats.
local number_type = math.type or function() end

local function equal(a, b)
  if a == b then
    return number_type(a) == number_type(b)
  elseif type(a) ~= "table" or type(b) ~= "table" then
    return false
  elseif next(a) == nil and next(b) == nil then
    return getmetatable(a) == getmetatable(b) -- an empty array is no empty object
  end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- ---- telling a difference -------------------------------------------------------------------------------------------

local bytes = fkrpc.json.new({ strings = "bytes" })

local function show(value)
  if value == nil then
    return "nothing"
  end
  local text = bytes.encode(value) or tostring(value)
  text = text:gsub("[^\32-\126]", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end)
  return #text <= LONG and text or text:sub(1, LONG) .. "..."
end

local function show_record(record)
  if not record then
    return "the end of the conversation"
  elseif record.kind == "request" or record.kind == "notification" then
    return ("%s %s %s %s"):format(record.dir, record.kind, tostring(record.method), show(record.params))
  elseif record.kind == "error" then
    return ("%s error %s %s %s"):format(record.dir, show(record.code), show(record.message), show(record.data))
  elseif record.kind == "result" then
    return ("%s result %s"):format(record.dir, show(record.result))
  end
  return record.kind
end

-- Ends the conversation because of what was received. Only the first difference counts: what follows comes of it.
function Player:differs(got)
  if self.over then
    return
  end
  local lines = { ("record %d: expected %s"):format(self.number, show_record(self.record)) }
  lines[2] = ("  got %s"):format(show_record(got))
  for number = math.max(1, self.number - BEFORE), self.number - 1 do
    lines[#lines + 1] = ("  before it, %d: %s"):format(number, show_record(self.recent[number % BEFORE]))
  end
  -- When the connection just ended, the other side may know why.
  self.difference = { text = table.concat(lines, "\n"), ended = got.ended }
  self.over = true
  self.peer:close()
end

local function ended(err)
  return { kind = ("the connection's end (%s: %s)"):format(tostring(err.code), tostring(err.message)), ended = true }
end

-- ---- playing --------------------------------------------------------------------------------------------------------

-- Take the present record as done.
function Player:advance()
  self.recent[self.number % BEFORE] = self.record
  self.number = self.number + 1
  self.record = self.source()
  if self.progress and self.number % OFTEN == 0 then
    self.progress(self.number)
  end
end

-- Send a recorded request and check the reply. The calls it leads to are played meanwhile by `serve`.
function Player:call(request)
  self.calls = self.calls + 1
  self:advance()
  local result, err = self.peer:call(request.method, request.params, self.patience and { timeout = self.patience })
  if self.over then
    return
  elseif err and type(err.code) == "string" then
    -- An error of this side's own: no reply came.
    if err.code == "closed" and not self.record then
      self.over = true
      return
    end
    return self:differs(ended(err))
  end
  local got = { dir = self.theirs, kind = err and "error" or "result", result = result }
  if err then
    got.code, got.message, got.data = err.code, err.message, err.data
  end
  local expected = self.record
  if not expected or expected.dir ~= got.dir or expected.kind ~= got.kind or expected.code ~= got.code
    or expected.message ~= got.message or not equal(expected.data, got.data)
    or not equal(expected.result, got.result) then
    return self:differs(got)
  end
  self:advance()
end

-- Check what arrived against the record, then play up to the response to it.
function Player:serve(params, ctx)
  if self.over then
    return nil
  end
  local got = { dir = self.theirs, kind = ctx.notification and "notification" or "request" }
  got.method, got.params = ctx.method, params
  local expected = self.record
  if not expected or expected.dir ~= got.dir or expected.kind ~= got.kind or expected.method ~= got.method
    or not equal(expected.params or {}, got.params) then
    return self:differs(got)
  end
  self:advance()
  if ctx.notification then
    return nil
  end
  self.calls = self.calls + 1
  local response = self:play()
  if not response then
    -- The recording ends inside this call.
    self.over = true
    self.peer:close()
    return nil
  elseif response.kind == "error" then
    return nil, fkrpc.error({ code = response.code, message = response.message, data = response.data })
  end
  return response.result
end

-- Wait for the other side's next request or notification; `serve` plays it.
function Player:receive()
  local number = self.number
  local served, err = self.peer:step(self.patience)
  if self.over then
    return
  elseif served == nil then
    self:differs(ended(err))
  elseif not served then
    self:differs({ kind = ("nothing in %g seconds"):format(self.patience) })
  elseif self.number == number then
    self:differs({ kind = "a message that is neither a request nor a notification" })
  end
end

-- Play on. Returns this side's response to the request it is inside of, or nil when the conversation is over.
function Player:play()
  while self.record and not self.over do
    local record = self.record
    if record.dir == self.theirs then
      self:receive()
    elseif record.kind == "request" then
      self:call(record)
    elseif record.kind == "notification" then
      self:advance()
      local sent, err = self.peer:notify(record.method, record.params)
      if not sent then
        self:differs(ended(err))
      end
    else
      self:advance()
      return record
    end
  end
  return nil
end

--- Play the whole conversation. `finish` is called when all is said: after it nothing but the end may arrive.
function Player:run(finish)
  self:play()
  if not self.over then
    if finish then
      finish()
    end
    local served, err
    repeat
      served, err = self.peer:step(self.patience)
    until served ~= true or self.over
    if not self.over and not (served == nil and err.code == "closed") then
      self:differs({ kind = "no end of the connection" })
    end
  end
  local stats = self.peer:stats()
  if not self.difference and stats.strays + stats.malformed > 0 then
    self.difference = {
      text = ("%d replies to no call and %d malformed messages arrived"):format(stats.strays, stats.malformed),
    }
  end
end

local player = {}

--- A player for the side that sends the records of direction `mine` ("c2p" or "p2c").
---
--- `source` gives the next record at each call. Options: `progress` is called with the number of the present record now
--- and then; `patience` is how many seconds to wait for anything (for ever if nil).
function player.new(peer, source, mine, options)
  local self = setmetatable({
    peer = peer, source = source, theirs = mine == "c2p" and "p2c" or "c2p",
    number = 1, record = source(), recent = {}, calls = 0, over = false,
    progress = options and options.progress, patience = options and options.patience,
  }, Player)
  peer:on("*", function(params, ctx)
    return self:serve(params, ctx)
  end)
  return self
end

return player
