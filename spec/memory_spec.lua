-- Memory: what is dropped is collected, and failures leave nothing behind.
--
-- Bounds are several times what was seen; a leak of one object in each round goes far beyond them.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json, cbor = fkrpc.json, fkrpc.cbor

-- Resident kilobytes, or nil where there is no /proc.
local function resident()
  local file = io.open("/proc/self/status")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("VmRSS:%s*(%d+)"))
end

local function full_collect()
  collectgarbage()
  collectgarbage()
end

-- Run `round` many times; Lua's memory may not have grown by more than `kilobytes` after the first hundredth, nor the
-- process's by more than some megabytes.
local function assert_steady(rounds, kilobytes, round)
  for i = 1, rounds / 10 do round(i) end
  full_collect()
  local before, resident_before = collectgarbage("count"), resident()
  for i = 1, rounds do round(i) end
  full_collect()
  local grown = collectgarbage("count") - before
  assert.is_true(grown < kilobytes, ("Lua's memory grew by %.0f KB"):format(grown))
  if resident_before then
    local resident_grown = resident() - resident_before
    assert.is_true(resident_grown < 12000, ("the process grew by %d KB"):format(resident_grown))
  end
end

describe("memory", function()
  it("of dropped pairs is given back, closed or not, used or not", function()
    -- In a process of its own: Lua's collector does not see how much a pair holds, so how many wait for it depends on
    -- how large the heap is otherwise.
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local function rounds(count)
        for i = 1, count do
          local left, right = fkrpc.pair()
          if i % 2 == 0 then
            right:on("echo", function(params) return params end)
            left:on("back", function() return left end)
            assert(left:call("echo", { i })[1] == i)
          end
          if i % 3 == 0 then left:notify("never read", { ("x"):rep(100) }) end
          if i % 5 == 0 then left:close() end
        end
        collectgarbage()
        collectgarbage()
        local file = io.open("/proc/self/status")
        local resident = file and tonumber(file:read("*a"):match("VmRSS:%s*(%d+)")) or 0
        if file then file:close() end
        return collectgarbage("count"), resident
      end
      local before, resident_before = rounds(1000)
      local after, resident_after = rounds(10000)
      print(after - before, resident_after - resident_before)
    ]], "")
    local grown, resident_grown = done.out:match("^(%S+)\t(%S+)\n$")
    assert.is_true(grown and tonumber(grown) < 100, done.out .. done.err)
    assert.is_true(tonumber(resident_grown) < 12000, done.out)
    programs.finish()
  end)

  it("does not grow with errors of handlers, of whatever kind", function()
    -- In a process of its own, because each of them is logged.
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local left, right = fkrpc.pair()
      local handlers = {
        function() error("text", 0) end, function() error({}) end, function() error(fkrpc.error({ code = 1 })) end,
        function() coroutine.yield() end, function() return print end, function() return nil, "text" end,
        function(_, ctx) return ctx.peer:must("none") end,
      }
      local function rounds(count)
        for i = 1, count do
          right:on("fail", handlers[i % #handlers + 1])
          assert(select(2, left:call("fail")))
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage("count")
      end
      local before = rounds(500)
      print(rounds(5000) - before, left:stats().waiting + right:stats().waiting, left.depth + right.depth)
    ]], "")
    local grown, waiting, depth = done.out:match("^(%S+)\t(%d+)\t(%d+)\n$")
    assert.is_true(grown and tonumber(grown) < 100, done.out)
    assert.equal("0", waiting)
    assert.equal("0", depth)
    programs.finish()
  end)

  it("does not grow with failing encodes and decodes", function()
    local cycle = {}
    cycle.x = { cycle }
    local bad_json, bad_cbor = '{"a":[1,2,{"b":"' .. ("x"):rep(200) .. '\\ud800"}]}', "\130\1\130\2\28"
    assert_steady(50000, 300, function(i)
      assert(json.encode({ a = { i, print } }) == nil)
      assert(json.encode(cycle) == nil)
      assert(json.decode(bad_json) == nil)
      assert(cbor.decode(bad_cbor) == nil)
    end)
  end)

  it("does not grow with hooks and tag handlers that raise, however deep they are nested", function()
    local codec
    local function inner(bytes) return codec.decode(bytes) end
    codec = cbor.new({ tags = { [1] = inner, [2] = function() error("x") end } })
    local bytes = "\194\1"
    for _ = 1, 15 do bytes = "\193" .. cbor.encode(bytes) end
    local bad = setmetatable({}, { __tocbor = function() error("x") end })
    local nested = setmetatable({}, { __tocbor = function() return cbor.encode({ ("x"):rep(1000), { bad } }) end })
    local left, right = fkrpc.pair({ codec = "cbor" })
    right:on("fail", function() return { ("x"):rep(1000), nested } end)
    assert_steady(5000, 300, function(i)
      assert(not pcall(codec.decode, bytes))
      assert(not pcall(cbor.encode, { i, nested }))
      if i % 100 == 0 then
        assert(not pcall(left.call, left, "x", { nested }))
        assert(left:call("fail") == nil)
      end
    end)
    assert.equal(0, left:stats().waiting)
  end)

  it("of giant documents and messages goes back to the system", function()
    -- In a process of its own: malloc keeps more or less of what was freed, as what lies between allows. A leak of one
    -- giant in each round would be 96 MB.
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local json, cbor = fkrpc.json, fkrpc.cbor
      local function resident()
        local file = io.open("/proc/self/status")
        if not file then return 0 end
        local text = file:read("*a")
        file:close()
        return tonumber(text:match("VmRSS:%s*(%d+)"))
      end
      local function round()
        local giant = { ("x"):rep(8000000) }
        assert(#json.decode(json.encode(giant))[1] == 8000000)
        assert(#cbor.decode(cbor.encode(giant))[1] == 8000000)
        local left, right = fkrpc.pair()
        right:on("echo", function(params) return params end)
        assert(#left:must("echo", giant)[1] == 8000000)
        assert(json.encode({ giant, print }) == nil)
        assert(json.decode('["' .. giant[1] .. '",') == nil)
      end
      local function rounds(count)
        for _ = 1, count do
          round()
          collectgarbage()
          collectgarbage()
        end
        return resident()
      end
      local before = resident()
      local some = rounds(4)
      print(some - before, rounds(12) - some)
    ]], "")
    local left, grown = done.out:match("^(%S+)\t(%S+)\n$")
    assert.is_true(left and tonumber(left) < 60000, done.out .. done.err)
    assert.is_true(tonumber(grown) < 40000, done.out)
    programs.finish()
  end)

  it("is not held by options, codecs and modules that are made again and again", function()
    -- In a process of its own: how far a heap grows between two collections depends on how large it is.
    local done = programs.run([[
      local fkrpc = require("fkrpc")
      local function rounds(count)
        for _ = 1, count do
          assert(fkrpc.json.new({ big = "float" }).decode("1") == 1)
          assert(fkrpc.cbor.new({ tags = {} }).decode("\1") == 1)
          fkrpc.error({ code = 1, data = {} })
          assert(not pcall(fkrpc.pair, { nonsense = 1 }))
        end
        collectgarbage()
        collectgarbage()
        local file = io.open("/proc/self/status")
        local resident = file and tonumber(file:read("*a"):match("VmRSS:%s*(%d+)")) or 0
        if file then file:close() end
        return collectgarbage("count"), resident
      end
      local before, resident_before = rounds(500)
      local after, resident_after = rounds(5000)
      print(after - before, resident_after - resident_before)
    ]], "")
    local grown, resident_grown = done.out:match("^(%S+)\t(%S+)\n$")
    assert.is_true(grown and tonumber(grown) < 100, done.out .. done.err)
    assert.is_true(tonumber(resident_grown) < 4000, done.out)
    programs.finish()
  end)
end)
