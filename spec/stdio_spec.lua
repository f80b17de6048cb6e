-- fkrpc.stdio in processes of their own: nothing but the protocol reaches the wire, and nothing of it is lost.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

-- A child that serves `run` (a Lua text) once and ends; what it wrote.
local CALL = '{"jsonrpc":"2.0","id":1,"method":"run"}\n'
local ANSWER = '{"jsonrpc":"2.0","id":1,"result":"done"}\n'

local function serving(run, open, rest)
  return 'local fkrpc = require("fkrpc")\nlocal peer = assert(fkrpc.stdio' .. (open or "()") .. ")\n"
    .. 'peer:on("run", function(params, ctx)\n' .. run .. '\nreturn "done"\nend)\n'
    .. (rest or 'assert(peer:serve() == "eof")\n')
end

describe("the wire stays clean", function()
  local function assert_clean(name, run, expected)
    it("of " .. name, function()
      local done = programs.run(serving(run), CALL)
      assert.equal(ANSWER, done.out)
      assert.truthy(done.err:find(expected or "STRAY", 1, true), done.err)
      assert.equal(0, done.code)
    end)
  end

  assert_clean("print", 'print("STRAY", 1, nil)', "STRAY\t1\tnil\n")
  assert_clean("io.write", 'io.write("STRAY")')
  assert_clean("io.stdout:write and flush", 'io.stdout:write("STRAY") io.stdout:flush()')
  assert_clean("what a program started by os.execute says", 'os.execute("echo STRAY")')
  assert_clean("what a program started by io.popen says", 'local p = io.popen("echo STRAY", "w") p:close()')
  assert_clean("a shell's background job", 'os.execute("(echo STRAY; echo STRAY >/dev/stdout) & wait")')
  assert_clean("what is written to /dev/stdout",
    'local f = io.open("/dev/stdout", "a") or io.stderr f:write("STRAY") f:close()')
  assert_clean("a library that writes to descriptor 1",
    'os.execute([[sh -c "echo STRAY >&1"]]) io.stdout:setvbuf("full") io.write("more")')

  it("of what was written and not flushed before the peer opened", function()
    local done = programs.run('io.stdout:setvbuf("full")\nio.write("EARLY")\n' .. serving(""), CALL)
    assert.equal(ANSWER, done.out)
    assert.truthy(done.err:find("EARLY", 1, true))
  end)

  it("of what is still in a buffer at the end, however the program ends", function()
    for _, ending in ipairs({ "", "os.exit()", "os.exit(0)", "os.exit(0, true)", "peer:close()" }) do
      local done = programs.run('io.stdout:setvbuf("full")\n' .. serving('io.stdout:setvbuf("full") io.write("STRAY")',
        "()", 'peer:serve()\nio.write("LAST")\n' .. ending), CALL)
      assert.equal(ANSWER, done.out, ending)
      assert.truthy(done.err:find("STRAYLAST", 1, true), ending .. done.err)
    end
    local done = programs.run(serving('io.write("STRAY")', "()", 'peer:serve()\nerror("end")'), CALL)
    assert.equal(ANSWER, done.out)
    assert.equal(1, done.code)
  end)

  it("of a stderr that is the wire itself", function()
    local done = programs.run(serving('print("STRAY") io.stderr:write("STRAY") os.execute("echo STRAY >&2")'), CALL,
      '<"$IN" >"$OUT" 2>&1')
    assert.equal(ANSWER, done.out)
    assert.equal(0, done.code)
  end)

  it("of failing handlers' tracebacks", function()
    local done = programs.run(serving('error("broken")'), CALL, '<"$IN" >"$OUT" 2>&1')
    assert.truthy(done.out:find('^{"jsonrpc":"2.0","id":1,"error":{"code":%-32603,[^\n]*broken"}}\n$'), done.out)
    done = programs.run(serving('error("broken")'), CALL)
    assert.truthy(done.err:find("stack traceback", 1, true))
    assert.is_nil(done.out:find("traceback", 1, true))
  end)
end)

describe("the protocol's input", function()
  it("cannot be read by the program or its children", function()
    local done = programs.run(serving([[
      assert(io.read() == nil)
      assert(io.stdin:read("*a") == "")
      local p = io.popen("cat; echo end")
      assert(p:read("*a") == "end\n")
      p:close()
      os.execute("cat >&2")
    ]]), CALL .. '{"jsonrpc":"2.0","id":2,"method":"run"}\n')
    assert.equal(ANSWER .. '{"jsonrpc":"2.0","id":2,"result":"done"}\n', done.out)
  end)

  it("has what C had buffered when an early io.read took more than its line", function()
    local done = programs.run('assert(io.read() == "first line")\n' .. serving(""), "first line\n" .. CALL)
    assert.equal(ANSWER, done.out)
    done = programs.run('assert(io.read(3) == "fir")\nassert(io.read() == "st line")\n' .. serving(""),
      "first line\n" .. CALL:rep(400))
    assert.equal(ANSWER:rep(400), done.out)
  end)

  it("may end in a line without an end, which is a message all the same", function()
    assert.equal(ANSWER, programs.run(serving(""), (CALL:gsub("\n", ""))).out)
    local done = programs.run(serving(""), CALL .. '{"jsonrpc":"2.0","id')
    assert.truthy(done.out:find('"code":-32700', 1, true))
    assert.equal(0, done.code)
  end)

  it("ends serving with eof and the process with status 0", function()
    local done = programs.run(serving(""), "")
    assert.equal("", done.out)
    assert.equal(0, done.code)
    done = programs.run(serving(""), nil, '</dev/null >"$OUT" 2>"$ERR"')
    assert.equal(0, done.code)
  end)
end)

describe("fkrpc.stdio", function()
  it("refuses a closed stdin or stdout with a clear error, and leaves everything as it was", function()
    local script = [[
      local fkrpc = require("fkrpc")
      local peer, message, errno = fkrpc.stdio()
      assert(peer == nil and errno == 9)
      io.stderr:write(message, "\n")
    ]]
    local done = programs.run(script, "", '<&- >"$OUT" 2>"$ERR"')
    assert.truthy(done.err:find("standard input (descriptor 0) is closed", 1, true), done.err)
    assert.equal(0, done.code)
    done = programs.run(script .. 'io.stderr:write("read " .. tostring(io.read()))', "line\n", '<"$IN" >&- 2>"$ERR"')
    assert.truthy(done.err:find("standard output (descriptor 1) is closed", 1, true), done.err)
    assert.truthy(done.err:find("read line", 1, true), done.err)
    assert.equal(0, done.code)
  end)

  it("works with a closed stderr", function()
    local done = programs.run(serving('print("STRAY") io.stderr:write("STRAY")'), CALL, '<"$IN" >"$OUT" 2>&-')
    assert.equal(ANSWER, done.out)
    assert.equal(0, done.code)
  end)

  it("opens once in a process", function()
    local done = programs.run(serving([[
      local second, message, errno = fkrpc.stdio()
      assert(second == nil and message:find("already", 1, true) and errno ~= 0)
    ]], "()", [[
      peer:serve()
      peer:close()
      local third, message = fkrpc.stdio()
      assert(third == nil and message:find("already", 1, true))
    ]]), CALL)
    assert.equal(ANSWER, done.out)
    assert.equal(0, done.code, done.err)
  end)

  it("may be tried again after it failed", function()
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      assert(fkrpc.stdio() == nil)
      local input = assert(io.open(os.getenv("IN"), "rb")) -- takes the lowest free descriptor, which is 0
      local peer = assert(fkrpc.stdio())
      peer:on("run", function() return "done" end)
      peer:serve()
      input:close()
    ]], CALL, '<&- >"$OUT" 2>"$ERR"')
    assert.equal(ANSWER, done.out, done.err)
  end)

  it("refuses options it does not have before anything is moved", function()
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      assert(not pcall(fkrpc.stdio, { prnt = "stderr" }))
      assert(not pcall(fkrpc.stdio, { print = "stdout" }))
      assert(not pcall(fkrpc.stdio, { codec = "xml" }))
      assert(not pcall(fkrpc.stdio, 5))
      print(io.read())
    ]], "still there\n")
    assert.equal("still there\n", done.out)
    assert.equal(0, done.code, done.err)
  end)

  it("shows its children nothing but descriptors 0, 1 and 2", function()
    local done = programs.run(serving([[
      local p = io.popen("ls -l /proc/self/fd")
      local fds = p:read("*a")
      p:close()
      assert(fds:find("0 -> /dev/null", 1, true), fds)
      assert(fds:find("2 -> " .. os.getenv("ERR"), 1, true), fds)
      assert(not fds:find(os.getenv("IN"), 1, true) and not fds:find(os.getenv("OUT"), 1, true), fds)
      assert(select(2, fds:gsub("%->", "")) == 4, fds) -- the fourth is the folder that ls reads
    ]]), CALL)
    assert.equal(ANSWER, done.out)
  end)
end)

describe("the parent that goes away", function()
  it("ends serving and is no signal: the write fails", function()
    -- The reader of the answers is gone at once, the requests keep coming for a while.
    local child = programs.command(serving("", "()", [[
      local how, detail = peer:serve()
      io.stderr:write(how, " ", tostring(detail))
      os.exit(how == "closed" and 7 or 8)
    ]]))
    local done = programs.shell('{ cat "$IN"; sleep 0.3; cat "$IN"; } | { ' .. child
      .. ' 2>"$ERR"; echo $? >"$OUT"; } | true', CALL:rep(20))
    assert.equal("7\n", done.out, done.err)
    assert.truthy(done.err:find("closed cannot write to the peer: Broken pipe", 1, true), done.err)
  end)

  it("leaves SIGPIPE for the program's own writes as it was, and for its children", function()
    local done = programs.run(serving([[
      local p = io.popen("yes 2>/dev/null | head -n 1; echo ${?}")
      assert(p:read("*a") == "y\n0\n")
      p:close()
    ]]), CALL)
    assert.equal(ANSWER, done.out, done.err)
  end)

  it("ends a call that waits", function()
    local done = programs.run(serving([[
      local result, err = ctx.peer:call("ask")
      assert(result == nil and err.code == "closed", tostring(err))
      io.stderr:write(tostring(err))
    ]]), CALL)
    assert.truthy(done.out:find('"method":"ask"', 1, true))
    assert.truthy(done.err:find("closed: the other end closed the connection before it replied", 1, true))
    assert.equal(0, done.code)
  end)
end)

describe("what stands in C's buffer when the peer opens", function()
  it("is written once, whatever is forked afterwards", function()
    local done = programs.run('io.stdout:setvbuf("full") io.write("A")\n'
      .. serving('os.execute("true") io.popen("true"):close()'), CALL)
    assert.equal(ANSWER, done.out)
    assert.equal("A", done.err)
  end)
end)

describe("the version of the library", function()
  it("is the one that the specs run with, in children, too", function()
    local done = programs.run('io.write(require("fkrpc").features().lua)', "")
    assert.equal(fkrpc.features().lua, done.out)
  end)
end)
