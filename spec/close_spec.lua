-- The end of a Lua state: `lua_close` runs every finalizer there is, also those of objects that are older than the
-- library, when the library's own have run.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

-- An object older than the library whose finalizer is the global `finalizer`, on every Lua.
local OLDER = [[
  local function call() finalizer() end
  if newproxy then
    older = newproxy(true)
    getmetatable(older).__gc = call
  else
    older = setmetatable({}, { __gc = call })
  end
  local fkrpc = require("fkrpc")
  local json, cbor = fkrpc.json, fkrpc.cbor
]]

local function run(script)
  local done = programs.run(OLDER .. script, "")
  programs.finish()
  return done
end

describe("the end of a Lua state", function()
  it("leaves the codecs to finalizers of older objects", function()
    local done = run([[
      assert(json.decode(json.encode({ ("x"):rep(3000) })))
      local nested
      nested = cbor.new({ tags = { [1] = function(bytes) return (nested.decode(bytes)) end } })
      function finalizer()
        for i = 1, 200 do
          local value = { hello = { i, ("x"):rep(300) } }
          assert(json.decode(json.encode(value)).hello[1] == i)
          assert(cbor.decode(cbor.encode(value)).hello[1] == i)
          assert(nested.decode("\193" .. cbor.encode(cbor.encode(i))) == i)
          assert(json.encode({ print }) == nil and json.decode("[") == nil)
        end
        print("fine")
      end
    ]])
    assert.equal("fine\n", done.out, done.err)
    assert.equal(0, done.code, done.err)
  end)

  it("closes connections: finalizers of older objects are told so", function()
    local done = run([[
      left, right = fkrpc.pair()
      left:on("x", function() return 1 end)
      assert(right:call("x") == 1)
      function finalizer()
        local fine, message = pcall(right.call, right, "x")
        print(fine, message)
      end
    ]])
    assert.truthy(done.out:find("^false\t.*library state is gone"), done.out .. done.err)
    assert.equal(0, done.code, done.err)
  end)

  it("may come in the middle of a decode", function()
    if helper.name == "lua51" or helper.name == "luajit" then return end -- os.exit closes no state there
    local done = run([[
      function finalizer()
        assert(json.decode(json.encode({ 1 }))[1] == 1)
        print("fine")
      end
      local codec = cbor.new({ tags = { [1] = function() os.exit(0, true) end } })
      codec.decode("\193\1")
    ]])
    assert.equal("fine\n", done.out, done.err)
    assert.equal(0, done.code, done.err)
  end)
end)

describe("the end of a Lua state under the watchdog", function()
  it("ends its deadlines, whatever is running then, and there are no new ones", function()
    if helper.name == "lua51" or helper.name == "luajit" then return end -- os.exit closes no state there
    local done = run([[
      if not fkrpc.watchdog(0.05, { grace = 0.1 }) then
        print("fine")
        os.exit(0)
      end
      function finalizer()
        local start = os.clock()
        while os.clock() - start < 0.5 do end
        local on, message = fkrpc.watchdog(0.05)
        assert(not on and message:find("being closed"), message)
        print("fine")
      end
      coroutine.wrap(function() os.exit(0, true) end)()
    ]])
    assert.equal("fine\n", done.out, done.err)
    assert.equal(0, done.code, done.err)
  end)
end)

describe("a finalizer that is called by hand, through the debug library,", function()
  it("works on its own kind, and once", function()
    local fkrpc = require("fkrpc")
    local left, right = fkrpc.pair()
    local finalizer = debug.getmetatable(left.conn).__gc
    for _, other in ipairs({ io.stdout, {}, 1, "x" }) do finalizer(other) end
    right:on("n", function() return 1 end)
    assert.equal(1, (left:call("n")))
    for _ = 1, 3 do finalizer(left.conn) end
    assert.error_matches(function() left:call("n") end, "library state is gone")
    local child = assert(fkrpc.spawn({ "true" }))
    finalizer = debug.getmetatable(child.process).__gc
    for _, other in ipairs({ right.conn, io.stdout, child.process, child.process }) do finalizer(other) end
    assert.error_matches(function() child:wait() end, "not a process")
  end)
end)
