-- Faults of requests: what a parent may send that is none, or hardly one.

local fkrpc = require("fkrpc")
local json = fkrpc.json

local faults = {}
local function fault(name, run) faults[#faults + 1] = { name = name, run = run } end

-- The next message of the child as a value; its bytes second.
local function next_message(world, child)
  local bytes, err = child:receive_raw(world.PATIENCE)
  if not bytes then world.fail("no answer (%s)", tostring(err)) end
  return assert(json.decode(bytes)), bytes
end

-- Send bytes; each of the codes in turn is what comes back (a string: the result), with this id.
local function answered(name, bytes, codes, id)
  fault(name, function(world)
    local child = world:child()
    child:send_raw(bytes .. "\n")
    for _, code in ipairs(codes) do
      local answer = next_message(world, child)
      local found = answer.error and answer.error.code or answer.result
      world.equal(code, found, "what came back")
      world.equal(id == nil and fkrpc.null or id, answer.id, "its id")
    end
    world:fine(child)
    world.equal(0, child:stats().strays)
    world:ends(child)
  end)
end

local function request(id) return ('{"jsonrpc":"2.0","id":%s,"method":"ping"}'):format(id) end

answered("the id null", request("null"), { "pong" })
answered("an empty id", request('""'), { "pong" }, "")
answered("an id with a fraction", request("1.5"), { "pong" }, 1.5)
answered("an id with a NUL in it", request('"a\\u0000b"'), { "pong" }, "a\0b")
answered("an id of 100,000 letters", request('"' .. ("i"):rep(100000) .. '"'), { "pong" }, ("i"):rep(100000))
answered("an id that is a table", request("{}"), { -32600 })
answered("an id that is true", request("true"), { -32600 })
answered("two requests with one id", request("1") .. "\n" .. request("1"), { "pong", "pong" }, 1)
answered("a method with a NUL in it", '{"jsonrpc":"2.0","id":1,"method":"a\\u0000b"}', { -32601 }, 1)
answered("a method without a name", '{"jsonrpc":"2.0","id":1,"method":""}', { -32601 }, 1)
answered("a method of a megabyte", '{"jsonrpc":"2.0","id":1,"method":"' .. ("m"):rep(2 ^ 20) .. '"}', { -32601 }, 1)
answered("a method that is a number", '{"jsonrpc":"2.0","id":1,"method":1}', { -32600 }, 1)
answered("params that are a number", '{"jsonrpc":"2.0","id":1,"method":"ping","params":1}', { -32602 }, 1)
answered("params that are a text", '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', { -32602 }, 1)
answered("params that are null", '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', { "pong" }, 1)
answered("another version", '{"jsonrpc":"1.0","id":1,"method":"ping"}', { -32600 }, 1)
answered("no version", '{"id":1,"method":"ping"}', { -32600 }, 1)
answered("members twice: the last counts",
  '{"jsonrpc":"2.0","id":1,"method":"x","id":2,"method":"ping"}', { "pong" }, 2)
answered("an empty batch", "[]", { -32600 })
answered("a number", "5", { -32600 })
answered("an empty line", "", { -32700 })
answered("half a request", '{"jsonrpc":"2.0","id":1,', { -32700 })
answered("two requests in one line", request(1) .. request(2), { -32700 })
answered("a NUL at the end of a line", request(1) .. "\0", { -32700 })
answered("100,000 open brackets", ("["):rep(100000), { -32700 })
answered("100,000 closed brackets", ("]"):rep(100000), { -32700 })
answered("a number with 100,000 digits",
  '{"jsonrpc":"2.0","id":1,"method":"echo","params":[' .. ("9"):rep(100000) .. "]}", { -32700 })
answered("a number with 30 digits", '{"jsonrpc":"2.0","id":1,"method":"echo","params":[' .. ("9"):rep(30) .. "]}",
  { -32600 }, 1)
answered("bytes that are no UTF-8 in params",
  '{"jsonrpc":"2.0","id":1,"method":"echo","params":["\255"]}', { -32600 }, 1)
answered("a request with a result", '{"jsonrpc":"2.0","id":1,"method":"ping","result":1,"error":{}}', { "pong" }, 1)

fault("an id of 64 bits comes back digit by digit", function(world)
  local child = world:child()
  for _, id in ipairs({ "9007199254740991", "-9007199254740991", "0", "-1" }) do
    child:send_raw(request(id) .. "\n")
    local _, bytes = next_message(world, child)
    world.has(bytes, '"id":' .. id .. ",")
  end
  world:ends(child)
end)
fault("a batch of a thousand, with everything in it", function(world)
  local child = world:child()
  local members = {}
  for i = 1, 1000 do
    members[i] = ({ request(i), '{"jsonrpc":"2.0","method":"ping"}', "5", "[]", '{"jsonrpc":"2.0","id":9,"result":1}' })
      [i % 5 + 1]
  end
  child:send_raw("[" .. table.concat(members, ",") .. "]\n")
  local answer = next_message(world, child)
  world.equal(600, #answer) -- 200 results, 400 errors; notifications and responses leave no trace
  world:fine(child)
  world:ends(child)
end)
fault("responses that nobody asked for are not answered", function(world)
  local child = world:child()
  for _, text in ipairs({ '{"jsonrpc":"2.0","id":1,"result":1}', '{"jsonrpc":"2.0","id":"x","result":null}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}', '{"jsonrpc":"2.0","id":1,"error":5}' }) do
    child:send_raw(text .. "\n")
  end
  world:fine(child)
  world.equal(1, child:stats().received)
  world:ends(child)
end)
fault("the end of its input inside a line: what came before is answered, and it ends well", function(world)
  local child = world:child()
  child:send_raw(request(1) .. "\n" .. '{"jsonrpc":"2.0",')
  child:close_stdin()
  world.equal("pong", next_message(world, child).result)
  world.equal(-32700, next_message(world, child).error.code)
  world:ends(child)
end)
fault("the last line needs no line feed", function(world)
  local child = world:child()
  child:send_raw(request(1))
  child:close_stdin()
  world.equal("pong", next_message(world, child).result)
  world:ends(child)
end)
fault("its reader goes away between request and answer", function(world)
  local child = world:child([[peer:on("slow", function() fkrpc.clock.sleep(0.05) return ("x"):rep(1e6) end)]])
  child:notify("ping")
  child:send_raw('{"jsonrpc":"2.0","id":1,"method":"slow"}\n')
  child:close()
  if not child:wait(world.PATIENCE) then world.fail("it goes on") end
end)

return faults
