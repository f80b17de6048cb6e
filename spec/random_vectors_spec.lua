-- freekill-qrandomgen's module against what the Qt module did under Lua 5.4: numbers, conversions, error texts.
--
-- spec/fixtures/random has a small set; the whole one is read from $FKRPC_VECTORS (default: ../shared/vectors beside
-- the project) and left out, saying so, where it is not there. Each Lua plays what it can write down and represent.
local helper = require "spec.helper"
local fkrpc = require "fkrpc"

local has_integers = math.type ~= nil
local is_54 = _VERSION == "Lua 5.4"
local unpack = table.unpack or unpack -- luacheck: ignore 143
fkrpc.compat({ "freekill-qrandomgen" })
local mod = require "freekill-qrandomgen"

-- The game's table.shuffle with a generator, from its description.
local function shuffle(t, g)
  if #t == 2 then
    if g:random() < 0.5 then t[1], t[2] = t[2], t[1] end
    return t
  end
  for i = #t, 2, -1 do
    local j = g:random(i)
    t[i], t[j] = t[j], t[i]
  end
  return t
end

-- `source` as a chunk that sees `env` and all globals.
local function compile(source, env)
  setmetatable(env, { __index = _G })
  if not setfenv then return assert(load(source, "=case", "t", env)) end -- luacheck: ignore 143
  return setfenv(assert(loadstring(source, "=case")), env) -- luacheck: ignore 143
end

-- Arguments as source that every Lua reads, or nil if this Lua has no such value.
local function arguments(source, argv)
  if has_integers then return source end
  if not source:find("<<", 1, true) and not source:find("integer", 1, true) then return source end
  local words = {}
  for i, arg in ipairs(argv) do
    if arg.t ~= "integer" or ("%.0f"):format(tonumber(arg.v)) ~= arg.v then return nil end
    words[i] = arg.v
  end
  return "(" .. table.concat(words, ",") .. ")"
end

local function bits(number)
  return (string.pack(">d", number):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- One recorded value against what came.
local function same(kind, text, got, pattern)
  if kind == "nil" or kind == "boolean" then
    assert.equal(text or "nil", tostring(got))
  elseif kind == "string" then
    assert.equal(text, got)
  else
    assert.equal(tonumber(text), got)
    if has_integers then assert.equal(kind, math.type(got)) end
    if pattern and has_integers then assert.equal(pattern, bits(got)) end
  end
end

-- Texts are Lua 5.4's; of other Luas' only those of arguments are alike, and neither names of callers nor of types.
local function same_error(expected, got)
  if is_54 then
    assert.equal(expected, got)
  elseif expected:find("bad argument", 1, true) and not expected:find("FILE*", 1, true) then
    assert.equal(expected:match("%(.*%)$"), got:match("%(.*%)$"))
  end
end

-- Play a call; the number of values and errors that were compared.
local function play_call(call, env)
  local source = call.eval
  if call.args then
    local written = arguments(call.args, call.argv)
    if not written then return nil end
    source = "return g:random" .. written
  end
  local chunk = compile(source, env)
  local result = call.result
  if call.asis and call.asis.crash then
    -- The range that aborted the module's process.
    local ok, message = pcall(chunk)
    assert.is_false(ok)
    assert.truthy(message:find("interval", 1, true), message)
    return 1
  elseif call.asis then
    -- What the module's process did not come to: the call that raised has drawn nothing.
    for _ = 1, call.n do
      assert.equal(compile(source, { g = env.twin })(), chunk())
    end
    return call.n
  elseif result.crash then
    assert.is_true((pcall(chunk)))
    assert.equal("number", type(env.g:random()))
    return 1
  elseif result.error then
    for _ = 1, call.n or 1 do
      local ok, message = pcall(chunk)
      assert.is_false(ok)
      same_error(result.error, message)
    end
    return call.n or 1
  end
  local got
  if call.eval then
    got = { chunk() }
    assert.is_true(#got <= #result.values)
  else
    got = {}
    for i = 1, call.n do got[i] = chunk() end
  end
  for i, expected in ipairs(result.values) do
    if type(expected) == "table" then
      same(expected.t, expected.v, got[i])
    else
      same(result.type, expected, got[i], result.bits and result.bits[i])
    end
  end
  return math.max(#result.values, 1)
end

-- A call whose result is a text that names the caller, which Lua 5.1 does not know there.
local function names_caller(call)
  return not has_integers and call.eval and call.eval:find("pcall(mod.new", 1, true)
end

-- The number of calls that were played and of values that were compared.
local function play(entry)
  local made = arguments(entry.new, entry.new_argv)
  if not made then return 0, 0 end
  local env = { mod = mod, shuffle = shuffle }
  env.table = setmetatable({ unpack = unpack }, { __index = table })
  local construct = compile("return mod.new" .. made, env)
  if entry.new_result.error then
    local ok, message = pcall(construct)
    assert.is_false(ok)
    same_error(entry.new_result.error, message)
    return 1, 1
  end
  env.g, env.twin = construct(), construct()
  local calls, checks = 0, 0
  for _, call in ipairs(entry.calls) do
    local compared = not names_caller(call) and play_call(call, env)
    if not compared then break end
    calls, checks = calls + 1, checks + compared
  end
  return calls, checks
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return assert(fkrpc.json.decode(text)).lua
end

local function play_all(entries)
  local calls, checks = 0, 0
  for _, entry in ipairs(entries) do
    local ok, more_calls, more_checks = pcall(play, entry)
    if not ok then
      local message = more_calls
      error(entry.id .. ": " .. (type(message) == "table" and tostring(message.message) or tostring(message)), 0)
    end
    calls, checks = calls + more_calls, checks + more_checks
  end
  return calls, checks
end

describe("freekill-qrandomgen", function()
  setup(function() package.loaded["freekill-qrandomgen"] = mod end)
  teardown(function() package.loaded["freekill-qrandomgen"] = nil end)

  it("does what the Qt module did, in the fixture", function()
    local calls, checks = play_all(read(helper.root .. "/spec/fixtures/random/vectors.json"))
    -- Exact, so that a call that is lost is seen.
    assert.same(has_integers and { 212, 1165 } or { 211, 1163 }, { calls, checks })
  end)

  local path = (os.getenv("FKRPC_VECTORS") or helper.root .. "/../shared/vectors") .. "/qrandom-vectors.json"
  local all = read(path)
  if not all then
    pending("does what the Qt module did in the whole set: there is no " .. path .. " (set FKRPC_VECTORS)")
    return
  end
  it("does what the Qt module did, in the whole set", function()
    local calls, checks = play_all(all)
    assert.same(has_integers and { 1004, 12034 } or { 989, 11977 }, { calls, checks })
  end)
end)
