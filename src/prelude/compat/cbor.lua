-- server.rpc.cbor: the game's CBOR module, over the library's codec.
--
-- Values, order rule, hooks and leniencies are the old module's; see compat/cbor_plain.lua for what native code leaves
-- to it. Giving type_encoders or type_decoders a function of one's own makes this table's functions use them.
local native = ...
local type, error, tostring, setmetatable, rawset = type, error, tostring, setmetatable, rawset
local tagged_metatable, items = native.tagged_metatable, native.compat.items

local cbor = { tagged_decoders = {} }

-- ---- simple and tagged values ---------------------------------------------------------------------------------------

local plain
local function load_plain()
  plain = plain or native.module("compat/cbor_plain")(cbor)
  return plain
end

local simple_metatable = {
  __tostring = function(t) return t.name or ("simple(%d)"):format(t.value) end,
  __tocbor = function(t) return t.cbor or load_plain().head(t.value, 224) end,
}

--- A simple value, with a name for people and bytes of its own if given.
function cbor.simple(value, name, bytes)
  if type(value) ~= "number" or value < 0 or value > 255 then
    error("bad argument #1 to 'simple' (integer in range 0..255 expected)", 2)
  end
  return setmetatable({ value = value, name = name, cbor = bytes }, simple_metatable)
end
local simple = cbor.simple

cbor.null = simple(22, "null", "\246")
cbor.undefined = simple(23, "undefined", "\247")

--- A value under a tag.
function cbor.tagged(tag, value)
  if type(tag) ~= "number" or tag < 0 then
    error("bad argument #1 to 'tagged' (positive integer expected)", 2)
  end
  return setmetatable({ tag = tag, value = value }, tagged_metatable)
end

tagged_metatable.__tostring = tagged_metatable.__tostring
  or function(t) return tostring(t.tag) .. "(" .. tostring(t.value) .. ")" end
-- Reached where options stand before it, or by hand: the encoder knows the metatable.
function tagged_metatable.__tocbor(t, options)
  return load_plain().head(t.tag, 192) .. cbor.encode(t.value, options)
end

-- ---- the codec ------------------------------------------------------------------------------------------------------

local encode, decode = native.compat_cbor(
  function(bytes, options) return load_plain().decode(bytes, options) end,
  cbor.tagged_decoders,
  setmetatable({ [23] = cbor.undefined }, { __index = function(_, value) return simple(value) end }),
  cbor.null,
  function(t, options) return load_plain().iterate(t, options) end
)
cbor.encode, cbor.decode = encode, decode

--- One item from an object with `read(n)`; nil if it ends before the first byte.
function cbor.decode_file(file, options)
  local item = items[file]
  if item then
    local bytes, message = item()
    if bytes then return decode(bytes, options) end
    if bytes == nil then return nil end
    -- No well-formed item, but perhaps one that the old decoder makes something of.
    local ok, value = load_plain().try(file, options)
    if ok then return value end
    error("cbor.decode_file: " .. message .. " (" .. tostring(value) .. ")", 2)
  end
  return load_plain().read(file, options)
end

-- ---- per-type functions, made on first use --------------------------------------------------------------------------

-- A table of functions that tells when one is replaced.
local function watched(functions, replaced)
  return setmetatable({}, {
    __index = functions,
    __newindex = function(_, key, value)
      functions[key] = value
      replaced()
    end,
    __pairs = function() return next, functions end,
  })
end

return setmetatable(cbor, {
  __index = function(t, name)
    local made
    if name == "type_encoders" then
      made = watched(load_plain().encoders, function() t.encode = plain.encode end)
    elseif name == "type_decoders" then
      made = watched(load_plain().decoders, function()
        t.decode, t.decode_file = plain.decode, plain.read
      end)
    else
      return nil
    end
    rawset(t, name, made)
    return made
  end,
})
