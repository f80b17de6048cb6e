-- Where a child's stderr goes, and that it never blocks anybody.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local function sh(command, options)
  local given = { "sh", "-c", command }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(fkrpc.spawn(given))
end

-- What a program that spawns `command` with the option says on its own stderr, and the certificate's text.
local function said(command, option)
  local result = programs.run(([[
    local fkrpc = require("fkrpc")
    local child = assert(fkrpc.spawn({ "sh", "-c", %q, stderr = %s }))
    local certificate = child:wait(20)
    io.write(tostring(certificate.stderr))
    child:stop()
  ]]):format(command, option and ("%q"):format(option) or "nil"))
  return result.err, result.out
end

describe("a child's stderr", function()
  it("is passed on to ours, and its end is kept", function()
    local ours, kept = said("echo one >&2; printf two >&2")
    assert.equal("one\ntwo", ours)
    assert.equal("one\ntwo", kept)
  end)

  it("is kept alone, dropped, or ours, as the option says", function()
    local ours, kept = said("echo x >&2", "keep")
    assert.equal("", ours)
    assert.equal("x\n", kept)
    ours, kept = said("echo x >&2", "null")
    assert.equal("", ours)
    assert.equal("nil", kept)
    ours, kept = said("echo x >&2; ls -l /proc/self/fd/2 >&2", "inherit")
    assert.truthy(ours:find("^x\n"), ours)
    assert.is_nil(ours:find("pipe:", 1, true), ours)
    assert.equal("nil", kept)
    assert.error_matches(function() fkrpc.spawn({ "true", stderr = "stdout" }) end, "option 'stderr' must be one of")
  end)

  it("may be a flood without a line's end: the child never waits, and the last 64 KiB are kept", function()
    local child = sh([[head -c 20000000 /dev/zero | tr '\0' x >&2; printf end >&2; read x; exit 2]],
      { stderr = "keep" })
    local _, err = child:call("x") -- would hang if the child did
    assert.equal(2, err.data.code)
    assert.equal(65536, #err.data.stderr)
    assert.equal("xend", err.data.stderr:sub(-4))
    assert.is_true(#err.data.reason < 400)
  end)

  it("does not wait for a reader of ours who is slow", function()
    -- Our own stderr is a pipe that nobody reads before the end.
    local result = programs.shell("(" .. programs.command([[
      local fkrpc = require("fkrpc")
      local child = assert(fkrpc.spawn({ "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x >&2; exit 3" }))
      io.write(tostring(child:wait(20).code))
    ]]) .. ' 2>&3 >"$OUT") 3>&1 | (while [ ! -s "$OUT" ]; do sleep 0.01; done; wc -c > "$ERR")')
    assert.equal("3", result.out)
    local passed = tonumber(result.err)
    assert.is_true(passed > 0 and passed < 5000000, passed)
  end)

  it("of many children is read by one thread, which ends with the last of them", function()
    -- In a process of its own: children that other tests have left behind would keep the thread.
    local result = programs.run([[
      local fkrpc = require("fkrpc")
      local function threads()
        return tonumber(fkrpc.fs.read("/proc/self/status"):match("Threads:%s*(%d+)"))
      end
      local function descriptors() return #fkrpc.fs.ls("/proc/self/fd") end
      local before, open, children = threads(), descriptors(), {}
      for i = 1, 10 do children[i] = assert(fkrpc.spawn({ "cat", stderr = "keep" })) end
      local meanwhile = threads()
      for i = 1, 10 do children[i]:stop() end
      local deadline = fkrpc.clock.monotonic_us() + 10e6
      while (threads() > before or descriptors() > open) and fkrpc.clock.monotonic_us() < deadline do
        fkrpc.clock.sleep(0.01)
      end
      io.write(before, " ", meanwhile, " ", threads(), " ", descriptors() - open)
    ]])
    assert.equal("1 2 1 0", result.out, result.err)
  end)

  it("goes on to be read when nobody refers to the child any more", function()
    local out = programs.file()
    do
      local child = sh('read x; sleep 0.1; echo lost >&2 && echo fine > "$OUT"',
        { env = { OUT = out }, stderr = "keep" })
      child:close()
    end
    collectgarbage()
    collectgarbage()
    local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
    while programs.read(out) == "" and fkrpc.clock.monotonic_us() < limit do fkrpc.clock.sleep(0.01) end
    assert.equal("fine\n", programs.read(out))
  end)

  it("that a grandchild goes on to write to is read, too, and nobody waits for it", function()
    local child = sh("(sleep 0.05; echo later >&2) & exit 0", { stderr = "keep" })
    assert.equal(0, child:wait(programs.DEADLINE).code)
    assert.equal(0, child:stop().code)
  end)
end)
