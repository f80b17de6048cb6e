-- 64-bit integers as LuaJIT's cdata: what the native side calls to make one and to read one. It does nothing on other
-- Luas, and nothing where the ffi library was left out or taken away: integers beyond 2^53 are then the nearest float.
local native = ...
local tostring, pcall = tostring, pcall

-- Their places in the anchors table; see src/lua/raw/state.rs.
local MAKE, READ = 7, 8

local found, ffi = pcall(require, "ffi")
if native.features ~= "luajit" or not found then return {} end

local istype, cast = ffi.istype, ffi.cast
local int64, uint64 = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local two_32 = uint64(2 ^ 32)

native.anchors[MAKE] = function(high, low, unsigned)
  local value = uint64(high) * two_32 + uint64(low)
  if unsigned then return value end
  return cast(int64, value)
end

native.anchors[READ] = function(value)
  if istype(int64, value) or istype(uint64, value) then return (tostring(value):gsub("U?LL$", "")) end
  return nil
end

return { int64 = int64, uint64 = uint64 }
