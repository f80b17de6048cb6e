-- fkrpc.standin: whoever executes the interpreter gets a copy of a zygote, and cannot tell but by the pids.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local processes = dofile(helper.root .. "/spec/processes.lua")

local socket, children, zygotes

-- A stand-in for the script in this file; `options` as for fkrpc.spawn.
local function stand_in(path, options)
  local given = { command = { helper.interpreter, "-l", "fkrpc.standin", path }, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  given.env = given.env or {}
  if given.env.FKRPC_STANDIN == nil then given.env.FKRPC_STANDIN = socket end
  local child = assert(fkrpc.spawn(given))
  children[#children + 1] = child
  return child
end

local SCRIPT = [[
  local fkrpc = require("fkrpc")
  local loads = io.open("LOADS", "a")
  loads:write("x")
  loads:close()
  local peer = assert(fkrpc.stdio(OPTIONS))
  peer:on("who", function()
    local origin = peer.forked or {}
    return {
      pid = tonumber((fkrpc.fs.read("/proc/self/stat"):match("^%d+"))), zygote = origin.zygote,
      standin = origin.standin,
    }
  end)
  peer:on("exit", function(params) os.exit(params[1]) end)
  HANDLERS
  local how, name = peer:serve()
  if how == "signal" then
    peer:notify("heard", { name })
    peer:serve()
  end
]]

-- What a child says of itself; its zygote is killed after the test.
local function who_is(child)
  local who = child:must("who")
  if who.zygote then zygotes[who.zygote] = true end
  return who
end

local loads

-- A file with the script.
local function script(handlers, options)
  loads = programs.file()
  local words = { LOADS = loads, OPTIONS = options or "", HANDLERS = handlers or "" }
  return programs.file((SCRIPT:gsub("%u%u%u%u%u+", words)))
end

before_each(function()
  children, zygotes, socket = {}, {}, programs.file()
  os.remove(socket)
end)

after_each(function()
  for _, child in ipairs(children) do child:stop({ grace = 0.2 }) end
  for zygote in pairs(zygotes) do os.execute(("kill -9 %d 2>/dev/null"):format(zygote)) end
  os.remove(socket .. ".log")
  programs.finish()
end)

describe("a stand-in", function()
  it("stands for a copy, and shows both pids", function()
    local path = script()
    local one, other = stand_in(path), stand_in(path)
    local first, second = who_is(one), who_is(other)
    assert.same({ one.pid, other.pid }, { first.standin, second.standin })
    assert.are_not.equal(one.pid, first.pid)
    assert.equal(first.zygote, second.zygote)
    assert.equal("x", programs.read(loads))
    local name = ("standin:%d\n"):format(first.pid)
    assert.truthy(processes.wait(function() return programs.read(("/proc/%d/comm"):format(one.pid)) == name end))
    local parent, group = processes.family(first.pid)
    assert.same({ first.zygote, first.pid }, { parent, group })
    local info = one:info() -- after the name is there
    assert.equal(first.pid, info.worker)
    assert.is_true(info.rss > 0)
  end)

  it("may be a pool's child, and the pool tells its pid and the copy's", function()
    local pool = assert(fkrpc.pool({ helper.interpreter, "-l", "fkrpc.standin", script(), stderr = "keep",
      env = { FKRPC_STANDIN = socket } }))
    local who = who_is(pool)
    -- The copy may answer before its stand-in has said which it is.
    local info = processes.wait(function()
      local child = pool:info().children[1]
      return child.worker and child
    end) or {}
    pool:close()
    assert.same({ who.standin, who.pid }, { info.pid, info.worker })
  end)

  it("shares one zygote with others that start at the same moment", function()
    local path = script()
    local together, seen = {}, {}
    for i = 1, 8 do together[i] = stand_in(path) end
    for _, child in ipairs(together) do
      local who = who_is(child)
      assert.equal(child.pid, who.standin)
      seen[who.pid] = true
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.same({ 8, "x" }, { count, programs.read(loads) })
  end)

  it("has a socket for its own user alone", function()
    local child = stand_in(script())
    who_is(child)
    local stat = fkrpc.fs.stat(socket)
    assert.same({ "socket", 384 }, { stat.type, stat.mode % 512 }) -- 0600
    assert.equal(384, fkrpc.fs.stat(socket .. ".log").mode % 512)
  end)

  it("ends with its copy's exit code, or by the same signal", function()
    local path = script()
    local kept = stand_in(path)
    who_is(kept)
    local child = stand_in(path)
    child:notify("exit", { 7 })
    assert.equal(7, child:wait(programs.DEADLINE).code)
    for _, signal in ipairs({ 11, 9, 6 }) do
      child = stand_in(path)
      os.execute(("kill -%d %d"):format(signal, who_is(child).pid))
      assert.equal(signal, child:wait(programs.DEADLINE).signal)
    end
    child = stand_in(path)
    who_is(child)
    child:close_stdin()
    assert.equal(0, child:wait(programs.DEADLINE).code)
  end)

  it("hands over folder, environment, umask and limits", function()
    local path = script([[
      peer:on("see", function(params)
        fkrpc.fs.write_atomic(params[1], "x")
        io.open(params[2], "w"):close()
        return { fkrpc.fs.pwd(), os.getenv("GIVEN"), fkrpc.fs.stat(params[2]).mode % 512,
          fkrpc.fs.read("/proc/self/limits"):match("Max open files%s+(%d+)") }
      end)]])
    local kept = stand_in(path, { cwd = "/usr", env = { GIVEN = "other" } })
    who_is(kept)
    local made = programs.file()
    os.remove(made)
    local command = ("umask 027; ulimit -n 77; exec %s -l fkrpc.standin %s"):format(helper.quote(helper.interpreter),
      helper.quote(path))
    local child = stand_in(path, { command = { "sh", "-c", command }, cwd = "/usr", env = { GIVEN = "a=b" } })
    assert.same({ "/usr", "a=b", 416, "77" }, child:must("see", { programs.file(), made })) -- 0640
    assert.equal(child.pid, who_is(child).standin)
  end)

  it("passes signals on", function()
    for _, name in ipairs({ "TERM", "INT", "HUP", "USR1", "USR2" }) do
      local heard
      local child = stand_in(script("", '{ signals = { "TERM", "INT", "HUP", "USR1", "USR2" } }'))
      who_is(child)
      child:on("heard", function(params) heard = params[1] end)
      os.execute(("kill -%s %d"):format(name, child.pid))
      while not heard do assert(child:step(programs.DEADLINE)) end
      assert.equal(name, heard)
      child:close_stdin()
      assert.equal(0, child:wait(programs.DEADLINE).code)
      os.remove(socket)
    end
  end)

  it("ends by SIGTERM when its copy does", function()
    local child = stand_in(script())
    local who = who_is(child)
    child:kill(15)
    assert.equal(15, child:wait(programs.DEADLINE).signal)
    assert.is_true(processes.ends(who.pid))
  end)

  it("stops and continues with its copy", function()
    local child = stand_in(script())
    local who = who_is(child)
    os.execute(("kill -TSTP %d"):format(child.pid))
    for _, pid in ipairs({ child.pid, who.pid }) do
      assert.truthy(processes.wait(function() return processes.state(pid) == "T" end))
    end
    os.execute(("kill -CONT %d"):format(child.pid))
    for _, pid in ipairs({ child.pid, who.pid }) do
      assert.truthy(processes.wait(function() return processes.state(pid) ~= "T" end))
    end
    assert.same(who, who_is(child))
  end)

  it("has no end of the pipes any more", function()
    local child = stand_in(script())
    who_is(child)
    for number = 0, 1 do
      local path = ("/proc/%d/fd/%d"):format(child.pid, number)
      assert.truthy(processes.wait(function() return fkrpc.fs.readlink(path) == "/dev/null" end))
    end
  end)

  it("takes its copy along when it is killed", function()
    local child = stand_in(script('peer:on("spin", function() while true do end end)'))
    local who = who_is(child)
    child:notify("spin")
    child:kill(9)
    assert.equal(9, child:wait(programs.DEADLINE).signal)
    assert.is_true(processes.ends(who.pid))
  end)

  it("ends with status 111 when the zygote is killed, and so does its copy", function()
    local child = stand_in(script())
    local who = who_is(child)
    os.execute(("kill -9 %d"):format(who.zygote))
    local certificate = child:wait(programs.DEADLINE)
    assert.equal(111, certificate.code)
    assert.truthy(certificate.stderr:find("the zygote has gone", 1, true), certificate.stderr)
    assert.is_true(processes.ends(who.pid))
  end)

  it("finds another zygote after that", function()
    local path = script()
    local child = stand_in(path)
    local who = who_is(child)
    os.execute(("kill -9 %d"):format(who.zygote))
    assert.equal(111, child:wait(programs.DEADLINE).code)
    child = stand_in(path)
    assert.are_not.equal(who.zygote, who_is(child).zygote)
    assert.equal("xx", programs.read(loads))
  end)
end)

describe("without a zygote to be had the script is loaded as ever", function()
  local function alone(child, reason)
    local who = who_is(child)
    assert.same({ pid = child.pid }, who)
    child:close_stdin()
    local certificate = child:wait(programs.DEADLINE)
    assert.equal(0, certificate.code)
    assert.truthy(certificate.stderr:find(reason, 1, true), certificate.stderr)
  end

  it("where there is no place for its socket", function()
    alone(stand_in(script(), { env = { FKRPC_STANDIN = "/not/there" } }),
      'fkrpc.standin: cannot listen at "/not/there": No such file or directory')
  end)

  it("where the zygote has loaded another script", function()
    who_is(stand_in(script()))
    alone(stand_in(script()), "this process loads the script itself")
  end)

  it("where the script cannot be copied", function()
    alone(stand_in(script("", "(function() KEPT = io.popen('cat', 'w') return {} end)()")),
      "this process loads the script itself")
    assert.truthy(programs.read(socket .. ".log"):find("is a pipe", 1, true))
  end)

  it("where it is turned off", function()
    alone(stand_in(script(), { env = { FKRPC_STANDIN = "off" } }), "")
    assert.is_nil(fkrpc.fs.stat(socket))
  end)

  it("and an error in it is this process's own", function()
    local child = stand_in(programs.file("error('no such card')"))
    local certificate = child:wait(programs.DEADLINE)
    assert.equal(1, certificate.code)
    assert.truthy(certificate.stderr:find("no such card", 1, true), certificate.stderr)
  end)
end)

describe("fkrpc.standin", function()
  it("is called in the script as well, and its zygote ends when nobody needs it", function()
    local path = script()
    local text = programs.read(path)
    local begin = ("require('fkrpc').standin({ socket = '%s', idle = 0.2, patience = 20 })\n"):format(socket)
    fkrpc.fs.write_atomic(path, begin .. text)
    local child = stand_in(path, { command = { helper.interpreter, path }, env = { FKRPC_STANDIN = "off" } })
    local who = who_is(child)
    assert.equal(child.pid, who.standin)
    fkrpc.clock.sleep(0.3)
    assert.is_true(processes.runs(who.zygote))
    child:close_stdin()
    assert.equal(0, child:wait(programs.DEADLINE).code)
    assert.is_true(processes.ends(who.zygote))
    assert.is_nil(fkrpc.fs.stat(socket))
  end)

  it("makes a folder of its own where it is not told one", function()
    local folder = programs.file()
    os.remove(folder)
    assert(fkrpc.fs.mkdir(folder))
    local path = script()
    local child = stand_in(path, { env = { FKRPC_STANDIN = false, XDG_RUNTIME_DIR = folder } })
    assert.equal(child.pid, who_is(child).standin)
    local inside = fkrpc.fs.ls(folder)
    assert.equal(1, #inside)
    assert.equal(448, fkrpc.fs.stat(folder .. "/" .. inside[1]).mode % 512) -- 0700
    os.execute("chmod 755 " .. helper.quote(folder .. "/" .. inside[1]))
    local other = stand_in(path, { env = { FKRPC_STANDIN = false, XDG_RUNTIME_DIR = folder } })
    assert.same({ pid = other.pid }, who_is(other))
    os.execute("rm -r " .. helper.quote(folder))
  end)

  it("refuses options that it does not know", function()
    local fine, message = pcall(fkrpc.standin, { path = "x" })
    assert.is_false(fine)
    assert.truthy(message:find("fkrpc.standin: unknown option 'path'", 1, true), message)
    fine, message = pcall(fkrpc.standin, { idle = -1 })
    assert.is_false(fine)
    assert.truthy(message:find("option 'idle' must be seconds", 1, true), message)
  end)
end)
