-- stdout = "forward": what is written to descriptor 1, by whomever, reaches the parent as print notifications.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local TIMEOUT = { timeout = programs.DEADLINE }

after_each(programs.finish)

-- A child that does `run` when asked; the peer, its log file, and a list of the texts it prints.
local function child(run, options, spoken, rest)
  local kid, log = programs.spawn('local fkrpc = require("fkrpc")\nlocal peer = assert(fkrpc.stdio{ stdout = "forward"'
    .. (options or "") .. ' })\npeer:on("run", function()\n' .. run .. '\nend)\npeer:serve()\n' .. (rest or ""), spoken)
  local texts = {}
  kid:on("print", function(params, ctx)
    assert(ctx.notification and #params == 1)
    texts[#texts + 1] = params[1]
  end)
  return kid, log, texts
end

local function written(texts)
  return table.concat(texts, "\n")
end

describe('stdout = "forward"', function()
  it("sends what Lua, programs and C write before the answer, in order", function()
    local kid, log, texts = child([[
      io.write("one\n", "two\n")
      os.execute("echo three; echo four >/dev/stdout")
      print("five", nil)
      local pipe = io.popen("cat", "w")
      pipe:write("six\n")
      pipe:close()
      return "done"
    ]])
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal("one\ntwo\nthree\nfour\nfive\tnil\nsix", written(texts))
    programs.ended(kid)
    assert.equal("", programs.read(log))
  end)

  it("sends it before a call and a print of its own kind, too", function()
    local kid, _, texts = child([[
      io.write("before\n")
      print("printed")
      io.write("after\n")
      peer:must("ask")
      return "done"
    ]], ', print = "notify"')
    local seen
    kid:on("ask", function() seen = written(texts) end)
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal("before\nprinted\nafter", seen)
  end)

  it("is off by default: descriptor 1 is the log", function()
    local kid, log = programs.spawn('local peer = assert(require("fkrpc").stdio())\n'
      .. 'peer:on("run", function() io.write("to the log\\n") end)\npeer:serve()')
    kid:must("run", nil, TIMEOUT)
    programs.ended(kid)
    assert.equal("to the log\n", programs.read(log))
  end)

  it("takes ten million bytes while a program runs, however full a pipe would be", function()
    local kid, log, texts = child([[
      os.execute("head -c 9000000 /dev/zero | tr '\\0' x | fold -w 89; echo")
      return "done"
    ]])
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal(9000000 + math.ceil(9000000 / 89) - 1, #written(texts))
    assert.is_true(#texts < 2000)
    programs.ended(kid)
    assert.equal("", programs.read(log))
  end)

  it("keeps no more than 16 MiB: the rest goes to stderr", function()
    local kid, log, texts = child([[
      os.execute("head -c 19800000 /dev/zero | tr '\\0' x | fold -w 98; echo")
      return "done"
    ]])
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    kid:close_stdin()
    assert.equal("eof", (kid:serve())) -- a line that was cut in two comes at the end
    programs.ended(kid)
    local kept = #written(texts):gsub("[^x]", "")
    local logged = #programs.read(log):gsub("[^x]", "")
    assert.is_true(kept > 16000000 and kept <= 16777216, kept)
    assert.equal(19800000, kept + logged)
  end)

  it("waits for the end of a line, and for the end of the peer at most", function()
    local kid, log, texts = child('io.write("unfinished") return "done"', "", nil,
      'io.write(", still\\nlast")\npeer:close()\nio.write("to the log\\n")')
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal("", written(texts))
    kid:close_stdin()
    assert.equal("eof", (kid:serve()))
    assert.equal("unfinished, still\nlast", written(texts))
    programs.ended(kid)
    assert.equal("to the log\n", programs.read(log))
  end)

  it("repairs what is no UTF-8, and leaves bytes alone where strings are bytes", function()
    local run = 'io.write("a\\255b\\n") return "done"'
    local kid, _, texts = child(run)
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal("a\239\191\189b", written(texts))
    for _, spoken in ipairs({ { strings = "bytes" }, { codec = "cbor" } }) do
      local name, word = next(spoken)
      kid, _, texts = child(run, (", %s = %q"):format(name, word), spoken)
      assert.equal("done", kid:must("run", nil, TIMEOUT))
      assert.equal("a\255b", written(texts))
    end
  end)

  it("has one thread, and only if it is asked for", function()
    local count = [[
      local found = 0
      local pid = io.open("/proc/self/stat"):read("*n")
      for _ in io.popen(("ls /proc/%d/task"):format(pid)):lines() do found = found + 1 end
      return found
    ]]
    local kid = child(count)
    assert.equal(2, kid:must("run", nil, TIMEOUT))
    kid = programs.spawn('local peer = assert(require("fkrpc").stdio())\n'
      .. 'peer:on("run", function()\n' .. count .. "\nend)\npeer:serve()")
    assert.equal(1, kid:must("run", nil, TIMEOUT))
  end)

  it("leaves to the log what a program in the background writes after the end", function()
    local closed, seen = programs.file(), programs.file()
    local wait = "while test ! -s '%s'; do sleep 0.01; done"
    local kid, log = child(("os.execute([[(%s; echo late) 2>/dev/null &]])"):format(wait:format(closed)), "", nil,
      ("peer:close()\nos.execute([[echo closed > '%s'; %s]])\n"):format(closed, wait:format(seen)))
    kid:must("run", nil, TIMEOUT)
    kid:close_stdin()
    local clock = require("fkrpc").clock
    local deadline = clock.monotonic_us() + programs.DEADLINE * 1e6
    while programs.read(log) ~= "late\n" and clock.monotonic_us() < deadline do clock.sleep(0.01) end
    assert.equal("late\n", programs.read(log))
    os.execute("echo seen > '" .. seen .. "'")
    assert.equal(0, programs.ended(kid).code)
  end)

  it("outlives no process for a program in the background that still has the pipe", function()
    local kid = child('os.execute("sleep 20 >/dev/stdout 2>/dev/null &") return "done"')
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    kid:close_stdin()
    assert.equal(0, kid:wait(10).code)
  end)

  it("is one of two words", function()
    local ok, message = pcall(require("fkrpc").stdio, { stdout = "notify" })
    assert.is_false(ok)
    assert.truthy(message:find("option 'stdout' must be one of \"forward\", \"stderr\"", 1, true))
  end)
end)
