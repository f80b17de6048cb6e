-- What spec/faults.lua calls with a fault at each section: native functions with arguments that reach all of them.
--
-- Called with the list's needs; returns the cases, and how a connection over JSON is asked for.

local faults, folder, places, noted, all_noted, receive = ...
local native = faults.native
local unpack = table.unpack or unpack -- luacheck: ignore

local cases = {}

-- `f` raises an error of its own; that of a fault is raised again.
local function refuses(f, ...)
  local fine, message = pcall(f, ...)
  assert(not fine)
  if message:find("a fault at", 1, true) then error(message, 0) end
end

-- `work` is called with a fault at each of its sections in turn. `before` makes its arguments anew each time.
local function case(name, work, before) cases[#cases + 1] = { name = name, work = work, before = before } end

local function noted_pair(name, one, other) return noted(name .. ".encode", one), noted(name .. ".decode", other) end

local encode_json, decode_json = noted_pair("json", native.json_codec(true, 0, 128, false, -1))
local CBOR = { true, 0, 128, false, -1, false, true, false, true }
local encode_cbor, decode_cbor = noted_pair("cbor", native.cbor_codec(unpack(CBOR)))
local null = {}
local encode_rxi, decode_rxi = noted_pair("compat_json", native.compat_json(null, true, function() return 0 end))
local encode_game, decode_game = noted_pair("compat_cbor", native.compat_cbor(function() return 0 end, {}, {}, null))
case("json", function() assert(encode_json({ 1 }) == "[1]" and decode_json("[1]")[1] == 1) end)
case("json, wrong", function() assert(not encode_json(print) and not decode_json("[")) end)
case("cbor", function() assert(encode_cbor({ 1 }) == "\129\1" and decode_cbor("\129\1")[1] == 1) end)
case("cbor, wrong", function() assert(not encode_cbor(print) and not decode_cbor("\28")) end)
case("compat_json", function() assert(encode_rxi({ 1 }) == "[1]" and decode_rxi("[1]")[1] == 1) end)
case("compat_cbor", function() assert(encode_game({ 1 }) == "\129\1" and decode_game("\129\1")[1] == 1) end)
case("compat_cbor, wrong", function() refuses(encode_game, print) end)
local styled = native.module("json").new({ indent = 2 })
case("a styled codec", function()
  assert(styled.encode({ 1 }) == "[\n  1\n]" and styled.decode("[1]")[1] == 1 and not styled.decode("["))
end)
local hooked = setmetatable({}, { __tocbor = function() return encode_cbor({ 1 }) end })
case("a hook", function() assert(encode_cbor({ hooked }) == "\129\129\1") end)

local JSON = { 0, true, 0, 128, false, -1 }
local GAME = { 2, false, 3, 128, false, -1, false, true, false, true }
local left, right, handlers, served

local function connect(speech)
  return function()
    left, right = native.pair(unpack(speech))
    handlers = { m = function() return 1 end, c = { function() return 1 end } }
    served = { n = function() return 1 end }
  end
end
local connected = connect(JSON)
case("pair", connected)
case("request", function()
  assert(native.request(left, handlers, "n", { 1 }, nil) == false) -- the other end must run
end, connected)
case("request, not sent", function()
  refuses(native.request, left, handlers, "n", { print }, nil)
  native.close(left)
  assert(select(3, native.request(left, handlers, "n", { 1 }, nil)).code == "closed")
end, connected)
case("notify", function() assert(native.notify(left, handlers, "n", { 1 })) end, connected)
case("send_raw", function() assert(native.send_raw(left, "{}\n")) end, connected)
case("receive and reply", function()
  assert(native.send_raw(left, '{"jsonrpc":"2.0","id":"x","method":"n","params":[1]}\n'))
  local slot, handler = native.receive(right, served)
  assert(slot and handler)
  native.reply(right, served, slot, { 1 })
  assert(native.take(left):find('"result":[1]', 1, true))
end, connected)
local set
case("poller", function() assert(native.poller().close) end)
case("a poller that is collected", function()
  assert(native.poller())
  collectgarbage()
  collectgarbage()
end)
case("a loop's set", function()
  local place = set.join(left, handlers)
  set.join(right, served)
  assert(native.begin(left, handlers, "n", { 1 }) == 1)
  assert(select(3, native.call(left, handlers, "n", nil, {}, {}, 0)) == true) -- nobody's coroutine
  local place_of, slot, handler
  for _ = 1, 3 do -- the first to be looked at has nothing
    place_of, slot, handler = set.wait(0)
    if slot then break end
    place_of, slot, handler = set.take()
    if slot then break end
  end
  assert(place_of and slot and handler)
  native.reply(right, served, slot, { 1 })
  local watch = set.watch(0, 1)
  set.change(watch, 0, 0, false)
  set.remove(watch)
  assert(set.signals(1, false) and not set.signal() and set.signals(0, false))
  set.alarm(0)
  set.listen()
  while set.take() do end -- luacheck: ignore
  set.leave(left, false)
  set.remove(place)
  set.close()
  set.close()
  refuses(set.wait, 0)
end, function()
  connected()
  set = native.poller()
end)
case("receive, nobody is there", function()
  assert(native.send_raw(left, '{"jsonrpc":"2.0","id":1,"method":"x"}\n{"jsonrpc":"2.0","method":"x"}\n'))
  assert(select(2, native.receive(right, served)) == "nothing")
  assert(native.take(left):find("-32601", 1, true))
end, connected)
case("receive, the end of the other", function()
  native.close_output(left)
  assert(select(2, native.receive(right, served)) == "eof")
end, connected)
case("reply that cannot be encoded", function()
  assert(native.send_raw(left, '{"jsonrpc":"2.0","id":1,"method":"n"}\n'))
  native.reply(right, served, (native.receive(right, served)), { print })
  assert(native.take(left):find("-32603", 1, true))
end, connected)
-- A request that was lost on its way to its handler, because the Lua stack was full: the next to receive answers it.
local many = {}
for i = 1, 1000000 do many[i] = 0 end
case("receive, after a request was lost", function()
  native.receive(right, served, 0)
  assert(native.take(left):find('"id":9', 1, true))
end, function()
  connected()
  assert(native.send_raw(left, '{"jsonrpc":"2.0","id":9,"method":"n","params":' .. ("["):rep(30) .. ("]"):rep(30)
    .. "}\n"))
  for _, most in ipairs({ 1000000, 65500, 8000 }) do -- the limits of Lua 5.2 to 5.4, LuaJIT and Lua 5.1
    for count = most - 10, most - 300, -1 do
      -- Deeper in the C stack than the call that finds it: by that it is known to be over.
      local _, fine, message = pcall(pcall, function() receive(right, served, 0, false, unpack(many, 1, count)) end)
      if fine then break end -- there was room
      if message:find("the Lua stack", 1, true) then return end
    end
  end
  error("the Lua stack could not be filled")
end)
case("step", function()
  assert(native.send_raw(left, '{"jsonrpc":"2.0","id":1,"method":"n"}\n{"jsonrpc":"2.0","id":2,"method":"n"}\n'))
  local slot = native.receive(right, served)
  assert(native.step(right, served, slot, 1) ~= nil)
end, connected)
case("wait", function()
  native.request(left, handlers, "n", nil, nil)
  assert(native.send_raw(right, '{"jsonrpc":"2.0","id":1,"result":5}\n'))
  local slot, result = native.wait(left, handlers, 1, nil)
  assert(slot == nil and result == 5)
end, connected)
case("wait for an invalid reply", function()
  native.request(left, handlers, "n", nil, nil)
  assert(native.send_raw(right, '{"jsonrpc":"2.0","id":1,"error":5}\n'))
  assert(select(3, native.wait(left, handlers, 1, nil)).message == "Invalid reply")
end, connected)
case("wait, too long", function()
  native.request(left, handlers, "n", nil, nil)
  native.close(right)
  assert(select(3, native.wait(left, handlers, 1, nil)).code == "closed")
end, connected)
case("ask and tell", function()
  assert(native.tell(left, handlers, "n", 1, "x", true) == nil)
  assert(native.tell_text(left, handlers, "n", 1) == nil)
  assert(native.ask(left, handlers, "n", 1) == false)
  assert(native.ask_text(left, handlers, "n", 1) == false)
  native.close(left)
  assert(select(3, native.ask(left, handlers, "n", 1)).code == "closed")
end, connect(GAME))
case("state of a connection", function()
  native.stop(left)
  native.name(left, "a")
  native.mute(left)
  assert(native.stats(left).open)
  native.forget(left, 1)
  native.close_output(left)
  native.close(left)
end, connected)
case("corks and limits", function()
  native.configure(left, 1000, nil, 0, 1000, 0)
  native.cork(left)
  assert(native.uncork(left))
end, connected)
case("calls that wait for each other", function()
  assert(native.begin(left, handlers, "n", { 1 }, nil) == 1)
  assert(native.next(right, served, nil, nil, false))
  assert(native.is_cancelled(right, 1) == false)
end, connected)
case("the number of calls that wait", function() assert(native.waiting(left) == 0) end, connected)
case("signals", function()
  assert(native.watch_signals(left, 1))
  assert(native.take_signal() == nil)
end, connected)
case("the parent's end", function() assert(native.watch_parent(left, 1)) end, connected)
case("traces and latencies", function()
  native.measure(left)
  assert(native.trace(left, folder .. "/trace", 100000, "a name"))
  assert(not native.trace(right, folder .. "/none/trace", 100000, "a name"))
end, connected)
case("receive_raw", function()
  assert(native.send_raw(left, "{}\n"))
  assert(native.receive_raw(right, 0) == "{}")
end, connected)
case("receive_raw of garbage", function()
  assert(native.send_raw(left, "\28"))
  local bytes, event = native.receive_raw(right, 0)
  assert(bytes == nil and event == "garbage", event)
end, connect({ 1, unpack(CBOR) }))
local sockets = 0
case("sockets", function()
  sockets = sockets + 1 -- a name of its own, for a listener that a fault left behind lives on
  local path = folder .. "/socket" .. sockets
  local listener = assert(native.socket_listen(path))
  local accept, close = noted("socket.accept", listener.accept), noted("socket.close", listener.close)
  local conn = assert(native.socket_connect(path, unpack(JSON)))
  assert(accept(0, unpack(JSON)) and accept(0, unpack(JSON)) == false)
  native.close(conn)
  close()
  assert(not accept(0, unpack(JSON)) and not native.socket_connect(path, unpack(JSON)))
  assert(not native.socket_listen(folder .. "/none/socket"))
end)
case("forwarding", function()
  native.forward(left) -- once per process; later it says so
  native.close(left)
end, connected)
case("services", function()
  assert(native.standard_message(-32603) == "Internal error")
  assert(native.module("no such module") == nil)
end)
for n, name in ipairs({ "compat/lfs", "compat/socket" }) do -- looking for it; reading it
  faults.arm(n)
  local fine, message = pcall(native.module, name)
  local place = faults.disarm()
  assert(place and not fine and message:find("a fault at " .. place, 1, true), message)
  places[place] = true
  assert(type(native.module(name)) == "table")
end
case("log", function() native.log("") end)

local fs = all_noted("fs.", native.fs_functions())
local file = folder .. "/file"
local names = { "ls", "cd", "pwd", "exists", "is_dir", "stat", "mkdir", "remove", "rename", "read", "write_atomic",
  "touch", "readlink", "symlink", "entries" }
local arguments = {
  ls = { folder }, cd = { "." }, exists = { file }, is_dir = { folder }, stat = { file }, mkdir = { folder .. "/d" },
  remove = { folder .. "/none" }, rename = { file, file }, read = { file }, write_atomic = { file, "x" },
  touch = { file }, readlink = { file }, symlink = { "x", file }, entries = { folder, true },
}
for _, name in ipairs(names) do
  case("fs." .. name, function() fs[name](unpack(arguments[name] or {})) end, function() fs.write_atomic(file, "x") end)
end
case("fs.root", function()
  local handle = assert(native.fs_root(folder))
  local open, close = noted("root.root", handle.root), noted("root.close", handle.close)
  assert(handle.exists("file") and open("."))
  assert(not open("none"))
  assert(close())
end)
case("locks", function()
  local handle = assert(io.open(file, "w"))
  assert(native.file_lock(handle, "w") and native.file_lock(handle, "u"))
  handle:close()
  assert(not native.hard_link(file, file))
end)
local clock = all_noted("clock.", native.clock_functions())
case("clock", function()
  assert(clock.now_us() > 0 and clock.monotonic_us() >= 0 and clock.gettime() > 0)
  clock.sleep(0)
end)

local construct = noted("random.construct", native.random_class())
local class = debug.getmetatable(construct(nil, 1)) -- called as a metamethod, with the callable first
class.__index.clone = nil -- it copies bytes, and no code runs
local methods = all_noted("random.", class.__index)
class.__tostring = nil
case("random", function()
  local g = construct(nil, 1)
  construct(nil)
  assert(construct(nil, { 1, 2 }))
  methods.random(g, 1, 6)
  methods.generate(g)
  methods.generate64(g)
  methods.double(g)
  methods.bounded(g, 10)
  methods.bounded64(g, 10)
  methods.bounded_double(g, 10)
  methods.discard(g, 1)
  methods.shuffle(g, { 1, 2, 3 })
  methods.restore(g, methods.state(g))
end)
local construct_plain = noted("qrandomgen.new", (native.qrandomgen_class()))
case("qrandomgen", function() assert(construct_plain(5)) end)

local process
case("processes", function()
  process = assert(native.spawn({ "cat" }, { "A", "b" }, "/", 1, 2 ^ 40, nil, nil, nil, 1))
  local conn = assert(native.adopt(process, unpack(JSON)))
  assert(not native.adopt(process, unpack(JSON)))
  assert(native.process_pid(process) > 0)
  local fd = native.process_fd(process)
  assert(fd == nil or fd > 2)
  assert(native.process_wait(process, 0, true) == false)
  native.close(conn)
  assert(native.process_signal(process, 15, true))
  assert(native.process_wait(process))
  assert(native.process_stderr(process, true) == "")
  assert(not native.process_signal(process, 99999))
end)
case("zygotes", function()
  assert(native.zygote_serve() == false) -- this process is none
  assert(not native.zygote_take(99999, "0", 0))
  local zygote = assert(native.zygote_start({ "true" }, { "A", "b" }, "/", 2))
  assert(not native.zygote_ready(zygote, 60)) -- it has ended
  assert(not native.zygote_copy(zygote, 1, { "A", "b" }, "/", 2))
  native.process_wait(zygote)
  assert(not native.standin(folder .. "/not/there", "/tmp", "id", { "true" }, 0, 1))
end)
case("the watchdog", function()
  assert(native.watchdog_limit(10, 10))
  assert(native.resume_within(coroutine.create(function() end), 5))
  assert(native.watchdog_limit(nil))
  assert(native.watchdog_soft({}) and native.watchdog_soft(nil))
end)
case("the watchdog, refused", function()
  -- Another process's worth of claims is not to be had here: the text is made where the limit is wrong.
  refuses(native.watchdog_limit, 0, 1)
end)
case("finalizers", function()
  native.spawn({ "true" }, nil, nil)
  native.fs_root(folder)
  native.socket_listen(folder .. "/dropped")
  connected()
  left, right, process = nil, nil, nil
  collectgarbage()
  collectgarbage()
end)

return cases, JSON
