-- fkrpc.zygote: a script is loaded once, and its copies are children like any other.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local processes = dofile(helper.root .. "/spec/processes.lua")

local zygotes, children = {}, {}

-- A zygote of this Lua text; `options` as for fkrpc.zygote.
local function zygote(script, options)
  local given = { command = { helper.interpreter, programs.file(script) }, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  local made = assert(fkrpc.zygote(given))
  zygotes[#zygotes + 1] = made
  return made
end

local function copy(of, options)
  options = options or {}
  options.stderr = options.stderr or "keep"
  local child = assert(of:spawn(options))
  children[#children + 1] = child
  return child
end

after_each(function()
  for _, child in ipairs(children) do child:stop({ grace = 0.1 }) end
  for _, made in ipairs(zygotes) do made:close() end
  zygotes, children = {}, {}
  programs.finish()
end)

local SERVER = [[
  local fkrpc = require("fkrpc")
  BEFORE
  local peer = assert(fkrpc.stdio(OPTIONS))
  HANDLERS
  peer:serve()
]]

local function server(before, handlers, options)
  return (SERVER:gsub("%u%u%u%u+", { BEFORE = before, HANDLERS = handlers, OPTIONS = options or "" }))
end

local PING = 'peer:on("ping", function() return true end)'

describe("a zygote", function()
  it("loads the script once for all its copies", function()
    local log = programs.file()
    local made = zygote(server("local f = io.open('" .. log .. "', 'a') f:write('loaded ') f:close()\nlocal n = 0",
      'peer:on("count", function() n = n + 1 return n end)'))
    local one, other = copy(made), copy(made)
    assert.equal(1, one:must("count"))
    assert.equal(2, one:must("count"))
    assert.equal(1, other:must("count"))
    assert.equal("loaded ", programs.read(log))
    assert.same({ pid = made.pid, copies = 2, state = "ready" }, { pid = made:info().pid, copies = made:info().copies,
      state = made:info().state })
  end)

  it("makes children of this process, each the first of its group", function()
    local made = zygote(server("", PING))
    local mine = processes.family(made.pid)
    local child = copy(made)
    local parent, group = processes.family(child.pid)
    assert.same({ mine, child.pid }, { parent, group })
    child:must("ping")
    assert.equal("ready", child:info().state)
    assert.is_true(child:info().rss > 0)
  end)

  it("tells the copy who it is a copy of", function()
    local made = zygote(server("", 'peer:on("who", function() return { peer.forked.zygote, peer.forked.standin } end)'))
    assert.same({ made.pid }, copy(made):must("who"))
  end)

  it("hands back exit codes and signals as they are", function()
    local made = zygote(server("", 'peer:on("exit", function(params) os.exit(params[1]) end)'))
    local child = copy(made)
    child:notify("exit", { 7 })
    assert.equal(7, child:wait(programs.DEADLINE).code)
    for _, signal in ipairs({ 11, 15, 9 }) do
      child = copy(made)
      assert.is_true(child:kill(signal))
      assert.equal(signal, child:wait(programs.DEADLINE).signal)
    end
  end)

  it("gives a copy its environment, folder and limits", function()
    local made = zygote(server("", [[
      peer:on("see", function()
        return { os.getenv("GIVEN"), os.getenv("TAKEN") or "none", fkrpc.fs.pwd(),
          fkrpc.fs.read("/proc/self/limits"):match("Max open files%s+(%d+)"), os.getenv("FKRPC_ZYGOTE") }
      end)]]), { env = { TAKEN = "x" } })
    local child = copy(made, { env = { GIVEN = "a=b", TAKEN = false }, cwd = "/usr", limits = { files = 77 } })
    assert.same({ "a=b", "none", "/usr", "77" }, child:must("see"))
    local _, message, errno = made:spawn({ cwd = "/not/there" })
    assert.equal(2, errno)
    assert.truthy(message:find('in "/not/there"', 1, true), message)
  end)

  it("makes copies that take part in a handshake", function()
    local made = zygote(server("", 'peer:notify("hello", { "world" })'))
    assert.same({ "world" }, copy(made, { handshake = "hello" }).hello)
  end)

  it("can be asked whether it is ready", function()
    local go = programs.file()
    local made = zygote(server("while fkrpc.fs.stat('" .. go .. "').size == 0 do fkrpc.clock.sleep(0.005) end", PING),
      { timeout = 0.05 })
    assert.equal("loading", made:info().state)
    assert.is_false(made:ready(0))
    local child, message, errno = made:spawn()
    assert.is_nil(child)
    assert.truthy(message:find("has not loaded its script yet", 1, true), message)
    assert.equal(110, errno)
    fkrpc.fs.write_atomic(go, "go")
    assert.is_true(made:ready(programs.DEADLINE))
    assert.is_true(copy(made):must("ping"))
  end)

  it("serves a FreeKill server, in the mode that the copy's environment says", function()
    local made = zygote([[
      local fk = require("fkrpc.freekill")
      fk.on("ping", function() return "pong" end)
      fk.serve()
    ]])
    local child = copy(made, { env = { FK_RPC_MODE = "cbor" }, codec = "cbor", keys = "freekill",
      handlers = { hello = function() end } })
    assert.equal("pong", child:must("ping", {}))
    child = copy(made, { handlers = { hello = function() end } })
    assert.equal("pong", child:must("ping", {}))
  end)

  it("leaves nothing behind after many copies", function()
    local program = programs.spawn([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio())
      local pid = fkrpc.fs.read("/proc/self/stat"):match("^%d+")
      local function count(path, wanted)
        local found = 0
        for _, name in ipairs(fkrpc.fs.ls(path)) do
          if wanted(name) then found = found + 1 end
        end
        return found
      end
      local function is_zombie(name)
        return (fkrpc.fs.read("/proc/" .. name .. "/stat") or ""):find(") Z " .. pid .. " ", 1, true)
      end
      peer:on("go", function(params)
        local zygote = assert(fkrpc.zygote({ params[1], params[2] }))
        local before
        for i = 1, 200 do
          local child = assert(zygote:spawn())
          child:must("ping")
          assert(child:stop())
          if i == 5 then
            collectgarbage()
            before = count("/proc/self/fd", tostring)
          end
        end
        collectgarbage()
        return { count("/proc/self/fd", tostring) - before, count("/proc", is_zombie) }
      end)
      peer:serve()
    ]])
    assert.same({ 0, 0 }, program:must("go", { helper.interpreter, programs.file(server("", PING)) }))
  end)

  it("ends when it is closed, and its copies go on", function()
    local made = zygote(server("", PING))
    local child = copy(made)
    made:close()
    made:close()
    assert.is_true(processes.ends(made.pid))
    assert.is_true(child:must("ping"))
    local refused, message, errno = made:spawn()
    assert.is_nil(refused)
    assert.truthy(message:find("has ended", 1, true), message)
    assert.equal(32, errno)
  end)

  it("ends when nobody refers to it any more, and its copies go on", function()
    local made = assert(fkrpc.zygote({ helper.interpreter, programs.file(server("", PING)), stderr = "keep" }))
    local child, pid = copy(made), made.pid
    assert.is_true(processes.runs(pid))
    made = nil -- luacheck: ignore
    assert.is_true(processes.wait(function()
      collectgarbage()
      return not processes.runs(pid)
    end))
    assert.is_true(child:must("ping"))
  end)

  it("that was killed is noticed, and its copies go on", function()
    local made = zygote(server("", PING))
    local child = copy(made)
    os.execute("kill -9 " .. ("%d"):format(made.pid))
    assert.is_true(processes.ends(made.pid))
    local refused, message, errno = made:spawn()
    assert.is_nil(refused)
    assert.truthy(message:find("has ended", 1, true) and message:find("signal 9", 1, true), message)
    assert.equal(32, errno)
    assert.equal("dead", made:info().state)
    assert.is_true(child:must("ping"))
  end)

  it("that was stopped is given up and killed", function()
    local made = zygote(server("", PING), { timeout = 0.3 })
    assert.is_true(made:ready(programs.DEADLINE))
    os.execute("kill -STOP " .. ("%d"):format(made.pid))
    assert.truthy(processes.wait(function() return processes.state(made.pid) == "T" end))
    local refused, message, errno = made:spawn()
    assert.is_nil(refused)
    assert.equal(110, errno, message)
    assert.is_true(processes.ends(made.pid))
    assert.equal("dead", made:info().state)
  end)

  it("ends with the process that started it, and so do its copies", function()
    local script = programs.file(server("", PING .. "\n" .. 'peer:on("work", function() while true do end end)',
      "{ parent_death = 0.1 }"))
    local parent = programs.spawn([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio())
      peer:on("go", function(params)
        ZYGOTE = assert(fkrpc.zygote({ command = params, stderr = "null" }))
        ONE, OTHER = assert(ZYGOTE:spawn({ stderr = "null" })), assert(ZYGOTE:spawn({ stderr = "null" }))
        ONE:must("ping")
        OTHER:must("ping")
        OTHER:notify("work")
        return { ZYGOTE.pid, ONE.pid, OTHER.pid }
      end)
      peer:serve()
    ]])
    local pids = parent:must("go", { helper.interpreter, script })
    for _, pid in ipairs(pids) do assert.is_true(processes.runs(pid)) end
    parent:kill(9)
    for _, pid in ipairs(pids) do assert.is_true(processes.ends(pid)) end
  end)
end)

describe("fkrpc.zygote", function()
  it("refuses options that it does not know", function()
    local fine, message = pcall(fkrpc.zygote, { "true", size = 1 })
    assert.is_false(fine)
    assert.truthy(message:find("fkrpc.zygote: unknown option 'size'", 1, true), message)
    fine, message = pcall(fkrpc.zygote, {})
    assert.is_false(fine)
    assert.truthy(message:find('fkrpc.zygote: no command: fkrpc.zygote{ "lua5.4", "entry.lua" }', 1, true), message)
    fine, message = pcall(fkrpc.zygote, { "true", timeout = -1 })
    assert.is_false(fine)
    assert.truthy(message:find("option 'timeout' must be seconds", 1, true), message)
    local made = zygote("", nil)
    fine, message = pcall(made.spawn, made, { "true" })
    assert.is_false(fine)
    assert.truthy(message:find("the command is the zygote's", 1, true), message)
  end)

  it("says at once what cannot be run", function()
    local made, message, errno = fkrpc.zygote({ "no-such-program-at-all" })
    assert.is_nil(made)
    assert.equal(2, errno)
    assert.truthy(message:find('cannot run "no-such-program-at-all"', 1, true), message)
  end)
end)
