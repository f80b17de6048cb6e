-- `fkrpc trace` shows what was recorded, and `fkrpc` says what it cannot do.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local cli = dofile(helper.root .. "/spec/cli.lua")
local programs = cli.programs
local json = fkrpc.json

-- A conversation with a bit of everything; the options go to the pair.
local function record(options)
  local path = programs.file()
  options.trace = path
  local one, other = fkrpc.pair(options)
  other:on("game.add", function(params) return params[1] + params[2] end)
  other:on("game.slow", function() fkrpc.clock.sleep(0.02) return other:must("name") end)
  other:on("note", function() end)
  one:on("name", function() return "Cao Cao" end)
  for i = 1, 3 do one:must("game.add", { i, 1 }) end
  one:must("game.slow")
  one:notify("note", { text = "x" })
  one:call("unknown")
  other:send_raw(options.codec and "\255" or "garbage\n")
  one:step(0)
  one:close()
  return path
end

describe("fkrpc trace", function()
  after_each(programs.finish)

  it("shows a line for each message", function()
    local done = cli.run("trace", record({}))
    assert.equal("", done.err)
    assert.equal(0, done.code)
    local lines = cli.lines(done.out)
    assert.truthy(lines[1]:find("^%s+%d%.%d+ > request +1 +game%.add +59$"), lines[1])
    assert.truthy(lines[2]:find("^%s+%d%.%d+ < result +1 +game%.add +35  %d+ us$"), lines[2])
    assert.truthy(lines[8]:find("< request +1 +name"), done.out)
    assert.truthy(lines[9]:find("> result +1 +name"), done.out)
    local took = lines[10]:match("< result +4 +game%.slow +%d+  (%d+%.%d) ms")
    assert.truthy(took and tonumber(took) >= 20, done.out)
    assert.truthy(lines[11]:find("> notification +note"), done.out)
    assert.truthy(lines[13]:find("< error +5 +unknown.*%-32601: Method not found$"), done.out)
    assert.truthy(lines[14]:find("< unreadable"), done.out)
  end)

  it("leaves out what the filters do not want", function()
    local path = record({})
    assert.equal(6, #cli.lines(cli.run("trace", path, "--method", "game.add").out))
    assert.equal(8, #cli.lines(cli.run("trace", path, "--method=game.*").out))
    assert.equal(10, #cli.lines(cli.run("trace", path, "--method", "game.*", "--method", "name").out))
    assert.equal(0, #cli.lines(cli.run("trace", path, "--method", "game").out))
    local errors = cli.run("trace", path, "--errors").out
    assert.truthy(errors:find("-32601", 1, true) and errors:find("unreadable", 1, true), errors)
    assert.falsy(errors:find("game", 1, true), errors)
    local lines = cli.lines(cli.run("trace", path).out)
    local all = #lines
    -- In the middle of the slow call, whenever that was.
    local between = ("%.6f"):format((lines[7]:match("^%s*(%S+)") + lines[8]:match("^%s*(%S+)")) / 2)
    local late = #cli.lines(cli.run("trace", path, "--from", between).out)
    local early = #cli.lines(cli.run("trace", path, "--to", between).out)
    assert.truthy(late >= 7 and early >= 7, late .. " " .. early)
    assert.equal(all, late + early)
  end)

  it("writes one JSON object a message with --json", function()
    local lines = cli.lines(cli.run("trace", record({}), "--json").out)
    local asked, answer = assert(json.decode(lines[1])), assert(json.decode(lines[2]))
    assert.same({ "out", "request", 1, "game.add", 59 },
      { asked.direction, asked.kind, asked.id, asked.method, asked.size })
    assert.same({ 1, 1 }, asked.message.params)
    assert.equal(2, answer.message.result)
    assert.is_true(answer.latency >= 0 and answer.latency < 1)
  end)

  it("turns CBOR into JSON, with names for FreeKill's numbers", function()
    for _, keys in ipairs({ "string", "freekill" }) do
      local done = cli.run("trace", record({ codec = "cbor", keys = keys }), "--as", "json")
      assert.equal(0, done.code)
      local lines = cli.lines(done.out)
      local asked = assert(json.decode(lines[1]))
      assert.same({ "2.0", "game.add", 1, { 1, 1 } }, { asked.jsonrpc, asked.method, asked.id, asked.params })
      assert.equal(-32601, json.decode(lines[13] or lines[12]).error.code)
    end
  end)

  it("turns JSON into CBOR", function()
    local done = cli.run("trace", record({}), "--as", "cbor", "--method", "game.add")
    local first, at = fkrpc.cbor.decode(done.out, 1)
    assert.same({ jsonrpc = "2.0", id = 1, method = "game.add", params = { 1, 1 } }, first)
    local count = 1
    while at <= #done.out do
      first, at = fkrpc.cbor.decode(done.out, at)
      count = count + 1
    end
    assert.equal(6, count)
    assert.equal(4, first.result)
  end)

  it("counts methods and their latencies with --summary", function()
    local path = record({})
    local by = {}
    for _, line in ipairs(cli.lines(cli.run("trace", path, "--summary", "--json").out)) do
      local group = assert(json.decode(line))
      by[group.direction .. " " .. group.method] = group
    end
    assert.same({ 3, 0, 0 },
      { by["out game.add"].count, by["out game.add"].errors, by["out game.add"].unanswered })
    assert.same({ 1, 1 }, { by["out unknown"].count, by["out unknown"].errors })
    assert.is_true(by["out game.slow"].max >= 0.02 and by["out game.slow"].p50 >= 0.02)
    assert.equal(1, by["in name"].count)
    assert.is_nil(by["out note"].p50)
    local text = cli.run("trace", path, "--summary").out
    assert.truthy(text:find("> game%.slow +1 +%d+ +0 +0 +2%d%.%d ms"), text)
  end)

  it("tells that a request was never answered", function()
    local path = programs.file()
    local one = fkrpc.pair({ trace = path })
    one:call("nothing")
    one:send_raw('{"jsonrpc":"2.0","id":77,"method":"lost"}\n')
    one:close()
    local found
    for _, line in ipairs(cli.lines(cli.run("trace", path, "--summary", "--json", "--method", "lost").out)) do
      found = json.decode(line)
    end
    assert.equal(1, found.unanswered)
  end)

  it("reads a trace that was rotated, and one that ends inside a record", function()
    local path = programs.file()
    local one, other = fkrpc.pair({ trace = path, trace_size = 65536 })
    other:on("n", function() end)
    for i = 1, 600 do one:must("n", { i }) end
    one:close()
    local first = cli.lines(cli.run("trace", path, "--as", "json").out)
    assert.equal(600, json.decode(first[#first]).id)
    local alone = programs.file((programs.read(path)))
    assert.is_true(#cli.lines(cli.run("trace", alone, "--as", "json").out) < #first)
    os.remove(path .. ".1")
    local torn = programs.file((programs.read(path):sub(1, -5)))
    local done = cli.run("trace", torn)
    assert.equal(0, done.code)
    assert.truthy(done.err:find("ends early, at byte %d+: a record that is cut off"), done.err)
  end)
end)

describe("fkrpc", function()
  after_each(programs.finish)

  for _, case in ipairs({
    { {}, "what? trace, replay, check or top" },
    { { "frobnicate" }, "there is no command 'frobnicate'" },
    { { "top" }, "which pool?" },
    { { "trace" }, "which file?" },
    { { "trace", "/nowhere/trace" }, "/nowhere/trace: No such file or directory" },
    { { "trace", "/etc/passwd" }, "/etc/passwd is no trace of fkrpc" },
    { { "trace", "x", "--frobnicate" }, "there is no option --frobnicate here" },
    { { "trace", "x", "--from", "noon" }, "--from needs a number, not 'noon'" },
    { { "trace", "x", "--as", "xml" }, "--as must be one of json, cbor, not 'xml'" },
    { { "trace", "x", "--from" }, "--from needs a value" },
    { { "trace", "x", "--errors=yes" }, "--errors takes no value" },
    { { "replay", "--", "true" }, "which file?" },
    { { "replay", "x", "--" }, "no command after --" },
    { { "check" }, "check what?" },
    { { "check", "true" }, "fkrpc check -- true?" },
    { { "check", "--", "/nowhere/program" }, "cannot run" },
    { { "help", "frobnicate" }, "there is no command 'frobnicate'" },
  }) do
    it("ends with 2 and says why for: fkrpc " .. table.concat(case[1], " "), function()
      local done = cli.run((unpack or table.unpack)(case[1]))
      assert.equal(2, done.code)
      assert.equal("", done.out)
      assert.truthy(done.err:find(case[2], 1, true), done.err)
      assert.falsy(done.err:find("traceback", 1, true), done.err)
    end)
  end

  it("helps", function()
    for _, words in ipairs({ { "help" }, { "--help" }, { "-h" }, { "help", "trace" }, { "replay", "--help" },
      { "check", "--help" } }) do
      local done = cli.run((unpack or table.unpack)(words))
      assert.equal(0, done.code, done.err)
      assert.truthy(done.out:find("fkrpc ", 1, true))
      for line in done.out:gmatch("[^\n]+") do assert.is_true(#line <= 120, line) end
    end
  end)

  it("tells its version", function()
    assert.equal(fkrpc._VERSION .. "\n", cli.run("--version").out)
  end)

  it("works from another folder", function()
    local folder = os.tmpname()
    os.remove(folder)
    local done = programs.shell(('mkdir %s && cd %s && %s --version >"$OUT" 2>"$ERR"; rmdir %s')
      :format(folder, folder, cli.command, folder))
    assert.equal(fkrpc._VERSION .. "\n", done.out)
  end)
end)
