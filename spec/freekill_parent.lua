-- A stand-in for FreeKill's server that is as strict as the real one is fragile: what would make that one wait for ever
-- is an error here.
--
-- It knows bytes only. A packet to the child is written in four pieces; a packet from it is checked byte by byte, and
-- nothing may follow it before this side has written again. The child's output goes to a file, so that looking for
-- more never blocks. Its deadline is a hang detector and no measurement.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local packets = require("spec.fixtures.freekill.packets")
local quote = helper.quote

local SECONDS = 30
-- How long a child that does not wait for its answer is given to show it.
local GRACE = 0.003

local Parent = {}
Parent.__index = Parent

local json = fkrpc.json.new({ strings = "bytes" })

-- ---- bytes ----------------------------------------------------------------------------------------------------------

local function big_endian(value, size)
  local parts = {}
  for i = size, 1, -1 do
    parts[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(parts)
end

local function head(major, value)
  if value < 24 then return string.char(major * 32 + value) end
  if value < 256 then return string.char(major * 32 + 24, value) end
  if value < 65536 then return string.char(major * 32 + 25) .. big_endian(value, 2) end
  if value < 2 ^ 32 then return string.char(major * 32 + 26) .. big_endian(value, 4) end
  return string.char(major * 32 + 27) .. big_endian(value, 8)
end

local function scalar(value)
  if type(value) == "string" then return head(2, #value) .. value end
  if type(value) == "boolean" then return value and "\245" or "\244" end
  if value < 0 then return head(1, -1 - value) end
  return head(0, value)
end

-- The server writes a negative code as -1 - code where CBOR wants code: nine bytes that are beyond 64 bits.
local function wrapped(code)
  return "\59\255\255\255\255" .. big_endian(2 ^ 32 + code, 4)
end

local VERSION = "\24\100\0672.0"

local function cbor_packet(packet)
  if packet.method then
    local parts = { "\164", VERSION, "\24\104", scalar(packet.id), "\24\101", scalar(packet.method), "\24\102",
      head(4, #packet.params) }
    for _, param in ipairs(packet.params) do parts[#parts + 1] = scalar(param) end
    return table.concat(parts)
  elseif packet.error then
    local e = packet.error
    return "\163" .. VERSION .. "\24\104" .. scalar(packet.id) .. "\24\103" .. head(5, 3) .. "\24\200"
      .. wrapped(e.code) .. "\24\201" .. scalar(e.message or "an error") .. "\24\202" .. scalar(e.data or 0)
  end
  return "\163" .. VERSION .. "\24\104" .. scalar(packet.id) .. "\24\105" .. scalar(packet.result)
end

local function json_packet(packet)
  packet.jsonrpc = "2.0"
  if packet.params then packet.params = fkrpc.array(packet.params) end
  return assert(json.encode(packet)) .. "\n"
end

--- Send bytes in four pieces.
function Parent:write(bytes)
  local from = 1
  for piece = 1, 4 do
    local to = math.floor(#bytes * piece / 4)
    self.pipe:write(bytes:sub(from, to))
    self.pipe:flush()
    from = to + 1
  end
end

function Parent:send(packet)
  self:write(self.codec == "json" and json_packet(packet) or cbor_packet(packet))
end

-- What has arrived by now.
function Parent:look()
  self.file:seek("cur", 0) -- or the end of the file, once seen, would stay
  self.received = self.received .. self.file:read("*a")
end

-- The end of the first packet in what has arrived, or nil.
local function first_end(codec, bytes)
  if codec == "json" then
    local at = bytes:find("\n", 1, true)
    return at
  end
  local _, after = fkrpc.cbor.new({ big = "wrap" }).decode(bytes, 1)
  return type(after) == "number" and after - 1 or nil
end

--- The next packet: a table with `method`, `params`, `id`, `result`, `error`. Raises if it is one that the real server
--- cannot take, or if there is more than it. Nil at the end of the child's output.
function Parent:read()
  local deadline, last = fkrpc.clock.now_us() + SECONDS * 1e6
  repeat
    self:look()
    last = first_end(self.codec, self.received)
    if not last then
      if self.ended and self:ended() then
        self:look()
        last = first_end(self.codec, self.received)
        if not last then return nil end
      end
      fkrpc.clock.sleep(0.0002)
    end
  until last or fkrpc.clock.now_us() > deadline
  assert(last, "no packet in " .. SECONDS .. " seconds")
  self.packets = self.packets + 1
  if self.packets <= self.watched then
    fkrpc.clock.sleep(GRACE)
    self:look()
  end
  local bytes = self.received:sub(1, last)
  if not self.pipelined then
    assert(#self.received == last, "the child has sent a second packet before an answer to the first")
  end
  self.received = self.received:sub(last + 1)
  if self.codec == "cbor" then packets.check_for_parent(bytes) end
  local packet = packets.read(self.codec, bytes)[1]
  assert(packet.id == nil or packet.id > 0, "an id that is not above 0")
  return packet
end

-- Execute the child's requests until the answer to `id` comes.
function Parent:serve(id)
  while true do
    local packet = self:read()
    if not packet then return nil end
    if not packet.method then
      assert(packet.id == id, "an answer to another request")
      return packet
    end
    self.requests[#self.requests + 1] = packet
    local handler = self.handlers[packet.method]
    local result, e
    if type(handler) == "function" then
      result, e = handler(packet.params, self)
    else
      result = handler
    end
    if packet.id then
      if result == nil and self.codec == "cbor" then result = 0 end
      if e then result = nil end
      self:send({ id = packet.id, result = result == nil and not e and fkrpc.null or result, error = e })
    end
  end
end

--- Call the child: `result, error`; what it asked meanwhile is in `requests`.
function Parent:call(method, ...)
  self.id = self.id + 1
  local id = self.id
  self.requests = {}
  self:send({ id = id, method = method, params = { ... } })
  local answer = self:serve(id)
  if not answer then return nil, { code = "ended" } end
  local result = answer.result
  if result == fkrpc.null then result = nil end
  return result, answer.error
end

--- The methods the child called during the last `call`, with their params: `{ "Room_delay", 1, 500 }`.
function Parent:calls()
  local list = {}
  for i, request in ipairs(self.requests) do
    list[i] = { request.method }
    for at, param in ipairs(request.params or {}) do list[i][at + 1] = param end
  end
  return list
end

--- Serve until hello; what came before it is in `requests`.
function Parent:greet()
  self.requests = {}
  repeat
    local packet = self:read()
    assert(packet, "the child ended before hello")
    if packet.id then
      self.requests[#self.requests + 1] = packet
      self:send({ id = packet.id, result = self.codec == "cbor" and 0 or fkrpc.null })
    end
  until packet.method == "hello" and not packet.id
end

--- Close the child's input: what it still said, its exit status, and its stderr.
function Parent:finish()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    self:look()
    self.file:close()
    local function take(name)
      local file = assert(io.open(self.path .. name, "rb"))
      local text = file:read("*a")
      file:close()
      os.remove(self.path .. name)
      return text
    end
    self.status, self.errors = tonumber(take(".status")), take(".errors")
    os.remove(self.path)
    os.remove(self.script)
  end
  return self.received, self.status, self.errors
end

local parent = {}

--- Start a Lua text as a child. `given`: codec, env (a shell prefix), watched (how many packets get the longer look).
function parent.start(text, given)
  given = given or {}
  local path, script = os.tmpname(), os.tmpname()
  local file = assert(io.open(script, "wb"))
  file:write(text)
  file:close()
  local cpath = helper.quote(package.cpath)
  local words = { "LUA_CPATH=" .. cpath, "FK_RPC_MODE=" .. (given.codec or "cbor") }
  if _VERSION ~= "Lua 5.1" then
    words[#words + 1] = "LUA_CPATH_" .. _VERSION:match("%d.*"):gsub("%.", "_") .. "=" .. cpath
  end
  words[#words + 1] = given.env
  local command = ("%s timeout %d %s %s > %s 2> %s; echo $? > %s"):format(table.concat(words, " "), SECONDS * 10,
    quote(helper.interpreter), quote(given.script or script), quote(path), quote(path .. ".errors"),
    quote(path .. ".status"))
  local pipe = assert(io.popen(command, "w"))
  pipe:setvbuf("no")
  return setmetatable({
    pipe = pipe, file = assert(io.open(path, "rb")), path = path, script = script, codec = given.codec or "cbor",
    received = "", packets = 0, watched = given.watched or 40, handlers = {}, requests = {}, id = 0,
    ended = function(self)
      local status = io.open(self.path .. ".status")
      if not status then return false end
      local over = status:read("*l") ~= nil
      status:close()
      return over
    end,
  }, Parent)
end

return parent
