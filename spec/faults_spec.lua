-- Every system call of both ends may be interrupted, refused or cut short: no message is lost, doubled or reordered.
--
-- FKRPC_FAULT_FRAMES says how many frames cross (100,000 by default).

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local quote = helper.quote

local FRAMES = tonumber(os.getenv("FKRPC_FAULT_FRAMES")) or 100000
local SPEAKS = {
  '{ codec = "json" }', '{ codec = "cbor" }', '{ codec = "cbor", keys = "freekill" }',
  '{ codec = "json", batch = 3000 }',
}

-- Numbered messages in both directions, of lengths from nothing to more than a pipe holds, by notification and by call.
local BOTH = [[
  local fkrpc = require("fkrpc")
  local COUNT = COUNT_HERE
  local function length(i) return i % 1000 == 0 and 70000 or i * 7 % 90 end
  local function counter(name)
    local seen = 0
    return function(params)
      seen = seen + 1
      assert(params[1] == seen, name .. ": " .. tostring(params[1]) .. " came as number " .. seen)
      assert(params[2] == ("x"):rep(length(seen)), name .. ": other contents")
      return seen
    end
  end
]]

local CHILD = BOTH .. [[
  local peer = assert(fkrpc.stdio(OPTIONS))
  local told, asked = counter("told"), counter("asked")
  peer:on("tell", function(params) peer:notify("back", { told(params), params[2] }) end)
  peer:on("ask", function(params) return asked(params) end)
  assert(peer:serve() == "eof")
]]

local PARENT = BOTH .. [[
  local given = OPTIONS
  given[1], given[2] = arg[1], arg[2]
  local peer = assert(fkrpc.spawn(given))
  local back, last = counter("back"), 0
  peer:on("back", function(params) last = back(params) end)
  -- A frame there and one back for each notification and each call.
  local tells, asks = 0, 0
  while 2 * (tells + asks) < COUNT do
    tells = tells + 1
    assert(peer:notify("tell", { tells, ("x"):rep(length(tells)) }))
    if tells % 3 == 0 then
      asks = asks + 1
      assert(peer:must("ask", { asks, ("x"):rep(length(asks)) }) == asks)
    end
  end
  while last < tells do assert(peer:step(60)) end
  peer:close_stdin()
  assert(peer:step(60) == nil)
  local stats = peer:stats()
  assert(stats.strays + stats.malformed + stats.unhandled == 0)
  local exit = assert(peer:wait(60))
  assert(exit.code == 0, "status " .. tostring(exit.code or exit.signal))
  io.stdout:write(tells + asks, " there, ", tells + asks, " back\n")
]]

-- The same with both ends in loops of their own.
local LOOP_CHILD = BOTH .. [[
  local peer, loop, how = assert(fkrpc.stdio(OPTIONS)), fkrpc.loop()
  local told, asked = counter("told"), counter("asked")
  peer:on("tell", function(params) assert(peer:notify("back", { told(params), params[2] })) end)
  peer:on("ask", function(params) return asked(params) end)
  loop:add(peer, { on_end = function(_, event) how = event end })
  assert(loop:run() == "done" and how == "eof")
]]

local LOOP_PARENT = BOTH .. [[
  local given = OPTIONS
  given[1], given[2] = arg[1], arg[2]
  local peer, loop = assert(fkrpc.spawn(given)), fkrpc.loop()
  local back, last, how = counter("back"), 0, nil
  peer:on("back", function(params) last = back(params) end)
  loop:add(peer, { on_end = function(_, event) how = event end })
  local task = loop:go(function()
    local tells, asks = 0, 0
    while 2 * (tells + asks) < COUNT do
      tells = tells + 1
      assert(peer:notify("tell", { tells, ("x"):rep(length(tells)) }))
      if tells % 3 == 0 then
        asks = asks + 1
        assert(peer:must("ask", { asks, ("x"):rep(length(asks)) }) == asks)
      end
    end
    while last < tells do loop:sleep(0.001) end
    local stats = peer:stats()
    assert(stats.strays + stats.malformed + stats.unhandled == 0)
    peer:close_stdin()
    return tells + asks
  end)
  assert(loop:run() == "done" and how == "eof")
  local exit = assert(peer:wait(60))
  assert(exit.code == 0, "status " .. tostring(exit.code or exit.signal))
  local count = assert(task:join())
  io.stdout:write(count, " there, ", count, " back\n")
]]

local shim
local function build_shim()
  local path = os.tmpname()
  local made = os.execute("cc -O2 -shared -fPIC -Wall -Wextra -o " .. quote(path) .. " "
    .. quote(helper.root .. "/spec/chaos/shim.c") .. " -ldl 2>/dev/null")
  if made == true or made == 0 then return path end
  os.remove(path)
end

describe("system calls that fail at random", function()
  setup(function() shim = build_shim() end)
  teardown(function() if shim then os.remove(shim) end end)
  after_each(programs.finish)

  local function crosses(speaks, where, from, to)
    it("lose, double and reorder nothing" .. where .. ": " .. speaks, function()
      if not shim then return pending("there is no C compiler, or no LD_PRELOAD") end
      local function text_of(text)
        return (text:gsub("OPTIONS", speaks):gsub("COUNT_HERE", ("%d"):format(FRAMES / #SPEAKS)))
      end
      local child = programs.file(text_of(to))
      local done = programs.shell("LD_PRELOAD=" .. quote(shim) .. " exec " .. programs.command(text_of(from)) .. " "
        .. quote(helper.interpreter) .. " " .. quote(child) .. ' <"$IN" >"$OUT" 2>"$ERR"')
      assert(done.code == 0, done.err)
      local there, back = done.out:match("^(%d+) there, (%d+) back\n$")
      assert.is_true(tonumber(there) + tonumber(back) >= math.floor(FRAMES / #SPEAKS), done.out)
      -- Both processes have had their share of faults, so that this test cannot pass without any.
      local faults = 0
      local figures = "shim: %d+ calls, (%d+) interrupted, (%d+) again, (%d+) short"
      for interrupted, again, short in done.err:gmatch(figures) do
        faults = faults + interrupted + again + short
        assert.is_true(tonumber(interrupted) > 100 and tonumber(again) > 100 and tonumber(short) > 20, done.err)
      end
      assert.is_true(faults > 0, done.err)
      if os.getenv("FKRPC_FAULT_FRAMES") then io.stdout:write("\n", speaks, ": ", done.out, done.err) end
    end)
  end
  for _, speaks in ipairs(SPEAKS) do
    crosses(speaks, "", PARENT, CHILD)
    crosses(speaks, " in loops", LOOP_PARENT, LOOP_CHILD)
  end
end)
