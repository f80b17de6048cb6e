-- What the server's objects have in common: descriptions that the server sends, and parameters made fit for it.
--
-- It refuses to invent values: what cannot be made fit is raised at the caller of the method.
local native = ...
local type, error, tostring = type, error, tostring
local link = native.module("freekill/link")
local local_error = native.module("peer").local_error
local value, opened = link.value, link.opened

-- Descriptions are read as the game's own decoder reads them: whole floats are integers, integers wrap.
local codec = native.module("cbor").new({ big = "wrap" })

local calls = {}

--- What the server described in a string of CBOR; nothing (0 on the wire) is nil.
function calls.blob(bytes, err)
  if type(bytes) ~= "string" then return nil, err end
  local decoded, message = codec.decode(bytes)
  if type(decoded) ~= "table" then
    return nil, local_error("blob", "the server's description of an object cannot be read: " .. tostring(message))
  end
  return decoded
end

--- An object made of what `calls.blob` returned.
function calls.made(make, decoded, err)
  if decoded == nil then return nil, err end
  return make(decoded)
end

--- The server refuses 0 milliseconds and less, and the room would wait for ever.
function calls.milliseconds(ms, name)
  if type(ms) ~= "number" or ms ~= ms then
    error("bad argument #1 to '" .. name .. "' (milliseconds expected, got " .. tostring(ms) .. ")", 3)
  end
  return ms < 1 and 1 or ms
end

--- A parameter that the server wants as a string.
function calls.text(data)
  return type(data) == "string" and data or tostring(data)
end

--- The description that a constructor was given.
function calls.check(t, name)
  if type(t) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. type(t) .. ")", 3)
  end
  return t
end

-- ---- saved data -----------------------------------------------------------------------------------------------------

local text = calls.text

-- What a method that saves or loads is called with, beside the object's id.
local forms = {
  load = function(method, id)
    return function(self)
      return value(method, link.ask(link.conn or opened(), link.handlers, method, self[id]))
    end
  end,
  one = function(method, id)
    return function(self, what)
      return value(method, link.ask(link.conn or opened(), link.handlers, method, self[id], text(what)))
    end
  end,
  two = function(method, id)
    return function(self, key, json)
      return value(method, link.ask(link.conn or opened(), link.handlers, method, self[id], text(key), text(json)))
    end
  end,
}

--- Give `methods` those that save and load: they return true once the server has begun. What was loaded comes later as
--- a ResumeRoom, and so does "query_done".
function calls.saving(methods, prefix, id, names)
  for name, form in pairs(names) do methods[name] = forms[form](prefix .. name, id) end
end

return calls
