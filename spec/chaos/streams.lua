-- Faults of the streams: closed, full, broken off, and full of what does not belong there.

local faults = {}
local function fault(name, run) faults[#faults + 1] = { name = name, run = run } end

-- ---- closed and full ------------------------------------------------------------------------------------------------

fault("half a frame, then the end: the call fails and says so", function(world)
  local child = world:start({ "sh", "-c", [[printf '{"jsonrpc":"2.0","id":1,'; exec 1>&-; cat >/dev/null]] })
  world:fails("closed", child, "ping")
  world:ends(child)
end)
fault("half a CBOR item, then the end: the call fails and says where", function(world)
  local child = world:start({ "sh", "-c", [[printf '\242\144'; exec 1>&-; cat >/dev/null]] }, { codec = "cbor" })
  world:fails("closed", child, "ping")
  world:ends(child)
end)
fault("stdout closed, and it lives on: calls fail at once", function(world)
  local child = world:start({ "sh", "-c", "exec 1>&-; cat >/dev/null" })
  world:fails("closed", child, "ping")
  world:ends(child)
end)
fault("stdin closed, and it lives on: what is written fails", function(world)
  local child = world:start({ "sh", "-c",
    "exec 0<&-; echo '{\"jsonrpc\":\"2.0\",\"method\":\"ready\"}'; exec sleep 100" })
  child:on("ready", function() end)
  world.equal(true, child:step(world.PATIENCE))
  local sent, err = child:notify("ping")
  world.equal(nil, sent)
  world.equal("closed", err.code)
  child:kill(9)
  world:ends(child, -9)
end)
fault("a reader that never reads: a call times out, the stream stays whole for what comes later", function(world)
  local child = world:child("os.execute('sleep 0.2')")
  world:fails("timeout", child, "echo", { ("x"):rep(1e6) }, 0.05)
  world:fine(child)
  world.equal(1, child:stats().strays, "strays")
  world:ends(child)
end)
fault("both ends send more than the pipes hold before they read", function(world)
  local child = world:child([[for i = 1, 100 do peer:notify("n", { ("y"):rep(20000) }) end]])
  local seen = 0
  child:on("n", function() seen = seen + 1 end)
  for _ = 1, 100 do assert(child:notify("echo", { ("x"):rep(20000) })) end
  world:fine(child)
  world.equal(100, seen)
  world:ends(child)
end)
fault("a call of 8 MiB comes back as it was", function(world)
  local child = world:child()
  local giant = ("0123456789abcdef"):rep(2 ^ 19)
  world.equal(true, giant == child:must("echo", { giant }))
  world:ends(child)
end)
fault("a frame longer than it takes: its call fails with an error, and it goes on", function(world)
  local child = world:child("", nil, "{ max_frame = 1000 }")
  world:fails(-32600, child, "echo", { ("x"):rep(5000) })
  world.equal(0, child:stats().strays, "errors without an id")
  world:fine(child)
  world:ends(child)
end)
fault("a frame longer than we take: the call that waits for it fails, and the next is read", function(world)
  local child = world:child([[peer:on("giant", function() return ("x"):rep(5000) end)]], { max_frame = 1000 })
  world:fails(-32603, child, "giant", nil)
  world:fine(child)
  world.equal(1, child:stats().malformed)
  world:ends(child)
end)
fault("an endless line takes no more memory than a frame may have", function(world)
  local child = world:script([[
    local piece = ("x"):rep(65536)
    for _ = 1, 1000 do io.stdout:write(piece) end
    io.stdout:write("\n") io.stdout:flush()
    io.read("*a")
  ]], { max_frame = 65536 })
  local before = collectgarbage("count")
  world:fails("timeout", child, "ping", nil, 1)
  if collectgarbage("count") - before > 1000 then world.fail("Lua's memory grew") end
  world.equal(1, child:stats().malformed)
  world:ends(child)
end)

-- ---- what does not belong there -------------------------------------------------------------------------------------

-- A child that says `noise` (a Lua expression) before it answers each ping.
local function noisy(name, noise, check, options)
  fault(name, function(world)
    local child = world:child(([[
      peer:on("ping", function() peer:send_raw(%s) return "pong" end)
    ]]):format(noise), options, options and '{ codec = "cbor" }')
    for _ = 1, 3 do world:fine(child) end
    check(world, child:stats(), child)
    world:ends(child)
  end)
end

local function malformed(count)
  return function(world, stats) world.equal(count, stats.malformed, "malformed") end
end

noisy("lines of text between frames", [["debug: hello\n"]], malformed(3))
noisy("empty lines between frames", [[("\n"):rep(100)]], malformed(300))
noisy("NUL bytes between frames", [["\0\0\0\n"]], malformed(3))
noisy("bytes that are no UTF-8 between frames", [["\255\254\128\n"]], malformed(3))
noisy("a byte order mark between frames", [["\239\187\191\n"]], malformed(3))
noisy("headers in the manner of HTTP", [["Content-Length: 10\r\n\r\n"]], malformed(6))
noisy("a hundred thousand open brackets", [[("["):rep(100000) .. "\n"]], malformed(3))
noisy("JSON that is no message", [['5\n"text"\nnull\n{}\n[]\n']], malformed(15))
fault("a break between CBOR items: what had come with it is lost, what comes later is read", function(world)
  local child = world:child([[peer:on("bad", function() peer:send_raw("\255") return 1 end)]], { codec = "cbor" },
    '{ codec = "cbor" }')
  child:call("bad", nil, { timeout = 0.2 }) -- the reply came with it, or a moment later
  world:fine(child)
  world.equal(1, child:stats().garbage)
  world:ends(child)
end)
noisy("integers between CBOR items", [["\1\2\3"]], malformed(9), { codec = "cbor" })
noisy("carriage returns before line feeds are white space", [['{"jsonrpc":"2.0","method":"n"}\r\n']],
  function(world, stats) world.equal(3, stats.unhandled) end)

fault("garbage where it ends the conversation: the call fails and says why", function(world)
  local child = world:child([[peer:on("bad", function() peer:send_raw("garbage\n") return 1 end)]],
    { garbage = "error" })
  world:fine(child)
  local err = world:fails("closed", child, "bad")
  world.has(err.message, "option garbage")
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)
fault("garbage where it is only logged: it is not answered", function(world)
  local child = world:child([[peer:on("bad", function() peer:send_raw("garbage\n") return 1 end)]],
    { garbage = "log" })
  world.equal(1, child:must("bad"))
  world:fine(child)
  world.equal(0, child:stats().errors_sent)
  world:ends(child)
end)
fault("the wrong codec: JSON where CBOR is spoken", function(world)
  local child = world:child("", { codec = "cbor" })
  world:fails("timeout", child, "ping", nil, 0.2)
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)
fault("the wrong codec: CBOR where JSON is spoken", function(world)
  local child = world:child("", nil, '{ codec = "cbor" }')
  world:fails("timeout", child, "ping", nil, 0.2)
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)
fault("the wrong keys: names where FreeKill's numbers are spoken", function(world)
  local child = world:child("", { codec = "cbor", keys = "freekill" }, '{ codec = "cbor" }')
  world:fails("timeout", child, "ping", nil, 0.2)
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)

-- ---- noise from within ----------------------------------------------------------------------------------------------

fault("print, io.write, os.execute and grandchildren do not reach the wire", function(world)
  local child = world:child([[peer:on("noise", function()
    print("print") io.write("write\n") io.stdout:write("stdout\n") os.execute("echo execute; echo err >&2")
    local pipe = io.popen("cat; echo popen", "w") pipe:write("to cat\n") pipe:close()
    return "done"
  end)]])
  world.equal("done", child:must("noise"))
  world:fine(child)
  world.equal(0, child:stats().malformed)
  world:ends(child)
  for _, word in ipairs({ "print", "write", "stdout", "execute", "popen", "to cat" }) do
    world.has(world:errors(child), word)
  end
end)
fault("stdin is empty for whoever asks: io.read and cat", function(world)
  local child = world:child([[peer:on("ask", function()
    return { io.read("*a") or "", io.popen("cat"):read("*a") }
  end)]])
  local found = child:must("ask", nil, { timeout = world.PATIENCE })
  world.equal("", found[1])
  world.equal("", found[2])
  world:fine(child)
  world:ends(child)
end)
fault("a flood on stderr", function(world)
  local child = world:child([[peer:on("flood", function()
    for _ = 1, 100 do io.stderr:write(("e"):rep(65536)) end
    return 1
  end)]])
  world.equal(1, child:must("flood"))
  world:ends(child)
  world.equal(100 * 65536, #world:errors(child))
end)
fault("stderr closed: the log goes nowhere and nothing else happens", function(world)
  local child = world:child([[
    io.stderr:close()
    peer:on("bad", function() error("into the void") end)
  ]])
  world:fails(-32603, child, "bad")
  child:send_raw("garbage\n")
  world:fine(child)
  world:ends(child)
end)
fault("a debugger's prompt in a handler does not wait", function(world)
  local child = world:child([[peer:on("debug", function() debug.debug() dbg() return 1 end)]])
  world.equal(1, child:must("debug", nil, { timeout = world.PATIENCE }))
  world:ends(child)
end)
fault("half a frame, a pause, and the rest", function(world)
  local child = world:child([[peer:on("slow", function()
    peer:send_raw('{"jsonrpc":"2.0","method":')
    fkrpc.clock.sleep(0.02)
    peer:send_raw('"half"}\n')
    return 1
  end)]])
  local seen = 0
  child:on("half", function() seen = seen + 1 end)
  world.equal(1, child:must("slow"))
  world.equal(1, seen)
  world:ends(child)
end)
fault("frames byte by byte", function(world)
  local child = world:child([[peer:on("slow", function()
    for c in ('{"jsonrpc":"2.0","method":"half"}\n'):gmatch("[%s%S]") do peer:send_raw(c) end
    return 1
  end)]])
  local seen = 0
  child:on("half", function() seen = seen + 1 end)
  world.equal(1, child:must("slow"))
  world.equal(1, seen)
  world:ends(child)
end)
fault("corked at the end: closing sends it, os.exit does not", function(world)
  for how, expected in pairs({ ["peer:close()"] = 3, [""] = 0 }) do
    local child = world:child(([[peer:on("quit", function()
      peer:cork()
      for i = 1, 3 do peer:notify("n", { i }) end
      %s
      os.exit(0)
    end)]]):format(how))
    local seen = 0
    child:on("n", function() seen = seen + 1 end)
    world:fails("closed", child, "quit")
    world.equal(expected, seen)
    world:ends(child)
  end
end)
fault("ten thousand notifications that nobody reads until the end", function(world)
  local child = world:child([[
    local seen = 0
    peer:on("n", function(params) seen = seen + 1 assert(params[1] == seen) end)
    peer:on("seen", function() return seen end)
  ]])
  for i = 1, 10000 do assert(child:notify("n", { i })) end
  world.equal(10000, child:must("seen"))
  world:ends(child)
end)

return faults
