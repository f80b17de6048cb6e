-- What fkrpc.stdio does to print, dbg and debug.debug, and that it is undone.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local TIMEOUT = { timeout = programs.DEADLINE }

after_each(programs.finish)

local OPEN = 'local fkrpc = require("fkrpc")\nlocal original = print\nlocal peer = assert(fkrpc.stdio%s)\n'
local SERVE = '\npeer:serve()\n'

local function child(options, run, rest)
  return OPEN:format(options) .. 'peer:on("run", function(params, ctx)\n' .. run .. "\nreturn 'done'\nend)\n" .. SERVE
    .. (rest or "")
end

describe('print = "stderr"', function()
  it("leaves print alone, which writes to the log", function()
    for _, options in ipairs({ "()", '{ print = "stderr" }' }) do
      local kid, log = programs.spawn(child(options, 'assert(print == original) print("to the log", nil, 5)'))
      assert.equal("done", kid:must("run", nil, TIMEOUT))
      programs.ended(kid)
      assert.equal("to the log\tnil\t5\n", programs.read(log))
    end
  end)
end)

describe('print = "notify"', function()
  it("sends every argument as text, in order with the answers", function()
    local kid = programs.spawn(child('{ print = "notify" }',
      'print("a", nil, 5, true) print() print(setmetatable({}, { __tostring = function() return "told" end }))'))
    local seen = {}
    kid:on("print", function(params, ctx) seen[#seen + 1] = { ctx.notification, params } end)
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.same({ { true, { "a", "nil", "5", "true" } }, { true, {} }, { true, { "told" } } }, seen)
  end)

  it("never raises for bytes that cannot be sent: they go to the log", function()
    local kid, log = programs.spawn(child('{ print = "notify" }', 'print("x\\255y")'))
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    programs.ended(kid)
    assert.equal("x\255y\n", programs.read(log))
  end)

  it("sends any bytes where the strings are bytes", function()
    local kid = programs.spawn(child('{ print = "notify", strings = "bytes" }', 'print("x\\255y")'),
      { strings = "bytes" })
    local seen
    kid:on("print", function(params) seen = params[1] end)
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal("x\255y", seen)
  end)
end)

describe('print = "request"', function()
  it("waits until the parent has it", function()
    local kid = programs.spawn(child('{ print = "request" }', 'print("one") print("two")'))
    local seen = {}
    kid:on("print", function(params, ctx) seen[#seen + 1] = { ctx.notification, params[1] } end)
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.same({ { false, "one" }, { false, "two" } }, seen)
  end)

  it("goes to the log when the parent refuses it or is gone", function()
    local kid, log = programs.spawn(child('{ print = "request" }', 'print("refused")', 'print("gone", 1)'))
    assert.equal("done", kid:must("run", nil, TIMEOUT))
    assert.equal(0, programs.ended(kid).code)
    assert.equal("refused\ngone\t1\n", programs.read(log))
  end)
end)

describe("closing the peer", function()
  it("gives the old print, dbg and debug.debug back", function()
    local kid = programs.spawn([[
      local old_print, old_debug, old_dbg = print, debug.debug, function() return "mine" end
      dbg = old_dbg
      ]] .. OPEN:format('{ print = "notify" }') .. [[
      assert(print ~= old_print and debug.debug ~= old_debug and dbg ~= old_dbg)
      assert(dbg() == nil and debug.debug() == nil)
      peer:close()
      assert(print == old_print and debug.debug == old_debug and dbg == old_dbg)
      peer:close()
      os.exit(7)
    ]])
    assert.equal(7, assert(kid:wait(programs.DEADLINE)).code)
  end)

  it("leaves what others have put in their place", function()
    local kid = programs.spawn(OPEN:format('{ print = "notify" }') .. [[
      local theirs = function() end
      print, debug.debug = theirs, theirs
      assert(rawget(_G, "dbg") ~= nil)
      peer:close()
      assert(print == theirs and debug.debug == theirs and rawget(_G, "dbg") == nil)
      os.exit(7)
    ]])
    assert.equal(7, assert(kid:wait(programs.DEADLINE)).code)
  end)

  local closes = (loadstring or load)("local x <close> = nil") -- luacheck: ignore (loadstring is of Lua 5.1)
  if not closes then return end
  it("happens by itself where Lua closes variables", function()
    local kid = programs.spawn([[
      local fkrpc = require("fkrpc")
      local old = print
      do
        local peer <close> = fkrpc.stdio({ print = "notify" })
        assert(print ~= old)
      end
      assert(print == old)
      os.exit(7)
    ]])
    assert.equal(7, assert(kid:wait(programs.DEADLINE)).code)
  end)
end)
