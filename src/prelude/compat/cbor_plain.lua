-- CBOR in Lua, for what the native codec leaves out: tables that bring their own iteration, per-type functions, objects
-- with `read`, decoder callbacks, and input that is not well-formed but was accepted (two-byte forms of false and null,
-- integer chunks in strings, lengths of 2^63 and more taken as 0, breaks as values).
--
-- Scalars are the native codec's work here, too.
local type, error, pairs, ipairs, pcall = type, error, pairs, ipairs, pcall
local getmetatable = getmetatable
local raw_metatable = debug and debug.getmetatable or getmetatable
local math_type = math.type or function(n) return n % 1 == 0 and "integer" or "float" end
local byte, char, sub = string.byte, string.char, string.sub
local concat, sort, floor = table.concat, table.sort, math.floor

return function(cbor)
  local plain = {}
  local native_encode, native_decode = cbor.encode, cbor.decode

  -- ---- encoding -----------------------------------------------------------------------------------------------------

  --- The head of an item: its argument under a major type (times 32).
  local function head(argument, major)
    local bytes = native_encode(argument)
    return char(byte(bytes) + major) .. sub(bytes, 2)
  end
  plain.head = head

  --- A table by what pairs and `#` say: an array if the keys come as 1, 2, 3 ...
  local function iterate(t, options, encode)
    local keys, values, count, array = {}, {}, 0, true
    for key, value in pairs(t) do
      count = count + 1
      array = array and key == count
      keys[count] = encode(key, options)
      values[count] = encode(value, options)
    end
    if array then return head(#t, 128) .. concat(values) end
    for i = 1, count do keys[i] = keys[i] .. values[i] end
    return head(count, 160) .. concat(keys)
  end
  function plain.iterate(t, options) return iterate(t, options, cbor.encode) end

  local encoders = {
    bytestring = native_encode, boolean = native_encode, integer = native_encode, float = native_encode,
  }
  plain.encoders = encoders

  local function encode(value, options)
    local encoder = encoders[type(value)]
    if not encoder then error("cbor.encode: cannot encode a " .. type(value), 2) end
    return encoder(value, options)
  end
  plain.encode = encode

  encoders.string = encoders.bytestring
  encoders["nil"] = native_encode
  encoders["function"] = function() error("cbor.encode: cannot encode a function", 2) end

  function encoders.number(n) return encoders[math_type(n)](n) end

  function encoders.utf8string(s) return head(#s, 96) .. s end

  local function hook(metatable, options)
    return metatable and (options and options[metatable] or metatable.__tocbor)
  end

  function encoders.userdata(value, options)
    local own = hook(raw_metatable(value), options)
    if own then return own(value, options) end
    return native_encode(value)
  end

  function encoders.table(t, options)
    local own = hook(getmetatable(t), options)
    if own then return own(t, options) end
    return iterate(t, options, encode)
  end

  --- For `__tocbor`: an array up to the first nil.
  function encoders.array(t, options)
    local parts = {}
    for i, value in ipairs(t) do parts[i] = encode(value, options) end
    return head(#parts, 128) .. concat(parts)
  end

  --- For `__tocbor`: a map, whatever the keys.
  function encoders.map(t, options)
    local parts = {}
    for key, value in pairs(t) do parts[#parts + 1] = encode(key, options) .. encode(value, options) end
    return head(#parts, 160) .. concat(parts)
  end
  encoders.dict = encoders.map

  --- For `__tocbor`: a map in the order of its array part, else of its sorted keys.
  function encoders.ordered_map(t, options)
    local order, parts = t, {}
    if not t[1] then
      order = {}
      for key in pairs(t) do order[#order + 1] = key end
      sort(order)
    end
    for i, key in ipairs(order) do parts[i] = encode(key, options) .. encode(t[key], options) end
    return head(#parts, 160) .. concat(parts)
  end

  -- ---- decoding -----------------------------------------------------------------------------------------------------

  local decoders = {}
  plain.decoders = decoders
  local BREAK = cbor.simple(31, "break", "\255")

  local function read_bytes(file, n)
    if n <= 0 then return "" end
    local bytes = file:read(n)
    if not bytes or #bytes < n then error("input too short", 0) end
    return bytes
  end

  local function argument(file, info)
    if info < 24 then return info end
    if info > 27 then error("invalid length", 0) end
    return native_decode(char(info) .. read_bytes(file, 2 ^ (info - 24)))
  end

  local function item(file, options, initial)
    initial = byte(initial or read_bytes(file, 1))
    return decoders[floor(initial / 32)](file, initial % 32, options)
  end

  decoders[0] = argument

  decoders[1] = function(file, info)
    if info > 27 then error("invalid length", 0) end
    return native_decode(char(32 + info) .. (info < 24 and "" or read_bytes(file, 2 ^ (info - 24))))
  end

  decoders[2] = function(file, info)
    if info ~= 31 then return read_bytes(file, argument(file, info)) end
    local chunks = {}
    while true do
      local chunk = item(file)
      if chunk == BREAK then return concat(chunks) end
      chunks[#chunks + 1] = chunk
    end
  end
  decoders[3] = decoders[2]

  decoders[4] = function(file, info, options)
    local array = {}
    if info ~= 31 then
      for i = 1, argument(file, info) do array[i] = item(file, options) end
      return array
    end
    local count = 0
    while true do
      local value = item(file, options)
      if value == BREAK then return array end
      count = count + 1
      array[count] = value
    end
  end

  decoders[5] = function(file, info, options)
    local map = {}
    if info ~= 31 then
      for _ = 1, argument(file, info) do
        local key = item(file, options)
        map[key] = item(file, options)
      end
      return map
    end
    while true do
      local key = item(file, options)
      if key == BREAK then return map end
      map[key] = item(file, options)
    end
  end

  decoders[6] = function(file, info, options)
    local tag = argument(file, info)
    local value = item(file, options)
    local handler = options and options[tag] or cbor.tagged_decoders[tag]
    if handler then return handler(value) end
    return cbor.tagged(tag, value)
  end

  decoders[7] = function(file, info, options)
    if info >= 25 and info <= 27 then
      return native_decode(char(224 + info) .. read_bytes(file, 2 ^ (info - 24)))
    end
    local value = info == 24 and byte(read_bytes(file, 1)) or info
    if value == 20 then return false end
    if value == 21 then return true end
    if value == 22 then return cbor.null end
    if value == 23 then return cbor.undefined end
    if info == 31 then return BREAK end
    if options and options.simple then return options.simple(value) end
    return cbor.simple(value)
  end

  --- One item from an object with `read`; nil if it ends before the first byte.
  function plain.read(file, options)
    local initial = file:read(1)
    if not initial or initial == "" then return nil end
    return item(file, options, initial)
  end

  --- As `read`, in a protected call.
  function plain.try(file, options)
    return pcall(item, file, options)
  end

  -- A string as an object with `read`, which asks `more(n, self, options)` for what is missing.
  local function source(bytes, more, options)
    local at, file = 1, {}
    function file:read(n)
      while #bytes - at + 1 < n do
        local added = more(n - (#bytes - at + 1), self, options)
        if added then self:write(added) end
      end
      at = at + n
      return sub(bytes, at - n, at - 1)
    end
    function file:write(added) -- luacheck: no self
      bytes, at = sub(bytes, at) .. added, 1
      return #added
    end
    return file
  end

  local function nothing_more() error("input too short", 0) end

  function plain.decode(bytes, options)
    if type(bytes) ~= "string" then
      error("bad argument #1 to 'decode' (string expected, got " .. type(bytes) .. ")", 3)
    end
    local more = options
    if type(options) == "table" then
      more = options.more
    elseif options ~= nil and type(options) ~= "function" then
      error("bad argument #2 to 'decode' (function or table expected, got " .. type(options) .. ")", 3)
    end
    if type(more) ~= "function" then more = nothing_more end
    return (item(source(bytes, more, options), type(options) == "table" and options or nil))
  end

  return plain
end
