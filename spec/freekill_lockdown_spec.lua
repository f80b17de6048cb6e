-- lockdown: nothing that extension code can call reads standard input or the server's pipe.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local programs = require("spec.programs")

local CPATH = ("package.cpath = %q\n"):format(helper.library:gsub("[^/]*$", "") .. "?.so")
local ALL = "dbg debug.debug io.read io.input io.stdin io.lines io.open io.popen os.execute loadfile dofile"
  .. " package.loadlib require"

describe("lockdown", function()
  after_each(programs.finish)

  -- What a program prints that was locked down with a line waiting on its stdin.
  local function run(text)
    local ran = programs.run(CPATH .. "local closed = require('fkrpc.freekill').lockdown()\n" .. text, "a line\n")
    assert.equal(0, ran.code, ran.err)
    return ran.out
  end

  it("returns the list of what it closed, each time", function()
    assert.equal(ALL .. "\n" .. ALL .. "\n",
      run("print(table.concat(closed, ' ')) print(table.concat(require('fkrpc.freekill').lockdown(), ' '))"))
  end)

  it("makes debuggers' prompts do nothing", function()
    assert.equal("nil\tnil\n", run("print(dbg(), (debug.debug()))"))
  end)

  for _, call in ipairs({ "io.read()", "io.input()", "io.input('/dev/null')", "io.stdin:read()", "io.stdin.lines()",
    "io.lines()", "io.popen('cat')", "os.execute('cat')", "loadfile()", "dofile()", "loadfile(nil)", "dofile(nil)",
    "io.lines('/dev/stdin')", "loadfile('/dev/fd/0')", "dofile('/proc/self/fd/0')" }) do
    it("makes an error of " .. call .. " that names it", function()
      local name = call:match("^[%w_.]+")
      if name:match("^io.stdin") then name = "io.stdin" end
      -- On a pipe: a file would be read by its name like any other.
      local ran = programs.shell("printf 'x\\n' | " .. programs.command(CPATH
        .. "require('fkrpc.freekill').lockdown()\nprint(select(2, pcall(function() return " .. call .. " end)))")
        .. ' >"$OUT" 2>"$ERR"')
      assert.equal(0, ran.code, ran.err)
      assert.truthy(ran.out:find(name, 1, true), ran.out)
      assert.truthy(ran.out:find("is closed: standard input belongs to the server", 1, true), ran.out)
    end)
  end

  it("lets no module be required from a pipe, and others as before", function()
    local ran = programs.shell("printf 'return 7' | " .. programs.command(CPATH .. [[
      require('fkrpc.freekill').lockdown()
      require('fkrpc.freekill').lockdown()
      local path, cpath = package.path, package.cpath
      for _, way in ipairs({ { "/proc/self/fd/?", "0" }, { "/dev/?", "stdin" }, { "/proc/?", "self.fd.0" } }) do
        package.path, package.cpath = way[1], cpath
        print(select(2, pcall(require, way[2])))
        package.path, package.cpath = path, way[1]
        print(select(2, pcall(require, way[2])))
      end
      print(select(2, pcall(package.loadlib, "/dev/fd/0", "f")))
      local name = os.tmpname()
      local file = assert(io.open(name, "w")) file:write("return { ... }") file:close()
      package.path, package.cpath = name:gsub("[^/]+$", "?"), cpath
      local module = name:match("[^/]+$")
      print(require(module)[1] == module, package.loaded[module] ~= nil, require("fkrpc.clock") ~= nil)
      os.remove(name)
      print((pcall(require, "there is none")))]]) .. ' >"$OUT" 2>"$ERR"')
    assert.equal(0, ran.code, ran.err)
    local closed = " is closed: standard input belongs to the server\n"
    assert.equal(("require of /proc/self/fd/0" .. closed):rep(2) .. ("require of /dev/stdin" .. closed):rep(2)
      .. ("require of /proc/self/fd/0" .. closed):rep(2) .. "package.loadlib of /dev/fd/0" .. closed
      .. "true\ttrue\ttrue\nfalse\n", ran.out)
  end)

  it("refuses to open pipes by name and opens files as before", function()
    local ran = programs.shell("printf 'x\\n' | " .. programs.command(CPATH .. [[
      require('fkrpc.freekill').lockdown()
      print(io.open("/dev/stdin"))
      print(io.open("/proc/self/fd/0", "rb"))
      local file = assert(io.open("/dev/null")) print(file:read("*a")) file:close()
      local name = os.tmpname()
      file = assert(io.open(name, "w")) file:write("return 7") file:close()
      print(dofile(name), loadfile(name)(), io.lines(name)())
      os.remove(name)
      print((io.open(name)))]]) .. ' >"$OUT" 2>"$ERR"')
    assert.equal(0, ran.code, ran.err)
    assert.equal("nil\t/dev/stdin is closed: standard input belongs to the server\t13\n"
      .. "nil\t/proc/self/fd/0 is closed: standard input belongs to the server\t13\n\n7\t7\treturn 7\nnil\n", ran.out)
  end)

  it("lets nobody read the server's pipe by its number", function()
    local ran = programs.shell("sleep 0 | " .. programs.command(CPATH .. [[
      local fk = require("fkrpc.freekill")
      assert(fk.start({ mode = "json" }))
      fk.lockdown()
      local opened = 0
      for number = 0, 64 do
        local name = "/proc/self/fd/" .. number
        local kind = (require("fkrpc.fs").stat(name) or {}).type
        if io.open(name) and kind == "fifo" then opened = opened + 1 end
      end
      io.stderr:write(opened, " pipes opened\n")]]) .. ' 2>"$ERR" | cat >"$OUT"')
    assert.same({ 0, "", "0 pipes opened\n" }, { ran.code, ran.out, ran.err })
  end)

  it("leaves out what the game has taken away already", function()
    assert.equal("dbg debug.debug require\n", run([[io, os, loadfile, dofile, package = nil, nil, nil, nil, nil
      print(table.concat(require('fkrpc.freekill').lockdown(), " "))]]))
  end)
end)
