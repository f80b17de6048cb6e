-- When memory has run out: a failure is an error, and never the end of the process.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

-- Run a Lua text with so many kilobytes of address space.
local function run(kilobytes, script)
  local command = ("ulimit -v %d || exit 77; exec %s"):format(kilobytes, programs.command(script))
  local done = programs.shell("{ " .. command .. '; } <"$IN" >"$OUT" 2>"$ERR"')
  programs.finish()
  if done.code == 77 then pending("there is no ulimit -v") end
  return done
end

local EXHAUSTED = [[
  if jit then jit.off() end -- LuaJIT 2.1's compiler itself does not survive a full heap
  local fkrpc = require("fkrpc")
  local json, cbor = fkrpc.json, fkrpc.cbor
  local left, right = fkrpc.pair()
  local bad = { a = { ["an odd name"] = { [true] = print, print } } }
  local work = {
    function() return json.decode("[1,") end,
    function() return json.encode(bad) end,
    function() return cbor.decode("\28") end,
    function() return cbor.encode(bad) end,
    function() return right:send_raw("[1\n") and left:step(0) end,
    function() return left:call("x", bad) end,
    function() return left:notify("x", bad) end,
  }
  for _, f in ipairs(work) do pcall(f) end
  collectgarbage("stop")
  local full, text
  local function fill()
    local count = 0
    while true do
      count = count + 1
      full = { full, text .. count } -- equal strings would be one
    end
  end
  local function fill_up()
    while true do full = { full } end
  end
  local texts = {}
  for size = 2, 6 do texts[8 - size] = ("x"):rep(10 ^ size) end
  -- Down to the last block of every size. Nothing here may take memory outside of a pcall.
  for i = 2, 6 do
    text = texts[i]
    pcall(fill)
  end
  pcall(fill_up)
  for _ = 1, 100 do
    for i = 1, #work do pcall(work[i]) end
  end
  full = nil
  collectgarbage("restart")
  collectgarbage()
  collectgarbage()
  assert(json.encode({ 1 }) == "[1]")
  print("alive")
]]

describe("without memory", function()
  it("values that cannot be encoded or decoded and messages that cannot be read are errors", function()
    local done = run(80000, EXHAUSTED)
    assert.equal("alive\n", done.out, done.err)
    assert.equal(0, done.code, done.err)
  end)

  it("requests with an id as long as their message are errors", function()
    for megabytes = 30, 90, 6 do
      local done = run(400000, ([[
        local fkrpc = require("fkrpc")
        local left, right = fkrpc.pair()
        local fine, line = pcall(function()
          -- The escape makes the id's second copy, a wrong version its third.
          return '{"jsonrpc":"1.0","method":"x","id":"\\n' .. ("a"):rep(%d) .. '"}\n'
        end)
        if fine then pcall(left.send_raw, left, line) end
        line = nil
        collectgarbage()
        collectgarbage()
        pcall(right.step, right, 0)
        print("alive")
      ]]):format(megabytes * 1000000))
      assert.equal("alive\n", done.out, megabytes .. " MB: " .. done.err)
      assert.equal(0, done.code, done.err)
    end
  end)
end)
