-- fkrpc.spawn: programs that start or do not, talk, end, die, or do not answer.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local DEADLINE = programs.DEADLINE
local TIMEOUT = { timeout = DEADLINE }

after_each(programs.finish)

-- A child that serves with these handlers (a Lua text that has `peer`).
local function serving(handlers, stdio)
  return 'local fkrpc = require("fkrpc")\nlocal peer = assert(fkrpc.stdio' .. (stdio or "()") .. ")\n" .. handlers
    .. "\npeer:serve()\n"
end

local function sh(command, options)
  local given = { "sh", "-c", command }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(fkrpc.spawn(given))
end

describe("a program that cannot be started", function()
  it("is nil, a message and an errno, at once", function()
    local child, message, errno = fkrpc.spawn({ "/nonexistent/program", "x" })
    assert.is_nil(child)
    assert.truthy(message:find("/nonexistent/program", 1, true), message)
    assert.equal(2, errno)
    child, message, errno = fkrpc.spawn({ "fkrpc-no-such-program" })
    assert.is_nil(child)
    assert.truthy(message:find("fkrpc-no-such-program", 1, true), message)
    assert.equal(2, errno)
    child, message, errno = fkrpc.spawn({ "/" })
    assert.is_nil(child)
    assert.is_string(message)
    assert.equal(13, errno)
    child, message, errno = fkrpc.spawn({ "true", cwd = "/nonexistent" })
    assert.is_nil(child)
    assert.truthy(message:find("/nonexistent", 1, true), message)
    assert.equal(2, errno)
  end)

  it("is refused before anything is started when its words hold a zero byte", function()
    for _, given in ipairs({ { "true\0x" }, { "true", "a\0b" }, { "true", env = { A = "x\0y" } },
      { "true", cwd = "/\0" } }) do
      local child, message = fkrpc.spawn(given)
      assert.is_nil(child)
      assert.is_string(message)
    end
  end)

  it("is an error where the options are wrong, at the caller's line", function()
    for _, given in ipairs({ {}, { command = "ls" }, { 5 }, { "ls", 5 }, { "ls", command = { "ls" } }, { command = {} },
      { "ls", env = "x" }, { "ls", env = { 5 } }, { "ls", env = { A = 5 } }, { "ls", cwd = 5 }, { "ls", shell = true },
      { "ls", codec = "xml" }, { "ls", print = "stderr" }, 5 }) do
      local fine, message = pcall(function() fkrpc.spawn(given) end)
      assert.is_false(fine)
      assert.truthy(message:find("spawn_spec.lua:%d+: ") or message:find("bad argument", 1, true), message)
    end
    local fine, message = pcall(function() fkrpc.spawn({ "ls", codec = "xml" }) end)
    assert.is_false(fine)
    assert.truthy(message:find("spawn_spec.lua:%d+: fkrpc.spawn: option 'codec'"), message)
  end)
end)

describe("a child's end", function()
  it("is its exit code, with the time and memory it used", function()
    for _, code in ipairs({ 0, 1, 7, 255 }) do
      local exit = assert(sh("exit " .. code):wait(DEADLINE))
      assert.equal(code, exit.code)
      assert.is_nil(exit.signal)
      assert.is_true(exit.user >= 0 and exit.system >= 0)
      assert.is_true(exit.max_rss > 100000, exit.max_rss)
    end
    local busy = programs.spawn("local c = os.clock() while os.clock() - c < 0.1 do end")
    local exit = assert(busy:wait(DEADLINE))
    assert.is_true(exit.user + exit.system > 0.05)
  end)

  it("is the signal that killed it", function()
    local exit = assert(sh("kill -9 $$"):wait(DEADLINE))
    assert.equal(9, exit.signal)
    assert.is_nil(exit.code)
    local child = sh("exec sleep 100")
    assert.is_true(child:kill())
    assert.equal(15, assert(child:wait(DEADLINE)).signal)
    child = sh("exec sleep 100")
    assert.is_true(child:kill(0))
    assert.is_true(child:kill(9))
    assert.equal(9, assert(child:wait(DEADLINE)).signal)
  end)

  it("can be waited for again, and no signal goes to whoever has its number then", function()
    local child = sh("exit 3")
    assert.equal(3, assert(child:wait(DEADLINE)).code)
    assert.equal(3, assert(child:wait()).code)
    local sent, message, errno = child:kill(9)
    assert.is_nil(sent)
    assert.is_string(message)
    assert.equal(3, errno)
    sent, message, errno = sh("exit"):kill(12345)
    assert.is_nil(sent)
    assert.is_string(message)
    assert.equal(22, errno)
  end)

  it("is waited for no longer than told", function()
    local child = sh("exec sleep 100")
    assert.is_false(child:wait(0))
    assert.is_false(child:wait(0.01))
    assert.is_false(child:wait(-1))
    assert.error_matches(function() child:wait("x") end, "seconds expected")
    child:kill(9)
    assert.equal(9, assert(child:wait(DEADLINE)).signal)
  end)

  it("comes by itself when its input ends, with status 0", function()
    local child = programs.spawn(serving('peer:on("n", function() return 1 end)'))
    assert.equal(1, child:must("n", nil, TIMEOUT))
    child:close_stdin()
    assert.equal(0, assert(child:wait(DEADLINE)).code)
    assert.equal("eof", (child:serve()))
    child = programs.spawn(serving(""))
    assert.equal(0, programs.ended(child).code)
    assert.equal("fkrpc.child: pid " .. ("%d"):format(child.pid) .. " (closed)", tostring(child))
  end)

  it("fails the calls that wait for it, and those after it, with closed", function()
    for _, last in ipairs({ "os.exit(3)", "error('x')", "while true do peer:close() os.exit(3) end" }) do
      local child = programs.spawn('local peer = require("fkrpc").stdio() peer:on("die", function() peer:close() '
        .. last .. " end) peer:serve() os.exit(3)")
      local result, err = child:call("die", nil, TIMEOUT)
      assert.is_nil(result)
      assert.equal("closed", err.code)
      result, err = child:call("die", nil, TIMEOUT)
      assert.is_nil(result)
      assert.equal("closed", err.code)
      assert.equal(3, assert(child:wait(DEADLINE)).code)
    end
    local child = sh("exec true")
    local _, err = child:call("x", nil, TIMEOUT)
    assert.equal("closed", err.code)
  end)

  it("leaves no zombie, even of children nobody waited for", function()
    local pids = {}
    for i = 1, 20 do
      local child = sh("exit 0")
      pids[i] = child.pid
      child:close()
    end
    collectgarbage()
    collectgarbage()
    for _ = 1, 3000 do
      assert(sh("exit 0"):wait(DEADLINE)) -- each start and each end collects what was left
      local left = 0
      for _, pid in ipairs(pids) do
        local status = programs.read(("/proc/%d/stat"):format(pid))
        if status:find(") Z ", 1, true) then left = left + 1 end
      end
      if left == 0 then return end
    end
    error("zombies are left")
  end)
end)

describe("a child", function()
  it("has the words, the folder and the variables it was given", function()
    local out = programs.file()
    local script = 'printf "%s|" "$0" "$1" "$2" "$A" "$B" "$PWD" > "$OUT"'
    local child = assert(fkrpc.spawn({ "sh", "-c", script, "zero", "o ne", "", cwd = "/usr",
      env = { OUT = out, A = "ä=b", B = false } }))
    assert.equal(0, assert(child:wait(DEADLINE)).code)
    assert.equal("zero|o ne||ä=b||/usr|", programs.read(out))
  end)

  it("inherits the variables that are not mentioned, and loses those that are false", function()
    local out = programs.file()
    local child = assert(fkrpc.spawn({ command = { "sh", "-c", 'echo "${HOME-none}" "${PATH-none}" > "$OUT"' },
      env = { OUT = out, HOME = false } }))
    assert.equal(0, assert(child:wait(DEADLINE)).code)
    local home, path = programs.read(out):match("^(%S+) (.*)\n$")
    assert.equal("none", home)
    assert.equal(os.getenv("PATH"), path)
  end)

  it("sees descriptors 0, 1 and 2 and nothing else of ours", function()
    local others = {}
    for i = 1, 5 do others[i] = sh("exec sleep 100") end
    local file = io.open("/dev/null")
    local left = fkrpc.pair()
    local out = programs.file()
    local child = sh('ls -l /proc/self/fd > "$OUT"', { env = { OUT = out } })
    assert.equal(0, assert(child:wait(DEADLINE)).code)
    file:close()
    left:close()
    for _, other in ipairs(others) do
      other:kill(9)
      other:wait()
    end
    local listing = programs.read(out)
    assert.truthy(listing:find(" 0 -> pipe:", 1, true), listing)
    -- The fourth one is the folder that ls reads.
    assert.equal(4, select(2, listing:gsub(" %-> ", "")), listing)
    assert.truthy(listing:find("/fd\n$"), listing)
  end)

  it("goes on with its default handling of SIGPIPE and an empty signal mask", function()
    local out = programs.file()
    local child = sh('grep "^SigBlk" /proc/self/status > "$OUT"; (yes; echo $? >> "$OUT") | head -n 1 >/dev/null',
      { env = { OUT = out } })
    assert.equal(0, assert(child:wait(DEADLINE)).code)
    local text = programs.read(out)
    assert.truthy(text:find("SigBlk:%s+0000000000000000"), text)
    assert.truthy(text:find("\n141\n", 1, true), text)
  end)

  it("may be sent and may send three megabytes at once", function()
    for _, options in ipairs({ {}, { codec = "cbor" }, { codec = "cbor", keys = "freekill" } }) do
      local written = "{ codec = " .. (options.codec and '"cbor"' or '"json"')
        .. (options.keys and ', keys = "freekill"' or "") .. " }"
      local child = programs.spawn(serving('peer:on("echo", function(p) return p[1] end)\n'
        .. 'peer:on("make", function(p) return ("y"):rep(p[1]) end)', written), options)
      local big = ("0123456789abcde\n"):rep(200000)
      assert.is_true(big == child:must("echo", { big }, TIMEOUT))
      assert.equal(3200000, #child:must("make", { 3200000 }, TIMEOUT))
      assert.equal("small", child:must("echo", { "small" }, TIMEOUT))
      assert.equal(0, programs.ended(child).code)
    end
  end)

  it("may call back while it is called, 64 levels deep", function()
    local down = 'peer:on("down", function(p, ctx)\n'
      .. 'if p[1] == 0 then return "bottom" end return ctx.peer:must("down", { p[1] - 1 }) end)'
    local child = programs.spawn(serving(down))
    child:on("down", function(params) return child:must("down", { params[1] - 1 }, TIMEOUT) end)
    assert.equal("bottom", child:must("down", { 100 }, TIMEOUT))
    local _, err = child:call("down", { 1000 }, TIMEOUT)
    assert.equal(-32603, err.code)
    assert.truthy(err.data:find("depth", 1, true), err.data)
    assert.equal("bottom", child:must("down", { 10 }, TIMEOUT))
  end)

  it("that talks nonsense is survived", function()
    local child = sh([[echo hello; printf '\377\000{}\n[]\n5\n{"id":99}\n{"jsonrpc":"2.0","id":1,"result":7}\n'; cat]])
    assert.equal(7, child:must("x", nil, TIMEOUT))
    child:close_stdin()
    local sent, err = child:notify("x")
    assert.is_nil(sent)
    assert.equal("closed", err.code)
    assert.equal("eof", (child:serve())) -- cat gives back our own request, which we cannot answer any more
    assert.equal(1, child:stats().requests)
  end)
end)

describe("a call with a timeout", function()
  it("fails with timeout when no reply comes, and the child can be called again", function()
    local child = programs.spawn(serving('peer:on("sleep", function(p) os.execute("sleep " .. p[1]) end)\n'
      .. 'peer:on("n", function() return "n" end)'))
    local result, err = child:call("sleep", { 0.3 }, { timeout = 0.02 })
    assert.is_nil(result)
    assert.equal("timeout", err.code)
    assert.equal("n", child:must("n", nil, TIMEOUT))
    assert.equal(1, child:stats().strays)
    assert.equal(0, child:stats().waiting)
  end)

  it("fails with timeout even when requests never stop coming", function()
    local child = programs.spawn([[
      local peer = require("fkrpc").stdio()
      while peer:notify("tick") do end
    ]])
    local ticks = 0
    child:on("tick", function() ticks = ticks + 1 end)
    local result, err = child:call("x", nil, { timeout = 0.05 })
    assert.is_nil(result)
    assert.equal("timeout", err.code)
    assert.is_true(ticks > 0)
  end)

  it("may be the step of a server, which has no message by then", function()
    local child = sh("exec sleep 100")
    assert.is_false(child:step(0.02))
    assert.is_false(child:step(0))
    child:kill(9)
    local served, err = child:step(DEADLINE)
    assert.is_nil(served)
    assert.equal("closed", err.code)
  end)
end)
