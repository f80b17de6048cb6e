-- How a child starts: what it is given of its parent, and what it is not.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

describe("a child that starts", function()
  it("sees descriptors 0, 1 and 2 and nothing else, even of those that foreign code has opened without care", function()
    -- The shell's 5, 6 and 9 come from nobody who has heard of close-on-exec.
    local result = programs.shell("exec 5</dev/null 6>/dev/null 9</dev/null; exec " .. programs.command([[
      local child = assert(require("fkrpc").spawn({ "ls", "/proc/self/fd" }))
      for _ = 1, 4 do io.write(child:receive_raw(20), " ") end
      io.write(tostring(child:receive_raw(20)))
    ]]) .. ' >"$OUT" 2>"$ERR"')
    assert.equal("0 1 2 3 nil", result.out, result.err) -- 3 is the folder that ls reads
  end)

  it("has a process group of its own", function()
    local child = assert(fkrpc.spawn({ "sleep", "100" }))
    local group = programs.read(("/proc/%d/stat"):format(child.pid)):match("%) %a %d+ (%d+)")
    assert.equal(child.pid, tonumber(group))
    child:stop({ grace = 0 })
  end)

  it("has an empty signal mask and every signal at its default, whatever its parent ignores", function()
    local script = ([[
      local fkrpc = require("fkrpc")
      local child = assert(fkrpc.spawn({ "sh", "-c", "cat /proc/self/status; kill -HUP $$", stderr = "inherit" }))
      repeat local line = child:receive_raw(20) io.write(line or "", "\n") until not line
      io.write(tostring(child:wait(20).signal))
    ]])
    local result = programs.shell("trap '' INT HUP USR1; exec " .. programs.command(script) .. ' >"$OUT" 2>"$ERR"')
    assert.equal("", result.err)
    -- 32 and 33 are the C library's own, which nobody can set (nptl(7)).
    local ignored = tonumber(result.out:match("SigIgn:%s+%x*(%x%x%x%x%x%x%x%x)"), 16)
    assert.equal(0, ignored % 2 ^ 31)
    assert.truthy(result.out:find("SigBlk:%s+0000000000000000"), result.out)
    assert.truthy(result.out:find("\n1$"), result.out)
  end)

  it("is looked for along its own PATH, and the first that may be executed is run", function()
    local folder = programs.file() .. ".d"
    os.execute("mkdir -p " .. folder .. "/a " .. folder .. "/b")
    os.execute("printf '#!/bin/sh\\nexit 7\\n' > " .. folder .. "/b/prog; chmod +x " .. folder .. "/b/prog; touch "
      .. folder .. "/a/prog")
    local path = folder .. "/a:" .. folder .. "/none:" .. folder .. "/b"
    assert.equal(7, assert(fkrpc.spawn({ "prog", env = { PATH = path } })):wait(programs.DEADLINE).code)
    local child, message, errno = fkrpc.spawn({ "prog", env = { PATH = folder .. "/a" } })
    assert.is_nil(child)
    assert.equal(13, errno)
    assert.truthy(message:find("PATH=" .. folder, 1, true), message)
    child, message, errno = fkrpc.spawn({ "fkrpc-no-such-program", env = { PATH = "/nowhere" } })
    assert.is_nil(child)
    assert.equal(2, errno)
    assert.truthy(message:find('cannot run "fkrpc-no-such-program": No such file or directory', 1, true), message)
    assert.truthy(message:find("PATH=/nowhere", 1, true), message)
    os.execute("rm -r " .. folder)
  end)

  it("leaves its parent's environment, folder, limits and signals as they were", function()
    local before = programs.read("/proc/self/limits") .. fkrpc.fs.pwd()
    assert(fkrpc.spawn({ "true", cwd = "/", env = { FKRPC_ONLY_THERE = "x", PATH = os.getenv("PATH") },
      limits = { files = 20, cpu = 10, nice = 1 } })):wait(programs.DEADLINE)
    assert.is_nil(os.getenv("FKRPC_ONLY_THERE"))
    assert.equal(before, programs.read("/proc/self/limits") .. fkrpc.fs.pwd())
    assert.truthy(programs.read("/proc/self/status"):find("SigBlk:%s+0000000000000000"))
  end)

  it("that fails to start leaves no process and no descriptor", function()
    local function count()
      collectgarbage()
      collectgarbage()
      return #fkrpc.fs.ls("/proc/self/fd")
    end
    assert(not fkrpc.spawn({ "/nonexistent" }))
    local before = count()
    for _ = 1, 50 do assert(not fkrpc.spawn({ "/nonexistent" })) end
    assert.equal(before, count())
  end)
end)
