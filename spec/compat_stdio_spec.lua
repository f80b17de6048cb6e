-- fkrpc.compat's RPC modules under a script that behaves like the game's, driven by a parent in both modes.
local helper = require "spec.helper"
local fkrpc = require "fkrpc"

local SCRIPT = helper.root .. "/spec/fixtures/mini_game.lua"

local function shell(command)
  local pipe = io.popen(command)
  local text = pipe:read("*a")
  pipe:close()
  return text
end

-- The command line of this Lua with the library loaded first.
local function program(...)
  local cpath = "package.cpath = '" .. helper.library:match("^.*/") .. "?.so" .. ";' .. package.cpath"
  return { helper.interpreter, "-e", cpath, "-e", "require 'fkrpc.compat'", ... }
end

local function start(mode)
  local options = { command = program(SCRIPT), env = { FK_RPC_MODE = mode } }
  if mode == "cbor" then
    options.codec, options.keys = "cbor", "freekill"
  else
    options.strings = "bytes"
  end
  local child = assert(fkrpc.spawn(options))
  local seen = { prints = {}, asked = {} }
  child:on("qInfo", function() return 0 end)
  child:on("print", function(params)
    seen.prints[#seen.prints + 1] = params
    return 0
  end)
  child:on("hello", function() seen.hello = true end)
  child:on("ask", function(params)
    seen.asked[#seen.asked + 1] = params[1]
    if params[1] == "call back" then return child:must("ping", {}) end
    return "answer"
  end)
  while not seen.hello do assert(child:step(5)) end
  return child, seen
end

describe("loading fkrpc.compat", function()
  it("moves nothing: print still prints on stdout", function()
    local command = {}
    for _, word in ipairs(program("-e", "print(1)")) do command[#command + 1] = helper.quote(word) end
    assert.equal("1\n", shell(table.concat(command, " ") .. " 2>/dev/null"))
  end)

  it("works through LUA_INIT and -l", function()
    local folder = helper.quote(helper.library:match("^.*/") .. "?.so")
    local set = "unset LUA_INIT_5_2 LUA_INIT_5_3 LUA_INIT_5_4 LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4; "
      .. "LUA_CPATH=" .. folder
    local lua = helper.quote(helper.interpreter)
    local chunk = helper.quote("print(require('json').encode({ 1 }))")
    assert.equal("[1]\n", shell(set .. [[ LUA_INIT='require "fkrpc.compat"' ]] .. lua .. " -e " .. chunk .. " 2>&1"))
    assert.equal("[1]\n", shell(set .. " " .. lua .. " -l fkrpc.compat -e " .. chunk .. " 2>&1"))
  end)
end)

for _, mode in ipairs { "cbor", "json" } do
  describe("a game loop in " .. mode .. " mode", function()
    local child, seen

    before_each(function() child, seen = start(mode) end)
    after_each(function()
      child:kill(9)
      child:close()
    end)

    it("serves calls", function()
      assert.equal("PONG", child:must("ping", {}))
      assert.equal(5, child:must("add", { 2, 3 }))
      assert.equal("\0\255\128 \"\\\n", child:must("echo", { "\0\255\128 \"\\\n" }))
    end)

    it("calls while it serves, and serves while it waits", function()
      assert.equal("answer", child:must("relay", { "a question" }))
      assert.equal("PONG", child:must("relay", { "call back" }))
      assert.same({ "a question", "call back" }, seen.asked)
    end)

    it("sends what it prints as strings", function()
      child:must("print", { "one", 2, true })
      assert.same({ "one", "2", "true" }, { (table.unpack or unpack)(seen.prints[1]) })
    end)

    it("answers an unknown method, a refusal, a named error and a raised one as errors", function()
      local function code(method)
        local _, err = child:call(method, {})
        return err.code, err.data
      end
      assert.equal(-32601, (code("no such method")))
      assert.equal(-32602, (code("refuse")))
      local number, data = code("named")
      assert.same({ -32000, "some data" }, { number, data })
      number, data = code("raise")
      assert.same({ -32603, "raised here" }, { number, data })
      assert.equal(-32603, (code("raise_table")))
    end)

    it("hands payloads over byte by byte as they are", function()
      assert.equal("\131\1\161\65a\65b\217\128\233\7", child:must("payload", {}))
    end)

    it("goes with status 0 after bye", function()
      assert.equal("Goodbye", child:must("bye", {}))
      assert.equal(0, child:wait(10).code)
    end)

    it("goes with status 0 when its input ends", function()
      child:close_stdin()
      assert.equal(0, child:wait(10).code)
    end)

    it("goes with status 0 when its input ends inside a call, with its output unread", function()
      child:on("print", function()
        child:close_stdin()
        return 0
      end)
      child:call("stubborn", {}, { timeout = 0.5 })
      assert.equal(0, child:wait(10).code)
    end)
  end)
end

describe("a game loop in cbor mode", function()
  local child, seen
  before_each(function() child, seen = start("cbor") end)
  after_each(function()
    child:kill(9)
    child:close()
  end)

  it("sends nothing that the parent cannot read", function()
    assert.is_nil((child:must("nothing", {})))
    assert.equal(4, child:must("float", {}))
    local _, err = child:call("list", {})
    assert.equal(-32603, err.code)
    assert.equal("string", type(err.data))
    _, err = child:call("raise_table", {})
    assert.equal("string", type(err.data))
  end)

  it("puts what print has beyond five texts into the fifth", function()
    child:must("print", { "1", "2", "3", "4", "5", "6", "7" })
    assert.same({ "1", "2", "3", "4", "5\t6\t7" }, { (table.unpack or unpack)(seen.prints[1]) })
  end)
end)
