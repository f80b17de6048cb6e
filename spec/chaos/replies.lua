-- Faults of replies: doubled, late, for nobody, of wrong shapes, out of order.


local faults = {}
local function fault(name, run) faults[#faults + 1] = { name = name, run = run } end

-- A child that answers the request `ask` with `bytes` (a Lua expression that may use `id`) in place of a reply.
local function answering(world, bytes)
  return world:script(([[
    local fkrpc = require("fkrpc")
    local peer = assert(fkrpc.stdio())
    while true do
      local line = peer:receive_raw()
      if not line then os.exit(0) end
      local message = fkrpc.json.decode(line)
      local id = fkrpc.json.encode(message.id)
      if message.method == "ask" then
        peer:send_raw(%s)
      elseif message.method == "ping" then
        peer:send_raw('{"jsonrpc":"2.0","id":' .. id .. ',"result":"pong"}\n')
      end
    end
  ]]):format(bytes))
end

-- What a call of `ask` gives for such an answer.
local function gives(name, bytes, check)
  fault(name, function(world)
    local child = answering(world, bytes)
    world:fine(child) -- so that its start, which may take long, is no part of the time
    local result, err = child:call("ask", nil, { timeout = 0.3 })
    check(world, result, err, child:stats())
    world:fine(child)
    world:ends(child)
  end)
end

local function code(expected)
  return function(world, _, err) world.equal(expected, err and err.code, "the code of " .. tostring(err)) end
end

local function stray(world, _, err, stats)
  world.equal("timeout", err and err.code)
  world.equal(1, stats.strays, "strays")
end

gives("a reply for an unknown id ends no call", [['{"jsonrpc":"2.0","id":4711,"result":1}\n']], stray)
gives("a reply with the id as a string ends no call", [['{"jsonrpc":"2.0","id":"' .. id .. '","result":1}\n']], stray)
gives("a reply with the id null ends no call", [['{"jsonrpc":"2.0","id":null,"result":1}\n']], stray)
gives("an error with the id null ends no call",
  [['{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n']], stray)
gives("a reply without an id ends no call", [['{"jsonrpc":"2.0","result":1}\n']], stray)
gives("a reply with an id beyond 64 bits ends no call", [['{"jsonrpc":"2.0","id":99999999999999999999,"result":1}\n']],
  stray)
gives("a reply with a table for an id ends no call", [['{"jsonrpc":"2.0","id":[1],"result":1}\n']], stray)
gives("an error that is a text", [['{"jsonrpc":"2.0","id":' .. id .. ',"error":"no"}\n']], code(-32603))
gives("an error without a code", [['{"jsonrpc":"2.0","id":' .. id .. ',"error":{"message":"no"}}\n']], code(-32603))
gives("an error with a code that is a text", [['{"jsonrpc":"2.0","id":' .. id .. ',"error":{"code":"x"}}\n']],
  code(-32603))
gives("an error without a message", [['{"jsonrpc":"2.0","id":' .. id .. ',"error":{"code":5}}\n']], code(5))
gives("an error beside a result decides",
  [['{"jsonrpc":"2.0","id":' .. id .. ',"result":1,"error":{"code":5,"message":"m"}}\n']], code(5))
gives("an error of null beside a result does not",
  [['{"jsonrpc":"2.0","id":' .. id .. ',"result":1,"error":null}\n']],
  function(world, result) world.equal(1, result) end)
gives("a reply without result and error is nil", [['{"jsonrpc":"2.0","id":' .. id .. '}\n']],
  function(world, result, err)
    world.equal(nil, result)
    world.equal(nil, err)
  end)
gives("a result of bytes that are no UTF-8", [['{"jsonrpc":"2.0","id":' .. id .. ',"result":"\255"}\n']], code(-32603))
gives("a result with half a surrogate pair", [['{"jsonrpc":"2.0","id":' .. id .. ',"result":"\\ud800"}\n']],
  function(world, _, err) if err == nil then world.fail("it was taken") end end)
gives("a result nested 500 deep",
  [['{"jsonrpc":"2.0","id":' .. id .. ',"result":' .. ("["):rep(500) .. ("]"):rep(500) .. '}\n']], code(-32603))
gives("two replies: the second is dropped and counted",
  [[('{"jsonrpc":"2.0","id":' .. id .. ',"result":1}\n'):rep(2) .. '{"jsonrpc":"2.0","method":"n"}\n']],
  function(world, result)
    world.equal(1, result)
  end)
gives("a batch with the reply in it", [['[{"jsonrpc":"2.0","id":' .. id .. ',"result":1}]\n']],
  function(world, result) world.equal(1, result) end)
gives("the request sent back is a request, and no reply",
  [['{"jsonrpc":"2.0","id":' .. id .. ',"method":"ask"}\n']], code("timeout"))

fault("replies that come in the wrong order find their calls", function(world)
  local child = world:script([[
    local peer = assert(require("fkrpc").stdio())
    local function take() return (peer:receive_raw()):match('"id":(%d+)') end
    local outer = take()
    peer:send_raw('{"jsonrpc":"2.0","id":"theirs","method":"more"}\n')
    local inner = take()
    peer:send_raw('{"jsonrpc":"2.0","id":' .. outer .. ',"result":"outer"}\n')
    peer:send_raw('{"jsonrpc":"2.0","id":' .. inner .. ',"result":"inner"}\n')
    while peer:receive_raw() do end
  ]])
  local inner
  child:on("more", function() inner = child:must("second", nil, { timeout = world.PATIENCE }) end)
  world.equal("outer", child:must("first", nil, { timeout = world.PATIENCE }))
  world.equal("inner", inner)
  world:ends(child)
end)
fault("a call that is never answered times out, and its late reply is for nobody", function(world)
  local child = world:child([[peer:on("late", function() fkrpc.clock.sleep(0.1) return 1 end)]])
  world:fails("timeout", child, "late", nil, 0.02)
  world:fine(child)
  world.equal(1, child:stats().strays)
  world:ends(child)
end)
fault("timeouts that race the replies: each call ends once, with one or the other", function(world)
  local child = world:child([[peer:on("nap", function(params) fkrpc.clock.sleep(params[1]) return params[2] end)]])
  local late = 0
  for i = 1, 150 do
    local result, err = child:call("nap", { 0.001, i }, { timeout = 0.001 })
    if err then
      world.equal("timeout", err.code)
      late = late + 1
    else
      world.equal(i, result, "the reply to another call")
    end
  end
  world:fine(child)
  world.equal(late, child:stats().strays, "late replies")
  world.equal(0, child:stats().waiting)
  world:ends(child)
end)

return faults
