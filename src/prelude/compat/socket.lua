-- socket: the clock functions of LuaSocket.
local native = ...
local clock = native.module("clock")

return native.module("compat/uncovered")("socket", {
  _VERSION = "LuaSocket 3.0 (clock functions of fkrpc " .. native.version .. ")",
  gettime = clock.gettime,
  sleep = clock.sleep,
})
