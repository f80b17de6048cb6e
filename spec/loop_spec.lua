-- The loop: tasks that wait for themselves alone, what ends them, how it runs and stops.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local loop, seen

before_each(function() loop, seen = fkrpc.loop(), {} end)
after_each(function()
  loop:close()
  programs.finish()
end)

local function note(text) seen[#seen + 1] = text end

describe("tasks", function()
  it("begin in their order, in the next round, and what they return is had by join", function()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = loop:go(function(...)
        note(i)
        return ...
      end, i, nil, "x")
    end
    assert.same({}, seen)
    assert.equal("done", loop:run())
    assert.same({ 1, 2, 3 }, seen)
    assert.same({ n = 3, 2, nil, "x" }, { n = select("#", tasks[2]:join()), tasks[2]:join() })
    assert.equal(0, select("#", loop:go(function() end):join()))
  end)

  it("wait each for itself", function()
    for i = 1, 3 do
      loop:go(function()
        for turn = 1, 2 do
          loop:sleep(0.001 * i)
          note(i .. turn)
        end
      end)
    end
    assert.equal("done", loop:run())
    assert.equal(6, #seen)
    local first = {}
    for place, text in ipairs(seen) do first[text] = place end
    for i = 1, 3 do assert.is_true(first[i .. 1] < first[i .. 2]) end
  end)

  it("may join each other, and a task's error is an error of its join", function()
    local failing = loop:go(function()
      loop:sleep(0)
      error(setmetatable({ code = 7 }, { __tostring = function() return "number 7" end }))
    end)
    local outer = loop:go(function()
      local result, err = failing:join()
      return result, err.code
    end)
    assert.same({ n = 2, nil, 7 }, { n = select("#", outer:join()), outer:join() })
    assert.same({ nil, 7 }, { outer:join() })
  end)

  it("log an error with its traceback, once", function()
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local loop = fkrpc.loop()
      local function deep() error("gone wrong") end
      loop:go(function() loop:sleep(0.001) deep() end)
      loop:after(0, function() error(setmetatable({}, { __tostring = function() return "a timer's" end })) end)
      loop:go(function() coroutine.yield("elsewhere") end)
      os.exit(loop:run() == "done" and 3 or 4)
    ]])
    assert.equal(3, done.code, done.err)
    local _, count = done.err:gsub("gone wrong", "")
    assert.equal(1, count, done.err)
    assert.truthy(done.err:find("function 'deep'", 1, true) or done.err:find("upvalue 'deep'", 1, true), done.err)
    assert.truthy(done.err:find("a timer's", 1, true), done.err)
    assert.truthy(done.err:find("yielded outside of", 1, true), done.err)
  end)

  it("are called with any function, those of C too", function()
    assert.equal("3", (loop:go(tostring, 3):join()))
    assert.equal(2, (loop:go(math.min, 2, 5):join()))
  end)

  it("that are cancelled end where they wait, by an error that can be caught for a while", function()
    local one = loop:go(function()
      if helper.name ~= "lua51" then -- its pcall waits in place
        local _, err = pcall(loop.sleep, loop, 1000)
        note(err.code)
      end
      loop:sleep(1000)
      note("never")
    end)
    local other = loop:go(function()
      one:join()
      note("joined")
    end)
    loop:step(0)
    loop:step(0)
    assert.is_true(one:cancel())
    local _, err = one:join()
    assert.equal("cancelled", err.code)
    assert.is_false(one:cancel())
    other:join()
    assert.same(helper.name == "lua51" and { "joined" } or { "cancelled", "joined" }, seen)
    assert.equal("done", loop:run())
  end)

  it("that are cancelled before they begin, or while they run, do not go on", function()
    local early = loop:go(note, "early")
    assert.is_true(early:cancel())
    local self
    self = loop:go(function()
      self:cancel()
      note("still runs")
      loop:sleep(0)
      note("never")
    end)
    assert.equal("cancelled", select(2, early:join()).code)
    assert.equal("cancelled", select(2, self:join()).code)
    assert.same({ "still runs" }, seen)
  end)
end)

describe("await", function()
  it("gives what resume was called with, once, in a task and elsewhere", function()
    local resume
    local task = loop:go(function()
      return loop:await(function(go_on) resume = go_on end)
    end)
    loop:after(0.001, function()
      assert.is_true(resume(1, nil, 3))
      assert.is_false(resume(4))
    end)
    local function count(...) return select("#", ...), ... end
    assert.same({ 3, 1, nil, 3 }, { count(task:join()) })
    assert.same({ 1, "now" }, { count(loop:await(function(go_on) go_on("now") end)) })
    assert.same({ 2, "later", false }, { count(loop:await(function(go_on)
      loop:after(0.001, function() go_on("later", false) end)
    end)) })
  end)

  it("raises where nothing is left that could end it", function()
    local fine, err = pcall(loop.await, loop, function() end)
    assert.is_false(fine)
    assert.equal("closed", err.code)
    assert.truthy(err.message:find("nothing is left", 1, true))
  end)
end)

describe("a wait in place", function()
  it("runs the loop, outside of tasks and inside what cannot be left", function()
    loop:go(function()
      table.sort({ 2, 1 }, function(a, b)
        loop:sleep(0.001)
        return a < b
      end)
      note("sorted")
    end)
    loop:go(function() note("other") end)
    loop:sleep(0.02)
    assert.same({ "other", "sorted" }, seen)
    assert.equal(0, loop.depth)
  end)

  it("goes 64 levels deep and no deeper", function()
    local deepest = 0
    local function nest(level)
      if level > 70 then return end -- the task of the innermost level is begun later
      deepest = math.max(deepest, level)
      local task = loop:go(function()
        local fine, err
        table.sort({ 2, 1 }, function(a, b)
          if fine == nil then fine, err = pcall(nest, level + 1) end
          return a < b
        end)
        if not fine then return nil, err end
      end)
      local result, err = task:join()
      if err ~= nil then error(err, 0) end
      return result
    end
    local fine, err = pcall(nest, 1)
    assert.is_false(fine)
    assert.is_true(err.code == "depth" or tostring(err):find("C stack overflow", 1, true) ~= nil, tostring(err))
    assert.is_true(deepest >= 30, deepest)
    assert.equal(0, loop.depth)
    assert.equal("done", loop:run())
  end)
end)

describe("a loop", function()
  it("is done when nothing is left, and stalled when only tasks are that nobody can wake", function()
    assert.equal("done", loop:run())
    loop:go(function() loop:await(function() end) end)
    assert.same({ "stalled", 1 }, { loop:run() })
  end)

  it("stops, and goes on when it is run again", function()
    loop:every(0.001, function() note("tick") end)
    loop:go(function() loop:stop() end)
    assert.equal("stopped", loop:run())
    local before = #seen
    loop:after(0.01, function() loop:stop() end)
    assert.equal("stopped", loop:run())
    assert.is_true(#seen > before)
  end)

  it("refuses to run inside itself, and steps inside itself", function()
    local task = loop:go(function()
      local fine, text = pcall(loop.run, loop)
      note(fine)
      note(tostring(text):match("loop:run%(%) inside loop:run%(%)"))
      note(loop:step(0))
    end)
    loop:run()
    task:join()
    assert.same({ false, "loop:run() inside loop:run()" }, { seen[1], seen[2] })
  end)

  it("that is closed while it runs ends what waits, and raises afterwards", function()
    local codes = {}
    loop:go(function()
      local fine, err = pcall(loop.await, loop, function() end)
      codes[1] = not fine and err.code
    end)
    loop:every(0.001, function() loop:close() end)
    assert.equal("closed", loop:run())
    if helper.name ~= "lua51" then assert.same({ "cancelled" }, codes) end
    assert.has_error(function() loop:go(print) end, "fkrpc: the loop is closed")
    assert.equal("fkrpc.loop (closed)", tostring(loop))
    loop:close()
  end)

  it("says what is wrong with an argument", function()
    for text, f in pairs({
      ["bad argument #1 to 'go' (function expected, got nil)"] = function() loop:go() end,
      ["bad argument #1 to 'sleep' (seconds expected, got string)"] = function() loop:sleep("1") end,
      ["bad argument #1 to 'after' (seconds expected, got -1)"] = function() loop:after(-1, print) end,
      ["bad argument #2 to 'after' (function expected, got nil)"] = function() loop:after(1) end,
      ["bad argument #1 to 'every' (at least 0.001 seconds expected, got 0)"] = function() loop:every(0, print) end,
      ["bad argument #1 to 'await' (function expected, got table)"] = function() loop:await({}) end,
      ["bad argument #1 to 'add' (peer expected, got string)"] = function() loop:add("peer") end,
      ["bad argument #2 to 'watch' (\"r\", \"w\" or \"rw\" expected, got \"x\")"] = function()
        loop:watch(0, "x", print)
      end,
      ["bad argument #1 to 'watch' (descriptor expected, got -1)"] = function() loop:watch(-1, "r", print) end,
      ["(TERM, INT, HUP, QUIT, USR1 or USR2 expected, got KILL)"] = function() loop:signal("KILL", print) end,
      ["this is no loop; call its methods with a colon"] = function() loop.run() end,
    }) do
      local fine, message = pcall(f)
      assert.is_false(fine)
      assert.truthy(message:find(text, 1, true), message)
      assert.truthy(message:find("loop_spec.lua", 1, true), message)
    end
  end)

  it("is collected with what is in it", function()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 20 do
      local own, one, other = fkrpc.loop(), fkrpc.pair()
      own:add(one)
      own:add(other)
      own:go(function() one:call("nobody") end)
      own:after(1000, print)
      own:step(0)
      weak[own], weak[one] = true, true
    end
    for _ = 1, 4 do collectgarbage() end
    local left = 0
    for _ in pairs(weak) do left = left + 1 end
    assert.is_true(left < 20, left)
  end)
end)
