-- A child that has lost its parent does not survive it, however busy it is.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local SPIN = {
  ["a loop of Lua"] = "while true do end",
  ["a long call of C"] = "string.find(('a'):rep(32), ('a?'):rep(32) .. ('a'):rep(32))",
  ["a wait for something else"] = "os.execute('sleep 5')",
}

-- Whether a process runs: it is neither gone nor a zombie that its new parent does not collect.
local function runs(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  if not file then return false end
  local state = file:read("*a"):match("%) (%a)")
  file:close()
  return state ~= "Z" and state ~= "X"
end

local function ends(pid)
  local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
  while runs(pid) do
    if fkrpc.clock.monotonic_us() > limit then return false end
    fkrpc.clock.sleep(0.01)
  end
  return true
end

-- A process whose child works on `work`, with unread messages in its pipe; that one's pid and log.
local function family(work, option)
  local log = programs.file()
  local script = programs.command([[
    local peer = assert(require("fkrpc").stdio({ parent_death = ]] .. option .. [[ }))
    peer:on("work", function()
      peer:notify("working")
      ]] .. work .. [[

    end)
    local how = peer:serve()
    io.stderr:write(how)
  ]])
  local parent = programs.spawn([[
    local fkrpc = require("fkrpc")
    local peer = assert(fkrpc.stdio())
    peer:on("start", function(params)
      local child = assert(fkrpc.spawn({ "sh", "-c", "exec " .. params[1] .. " 2>" .. params[2] }))
      local working = false
      child:on("working", function() working = true end)
      child:notify("work")
      while not working do assert(child:step()) end
      for i = 1, 20 do child:notify("unread", { i }) end
      KEPT = child
      return child.pid
    end)
    peer:serve()
  ]])
  local pid = parent:must("start", { script, helper.quote(log) }, { timeout = programs.DEADLINE })
  return parent, pid, log
end

describe("a child with the option parent_death", function()
  for what, work in pairs(SPIN) do
    it("ends when its parent is killed inside " .. what, function()
      local parent, pid, log = family(work, "0.1")
      assert.is_true(runs(pid))
      parent:kill(9)
      assert.is_true(ends(pid))
      assert.equal("fkrpc: stdin has hung up and the program does not end: it is ended with status 123\n",
        programs.read(log))
    end)
  end

  it("has its time to end by itself, when it notices", function()
    local parent, pid, log = family("", "1000")
    parent:kill(9)
    assert.is_true(ends(pid))
    assert.truthy(programs.read(log):find("eof", 1, true))
    assert.is_nil(programs.read(log):find("status", 1, true))
  end)

  it("ends with status 123, which whoever closes its stdin sees", function()
    local child = programs.spawn([[
      local peer = assert(require("fkrpc").stdio({ parent_death = true }))
      peer:on("work", function() peer:notify("working") while true do end end)
      peer:serve()
    ]])
    local working = false
    child:on("working", function() working = true end)
    child:notify("work")
    while not working do assert(child:step(programs.DEADLINE)) end
    assert.is_false(child:wait(0))
    child:close_stdin()
    assert.same({ 123 }, { child:wait(programs.DEADLINE).code })
  end)

  it("is left alone after it has closed its peer", function()
    local child = programs.spawn([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ parent_death = 0 }))
      peer:notify("closing")
      peer:close()
      fkrpc.clock.sleep(0.2)
      os.exit(5)
    ]])
    child:on("closing", function() end)
    assert.is_true(child:step(programs.DEADLINE))
    assert.is_nil((child:step(programs.DEADLINE)))
    child:close_stdin()
    assert.equal(5, child:wait(programs.DEADLINE).code)
  end)

  it("takes true, false or seconds", function()
    for _, value in ipairs({ "-1", "'1'", "0/0" }) do
      local done = programs.run("print(pcall(require('fkrpc').stdio, { parent_death = " .. value .. " }))")
      assert.truthy(done.out:find("option 'parent_death' must be true or seconds", 1, true), done.out)
    end
  end)
end)
