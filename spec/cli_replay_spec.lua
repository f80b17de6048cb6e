-- `fkrpc replay` plays one side of a recorded conversation against the other, and tells what is different.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local cli = dofile(helper.root .. "/spec/cli.lua")
local programs = cli.programs

local CHILD = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio(OPTIONS))
  peer:on("add", function(params) return params[1] + params[2] end)
  peer:on("greet", function(params)
    return { text = "hello " .. peer:must("name", { params.seat }), at = fkrpc.clock.now_us() }
  end)
  peer:on("note", function() peer:notify("noted") end)
  peer:serve()
]]

local function child_with(options, change)
  local script = CHILD:gsub("OPTIONS", function() return options or "" end)
  if change then
    local count
    script, count = script:gsub(change[1]:gsub("%p", "%%%0"), (change[2]:gsub("%%", "%%%%")))
    assert(count == 1, "nothing to change")
  end
  return script
end

-- Talk to the child; both ends record. Paths of the child's and the parent's traces.
local function record(options)
  local childs, parents = programs.file(), programs.file()
  options = options or {}
  local function quoted(name) return options[name] and ("%q"):format(options[name]) or "nil" end
  local text = ("{ codec = %s, keys = %s, framing = %s, trace = %q }"):format(quoted("codec"), quoted("keys"),
    quoted("framing"), childs)
  local peer = programs.spawn(child_with(text),
    { codec = options.codec, keys = options.keys, framing = options.framing, trace = parents })
  peer:on("name", function(params) return "seat " .. params[1] end)
  peer:on("noted", function() end)
  assert.equal(3, peer:must("add", { 1, 2 }))
  assert.truthy(peer:must("greet", { seat = 4 }))
  peer:notify("note")
  assert.is_true(peer:step(programs.DEADLINE))
  peer:call("unknown")
  peer:send_raw(({ ["content-length"] = "Content-Length: 3\r\n\r\n[5]", length = "\0\0\0\1\20" })[options.framing]
    or options.codec and "\20" or "[5]\n")
  peer:must("add", { 1, 2 })
  assert.equal(0, programs.ended(peer).code)
  return childs, parents
end

local function replay(path, script, ...)
  local words = { "replay", path, "--ignore", "at" }
  for _, word in ipairs({ ... }) do words[#words + 1] = word end
  words[#words + 1] = "--"
  words[#words + 1], words[#words + 2] = cli.program(script)
  return cli.run((unpack or table.unpack)(words))
end

describe("fkrpc replay", function()
  after_each(programs.finish)

  for name, options in pairs({
    json = {}, cbor = { codec = "cbor" }, freekill = { codec = "cbor", keys = "freekill" },
    ["json with headers"] = { framing = "content-length" },
    ["cbor with lengths"] = { codec = "cbor", framing = "length" },
  }) do
    local speaks = ("{ codec = %q, keys = %s, framing = %s }"):format(options.codec or "json",
      options.keys and ("%q"):format(options.keys) or "nil",
      options.framing and ("%q"):format(options.framing) or "nil")

    it("finds no difference in a child that is the same, from the trace of either end: " .. name, function()
      local childs, parents = record(options)
      for _, path in ipairs({ childs, parents }) do
        local done = replay(path, child_with(speaks))
        assert.equal("14 messages, 0 differences\n", done.out, done.err)
        assert.equal(0, done.code)
      end
    end)

    it("names the message and the place where another child differs: " .. name, function()
      local _, parents = record(options)
      local done = replay(parents, child_with(speaks, { "params[1] + params[2]", "params[1] - params[2]" }))
      assert.equal(1, done.code)
      assert.truthy(done.out:find("message 2, recorded at %d+%.%d+ s: result: 3 in the recording, %-1 now"), done.out)
      assert.truthy(done.out:find("14 messages, 2 differences\n$"), done.out)
    end)
  end

  it("compares by value: what is not ignored differs", function()
    local childs = record()
    local done = cli.run("replay", childs, "--", cli.program(child_with()))
    assert.equal(1, done.code)
    assert.truthy(done.out:find("result.at: %d+ in the recording, %d+ now"), done.out)
  end)

  it("answers a child that numbers its requests otherwise", function()
    local childs = record()
    local done = replay(childs, child_with("", { 'peer:on("note"', 'for _ = 1, 3 do peer:call("x", nil, '
      .. '{ timeout = -1 }) end peer:on("note"' }), "--most", "100")
    assert.equal(1, done.code) -- the three requests are differences themselves
    local plain = [[
      local fkrpc = require("fkrpc")
      local json = fkrpc.json
      local names = 0
      for line in io.lines() do
        local message = json.decode(line)
        local function say(text) io.stdout:write(text, "\n") io.stdout:flush() end
        if message[1] then
          say('[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request",'
            .. '"data":"a message must be an object"}}]')
        elseif message.method == "add" then
          say('{"jsonrpc":"2.0","id":' .. message.id .. ',"result":3}')
        elseif message.method == "greet" then
          waiting = message.id
          say('{"jsonrpc":"2.0","id":4711,"method":"name","params":[4]}')
        elseif message.id == 4711 then
          say('{"jsonrpc":"2.0","id":' .. waiting .. ',"result":{"text":"hello ' .. message.result .. '"}}')
        elseif message.method == "note" then
          say('{"jsonrpc":"2.0","method":"noted"}')
        elseif message.method then
          say('{"jsonrpc":"2.0","id":' .. message.id .. ',"error":{"code":-32601,"message":"Method not found",'
            .. '"data":"unknown"}}')
        end
      end
    ]]
    done = replay(childs, plain)
    assert.equal("14 messages, 0 differences\n", done.out, done.err)
  end)

  for what, case in pairs({
    ["says nothing"] = { "for _ in io.lines() do end", "nothing came within 0.3 s" },
    ["ends at once"] = { "", "has ended: exit code 0" },
    ["says garbage"] = { "print('hello') for _ in io.lines() do end", "message 2" },
  }) do
    it("tells of a child that " .. what, function()
      local childs = record()
      local done = replay(childs, case[1], "--timeout", "0.3")
      assert.equal(1, done.code, done.err)
      assert.truthy(done.out:find(case[2], 1, true) or done.out:find("it cannot be sent", 1, true), done.out)
    end)
  end

  it("tells of a child that says more than was recorded, and of one that does not end", function()
    local childs = record()
    local chatty = child_with("", { "peer:serve()", 'peer:serve() peer:notify("bye")' })
    local done = replay(childs, chatty)
    assert.equal(1, done.code)
    assert.truthy(done.out:find('more came after the end: {"jsonrpc":"2.0","method":"bye"}', 1, true), done.out)
    local lasting = child_with("", { "peer:serve()", "peer:serve() fkrpc.clock.sleep(60)" })
    done = replay(childs, lasting, "--timeout", "0.5")
    assert.equal(1, done.code)
    assert.truthy(done.out:find("goes on after the end of its input", 1, true), done.out)
  end)

  -- A child that serves two calls at once, each of which asks back; the parent answers the second question first.
  local function record_interleaved(options)
    local parents = programs.file()
    local peer = programs.spawn([[
      local peer = assert(require("fkrpc").stdio({ concurrency = 4 }))
      peer:on("ask", function(params)
        peer:notify("asked", params)
        return peer:must("name", params) .. "!"
      end)
      peer:serve()
    ]], { trace = parents })
    local function say(value) assert(peer:send_raw(fkrpc.json.encode(value) .. "\n")) end
    local function hear(...)
      for _, method in ipairs({ ... }) do
        local value = fkrpc.json.decode((assert(peer:receive_raw(programs.DEADLINE))))
        assert.equal(method, value.method or value.result)
        if value.method == "name" then options[value.params[1]] = value.id end
      end
    end
    for seat = 1, 2 do say({ jsonrpc = "2.0", id = seat, method = "ask", params = { seat } }) end
    hear("asked", "name", "asked", "name")
    for seat = 2, 1, -1 do
      say({ jsonrpc = "2.0", id = options[seat], result = "seat " .. seat })
      hear("seat " .. seat .. "!")
    end
    assert.equal(0, programs.ended(peer).code)
    return parents
  end

  -- Another child: it hears both calls before it asks, begins with the second, and replies to the first one first.
  local OTHER = [[
    local fkrpc = require("fkrpc")
    local json = fkrpc.json
    local function hear() return json.decode(io.read("*l")) end
    local function say(value)
      value.jsonrpc = "2.0"
      io.stdout:write(json.encode(value), "\n")
      io.stdout:flush()
    end
    local calls = { hear(), hear() }
    for seat = 2, 1, -1 do
      say({ method = "asked", params = calls[seat].params })
      say({ id = "q" .. seat, method = "name", params = calls[seat].params })
    end
    local names = {}
    for _ = 1, 2 do
      local answer = hear()
      names[answer.id] = answer.result
    end
    for seat = 1, 2 do say({ id = calls[seat].id, result = names["q" .. seat] .. "!" }) end
    io.read("*a")
  ]]

  it("takes what comes while several calls wait in any order, and tells it by id, method and value", function()
    local parents = record_interleaved({})
    local done = replay(parents, OTHER, "--ignore", "id")
    -- The ids of its requests are texts now, which is all that differs.
    assert.equal(1, done.code)
    assert.equal(2, select(2, done.out:gsub("the id is of another type", "")), done.out)
    assert.truthy(done.out:find("10 messages, 2 differences\n$"), done.out)
    local numbered = OTHER:gsub('"q" %.%. seat', "seat + 70")
    done = replay(parents, numbered)
    assert.equal("10 messages, 0 differences\n", done.out, done.err)
  end)

  it("answers a question that has come early, where the other one is asked only then", function()
    local patient = OTHER:gsub('"q" %.%. seat', "seat + 70"):gsub("local names = {}\n", "")
    patient = patient:gsub("for seat = 2", "local names = {} %0", 1):gsub("end\n%s*for _ = 1, 2 do", "", 1)
    local done = replay(record_interleaved({}), patient)
    assert.equal("10 messages, 0 differences\n", done.out, done.err)
  end)

  it("sees answers that are exchanged, and another order where only one call waits", function()
    local exchanged = OTHER:gsub('"q" %.%. seat', "seat + 70"):gsub("id = calls%[seat%]", "id = calls[3 - seat]")
    local done = replay(record_interleaved({}), exchanged)
    assert.equal(1, done.code)
    assert.truthy(done.out:find('result: "seat 1!" in the recording, "seat 2!" now', 1, true), done.out)
    local childs = record()
    local late = child_with("", { 'peer:on("note", function() peer:notify("noted") end)',
      'peer:on("note", function() end) peer:on("unknown", function() peer:notify("noted") return 1 end)' })
    assert.equal(1, replay(childs, late, "--timeout", "0.5").code)
  end)

  it("plays the child for a parent that starts it", function()
    local childs = record()
    local errors = programs.file()
    local peer = assert(fkrpc.spawn({ "sh", "-c", cli.command .. " replay " .. childs .. " 2>" .. errors }))
    peer:on("name", function(params) return "seat " .. params[1] end)
    peer:on("noted", function() end)
    assert.equal(3, peer:must("add", { 1, 2 }))
    assert.equal("hello seat 4", peer:must("greet", { seat = 4 }).text)
    peer:notify("note")
    assert.is_true(peer:step(programs.DEADLINE))
    assert.equal(-32601, select(2, peer:call("unknown")).code)
    peer:send_raw("[5]\n")
    assert.equal(3, peer:must("add", { 1, 3 })) -- not what was recorded
    peer:close()
    assert.equal(1, peer:wait(programs.DEADLINE).code)
    assert.truthy(programs.read(errors):find("message 13, .*params%.2: 2 in the recording, 3 now\n14 messages, 1 diff"),
      programs.read(errors))
  end)
end)
