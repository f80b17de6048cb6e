-- A trace has every message of a conversation, however the process ends; and what a peer counts about itself.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json, cbor = fkrpc.json, fkrpc.cbor

-- The first item and the records of a trace.
local function read(path)
  local text, items, at = programs.read(path), {}, 1
  while at <= #text do items[#items + 1], at = cbor.decode(text, at) end
  return table.remove(items, 1), items
end

local function methods_of(records)
  local found = {}
  for i, record in ipairs(records) do
    local message = json.decode(record[3])
    found[i] = (record[2] == 0 and "<" or ">") .. (message and (message.method or tostring(message.id)) or record[3])
  end
  return found
end

local INPUT = [[
{"jsonrpc":"2.0","id":1,"method":"ping"}
{"jsonrpc":"2.0","method":"note"}
[{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","id":3,"method":"ping"}]
{"jsonrpc":"2.0","id":4,"method":"last"}]]

local CHILD = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio(OPTIONS))
  peer:on("ping", function() return "pong" end)
  peer:on("note", function() peer:notify("noted") end)
  peer:on("last", function() END end)
  peer:serve()
]]

local function run(options, last, env)
  local script = CHILD:gsub("OPTIONS", function() return options end):gsub("END", function() return last end)
  return programs.shell("exec " .. programs.command(script) .. ' <"$IN" >"$OUT" 2>"$ERR"', INPUT, env)
end

describe("a trace", function()
  after_each(programs.finish)

  it("has all messages of both directions, a batch as one", function()
    local path = programs.file()
    run(('{ trace = %q }'):format(path), "return 1")
    local about, records = read(path)
    assert.same({ 1, "json", "string", "stdio json" },
      { about["fkrpc-trace"], about.codec, about.keys, about.name })
    assert.same({ "<ping", ">1", "<note", ">noted", "<nil", ">nil", "<last", ">4" }, methods_of(records))
    for i = 2, #records do assert.is_true(records[i - 1][1] <= records[i][1]) end
    assert.truthy(records[5][3]:find("^%[.*%]$"))
  end)

  for what, last in pairs({
    ["os.exit in a handler"] = "os.exit(0)",
    ["os.exit that closes the state"] = "os.exit(0, true)",
    ["an error outside of handlers"] = "peer:close() error('end')",
    ["a collected peer"] = "peer:close() peer = nil collectgarbage() os.exit(0)",
  }) do
    it("has the last message after " .. what, function()
      local path = programs.file()
      run(('{ trace = %q }'):format(path), last)
      local _, records = read(path)
      assert.equal("<last", methods_of(records)[7])
    end)
  end

  it("has what came before when the process is killed", function()
    local path = programs.file()
    local script = CHILD:gsub("OPTIONS", ("{ trace = %q }"):format(path)):gsub("END", "")
    local child = programs.spawn(script)
    child:must("ping")
    child:must("ping")
    fkrpc.clock.sleep(0.05)
    child:notify("note")
    assert.is_true(child:step(programs.DEADLINE))
    child:kill(9)
    assert.equal(9, child:wait(programs.DEADLINE).signal)
    local _, records = read(path)
    local methods = methods_of(records)
    assert.same({ "<ping", ">1", "<ping", ">2", "<note" },
      { methods[1], methods[2], methods[3], methods[4], methods[5] })
  end)

  it("is asked for by FKRPC_TRACE, where no option says otherwise", function()
    local path = programs.file()
    run("", "return 1", { FKRPC_TRACE = path })
    local _, records = read(path)
    assert.equal(8, #records)
  end)

  it("does not keep a child of FKRPC_TRACE from its work when the file cannot be made", function()
    local done = run("", "return 1", { FKRPC_TRACE = "/nowhere/trace" })
    assert.equal(0, done.code)
    assert.truthy(done.out:find('"id":4', 1, true))
    assert.truthy(done.err:find("cannot write the trace /nowhere/trace: No such file or directory", 1, true), done.err)
  end)

  it("is an error when the option names a file that cannot be made", function()
    local peer, message, errno = fkrpc.pair({ trace = "/nowhere/trace" })
    assert.is_nil(peer)
    assert.equal("cannot write the trace /nowhere/trace: No such file or directory (errno 2)", message)
    assert.equal(2, errno)
    peer, message = fkrpc.spawn({ "cat", trace = "/nowhere/trace" })
    assert.is_nil(peer)
    assert.truthy(message:find("cannot write the trace", 1, true))
  end)

  it("has FreeKill's short replies, too, and what is dropped as a remark", function()
    local path = programs.file()
    local child = programs.spawn([[
      local peer = require("fkrpc").stdio({ codec = "cbor", keys = "freekill" })
      peer:on("n", function() return 5 end)
      peer:on("broken", function() peer:send_raw("\255") end)
      peer:serve()
    ]], { codec = "cbor", keys = "freekill", trace = path })
    assert.equal(5, child:must("n"))
    child:call("broken", nil, { timeout = 0.2 })
    programs.ended(child)
    local about, records = read(path)
    assert.same({ "cbor", "freekill" }, { about.codec, about.keys })
    assert.equal("n", cbor.decode(records[1][3])[101])
    assert.equal(5, cbor.decode(records[2][3])[105])
    local remark
    for _, record in ipairs(records) do remark = remark or record[2] == 2 and record[3] end
    assert.truthy(remark and remark:find("^dropped: "), remark)
  end)

  it("is rotated to file.1", function()
    local path = programs.file()
    local one, other = fkrpc.pair({ trace = path, trace_size = 65536 })
    other:on("n", function() end)
    for i = 1, 2000 do one:must("n", { i }) end
    one:close()
    local _, newer = read(path)
    local about, older = read(path .. ".1")
    os.remove(path .. ".1")
    assert.equal("pair json", about.name)
    assert.equal(2000, json.decode(newer[#newer][3]).id)
    assert.equal(newer[1][2] == 1 and 1 or 0, json.decode(newer[1][3]).id - json.decode(older[#older][3]).id)
  end)
end)

describe("stats", function()
  it("count messages, bytes and errors of both ends alike", function()
    local one, other = fkrpc.pair()
    other:on("ok", function() return 1 end)
    other:on("bad", function() return nil, "no" end)
    one:must("ok")
    one:call("bad")
    one:call("unknown")
    one:notify("ok")
    other:step(0)
    local a, b = one:stats(), other:stats()
    assert.same({ 4, 3, 3, 2, 0 }, { a.sent, a.received, a.replies, a.errors_received, a.errors_sent })
    assert.same({ 3, 4, 4, 2, 0 }, { b.sent, b.received, b.requests, b.errors_sent, b.errors_received })
    assert.same({ a.bytes_sent, a.bytes_received }, { b.bytes_received, b.bytes_sent })
    assert.same({ 0, 0, 0, 0, 0 }, { a.garbage, a.queued, a.unread, a.waiting, a.depth })
    assert.is_nil(a.latency)
  end)

  it("tell what could not be read at all from what is no valid message", function()
    local one, other = fkrpc.pair()
    one:send_raw("garbage\n")
    one:send_raw("5\n")
    other:serve()
    local stats = other:stats()
    assert.same({ 2, 1, 2 }, { stats.malformed, stats.garbage, stats.errors_sent })
  end)

  it("tell how deep calls are nested at the moment", function()
    local one, other = fkrpc.pair()
    local depth
    other:on("down", function() return other:must("up") end)
    one:on("up", function() depth = one:stats().depth end)
    one:must("down")
    assert.equal(1, depth)
  end)

  it("have latencies of calls and handlers where they are asked for", function()
    local one, other = fkrpc.pair({ latency = true })
    other:on("slow", function() fkrpc.clock.sleep(0.02) end)
    other:on("fast", function() end)
    for _ = 1, 99 do one:must("fast") end
    one:must("slow")
    local calls, handlers = one:stats().latency.calls, other:stats().latency.handlers
    for _, took in ipairs({ calls, handlers }) do
      assert.equal(100, took.count)
      assert.is_true(took.p50 <= took.p90 and took.p90 <= took.p99 and took.p99 <= took.p999)
      assert.is_true(took.p999 <= took.max and took.max >= 0.02)
      assert.is_true(took.mean >= 0.0002)
    end
    assert.equal(0, one:stats().latency.handlers.count)
  end)

  it("count the latency of a call once when replies come out of order", function()
    local one, other = fkrpc.pair({ latency = true })
    other:on("outer", function() return other:must("inner") end)
    one:on("inner", function() return one:must("leaf") end)
    other:on("leaf", function() return 1 end)
    one:must("outer")
    assert.equal(2, one:stats().latency.calls.count)
  end)
end)
