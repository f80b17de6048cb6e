-- The end of a conversation from here: what was taken for sending is sent first, and whoever does not read it keeps
-- nobody waiting.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

after_each(programs.finish)

local BIG = ("x"):rep(100000) -- more than a pipe takes at once

-- Counts what it is told, and ends with that many as its exit code.
local COUNTER = [[
  local peer, n = require("fkrpc").stdio(), 0
  peer:on("news", function() n = n + 1 end)
  peer:notify("hello")
  peer:serve()
  os.exit(n)
]]

local function tell(whom)
  for _ = 1, 9 do assert(whom:notify("news", { BIG })) end
end

-- The exit codes of a pool's children as they end.
local function counted(what)
  local codes = {}
  local pool = assert(fkrpc.pool({ command = { "sh", "-c", "exec " .. programs.command(COUNTER) },
    handshake = "hello", grace = programs.DEADLINE }))
  local function note(event) codes[#codes + 1] = event.certificate.code end
  pool:on("stopped", note):on("recycled", note)
  assert.is_true(pool:wait(programs.DEADLINE))
  pool.loop:go(function()
    what(pool)
    pool:close()
  end)
  pool.loop:run()
  return codes[1]
end

describe("stopping a child that has not read everything yet", function()
  it("in a loop sends it the rest first", function()
    local loop = fkrpc.loop()
    local child = programs.spawn(COUNTER, { handshake = "hello" })
    loop:add(child)
    tell(child)
    assert.is_true(child:stats().queued > 0)
    assert.equal(9, child:stop({ grace = programs.DEADLINE }).code)
    loop:close()
  end)

  it("in a loop sends it the rest first when only its input is closed, and takes nothing more", function()
    local loop = fkrpc.loop()
    local child = programs.spawn(COUNTER, { handshake = "hello" })
    loop:add(child)
    tell(child)
    child:close_stdin()
    local sent, err = child:notify("news", { 10 })
    assert.is_nil(sent)
    assert.equal("closed", err.code)
    assert.equal(9, child:wait(programs.DEADLINE).code)
    loop:close()
  end)

  it("outside of a loop sends it what was collected", function()
    local child = programs.spawn(COUNTER, { handshake = "hello" })
    child:cork()
    tell(child)
    assert.equal(9, child:stop({ grace = programs.DEADLINE }).code)
  end)
end)

describe("a pool", function()
  it("sends its children what it has told them before it closes", function()
    assert.equal(9, counted(function(pool)
      for _ = 1, 9 do assert.equal(1, (pool:broadcast("news", { BIG }))) end
    end))
  end)

  it("sends a child that it replaces what it has told it before", function()
    assert.equal(9, counted(function(pool)
      tell(pool)
      pool:drain(pool:info().children[1].pid)
      local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
      while not pool:info().counts.recycled do
        assert.is_true(fkrpc.clock.monotonic_us() < limit, "it was not replaced")
        pool.loop:sleep(0.01)
      end
    end))
  end)
end)

describe("a child that does not read the rest of a call that is over", function()
  it("keeps neither a step nor its stopping waiting", function()
    local child = assert(fkrpc.spawn({ "sleep", "1000" }))
    local _, err = child:call("news", { BIG }, { timeout = 0.05 })
    assert.equal("timeout", err.code)
    assert.is_false(child:step(0))
    assert.is_false(child:step(0.05))
    assert.equal(15, child:stop({ grace = 0.05, terminate = programs.DEADLINE }).signal)
  end)

  it("is heard all the same", function()
    local child = assert(fkrpc.spawn({ "sh", "-c", [[
      echo '{"jsonrpc":"2.0","method":"seen","params":["a"]}'
      echo '{"jsonrpc":"2.0","method":"seen","params":["b"]}'
      exec sleep 1000]] }))
    local seen = {}
    child:on("seen", function(params) seen[#seen + 1] = params[1] end)
    local _, err = child:call("news", { BIG }, { timeout = 0.05 })
    assert.equal("timeout", err.code)
    local limit = fkrpc.clock.monotonic_us() + programs.DEADLINE * 1e6
    while #seen < 2 and fkrpc.clock.monotonic_us() < limit do child:step(0.01) end
    assert.same({ "a", "b" }, seen)
    child:stop({ grace = 0 })
  end)
end)
