-- How a child's end is noticed, and what its certificate says.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local SOON = 2 -- seconds: far less than what is slept below, far more than what is needed

after_each(programs.finish)

local function sh(command, options)
  local given = { "sh", "-c", command, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(fkrpc.spawn(given))
end

local function quickly(work)
  local before = fkrpc.clock.monotonic_us()
  work()
  local seconds = (fkrpc.clock.monotonic_us() - before) / 1e6
  assert.is_true(seconds < SOON, seconds)
end

describe("the certificate of a child's end", function()
  it("tells the code, the last words and the method that was called, in fields and in words", function()
    local child = sh("read x; echo first >&2; echo 'the last line' >&2; exit 3")
    local result, err = child:call("doomed")
    assert.is_nil(result)
    assert.equal("closed", err.code)
    assert.equal(child.certificate, err.data)
    assert.equal(3, err.data.code)
    assert.equal("first\nthe last line\n", err.data.stderr)
    assert.equal("doomed", err.data.method)
    assert.is_nil(err.data.oom)
    assert.equal(("child %d has ended: exit code 3; while it was called: doomed; its last words: the last line")
      :format(child.pid), err.message)
    assert.equal(child.certificate, child:wait())
    assert.equal(child.certificate, child:reap())
    assert.equal("dead", child:info().state)
  end)

  it("takes a Lua program's error for its last words, and not the end of the traceback", function()
    for script, words in pairs({
      ["io.stderr:write('before\\n') error('no cards')"] = ":1: no cards",
      ["require('no.such.module')"] = "module 'no.such.module' not found:",
    }) do
      local child = assert(fkrpc.spawn({ helper.interpreter, programs.file(script), stderr = "keep" }))
      local certificate = child:wait(programs.DEADLINE)
      assert.truthy(certificate.stderr:find("\nstack traceback:\n", 1, true), certificate.stderr)
      assert.equal(words, certificate.reason:sub(-#words))
    end
    local child = sh([[printf 'error\nstack traceback:\n\tframe\nand then\n' >&2]])
    assert.truthy(child:wait(programs.DEADLINE).reason:find("its last words: and then$"))
  end)

  it("names no method where none was called", function()
    local child = sh("exit 0")
    assert.is_nil(child:wait(programs.DEADLINE).method)
    local _, err = child:call("late")
    assert.equal(child.certificate, err.data)
    assert.is_nil(child.certificate.method)
    assert.equal("exit code 0", child.certificate.reason)
    child = programs.spawn('local p = require("fkrpc").stdio() p:on("n", function() return 1 end) p:serve()')
    child:must("n")
    child:kill(9)
    local certificate = child:wait(programs.DEADLINE)
    assert.is_nil(certificate.method)
    assert.equal("killed by signal 9 (SIGKILL)", certificate.reason)
  end)

  it("goes to the function on_death once, whoever notices", function()
    for _, notice in ipairs({ "wait", "reap", "stop", "call", "info" }) do
      local child, heard = sh("exec cat"), {}
      child.on_death = function(...) heard[#heard + 1] = { ... } end
      child:kill(9)
      if notice == "reap" or notice == "info" then
        repeat until child[notice](child) and child.certificate
      else
        child[notice](child, notice == "call" and "x" or nil)
      end
      child:wait()
      child:reap()
      child:call("x")
      assert.equal(1, #heard, notice)
      assert.equal(child, heard[1][1])
      assert.equal(child.certificate, heard[1][2])
    end
  end)

  it("is made even when on_death raises", function()
    local child = sh("exit 4")
    child.on_death = function() error("no") end
    assert.equal(4, child:wait(programs.DEADLINE).code)
  end)

  it("is what reap gives, which never waits", function()
    local child = sh("exec sleep 100")
    assert.is_false(child:reap())
    child:kill(9)
    local certificate
    repeat certificate = child:reap() until certificate
    assert.equal(9, certificate.signal)
  end)

  it("hints at memory where its stderr, or its limit, does", function()
    local child = assert(fkrpc.spawn({ helper.interpreter, "-e",
      "local s = 'x' while true do s = s .. s end", stderr = "keep",
      limits = { memory = 64 * 2 ^ 20 } }))
    local _, err = child:call("x")
    assert.equal("closed", err.code)
    assert.truthy(err.data.oom:find("not enough memory", 1, true), err.data.oom)
    assert.truthy(err.data.oom:find("67108864 bytes", 1, true), err.data.oom)
    assert.truthy(err.message:find("perhaps out of memory", 1, true))
    child = sh("kill -SEGV $$", { limits = { memory = 2 ^ 30 } })
    assert.truthy(child:wait(programs.DEADLINE).oom:find("limit of 1073741824 bytes", 1, true))
    assert.is_nil(sh("kill -SEGV $$"):wait(programs.DEADLINE).oom)
    child = sh("exec sleep 100")
    child:kill(9)
    assert.is_nil(child:wait(programs.DEADLINE).oom) -- it was killed from here
  end)

  it("says so where somebody else has collected the child", function()
    -- In a process of its own, whose children the kernel collects.
    local result = programs.shell("exec env --ignore-signal=CHLD " .. programs.command([[
      local fkrpc = require("fkrpc")
      local child = assert(fkrpc.spawn({ "cat" }))
      child:kill(9)
      local _, err = child:call("x")
      print(err.code, err.data.reason)
      print(child:wait())
      print(child:kill(9))
    ]]) .. ' >"$OUT" 2>"$ERR"')
    assert.equal("", result.err)
    assert.truthy(result.out:find("^closed\tsomebody else has collected it"), result.out)
    assert.truthy(result.out:find("\nnil\tcannot wait for the process: somebody else", 1, true), result.out)
    assert.truthy(result.out:find("\nnil\tcannot signal the process", 1, true), result.out)
  end)
end)

describe("the end of a child is noticed", function()
  it("at once, though a grandchild holds its pipes open", function()
    local child = sh("sleep 5 & read x; exit 5")
    quickly(function()
      local _, err = child:call("x")
      assert.equal(5, err.data.code)
    end)
  end)

  it("with all that it said before, and without what a grandchild says later", function()
    local child = sh([[(trap '' TERM; while sleep 0.01; do echo '{"jsonrpc":"2.0","method":"later"}'; done) &
      echo $! >&2; echo '{"jsonrpc":"2.0","method":"before"}'; read x; exit 6]])
    local seen = 0
    child:on("before", function() seen = seen + 1 end)
    child:on("later", function() end)
    quickly(function()
      local _, err = child:call("x")
      assert.equal(6, err.data.code)
    end)
    assert.equal(1, seen)
    fkrpc.spawn({ "kill", "-9", (child.certificate.stderr:match("%d+")) }):wait()
  end)

  it("by a write that nobody takes, though a grandchild holds its stdin open", function()
    local child = sh("sleep 5 <&0 & sleep 0.1; exit 7")
    quickly(function()
      local _, err = child:call("x", { ("x"):rep(2 ^ 20) })
      assert.equal(7, err.data.code)
    end)
  end)

  it("while signals are heard of", function()
    local child = sh("sleep 5 & read x; exit 5", { signals = { "USR2" } })
    quickly(function()
      local _, err = child:call("x")
      assert.equal(5, err.data.code)
    end)
    child:close()
  end)

  it("by every call that waits, each once, when calls are interleaved", function()
    local child = programs.spawn([[local p = require("fkrpc").stdio()
      for i = 1, 5 do p:notify("go") end
      for i = 1, 5 do p:receive_raw() end
      os.exit(8)]], { concurrency = 10 })
    local failed, deaths = {}, 0
    child.on_death = function() deaths = deaths + 1 end
    child:on("go", function()
      local result, err = child:call("never")
      failed[#failed + 1] = result == nil and err.data
    end)
    child:serve()
    assert.equal(5, #failed)
    for _, certificate in ipairs(failed) do assert.equal(child.certificate, certificate) end
    assert.equal(8, child.certificate.code)
    assert.equal("never", child.certificate.method)
    assert.equal(1, deaths)
    assert.equal(0, child:stats().waiting)
  end)

  it("by reap, which fails the interleaved calls that wait and keeps the replies that came", function()
    local child = programs.spawn([[local p = require("fkrpc").stdio()
      p:notify("go", { "answered" }) p:notify("go", { "never" })
      p:receive_raw()
      p:send_raw('{"jsonrpc":"2.0","id":1,"result":"in time"}\n')
      os.exit(0)]], { concurrency = 10 })
    local results = {}
    child:on("go", function(params)
      local result, err = child:call(params[1])
      results[params[1]] = err and err.data or result
    end)
    child:step(programs.DEADLINE)
    child:step(programs.DEADLINE)
    repeat until child:reap()
    assert.equal("in time", results.answered)
    assert.equal(child.certificate, results.never)
  end)
end)

describe("a child that closes its stdout and lives", function()
  it("fails calls with closed and no certificate, and the error says that it still runs", function()
    local child = sh("exec >&-; exec sleep 100")
    for _ = 1, 2 do
      local result, err
      quickly(function() result, err = child:call("x") end)
      assert.is_nil(result)
      assert.equal("closed", err.code)
      assert.is_nil(err.data)
      assert.truthy(err.message:find("; child %d+ still runs$"), err.message)
    end
    assert.is_false(child:reap())
    assert.equal(15, child:stop({ grace = 0 }).signal)
    local _, err = child:call("x")
    assert.equal(child.certificate, err.data)
  end)

  it("and one that closes its stdin is still heard", function()
    local child = sh([[exec <&-; sleep 0.05; echo '{"jsonrpc":"2.0","method":"heard"}'; exec sleep 100]])
    local heard = false
    child:on("heard", function() heard = true end)
    assert.is_true(child:step(programs.DEADLINE))
    assert.is_true(heard)
    local _, err = child:call("x")
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("still runs", 1, true), err.message)
    child:stop({ grace = 0 })
  end)
end)
