-- fkrpc.random: Qt's draws as methods, seeds, states, shuffles, and what is refused.
local fkrpc = require "fkrpc"

local has_integers = math.type ~= nil
local is_54 = _VERSION == "Lua 5.4"

-- The error that a call raises, without its position.
local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return (tostring(message):gsub("^[^:]*:%d+: ", ""))
end

-- Draws of `name` with the arguments that follow.
local function draws(g, count, name, ...)
  local list = {}
  for i = 1, count do list[i] = g[name](g, ...) end
  return list
end

describe("fkrpc.random", function()
  it("is the same value by both names", function()
    assert.equal(fkrpc.random, require "fkrpc.random")
  end)

  it("makes Qt's generator of a seed", function()
    assert.same({ 2614276261, 2440701700, 3212928052 }, draws(fkrpc.random(42), 3, "generate"))
    assert.same({ 1529278401, 1377812627, 18815962 }, draws(fkrpc.random(0), 3, "generate"))
  end)

  it("makes Qt's generator of a sequence of words", function()
    assert.equal(1710881851, fkrpc.random({ 1, 2, 3 }):generate())
    assert.equal(2872601305, fkrpc.random({}):generate())
    assert.equal(fkrpc.random(42), fkrpc.random({ 42 }))
    local words = {}
    for i = 1, 2000 do words[i] = i end
    local one = fkrpc.random(words)
    words[2000] = 0
    assert.are_not.equal(one, fkrpc.random(words))
  end)

  it("cuts seeds to 32 bits", function()
    assert.equal(fkrpc.random(4294967295), fkrpc.random(-1))
    assert.equal(fkrpc.random(0), fkrpc.random(2 ^ 32))
    assert.equal(fkrpc.random({ 4294967295 }), fkrpc.random({ -1 }))
  end)

  it("takes a seed from the system when it gets none", function()
    assert.are_not.equal(fkrpc.random(), fkrpc.random())
    assert.are_not.equal(fkrpc.random(nil), fkrpc.random())
  end)

  it("refuses seeds that are no integers", function()
    assert.equal("bad argument #1 to 'random' (number expected, got string)",
      message_of(function() fkrpc.random("x") end))
    assert.equal("bad argument #1 to 'random' (number has no integer representation)",
      message_of(function() fkrpc.random(2.5) end))
    assert.truthy(message_of(fkrpc.random, { 1, "x" }):find("integers expected", 1, true))
    assert.truthy(message_of(fkrpc.random, { 1, 2.5 }):find("integers expected", 1, true))
  end)
end)

describe("a generator", function()
  local g
  before_each(function() g = fkrpc.random(42) end)

  it("draws 64 bits, the low word first", function()
    if has_integers then
      assert.equal("917a27049bd2b0a5", ("%016x"):format(g:generate64()))
      local negative = false
      for _ = 1, 100 do negative = negative or g:generate64() < 0 end
      assert.is_true(negative)
    else
      assert.same({ 2614276261, 2440701700 }, { g:generate64() })
    end
  end)

  it("draws doubles of 53 bits", function()
    assert.equal(0.56827014791981401, g:double())
    assert.equal(0.62260182102864325 * -3, g:bounded_double(-3))
  end)

  it("draws by Qt's 32-bit form where both ends fit, else by the 64-bit one", function()
    assert.same({ 31, 29, 38, 32, 31 }, draws(g, 5, "bounded", 52))
    assert.same({ 2, 1, 4, 2, 2 }, draws(fkrpc.random(42), 5, "bounded", -10, 10))
    assert.same({ 19794145445, 256615998516, 419228824308 }, draws(fkrpc.random(42), 3, "bounded", 1000000000000))
    assert.same(draws(fkrpc.random(7), 20, "bounded64", 0, 2 ^ 31), draws(fkrpc.random(7), 20, "bounded", 2 ^ 31))
    assert.same({ -4, -5, -1, -3, 0 }, draws(fkrpc.random(0), 5, "bounded64", -5, 5))
  end)

  it("refuses ranges that make Qt abort, and draws nothing for them", function()
    local untouched = g:clone()
    assert.equal("bad argument #2 to 'random' (interval is empty)", message_of(function() g:random(5, 3) end))
    assert.equal("bad argument #2 to 'random' (interval too large)",
      message_of(function() g:random(0, 2147483647) end))
    for _, name in ipairs { "bounded", "bounded64" } do
      local method = g[name]
      for _, range in ipairs { { 0 }, { -1 }, { 3, 3 }, { 3, -3 }, { 2 ^ 40, -2 ^ 40 } } do
        assert.truthy(message_of(method, g, range[1], range[2]):find("interval is empty", 1, true))
      end
    end
    assert.equal("bad argument #1 to 'bounded' (interval is empty)", message_of(function() g:bounded(0) end))
    assert.equal("bad argument #2 to 'bounded' (interval too large)",
      message_of(function() g:bounded(-1, 2147483647) end))
    if has_integers then
      assert.truthy(message_of(g.bounded64, g, math.mininteger, 0):find("interval too large", 1, true))
    else
      assert.truthy(message_of(g.bounded64, g, 2 ^ 60):find("beyond 2^53", 1, true))
    end
    assert.equal(untouched, g)
  end)

  it("refuses arguments that are no numbers", function()
    assert.truthy(message_of(g.bounded, g):find("number expected, got no value", 1, true))
    assert.truthy(message_of(g.bounded, g, 1, {}):find("number expected, got table", 1, true))
    assert.truthy(message_of(g.bounded64, g, 1.5):find("number has no integer representation", 1, true))
    assert.truthy(message_of(g.bounded_double, g, "x"):find("number expected, got string", 1, true))
    assert.truthy(message_of(g.discard, g, -1):find("negative", 1, true))
    assert.truthy(message_of(g.shuffle, g, 5):find("table expected, got number", 1, true))
  end)

  it("skips words across blocks", function()
    local other = g:clone()
    for _ = 1, 1300 do other:generate() end
    assert.equal(other, g:discard(1300))
    assert.equal(g, g:discard(0))
    assert.equal(other, g)
  end)

  it("continues as its clone does, and apart from it", function()
    g:discard(620)
    local clone = g:clone()
    assert.equal(g, clone)
    local expected = draws(g, 10, "generate")
    assert.are_not.equal(g, clone)
    assert.same(expected, draws(clone, 10, "generate"))
  end)

  it("comes back from its state, at every place of a block", function()
    for skipped = 0, 700, 7 do
      local one = fkrpc.random(skipped):discard(skipped)
      local text = one:state()
      assert.equal("string", type(text))
      local expected = draws(one, 5, "generate")
      assert.same(expected, draws(fkrpc.random():restore(text), 5, "generate"))
    end
  end)

  it("has a state that passes through JSON", function()
    local text = g:state()
    assert.equal(text, fkrpc.json.decode(fkrpc.json.encode(text)))
  end)

  it("refuses what is no state, and stays as it was", function()
    local untouched, text = g:clone(), g:state()
    for _, wrong in ipairs { "", "x", text:sub(1, -2), text .. "0", text:upper(), "2" .. text:sub(2) } do
      assert.truthy(message_of(g.restore, g, wrong):find("not a state", 1, true))
    end
    assert.truthy(message_of(g.restore, g, 5):find("string expected, got number", 1, true))
    assert.equal(untouched, g)
  end)

  it("shuffles in place and gives the table back", function()
    local t = { 1, 2, 3, 4, 5, 6, 7, 8 }
    assert.equal(t, g:shuffle(t))
    local sorted = {}
    for i, v in ipairs(t) do sorted[i] = v end
    table.sort(sorted)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, sorted)
  end)

  it("shuffles as the game does, for every length", function()
    for length = 0, 60 do
      for seed = 1, 8 do
        local ours, games = {}, {}
        for i = 1, length do ours[i], games[i] = i, i end
        local one, other = fkrpc.random(seed), fkrpc.random(seed)
        one:shuffle(ours)
        if length == 2 then
          if other:random() < 0.5 then games = { 2, 1 } end
        else
          for i = length, 2, -1 do
            local j = other:random(i)
            games[i], games[j] = games[j], games[i]
          end
        end
        assert.same(games, ours)
        assert.equal(other, one)
      end
    end
  end)

  it("shuffles what has metamethods, whose errors pass", function()
    local broken = setmetatable({ 1, 2, 3 }, { __newindex = error })
    g:shuffle(broken) -- nothing is new
    local function no_reading() error("no reading", 0) end
    local proxy = setmetatable({}, { __index = no_reading, __len = function() return 50 end })
    if has_integers then
      assert.equal("no reading", message_of(g.shuffle, g, proxy))
    end
    assert.equal("number", type(g:random()))
  end)

  it("is told from all other values", function()
    local others = { false, 5, "x", {}, io.stdout, print, coroutine.create(function() end), fkrpc.null,
      ("x"):rep(2512) }
    for name, method in pairs { random = g.random, generate = g.generate, state = g.state, clone = g.clone } do
      for _, other in pairs(others) do
        local message = message_of(method, other)
        assert.truthy(message:find("QRandomGenerator expected, got ", 1, true), name .. ": " .. message)
      end
      assert.truthy(message_of(method):find("got no value", 1, true))
    end
  end)

  it("does not take another userdata for one, even with its metatable", function()
    local file = assert(io.open(os.tmpname()))
    local own = debug.getmetatable(file)
    debug.setmetatable(file, debug.getmetatable(g))
    local message = message_of(g.random, file)
    debug.setmetatable(file, own)
    file:close()
    assert.truthy(message:find("QRandomGenerator expected", 1, true))
  end)

  it("hides its metatable and has a name", function()
    assert.is_false(getmetatable(g))
    assert.truthy(tostring(g):match("^QRandomGenerator: "))
    assert.is_false(g == 42)
    assert.is_nil(g.__gc)
    if is_54 then
      assert.truthy(message_of(function() return g + 1 end):find("QRandomGenerator", 1, true))
    end
  end)

  it("holds its memory where the collector sees it", function()
    collectgarbage()
    local before, kept = collectgarbage("count"), {}
    for i = 1, 100 do kept[i] = fkrpc.random(i) end
    assert.is_true(#kept == 100 and collectgarbage("count") - before > 240)
    kept = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 100)
  end)
end)

describe("freekill-qrandomgen's class", function()
  local mod = fkrpc.random.compat()

  it("draws what fkrpc.random draws", function()
    local g, plain = fkrpc.random(7), mod.new(7)
    for _ = 1, 700 do assert.equal(g:random(1, 1000), plain:random(1, 1000)) end
    for _ = 1, 700 do assert.equal(g:random(), plain:random()) end
  end)

  it("does not let another library's class of its name reach it", function()
    -- What luaL_newmetatable, luaL_setfuncs and an own __index do to a name that is taken.
    local registered = debug.getregistry().QRandomGenerator
    assert.is_true(registered == debug.getmetatable(mod.new(1)))
    local plain = mod.new(42)
    registered.random, registered.__index, registered.__gc = error, registered, error
    assert.equal(61, plain:random(100))
    plain = nil -- luacheck: ignore 311
    collectgarbage()
    registered.random, registered.__index, registered.__gc = nil, nil, nil
  end)
end)
