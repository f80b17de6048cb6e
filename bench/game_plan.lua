-- A tape of bench/game.lua as calls of fkrpc.freekill's objects.
--
-- Everything is decoded and looked up before the game begins, so that its time is the calls' own.

local fkrpc = require("fkrpc")

local plan = {}
local METHOD, PARAMS, ID, RESULT = 101, 102, 104, 105

-- The function and its first argument for a recorded method.
local function callee(fk, method, id, objects)
  local class, name = method:match("^(%a+)_(%a+)$")
  if not class then
    if method == "print" then
      return function(_, ...) print(...) end
    end
    return function(_, ...) fk[method](...) end
  end
  local key = class .. tostring(id)
  if class == "RoomThread" then
    objects[key] = objects[key] or fk.RoomThread()
  else
    objects[key] = objects[key] or fk[class]({ id = id, connId = id, players = {} })
  end
  return objects[key][name], objects[key], class == "RoomThread" and 1 or 2
end

--- A function that plays up to the next answer, which it returns; at the tape's end it ends the process.
--- `fk` is fkrpc.freekill, or what stands for it.
function plan.read(path, fk)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  local codec = fkrpc.cbor.new({ big = "wrap" })
  local steps, objects, at = {}, {}, 1
  while at <= #bytes do
    local length = 0
    for offset = 4, 1, -1 do
      length = length * 256 + bytes:byte(at + offset)
    end
    local packet = assert(codec.decode(bytes:sub(at + 5, at + 4 + length)))
    if bytes:sub(at, at) == "c" and packet[METHOD] and packet[ID] then
      local p = packet[PARAMS]
      local f, object, first = callee(fk, packet[METHOD], p[1], objects)
      first = first or 1
      steps[#steps + 1] = { f, object, p[first], p[first + 1], p[first + 2], p[first + 3] }
    elseif bytes:sub(at, at) == "c" and (packet[METHOD] or packet[RESULT] ~= "PONG") then
      steps[#steps + 1] = { false, packet[RESULT] }
    end
    at = at + 5 + length
  end
  local number = 0
  return function()
    while true do
      number = number + 1
      local step = steps[number]
      if not step then
        os.exit(0) -- the recording ends inside a request
      end
      local f = step[1]
      if not f then
        return step[2]
      end
      f(step[2], step[3], step[4], step[5], step[6])
    end
  end
end

return plan
