-- Waiting until a child is ready, and what is said of one that is not.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local function lua(script, options)
  local given = { helper.interpreter, "-e", script, stderr = "keep" }
  for name, value in pairs(options or {}) do given[name] = value end
  return fkrpc.spawn(given)
end

local function refused(script, options)
  local before = fkrpc.spawn({ "true" })
  before:wait()
  local child, message, errno = lua(script, options)
  assert.is_nil(child)
  local pid = tonumber(message:match("^child (%d+) is not ready: "))
  assert.equal("", programs.read(("/proc/%d/stat"):format(pid)), "it is still there")
  return message, errno
end

describe('a child with handshake = "hello"', function()
  it("is handed out when it has said hello, and the requests it sends before are served", function()
    for _, options in ipairs({ {}, { codec = "cbor" }, { codec = "cbor", keys = "freekill" }, { concurrency = 4 } }) do
      local stdio = options.keys and '{ codec = "cbor", keys = "freekill" }' or options.codec and '{ codec = "cbor" }'
        or "{}"
      options.handshake = "hello"
      options.handlers = { config = function(params) return params[1] + 1 end }
      local child = assert(lua(([[local p = require("fkrpc").stdio(%s)
        assert(p:must("config", { 6 }) == 7)
        p:notify("hello", { "world" })
        p:on("n", function() return "n" end) p:serve()]]):format(stdio), options))
      assert.equal("ready", child:info().state)
      assert.equal("world", child.hello[1])
      assert.equal("n", child:must("n"))
      assert.equal(0, child:stop().code)
    end
  end)

  it("may say it before it is asked for anything else, and is a whole peer when it is", function()
    local child = assert(lua([[local p = require("fkrpc").stdio()
      assert(p:notify("hello", { tostring(p) }) == true)
      p:on("n", function(params, ctx) return ctx.peer == p and params[1] end) p:serve() p:close()
      os.exit(p:notify("x") == nil and 5 or 6)]], { handshake = "hello" }))
    assert.equal("fkrpc.peer: stdio json", child.hello[1])
    assert.equal(7, child:must("n", { 7 }))
    assert.equal(5, child:stop().code)
  end)

  it("that ends before is an error with how, and its last words", function()
    local message, errno = refused([[io.stderr:write("no config\n") os.exit(3)]], { handshake = "hello" })
    assert.truthy(message:find("exit code 3", 1, true), message)
    assert.truthy(message:find("its last words: no config", 1, true), message)
    assert.equal(71, errno)
  end)

  it("that says nothing in time is stopped, with its children", function()
    local message, errno = refused([[io.stderr:write("still loading\n") os.execute("sleep 100")]],
      { handshake = "hello", handshake_timeout = 0.3 })
    local reason = "it has not said hello in time (after 0.3 s, option handshake_timeout)"
    assert.truthy(message:find(reason, 1, true), message)
    assert.truthy(message:find("its last words: still loading", 1, true), message)
    assert.equal(110, errno)
  end)

  it("that keeps sending requests is given no more time", function()
    local message = refused([[local p = require("fkrpc").stdio() while p:notify("tick") do end]],
      { handshake = "hello", handshake_timeout = 0.2, handlers = { tick = function() end } })
    assert.truthy(message:find("it has not said hello in time", 1, true), message)
  end)

  it("may print before: that is no message, and hello still comes", function()
    local child = assert(lua([[io.write("loading\n") io.flush()
      local p = require("fkrpc").stdio() p:notify("hello") p:serve()]], { handshake = "hello" }))
    assert.equal(1, child:stats().garbage)
    child:stop()
  end)
end)

describe("a child with a function for its handshake", function()
  it("is handed out when that says so, and has time until the deadline", function()
    local left
    local child = assert(lua([[local p = require("fkrpc").stdio()
      p:on("version", function() return 3 end) p:serve()]], {
      handshake = function(child, deadline)
        left = (deadline - fkrpc.clock.monotonic_us()) / 1e6
        assert(child:info().state == "starting")
        return child:must("version", nil, { timeout = left }) == 3
      end,
    }))
    assert.is_true(left > 8 and left <= 10)
    child:stop()
  end)

  it("is stopped when that returns nothing or raises, and its words are passed on", function()
    local message = refused([[require("fkrpc").stdio():serve()]],
      { handshake = function() return nil, "version 2" end })
    assert.truthy(message:find("is not ready: version 2", 1, true), message)
    message = refused([[require("fkrpc").stdio():serve()]], { handshake = function() error("bad child") end })
    assert.truthy(message:find("bad child", 1, true), message)
    message = refused([[require("fkrpc").stdio():serve()]], { handshake = function() return false end })
    assert.truthy(message:find("the handshake says no", 1, true), message)
  end)
end)

describe("the options of a handshake", function()
  it("are checked before anything is started", function()
    for _, wrong in ipairs({ { handshake = "hi" }, { handshake = 5 }, { handshake = "hello", handshake_timeout = 0 },
      { handshake_timeout = "x" }, { handlers = { f = 5 } }, { handlers = { function() end } }, { handlers = 5 } }) do
      local fine, message = pcall(function() lua("", wrong) end)
      assert.is_false(fine)
      assert.truthy(message:find("fkrpc.spawn: ", 1, true), message)
    end
  end)
end)
