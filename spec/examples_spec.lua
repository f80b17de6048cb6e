-- The examples do what they show, from another folder than their own.

local helper = require("spec.helper")
local program = require("spec.program")
local json = require("fkrpc.json")

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

describe("the example", function()
  local folder

  before_each(function()
    folder = program.folder()
  end)

  after_each(function()
    program.remove(folder)
  end)

  local function run(name, input)
    return program.run(helper.root .. "/examples/" .. name, folder, input)
  end

  it("01_child answers what it is sent, and keeps its print off the wire", function()
    local ran = run("01_child/child.lua", table.concat({
      '{"jsonrpc":"2.0","id":1,"method":"subtract","params":[42,23]}',
      '{"jsonrpc":"2.0","id":"a","method":"new_room","params":{"capacity":1}}',
      '{"jsonrpc":"2.0","id":3,"method":"new_room"}',
      '{"jsonrpc":"2.0","id":4,"method":"enter","params":{"room":1,"player":"Cao Cao"}}',
      '{"jsonrpc":"2.0","id":5,"method":"enter","params":{"room":1,"player":"Liu Bei"}}',
      '{"jsonrpc":"2.0","id":6,"method":"enter","params":{"room":9,"player":"Liu Bei"}}',
      '{"jsonrpc":"2.0","method":"log","params":{"text":"heard"}}',
      '{"jsonrpc":"2.0","id":7,"method":"buggy"}',
      '{"jsonrpc":"2.0","id":8,"method":"bye"}',
    }, "\n") .. "\n")
    assert.equal(0, ran.status, ran.errors)
    local said = {}
    for i, line in ipairs(lines_of(ran.output)) do
      said[i] = assert(json.decode(line))
      assert.equal("2.0", said[i].jsonrpc)
    end
    assert.equal(9, #said)
    assert.equal("hello", said[1].method)
    assert.same({ "world" }, said[1].params)
    assert.same({ 1, 19 }, { said[2].id, said[2].result })
    assert.same({ "a", 1, 0 }, { said[3].id, said[3].result.id, #said[3].result.players })
    assert.same({ 3, -32602, "capacity must be a number" }, { said[4].id, said[4].error.code, said[4].error.data })
    assert.same({ 4, 1 }, { said[5].id, said[5].result })
    assert.same({ 5, -32000, "the room is full" }, { said[6].id, said[6].error.code, said[6].error.data })
    assert.same({ 6, 404, 9 }, { said[7].id, said[7].error.code, said[7].error.data })
    assert.same({ 7, -32603 }, { said[8].id, said[8].error.code })
    assert.same({ 8, "Goodbye" }, { said[9].id, said[9].result })
    assert.truthy(ran.errors:find("log:\theard\ttrue", 1, true), ran.errors)
    assert.truthy(ran.errors:find("child ends:\tstopped", 1, true), ran.errors)
  end)

  it("01_child ends by itself when nobody is there any more", function()
    local ran = run("01_child/child.lua", "")
    assert.equal(0, ran.status, ran.errors)
    assert.equal(1, #lines_of(ran.output)) -- hello
    assert.truthy(ran.errors:find("child ends:\teof", 1, true), ran.errors)
  end)

  it("02_parent runs the child and sees every kind of answer", function()
    local ran = run("02_parent/parent.lua")
    assert.equal(0, ran.status, ran.errors)
    assert.same({
      "the child says hello, world",
      "42 - 23\t19\tnil",
      "room\t1\tplayers\t0",
      "players in the room\t1",
    }, { (table.unpack or unpack)(lines_of(ran.output), 1, 4) })
    local rest = table.concat(lines_of(ran.output), "\n", 5)
    assert.truthy(rest:match("^refused\t%-32000\t[^\n]*the room is full[^\n]*\nrefused\t404\t[^\n]*no such room"), rest)
    assert.truthy(rest:match("\nbug\t%-32603\t[^\n]+\nbye\tGoodbye\nexit code\t0\tused memory\ttrue$"), rest)
  end)

  it("03_nested calls back and forth, to the limit and back", function()
    local ran = run("03_nested/parent.lua")
    assert.equal(0, ran.status, ran.errors)
    assert.same({
      "play\tLiu Bei, Guan Yu",
      "  said\tLiu Bei is thinking",
      "  ask\tLiu Bei\thint: attack",
      "  said\tGuan Yu is thinking",
      "  ask\tGuan Yu\thint: attack",
      "moves\tslash, slash",
      "play\tZhang Fei",
      "  said\tZhang Fei is thinking",
      "  ask\tZhang Fei\thint: rest",
      "moves\tpass (asleep)",
      "deep enough\ttrue\t-32603",
      "exit code\t0",
    }, lines_of(ran.output))
  end)

  it("05_mcp_server answers in lines of JSON and prints elsewhere", function()
    local ran = run("05_mcp_server.lua", table.concat({
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}',
      '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
      '{"jsonrpc":"2.0","id":3,"method":"tools/call",'
        .. '"params":{"name":"add_note","arguments":{"title":"a","text":"b"}}}',
      '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"list_notes"}}',
      '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"none"}}',
      '{"jsonrpc":"2.0","id":6,"method":"ping"}',
    }, "\n") .. "\n")
    assert.equal(0, ran.status, ran.errors)
    local said = lines_of(ran.output)
    assert.equal(6, #said)
    local hello = json.decode(said[1]).result
    assert.same({ "2025-06-18", "notes" }, { hello.protocolVersion, hello.serverInfo.name })
    assert.equal(2, #json.decode(said[2]).result.tools)
    assert.same({ content = { { type = "text", text = "kept: a" } }, isError = false }, json.decode(said[3]).result)
    assert.equal("a", json.decode(said[4]).result.content[1].text)
    assert.equal(-32602, json.decode(said[5]).error.code)
    assert.equal('{"jsonrpc":"2.0","id":6,"result":{}}', said[6])
  end)

  it("05_mcp_server finds a library that lies beside it by the line it names, with a bare environment", function()
    local text = program.read(helper.root .. "/examples/05_mcp_server.lua")
    local with_line, count = text:gsub("\n%-%- this line finds it: (package[^\n]*)\n", "\n%1\n")
    assert.equal(1, count)
    program.write(folder .. "/server.lua", with_line)
    program.write(folder .. "/fkrpc.so", program.read(helper.library))
    local ping = helper.quote('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    local pipe = assert(io.popen("cd / && echo " .. ping .. " | env -i PATH=\"$PATH\" "
      .. helper.quote(helper.interpreter) .. " " .. helper.quote(folder .. "/server.lua")))
    assert.equal('{"jsonrpc":"2.0","id":1,"result":{}}\n', pipe:read("*a"))
    pipe:close()
  end)

  it("06_lsp_server puts headers before its messages, warns, hovers and exits as it is told", function()
    local function framed(...)
      local frames = {}
      for i, text in ipairs({ ... }) do frames[i] = ("Content-Length: %d\r\n\r\n%s"):format(#text, text) end
      return table.concat(frames)
    end
    local exit = '{"jsonrpc":"2.0","method":"exit"}'
    local ran = run("06_lsp_server.lua", framed(
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}',
      '{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"u","text":"ö d \\n"}}}',
      '{"jsonrpc":"2.0","id":2,"method":"textDocument/hover","params":{"textDocument":{"uri":"u"},'
        .. '"position":{"line":0,"character":1}}}',
      '{"jsonrpc":"2.0","id":3,"method":"shutdown"}', exit))
    assert.equal(0, ran.status, ran.errors)
    local said, at = {}, 1
    while at <= #ran.output do
      local first, length = ran.output:match("^Content%-Length: (%d+)\r\n\r\n()", at)
      said[#said + 1] = assert(json.decode(ran.output:sub(length, length + tonumber(first) - 1)))
      at = length + tonumber(first)
    end
    assert.equal(4, #said)
    assert.equal("text", said[1].result.serverInfo.name)
    local spot = said[2].params.diagnostics[1].range
    assert.same({ 3, 4 }, { spot.start.character, spot["end"].character })
    assert.equal("2 words", said[3].result.contents.value)
    assert.equal(3, said[4].id)
    assert.equal(1, run("06_lsp_server.lua", framed(exit)).status)
  end)
end)
