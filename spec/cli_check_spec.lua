-- `fkrpc check` passes children that keep to JSON-RPC 2.0, and sees each way in which one does not.

local helper = require("spec.helper")
local cli = dofile(helper.root .. "/spec/cli.lua")
local programs = cli.programs

local GOOD = [[
  local peer = assert(require("fkrpc").stdio())
  assert(peer:serve() == "eof" or true)
]]

local function check(script, ...)
  local words = { "check" }
  for _, word in ipairs({ ... }) do words[#words + 1] = word end
  words[#words + 1] = "--"
  words[#words + 1], words[#words + 2] = cli.program(script)
  return cli.run((unpack or table.unpack)(words))
end

-- A child in plain Lua, with `change` in the middle of its loop: `line` is what came, `say` answers.
local function plain(change, ending)
  return [[
    local fkrpc = require("fkrpc")
    local json = fkrpc.json
    local function say(text) io.stdout:write(text, "\n") io.stdout:flush() end
    for line in io.lines() do
      local answer = fkrpc.jsonrpc.handle({}, line)
      ]] .. change .. [[
      if answer then say((answer:gsub("\n$", ""))) end
    end
  ]] .. (ending or "")
end

describe("fkrpc check", function()
  after_each(programs.finish)

  it("passes a child of this library in everything", function()
    local done = check(GOOD, "--strict")
    assert.equal(0, done.code, done.out)
    assert.truthy(done.out:find("\n53 ok, 0 notes, 0 failed\n$"), done.out)
  end)

  for _, speech in ipairs({
    { "json", "content-length", 55 }, { "json", "length", 51 }, { "cbor", nil, 40 }, { "cbor", "sequence", 40 },
    { "cbor", "length", 48 },
  }) do
    local codec, framing, count = speech[1], speech[2], speech[3]
    local name = codec .. " " .. (framing or "as it is by default")

    it("passes a child of this library that speaks " .. name, function()
      local done = check(([[
        local peer = assert(require("fkrpc").stdio({ codec = %q, framing = %s }))
        peer:notify("hello")
        local _, err = peer:call("parent", nil, { timeout = 5 })
        assert(err.code == -32601 or err.code == "closed")
        peer:serve()
      ]]):format(codec, framing and ("%q"):format(framing) or "nil"), "--strict", "--quiet", "--codec", codec,
        (unpack or table.unpack)(framing and { "--framing", framing } or {}))
      assert.equal(count .. " ok, 0 notes, 0 failed\n", done.out, done.err)
    end)

    it("sees that a child does not speak " .. name, function()
      local words = { "--quiet", "--timeout", "0.4", "--only", "the id 0", "--codec", codec }
      if framing then words[#words + 1], words[#words + 2] = "--framing", framing end
      local done = check(GOOD, (unpack or table.unpack)(words))
      assert.equal(1, done.code, done.out)
      assert.truthy(done.out:find("what is on stdout is no message", 1, true)
        or done.out:find("no answer within 0.4 s", 1, true) or done.out:find("on stdout is no", 1, true), done.out)
    end)
  end

  it("knows which framings there are", function()
    local done = check(GOOD, "--codec", "cbor", "--framing", "line")
    assert.equal(2, done.code)
    assert.truthy(done.err:find("CBOR has no framing line", 1, true), done.err)
  end)

  it("passes a child that answers in plain Lua by the same rules", function()
    local done = check(plain(""), "--quiet")
    assert.equal("53 ok, 0 notes, 0 failed\n", done.out)
  end)

  it("lists its checks, and does only those that are asked for", function()
    local done = cli.run("check", "--list")
    assert.equal(53, #cli.lines(done.out))
    done = check(GOOD, "--only", "batch", "--only", "the id 1.5")
    assert.equal(5, #cli.lines(done.out), done.out)
  end)

  for what, case in pairs({
    ["prints to stdout"] = { 'io.stdout:write("debug\\n")', "a line on stdout is no JSON: debug" },
    ["answers notifications"] = {
      [[if not answer then answer = '{"jsonrpc":"2.0","id":null,"result":1}' end]], "a notification is not answered",
      "notification" },
    ["gives numbers back as strings"] = {
      [[answer = answer and answer:gsub('"id":(%d+)', '"id":"%1"')]], 'the id came back as "1", not as 1' },
    ["has result and error"] = {
      [[answer = answer and answer:gsub('"error"', '"result":null,"error"')]], "not exactly one of result and error" },
    ["leaves out the version"] = {
      [[answer = answer and answer:gsub('"jsonrpc":"2.0"', '"x":1')]], 'jsonrpc is not "2.0"' },
    ["has another code"] = { [[answer = answer and answer:gsub("-32601", "-32000")]], "the code is -32000",
      "unknown method" },
    ["answers nothing"] = { "answer = nil", "no answer within 0.4 s", "the id 0" },
    ["dies of garbage"] = { [[if not json.decode(line) then os.exit(0) end]], "it ended without an answer",
      "binary" },
    ["answers responses"] = {
      [[if line:find('"result"', 1, true) then
        answer = '{"jsonrpc":"2.0","id":4711,"error":{"code":1,"message":""}}'
      end]], "a result for nobody is not answered", "nobody" },
    ["answers a batch one by one"] = {
      [[if answer and answer:sub(1, 1) == "[" then
        answer = answer:gsub("^%[", ""):gsub("%]\n?$", ""):gsub("},{\"j", "}\n{\"j")
      end]], "a batch was not answered with a batch", "batch" },
    ["sends requests back"] = { "answer = line", "it sends our own request back" },
  }) do
    it("sees that a child " .. what, function()
      -- Only silence takes that long.
      local patience = case[2]:find("within 0.4 s", 1, true) and "0.4" or "3"
      local done = check(plain(case[1]), "--timeout", patience, "--quiet", "--only", case[3] or "the id 1")
      assert.equal(1, done.code, done.out)
      assert.truthy(done.out:find(case[2], 1, true), done.out)
    end)
  end

  it("sees that a child ends with another status, and that one does not end", function()
    local done = check(plain("", "os.exit(3)"), "--quiet", "--only", "end of its input")
    assert.equal(1, done.code)
    assert.truthy(done.out:find("it ended with status 3", 1, true), done.out)
    done = check(plain("", "require('fkrpc').clock.sleep(60)"), "--quiet", "--only", "end of its input",
      "--timeout", "0.3")
    assert.truthy(done.out:find("it still runs after 0.3 s", 1, true) or done.out:find("it goes on 0.3 s", 1, true),
      done.out)
  end)

  it("takes for a note what the specification leaves open, unless it is strict", function()
    local change = [[if line:find('"id":1.5', 1, true) then answer = answer:gsub('"id":1.5', '"id":null') end]]
    local done = check(plain(change), "--quiet", "--only", "the id")
    assert.equal(0, done.code)
    assert.truthy(done.out:find("note   the id 1.5 comes back", 1, true), done.out)
    assert.equal(1, check(plain(change), "--strict", "--only", "the id").code)
  end)

  it("lets a child call it", function()
    local done = check([[
      local peer = assert(require("fkrpc").stdio())
      peer:notify("hello")
      local _, err = peer:call("parent", nil, { timeout = 5 })
      assert(err.code == -32601 or err.code == "closed")
      peer:serve()
    ]], "--quiet")
    assert.equal("53 ok, 0 notes, 0 failed\n", done.out)
  end)
end)
