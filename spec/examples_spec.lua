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
end)
