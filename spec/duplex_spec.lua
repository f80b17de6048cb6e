-- Both ends may have much to say: while a write would block, what arrives is read. What may be kept is bounded, and
-- what is longer than a message may be is refused before memory is taken for it.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json = fkrpc.json

local CHILD = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio(OPTIONS))
]]

local function child(script, options, childs)
  return programs.spawn((CHILD .. script):gsub("OPTIONS", function() return childs or "" end), options)
end

local PIECE, COUNT = ("x"):rep(65536), 512

describe("two ends that both send before they read", function()
  after_each(programs.finish)

  it("finish 32 MiB each way with every request answered", function()
    local peer = child([[
      local piece = ("y"):rep(65536)
      peer:on("echo", function(params) return params[1] end)
      for i = 1, 512 do assert(peer:notify("flood", { piece })) end
      peer:serve()
    ]])
    local floods = 0
    peer:on("flood", function(params) floods = floods + #params[1] end)
    for i = 1, COUNT do
      assert(peer:send_raw(assert(json.encode({ jsonrpc = "2.0", id = "r" .. i, method = "echo", params = { PIECE } }))
        .. "\n"))
    end
    assert.equal(PIECE, peer:must("echo", { PIECE }))
    assert.equal(COUNT * 65536, floods)
    assert.equal(COUNT, peer:stats().strays) -- the replies to what was sent raw: nobody waits for them, all have come
    assert.equal(0, programs.ended(peer).code)
  end)

  it("take turns when less may wait than arrives", function()
    local peer = child([[
      peer:on("echo", function(params) return params[1] end)
      peer:serve()
    ]], { queue = 4096 })
    -- What arrives is left in the pipe above 4096 bytes; each message is smaller than a pipe, so that the other end
    -- always gets through with one of them.
    for i = 1, 300 do assert.equal(i, peer:must("echo", { i, ("z"):rep(30000) })) end
    assert.equal(0, programs.ended(peer).code)
  end)

  it("keep notifications in the order they were sent with calls", function()
    local peer = child([[
      local seen = {}
      peer:on("n", function(params) seen[#seen + 1] = params[1] end)
      peer:on("seen", function() return seen end)
      peer:serve()
    ]])
    local expected = {}
    for i = 1, 2000 do
      assert(peer:notify("n", { i }))
      expected[i] = i
    end
    assert.same(expected, peer:must("seen"))
  end)
end)

describe("an end that does not read", function()
  after_each(programs.finish)

  it("fails a call when its timeout is over, also while the call is being written", function()
    local peer = child([[ os.execute("sleep 100") ]])
    local result, err = peer:call("m", { ("x"):rep(1e6) }, { timeout = 0.3 })
    assert.is_nil(result)
    assert.equal("timeout", err.code)
    assert.truthy(err.message:find("did not read the call", 1, true), err.message)
    peer:kill(9)
  end)

  it("gets the rest of such a call before anything else when it reads again", function()
    local peer = child([[
      os.execute("sleep 0.5")
      peer:on("len", function(params) return #params[1] end)
      peer:on("ping", function() return "pong" end)
      peer:serve()
    ]])
    local _, err = peer:call("len", { ("x"):rep(1e6) }, { timeout = 0.1 })
    assert.equal("timeout", err.code)
    assert.equal("pong", peer:must("ping"))
    assert.equal(1, peer:stats().strays) -- the late reply
    assert.equal(0, programs.ended(peer).code)
  end)

  it("has no send_timeout of no seconds", function()
    for _, seconds in ipairs({ 0, -1, 0 / 0, "1" }) do
      assert.error_matches(function() fkrpc.pair({ send_timeout = seconds }) end, "must be seconds, more than 0, not ")
    end
  end)

  it("is given up after send_timeout seconds without a byte moved", function()
    local peer = child([[ os.execute("sleep 100") ]], { send_timeout = 0.2 })
    local sent, err = peer:notify("n", { ("x"):rep(1e6) })
    assert.is_nil(sent)
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("send_timeout", 1, true), err.message)
    peer:kill(9)
  end)
end)

describe("cork", function()
  it("keeps what nobody waits for, and uncork sends it", function()
    local left, right = fkrpc.pair()
    local seen = {}
    right:on("n", function(params) seen[#seen + 1] = params[1] end)
    left:cork()
    for i = 1, 3 do assert(left:notify("n", { i })) end
    assert.truthy(left:stats().queued > 0)
    assert.is_false(right:step(0))
    assert.is_true(left:uncork())
    assert.equal(0, left:stats().queued)
    for _ = 1, 3 do assert.is_true(right:step(0)) end
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("keeps nothing back from a call, a reply or the end", function()
    local left, right = fkrpc.pair()
    local seen = {}
    right:on("n", function(params) seen[#seen + 1] = params[1] end)
    right:on("seen", function() return #seen end)
    left:on("back", function() return "reply" end)
    left:cork()
    left:notify("n", { 1 })
    assert.equal(1, left:must("seen"))
    left:notify("n", { 2 })
    assert.equal("reply", right:must("back"))
    assert.same({ 1, 2 }, seen)
    left:notify("n", { 3 })
    left:close()
    right:serve()
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("sends by itself when there is much of it", function()
    local left, right = fkrpc.pair()
    right:on("n", function() end)
    left:cork()
    for _ = 1, 20 do left:notify("n", { PIECE }) end
    assert.truthy(left:stats().queued <= 2 ^ 20)
    assert.is_true(right:step(0))
  end)
end)

describe("batch", function()
  it("collects so many bytes of notifications for one write", function()
    local left, right = fkrpc.pair({ batch = 200 })
    local seen = 0
    right:on("n", function() seen = seen + 1 end)
    left:notify("n", { 1 })
    assert.is_false(right:step(0))
    for i = 2, 10 do left:notify("n", { i }) end
    assert.is_true(right:step(0))
    assert.truthy(left:stats().queued > 0 and left:stats().queued <= 200)
    left:close()
    right:serve()
    assert.equal(10, seen)
  end)
end)

describe("max_frame", function()
  after_each(programs.finish)

  local function answers(codec, options, input)
    local done = programs.run(([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio(%s))
      peer:on("ping", function() return "pong" end)
      assert(peer:serve() == "eof")
      io.stderr:write(fkrpc.fs.read("/proc/self/status"))
    ]]):format(options), input)
    assert.equal(0, done.code, done.err)
    local found, at = {}, 1
    if codec == "json" then
      for line in done.out:gmatch("([^\n]*)\n") do found[#found + 1] = assert(json.decode(line)) end
    else
      while at <= #done.out do found[#found + 1], at = fkrpc.cbor.decode(done.out, at) end
    end
    return found, done.err
  end

  it("refuses a longer line with an error, and what follows is served", function()
    local ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    local found, err = answers("json", "{ max_frame = 1000 }", ping .. ("x"):rep(1001) .. "\n" .. ping
      .. ("y"):rep(3e6) .. "\n" .. ping)
    assert.equal(5, #found)
    for _, i in ipairs({ 1, 3, 5 }) do assert.equal("pong", found[i].result) end
    for _, i in ipairs({ 2, 4 }) do
      assert.same({ -32600, fkrpc.null, "a message may have 1000 bytes (option max_frame)" },
        { found[i].error.code, found[i].id, found[i].error.data })
    end
    assert.truthy(err:find("a message longer than 1000 bytes (option max_frame)", 1, true), err)
  end)

  it("refuses a longer CBOR item with an error, and what follows is served", function()
    local ping = assert(fkrpc.cbor.encode({ jsonrpc = "2.0", id = 1, method = "ping" }))
    local giant = assert(fkrpc.cbor.encode({ jsonrpc = "2.0", id = 2, method = "ping", params = { ("x"):rep(1e5) } }))
    local found = answers("cbor", "{ codec = 'cbor', max_frame = 1000 }", ping .. giant .. ping)
    assert.equal(3, #found)
    assert.equal("pong", found[1].result)
    assert.equal(-32600, found[2].error.code)
    assert.equal("pong", found[3].result)
  end)

  it("is an integer, which its error says beside what was given", function()
    assert.error_matches(function() fkrpc.pair({ max_frame = "1M" }) end, 'an integer from 512 to %d+, not "1M"')
  end)

  it("leaves room for the refusal of a message, so that two ends do not refuse each other's for ever", function()
    assert.error_matches(function() fkrpc.pair({ max_frame = 511 }) end, "an integer from 512")
    local left, right = fkrpc.pair({ max_frame = 512 })
    right:on("echo", function(params) return params end)
    local _, err = left:call("echo", { ("x"):rep(1000) })
    assert.same({ -32600, "a message may have 512 bytes (option max_frame)" }, { err.code, err.data })
    assert.equal(1, right:stats().malformed)
    assert.equal(0, left:stats().malformed)
  end)

  it("is 16 MiB, and a line without end takes no more memory than twice that", function()
    local _, base = answers("json", "", "")
    local _, err = answers("json", "", ("x"):rep(100 * 2 ^ 20) .. "\n")
    local peak = function(text) return tonumber(text:match("VmHWM:%s*(%d+) kB")) end
    assert.truthy(peak(err) < peak(base) + 2 * 16 * 1024, peak(err) .. " kB, base " .. peak(base) .. " kB")
    local left = function(text) return tonumber(text:match("VmRSS:%s*(%d+) kB")) end
    assert.truthy(left(err) < left(base) + 1024, left(err) .. " kB are left, base " .. left(base) .. " kB")
  end)
end)

describe("input that is no message", function()
  after_each(programs.finish)

  local PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
  local function served(garbage)
    return programs.run(([[
      local peer = assert(require("fkrpc").stdio({ garbage = %q }))
      peer:on("ping", function() return "pong" end)
      local how, why = peer:serve()
      io.stderr:write("\n", how, ": ", tostring(why), "; malformed ", peer:stats().malformed, "\n")
    ]]):format(garbage), "hello, I am a print\n" .. PING .. PING)
  end

  it("is answered, logged and counted", function()
    local done = served("answer")
    assert.equal(3, select(2, done.out:gsub("\n", "")))
    assert.truthy(done.out:find("-32700", 1, true))
    assert.truthy(done.err:find("a message that cannot be read", 1, true) and done.err:find("hello, I am", 1, true))
    assert.truthy(done.err:find("eof: nil; malformed 1", 1, true), done.err)
  end)

  it("is logged and counted and not answered with garbage = \"log\"", function()
    local done = served("log")
    assert.equal(2, select(2, done.out:gsub("pong", "")))
    assert.equal(2, select(2, done.out:gsub("\n", "")))
    assert.truthy(done.err:find("hello, I am", 1, true))
    assert.truthy(done.err:find("eof: nil; malformed 1", 1, true), done.err)
  end)

  it("ends the conversation with its reason with garbage = \"error\"", function()
    local done = served("error")
    assert.equal("", done.out)
    assert.truthy(done.err:find("closed: the other end sent a message that cannot be read", 1, true), done.err)
  end)
end)
