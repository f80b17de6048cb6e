-- What a fork breaks is mended in a zygote's copies, or the zygote refuses to be copied.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local made, children = nil, {}

local function zygote(script)
  made = assert(fkrpc.zygote({ command = { helper.interpreter, programs.file(script) }, stderr = "keep" }))
  return made
end

local function copy(options)
  options = options or {}
  options.stderr = options.stderr or "keep"
  local child = assert(made:spawn(options))
  children[#children + 1] = child
  return child
end

after_each(function()
  for _, child in ipairs(children) do child:stop({ grace = 0.1 }) end
  made:close()
  children = {}
  programs.finish()
end)

describe("a copy of a zygote", function()
  it("has random numbers of its own, unless the script has seeded the generator", function()
    zygote([[
      local fkrpc = require("fkrpc")
      math.randomseed(42)
      local many, seeded = {}, fkrpc.random(7)
      for i = 1, 50 do many[i] = fkrpc.random() end
      local peer = assert(fkrpc.stdio())
      local function three(draw) return { draw(), draw(), draw() } end
      peer:on("draw", function()
        return {
          three(function() return math.random(1, 1000000) end), three(function() return many[1]:generate() end),
          three(function() return fkrpc.random():generate() end), three(function() return seeded:generate() end),
        }
      end)
      peer:on("all", function()
        local drawn = {}
        for i = 1, #many do drawn[i] = many[i]:generate() end
        return drawn
      end)
      peer:serve()
    ]])
    local first, second = copy(), copy()
    local one, other = first:must("draw"), second:must("draw")
    for kind = 1, 3 do assert.are_not.same(one[kind], other[kind], "kind " .. kind) end
    assert.same(one[4], other[4])
    one, other = first:must("all"), second:must("all")
    assert.equal(50, #one)
    for i = 1, 50 do assert.are_not.equal(one[i], other[i]) end
  end)

  it("has the watchdog that the script has set", function()
    zygote([[
      local fkrpc = require("fkrpc")
      if jit then jit.off() end
      assert(fkrpc.watchdog(0.1))
      local peer = assert(fkrpc.stdio())
      peer:on("spin", function() while true do end end)
      peer:serve()
    ]])
    for _ = 1, 2 do
      local child = copy()
      local result, err = child:call("spin", nil, { timeout = programs.DEADLINE })
      assert.is_nil(result)
      assert.truthy(tostring(err.message .. " " .. tostring(err.data)):find("time limit", 1, true), tostring(err))
    end
  end)

  it("has deadlines that pass, and a watch over its parent", function()
    zygote([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ parent_death = 0.05 }))
      peer:on("wait", function()
        local _, err = peer:call("never", nil, { timeout = 0.05 })
        return err.code
      end)
      peer:on("work", function() peer:notify("working") while true do end end)
      peer:serve()
    ]])
    local child = copy()
    local working = false
    child:on("working", function() working = true end)
    child:on("never", function() fkrpc.clock.sleep(0.2) end)
    assert.equal("timeout", child:must("wait"))
    child:notify("work")
    while not working do assert(child:step(programs.DEADLINE)) end
    child:close_stdin()
    assert.equal(123, child:wait(programs.DEADLINE).code)
  end)

  it("sees the descriptors that a started program sees, and no other copy's", function()
    local script = [[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio())
      peer:on("see", function()
        local names = {}
        for _, name in ipairs(fkrpc.fs.ls("/proc/self/fd")) do
          names[#names + 1] = name .. " " .. (fkrpc.fs.readlink("/proc/self/fd/" .. name) or "gone"):match("^%a*")
        end
        table.sort(names)
        return names
      end)
      peer:serve()
    ]]
    zygote(script)
    local started = assert(fkrpc.spawn({ helper.interpreter, programs.file(script), stderr = "keep" }))
    children[1] = started
    local wanted = started:must("see")
    assert.is_true(#wanted >= 5)
    for _ = 1, 3 do assert.same(wanted, copy():must("see")) end
  end)

  it("does not write what the script had written before", function()
    local log, data = programs.file(), programs.file()
    local script = programs.file([[
      local fkrpc = require("fkrpc")
      local data = assert(io.open("DATA", "w"))
      data:write("in the file;")
      io.write("once;")
      io.stderr:write("said;")
      local peer = assert(fkrpc.stdio())
      peer:on("say", function()
        data:write("later;")
        data:flush()
        io.write("more;")
        io.flush()
      end)
      peer:serve()
      os.exit(0, true)
    ]])
    fkrpc.fs.write_atomic(script, (fkrpc.fs.read(script):gsub("DATA", data)))
    made = assert(fkrpc.zygote({ "sh", "-c", "exec " .. helper.quote(helper.interpreter) .. " " .. helper.quote(script)
      .. " >" .. helper.quote(log) .. " 2>&1" }))
    for _ = 1, 2 do
      local child = copy({ stderr = "keep" })
      child:must("say")
      child:close_stdin()
      local certificate = child:wait(programs.DEADLINE)
      assert.same({ 0, "more;" }, { certificate.code, certificate.stderr })
    end
    assert.equal("said;once;", programs.read(log))
    assert.equal("in the file;later;later;", programs.read(data))
  end)

  it("has the signals that the script has let through", function()
    zygote([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ signals = { "TERM" } }))
      peer:notify("ready")
      local how, name = peer:serve()
      os.exit(how == "signal" and name == "TERM" and 9 or 1)
    ]])
    local child = copy()
    child:on("ready", function() end)
    assert.is_true(child:step(programs.DEADLINE))
    child:kill(15)
    assert.equal(9, child:wait(programs.DEADLINE).code)
  end)
end)

describe("a zygote refuses to be copied", function()
  local REFUSED = {
    ["a pipe"] = { "KEPT = io.popen('cat', 'w')", "is a pipe" },
    ["a socket"] = { "local path = os.tmpname() os.remove(path) KEPT = fkrpc.listen({ path = path })", "is a socket" },
    ["a thread"] = { [[
      local child = fkrpc.spawn({ "sleep", "10" })
      child = nil
      collectgarbage()
      collectgarbage()
      ]], "threads" },
  }
  for what, case in pairs(REFUSED) do
    it("with " .. what, function()
      zygote("local fkrpc = require('fkrpc')\n" .. case[1] .. [[

        local peer, message, errno = fkrpc.stdio()
        if KEPT and KEPT.accept then KEPT:close() end
        os.exit(peer == nil and errno == 16 and 3 or 4)
      ]])
      local child, message, errno = made:spawn()
      assert.is_nil(child)
      assert.truthy(message:find("this process cannot be a zygote", 1, true), message)
      assert.truthy(message:find(case[2], 1, true), message)
      assert.equal(16, errno)
      child, message = made:spawn()
      assert.is_nil(child)
      assert.truthy(message:find("has ended", 1, true), message)
    end)
  end

  it("that has failed to load, and says how it ended", function()
    zygote("error('no such card')")
    local child, message, errno = made:spawn()
    assert.is_nil(child)
    assert.equal(32, errno)
    assert.truthy(message:find("has ended", 1, true) and message:find("(status 1)", 1, true), message)
  end)
end)
