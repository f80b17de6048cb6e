-- types/ says what the library has, no more and no less: functions with their parameters, options with their words.
--
-- Read as text, because definitions are no program. What a value is for cannot be checked here; that it is there can.

local helper = require("spec.helper")
local program = require("spec.program")
local fkrpc = require("fkrpc")

local FILES = {
  "fkrpc.lua", "fkrpc/json.lua", "fkrpc/cbor.lua", "fkrpc/jsonrpc.lua", "fkrpc/random.lua", "fkrpc/clock.lua",
  "fkrpc/fs.lua", "fkrpc/watchdog.lua", "fkrpc/freekill.lua", "fkrpc/pool.lua",
}

-- Classes by name: { fields = { name = type }, functions = { name = parameter count } }.
local function read_definitions()
  local classes, variables, latest = {}, {}, nil
  for _, file in ipairs(FILES) do
    for line in program.read(helper.root .. "/types/" .. file):gmatch("([^\n]*)\n") do
      local class, base = line:match("^%-%-%-@class ([%w_.]+):?%s*([%w_.]*)")
      local field, kind = line:match("^%-%-%-@field ([%w_]+%??) (.+)$")
      local variable = line:match("^local ([%w_]+) = {}$")
      local owner, separator, name, parameters = line:match("^function ([%w_]+)([.:])([%w_]+)%((.-)%) end$")
      if class then
        latest = { base = base, fields = {}, functions = {} }
        classes[class] = latest
      elseif field then
        latest.fields[field:gsub("%?", "")] = kind
      elseif variable then
        variables[variable] = assert(latest, file .. ": " .. line)
      elseif owner then
        local count = separator == ":" and 1 or 0
        for _ in parameters:gmatch("[%w_]+") do count = count + 1 end
        assert(variables[owner], file .. ": " .. line).functions[name] = count
      else
        assert(not line:match("^function"), file .. ": a function written another way: " .. line)
      end
    end
  end
  return classes
end

local classes = read_definitions()

-- The words of a type like `"utf8"|"bytes" and a text`.
local function words_of(kind)
  local words = {}
  for word in kind:match("^%S+"):gmatch('"([^"]+)"') do words[#words + 1] = word end
  return words
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function functions_of(live)
  local found = {}
  for name, value in pairs(live) do
    if type(value) == "function" and not name:match("^__") then found[name] = value end
  end
  return found
end

-- The names of a set that the library keeps in a local of the function.
local function upvalue(f, wanted)
  for i = 1, 255 do
    local name, value = debug.getupvalue(f, i)
    if name == wanted then return value end
    if not name then break end
  end
  error("no upvalue " .. wanted)
end

-- What stdio is with options.
local full_stdio = upvalue(fkrpc.stdio, "native").module("stdio").stdio

-- An own one of the files that are loaded on first use, so that what they add is seen.
local one, other = fkrpc.pair()
local peer = getmetatable(one).__index
local child = getmetatable(assert(fkrpc.spawn({ "true" }))).__index
local listener
do
  local path = os.tmpname()
  os.remove(path)
  local socket = assert(fkrpc.listen({ path = path }))
  listener = getmetatable(socket).__index
  socket:close()
end
local pool
do
  local started = assert(fkrpc.pool({ "cat" }))
  pool = getmetatable(started).__index
  started:close()
end
local zygote
do
  local started = assert(fkrpc.zygote({ "true" }))
  zygote = getmetatable(started).__index
  started:close()
end
local loaded = {
  fkrpc.json, fkrpc.cbor, fkrpc.jsonrpc, fkrpc.random, fkrpc.watchdog, fkrpc.compat, fkrpc.stdio, fkrpc.spawn,
  fkrpc.pair, fkrpc.clock, fkrpc.fs, fkrpc.freekill, fkrpc.connect, fkrpc.listen, fkrpc.token,
  fkrpc.pool, fkrpc.zygote, fkrpc.standin, fkrpc.loop,
}

local function methods_of(object) return getmetatable(object).__index end
local fk = fkrpc.freekill

-- What contexts offer is there once one was asked for it.
local context
other:on("look", function(_, ctx)
  assert(ctx.cancelled)
  context = methods_of(ctx)
end)
one:must("look")

local loop = fkrpc.loop()

local LIVE = {
  ["fkrpc.loop"] = methods_of(loop),
  ["fkrpc.task"] = methods_of(loop:go(print)),
  ["fkrpc.timer"] = methods_of(loop:after(0, print)),
  ["fkrpc.watch"] = methods_of(loop:watch(0, "r", print)),
  ["fkrpc.freekill"] = fk,
  ["fkrpc.freekill.QList"] = methods_of(fk.QList({})),
  ["fkrpc.freekill.Player"] = methods_of(fk.Player({})),
  ["fkrpc.freekill.ServerPlayer"] = methods_of(fk.ServerPlayer({})),
  ["fkrpc.freekill.Room"] = methods_of(fk.Room({})),
  ["fkrpc.freekill.Task"] = methods_of(fk.Task({})),
  ["fkrpc.freekill.RoomThread"] = methods_of(fk.RoomThread()),
  ["fkrpc.freekill.Server"] = methods_of(fk.Server()),
  ["fkrpc"] = fkrpc,
  ["fkrpc.json"] = fkrpc.json,
  ["fkrpc.cbor"] = fkrpc.cbor,
  ["fkrpc.jsonrpc"] = fkrpc.jsonrpc,
  ["fkrpc.jsonrpc.errors"] = fkrpc.jsonrpc.errors,
  ["fkrpc.random"] = fkrpc.random,
  ["fkrpc.watchdog"] = fkrpc.watchdog,
  ["fkrpc.generator"] = debug.getmetatable(fkrpc.random(1)).__index,
  ["fkrpc.clock"] = fkrpc.clock,
  ["fkrpc.fs"] = fkrpc.fs,
  ["fkrpc.peer"] = peer,
  ["fkrpc.token"] = methods_of(fkrpc.token()),
  ["fkrpc.context"] = context,
  ["fkrpc.child"] = child,
  ["fkrpc.listener"] = listener,
  ["fkrpc.pool"] = pool,
  ["fkrpc.zygote"] = zygote,
}

describe("the definitions", function()
  it("are looked at after everything was loaded", function()
    assert.equal(19, #loaded)
    assert.equal(other, one.other)
  end)

  for class, live in pairs(LIVE) do
    it("of " .. class .. " name its functions and no others", function()
      assert.is_true(#sorted(functions_of(live)) > 0)
      assert.same(sorted(functions_of(live)), sorted(classes[class].functions))
    end)

    it("of " .. class .. " have the parameters of the functions", function()
      for name, f in pairs(functions_of(live)) do
        local info = debug.getinfo(f, "Su")
        if info.what ~= "C" and info.nparams then -- Lua 5.1 and C do not tell
          assert.equal(info.nparams, classes[class].functions[name], class .. "." .. name)
        end
      end
    end)
  end

  for _, class in ipairs({ "fkrpc", "fkrpc.json", "fkrpc.cbor", "fkrpc.jsonrpc", "fkrpc.jsonrpc.errors",
    "fkrpc.freekill" }) do
    it("of " .. class .. " name its other values", function()
      local values = {}
      for name, value in pairs(LIVE[class]) do
        if type(value) ~= "function" then values[name] = true end
      end
      assert.same(sorted(values), sorted(classes[class].fields))
    end)
  end

  it("of a child's own functions know that it is a peer, too", function()
    assert.equal("fkrpc.peer", classes["fkrpc.child"].base)
    for name in pairs(functions_of(peer)) do
      -- A child's stop ends it.
      if name == "stop" then assert.equal(peer.stop, child.stop_serving) else assert.equal(peer[name], child[name]) end
    end
  end)
end)

describe("the definitions of what functions return", function()
  it("name the fields of features()", function()
    assert.same(sorted(fkrpc.features()), sorted(classes["fkrpc.features"].fields))
  end)

  it("name the fields of stats()", function()
    local stats = fkrpc.pair({ latency = true }):stats()
    stats.last_method = false -- a child's
    stats.mismatch = false -- of two ends that do not understand each other
    assert.same(sorted(stats), sorted(classes["fkrpc.stats"].fields))
    assert.same(sorted(stats.latency), sorted(classes["fkrpc.latencies"].fields))
    assert.same(sorted(stats.latency.calls), sorted(classes["fkrpc.latency"].fields))
  end)

  it("name the fields of a child and of its end", function()
    local started = assert(fkrpc.spawn({ "sh", "-c", "exit 3" }))
    assert.same({ "certificate", "hello", "on_death", "pid" }, sorted(classes["fkrpc.child"].fields))
    assert.equal("number", type(started.pid))
    started:call("x")
    local info = started:info()
    info.rss, info.private, info.threads, info.worker = false, false, false, false -- a living one's
    assert.same(sorted(info), sorted(classes["fkrpc.child.info"].fields))
    local exit = assert(started:wait(60))
    assert.equal(3, exit.code)
    assert.equal(exit, started.certificate)
    exit.signal, exit.oom, exit.hung = false, false, false
    assert.same(sorted(exit), sorted(classes["fkrpc.certificate"].fields))
  end)

  it("name the fields of what a zygote says of itself", function()
    local started = assert(fkrpc.zygote({ "sleep", "60" }))
    local info = started:info()
    started:close()
    assert.equal("loading", info.state)
    assert.same(sorted(info), sorted(classes["fkrpc.zygote.info"].fields))
  end)

  it("name the fields of an error object", function()
    local e = fkrpc.error({ code = 1, message = "m", data = "d" })
    assert.same(sorted(e), sorted(classes["fkrpc.error"].fields))
    assert.same(sorted(e), sorted(classes["fkrpc.error.fields"].fields))
  end)

  it("name the fields of a handler's context", function()
    local seen
    other:on("look", function(_, ctx) seen = ctx end)
    one:must("look")
    assert.same(sorted(seen), sorted(classes["fkrpc.context"].fields))
  end)

  it("name the fields of a file's state and what a root has beside the functions of fs", function()
    assert.same(sorted(fkrpc.fs.stat(".")), sorted(classes["fkrpc.fs.stat"].fields))
    assert.equal("fkrpc.fs", classes["fkrpc.fs.root"].base)
    local root = assert(fkrpc.fs.root("."))
    for name in pairs(fkrpc.fs) do assert.equal("function", type(root[name])) end
    for name in pairs(root) do
      assert.equal(fkrpc.fs[name] == nil, classes["fkrpc.fs.root"].functions[name] ~= nil, name)
    end
    root.close()
  end)

  it("name the fields of codecs", function()
    for _, name in ipairs({ "json", "cbor" }) do
      assert.same(sorted(fkrpc[name].new()), sorted(classes["fkrpc." .. name .. ".codec"].fields))
    end
  end)

  it("name the fields of messages", function()
    local fields = {}
    for _, message in ipairs({ fkrpc.jsonrpc.request("m", {}, 1), fkrpc.jsonrpc.response(1),
      fkrpc.jsonrpc.error(1, "parse_error") }) do
      for name in pairs(message) do fields[name] = true end
    end
    assert.same(sorted(fields), sorted(classes["fkrpc.jsonrpc.message"].fields))
    for _, members in ipairs({ '"method":"m","params":[]', '"result":1', '"error":{"code":1,"message":"m"}' }) do
      local text = '{"jsonrpc":"2.0","id":1,' .. members .. "}"
      for name in pairs(assert(fkrpc.jsonrpc.read(text))) do
        assert(classes["fkrpc.jsonrpc.read"].fields[name], name)
      end
    end
  end)
end)

describe("the definitions of options", function()
  -- Those a class inherits from are its own, too.
  local function options_of(class)
    local options = {}
    while class ~= "" do
      for name, kind in pairs(classes[class].fields) do options[name] = kind end
      class = classes[class].base
    end
    return options
  end

  for class, f in pairs({
    ["fkrpc.json.options"] = fkrpc.json.new,
    ["fkrpc.cbor.options"] = fkrpc.cbor.new,
    ["fkrpc.stdio.options"] = full_stdio,
    ["fkrpc.spawn.options"] = fkrpc.spawn,
    ["fkrpc.pair.options"] = fkrpc.pair,
    ["fkrpc.connect.options"] = fkrpc.connect,
    ["fkrpc.listen.options"] = fkrpc.listen,
    ["fkrpc.zygote.options"] = fkrpc.zygote,
  }) do
    it("name the " .. class .. " that are known, and no others", function()
      local known = {}
      for name in pairs(upvalue(f, "KNOWN")) do
        if type(name) == "string" then known[name] = true end
      end
      assert.same(sorted(known), sorted(options_of(class)))
    end)
  end

  for class, new in pairs({ ["fkrpc.json.options"] = fkrpc.json.new, ["fkrpc.cbor.options"] = fkrpc.cbor.new }) do
    it("have the words of the " .. class, function()
      local tried = 0
      for name, kind in pairs(options_of(class)) do
        for _, word in ipairs(words_of(kind)) do
          tried = tried + 1
          if word ~= "cdata" or helper.name == "luajit" then new({ [name] = word }) end
          assert.is_false(pcall(new, { [name] = word .. "?" }))
        end
      end
      assert.is_true(tried > 5)
      -- "big" has most words, and the JSON codec fewer of them than the CBOR one.
      local big = {}
      for _, word in ipairs(words_of(options_of(class).big)) do big[word] = true end
      assert.same(sorted(upvalue(new, "BIG")), sorted(big))
    end)
  end

  it("have the words of a peer's options", function()
    local tried = 0
    local options = classes["fkrpc.wire.options"].fields
    for name, kind in pairs(options) do
      for _, word in ipairs(words_of(kind)) do
        local accepted = false
        for _, codec in ipairs({ "json", "cbor" }) do
          local given = { codec = codec }
          given[name] = word
          accepted = pcall(fkrpc.pair, given) or accepted
        end
        -- 64-bit cdata are LuaJIT's alone.
        local possible = word ~= "cdata" or fkrpc.features().lua == "luajit"
        assert.equal(possible, accepted, name .. " = " .. word)
        tried = tried + 1
      end
    end
    assert.is_true(tried > 8)
    assert.same(sorted(upvalue(full_stdio, "senders")), (function()
      local words = words_of(classes["fkrpc.stdio.options"].fields.print)
      table.sort(words)
      return words
    end)())
  end)

  it("have the options of files", function()
    local fs = fkrpc.fs
    for class, f in pairs({
      ["fkrpc.fs.stat.options"] = function(o) return fs.stat(".", o) end,
      ["fkrpc.fs.mkdir.options"] = function(o) return fs.mkdir("", o) end,
      ["fkrpc.fs.remove.options"] = function(o) return fs.remove("", o) end,
      ["fkrpc.fs.write.options"] = function(o) return fs.write_atomic("", "", o) end,
      ["fkrpc.fs.touch.options"] = function(o) return fs.touch("", o) end,
      ["fkrpc.fs.root.options"] = function(o) return fs.root("", o) end,
    }) do
      local options = classes[class].fields
      assert.is_true(#sorted(options) > 0)
      for name, kind in pairs(options) do
        assert.is_true(pcall(f, { [name] = kind:match("^boolean") and true or 1 }), name)
        assert.is_false(pcall(f, { [name .. "s"] = true }), name)
      end
    end
  end)

  it("have the options of a call and of an error", function()
    assert.same({ "cancel", "on_progress", "timeout" }, sorted(classes["fkrpc.call.options"].fields))
    other:on("quick", function() return 1 end)
    assert.equal(1, one:call("quick", nil, { timeout = 60 }))
    assert.is_false(pcall(one.call, one, "quick", nil, { patience = 60 }))
  end)
end)
