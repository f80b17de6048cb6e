-- Codec benchmark: fkrpc.json and fkrpc.cbor against Debian's lua-cjson, in one process.
--
--   lua5.4 bench/codec.lua [--rounds=11] [--only=rpc,num] [--against=/path/to/another/fkrpc.so]
--
-- Corpora are read from $FKRPC_CORPORA (default: ../shared/corpora beside the project); one that is not there is
-- generated, and the table says so. Every round times each codec once, in shuffled order, with a full collection
-- before each section; time is the process's CPU time (os.clock). A ratio is the median over the rounds of "time of
-- lua-cjson / time of this codec in the same round": above 1 is faster than lua-cjson.
--
-- Under Lua 5.4 each line has a bound (BOUNDS below), the CBOR lines against fkrpc.json in the same round; a line that
-- misses its bound ends with the bound, and the exit status is 1. Other Luas are printed without bounds.
--
-- MB/s always counts the bytes of the JSON text, for CBOR too, so that rows compare. All codecs encode the tables that
-- fkrpc.json decoded (cjson would make floats of all integers), except dkjson, which has a null of its own; "plain"
-- is fkrpc.json on the same tables without the metatable that marks arrays.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local library = dofile(here .. "/library.lua")
local corpora = dofile(here .. "/corpora.lua")
local clock = os.clock

local options = { rounds = "11", only = table.concat(corpora.names, ",") }
for _, word in ipairs(arg) do
  local name, value = word:match("^%-%-(%w+)=(.+)$")
  if not name or not (name == "rounds" or name == "only" or name == "against") then
    io.stderr:write("bench: unknown option '", word, "'\n")
    os.exit(2)
  end
  options[name] = value
end
local rounds = assert(tonumber(options.rounds), "--rounds= takes a number")
local folder = os.getenv("FKRPC_CORPORA") or library.root .. "/../shared/corpora"

-- Where all numbers are doubles, large integers are refused unless asked for; cjson makes floats of them.
local BIG = { big = "float" }
local function open(module)
  return module.json.new(BIG), module.cbor.new(BIG)
end
local json, cbor = open(require("fkrpc"))
local cjson, dkjson = library.optional("cjson"), library.optional("dkjson")

-- The same value without metatables.
local function plain(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for k, v in pairs(value) do
    copy[k] = plain(v)
  end
  return copy
end

local codecs = {}
local function add(name, codec)
  codec.name = name
  codecs[#codecs + 1] = codec
end
if cjson then
  add("cjson", { encode = cjson.encode, decode = cjson.decode })
else
  print("cjson is not installed (Debian: lua-cjson): no ratios")
end
add("fkrpc.json", { encode = json.encode, decode = json.decode })
add("  plain", { encode = json.encode, value = function(text) return plain(json.decode(text)) end })
add("fkrpc.cbor", {
  encode = cbor.encode,
  decode = cbor.decode,
  text = function(text) return assert(cbor.encode(json.decode(text))) end,
})
if options.against then
  local other_json, other_cbor = open(library.load(options.against))
  local text = function(document) return assert(other_cbor.encode(other_json.decode(document))) end
  add("other.json", { encode = other_json.encode, decode = other_json.decode, value = other_json.decode })
  add("other.cbor", { encode = other_cbor.encode, decode = other_cbor.decode, value = other_json.decode, text = text })
end
if dkjson then
  add("dkjson", { encode = dkjson.encode, decode = dkjson.decode, value = dkjson.decode })
end

-- Seconds that `work` takes for one pass over all inputs, as the mean of `passes`.
local function time(work, inputs, passes)
  collectgarbage()
  collectgarbage()
  local started = clock()
  for _ = 1, passes do
    for i = 1, #inputs do
      work(inputs[i])
    end
  end
  return (clock() - started) / passes
end

-- Passes that make a section of at least 20 ms.
local function passes_for(work, inputs)
  local passes = 1
  while true do
    local taken = time(work, inputs, passes) * passes
    if taken >= 0.02 then
      return passes
    end
    passes = taken > 0.002 and math.ceil(passes * 0.025 / taken) or passes * 8
  end
end

-- Every codec's seconds in every round: `times[codec name][round]`.
local function measure(what, inputs_of)
  local runs, times = {}, {}
  for _, codec in ipairs(codecs) do
    if codec[what] then
      local inputs = inputs_of(codec)
      for _, input in ipairs(inputs) do
        assert(codec[what](input) ~= nil, codec.name .. " cannot " .. what .. " this corpus")
      end
      local run = { codec = codec, inputs = inputs, passes = passes_for(codec[what], inputs) }
      runs[#runs + 1] = run
      times[codec.name] = {}
    end
  end
  for round = 1, rounds do
    library.shuffle(runs)
    for _, run in ipairs(runs) do
      times[run.codec.name][round] = time(run.codec[what], run.inputs, run.passes)
    end
  end
  return times
end

-- The median of "time of `base` / time of `name` in the same round".
local function ratio(times, name, base)
  local ratios = {}
  for round, taken in ipairs(times[name]) do
    ratios[round] = times[base][round] / taken
  end
  return library.median(ratios)
end

-- What is to be reached: fkrpc.json against lua-cjson, fkrpc.cbor against fkrpc.json.
local BOUNDS = {
  ["fkrpc.json"] = {
    base = "cjson",
    decode = { rpc = 1.9, medium = 2.1, num = 2.3, str = 1.65 },
    encode = { rpc = 2.4, medium = 2.6, num = 7, str = 1.9 },
  },
  ["fkrpc.cbor"] = {
    base = "fkrpc.json",
    decode = { rpc = 1, medium = 1, num = 1.8 },
    encode = { rpc = 1, medium = 1 },
  },
}
local bounded = cjson and _VERSION == "Lua 5.4"
local missed = 0

-- What is said of a line's bound.
local function verdict(what, corpus, name, times)
  local bounds = bounded and BOUNDS[name]
  local bound = bounds and bounds[what][corpus]
  if not bound then return "" end
  local reached = ratio(times, name, bounds.base)
  local text = bounds.base == "cjson" and "" or ("  %5.2fx of %s"):format(reached, bounds.base)
  if reached >= bound then return text end
  missed = missed + 1
  return ("%s  MISSED: %.2fx"):format(text, bound)
end

local function report(what, corpus, bytes, times)
  for _, codec in ipairs(codecs) do
    local taken = times[codec.name]
    if taken then
      local speed = bytes / library.median(taken) / 1e6
      local figures = ("%-7s %-7s %-11s %8.1f MB/s"):format(corpus, what, codec.name, speed)
      if cjson then figures = figures .. (" %7.2fx"):format(ratio(times, codec.name, "cjson")) end
      print(figures .. verdict(what, corpus, codec.name, times))
    end
  end
end

print(("%s (%s), %d rounds"):format(_VERSION, library.name, rounds))
for name in options.only:gmatch("[^,]+") do
  local documents, bytes, origin = corpora.load(folder, name)
  if origin == "generated" then
    bounded = false
    print(("%s: no %s/%s.jsonl, so a small generated corpus is used"):format(name, folder, name))
  end
  report("decode", name, bytes, measure("decode", function(codec)
    local texts = {}
    for i, document in ipairs(documents) do
      texts[i] = codec.text and codec.text(document) or document
    end
    return texts
  end))
  report("encode", name, bytes, measure("encode", function(codec)
    local values, value = {}, codec.value or json.decode
    for i, document in ipairs(documents) do
      values[i] = value(document)
    end
    return values
  end))
end
if missed > 0 then
  print(("%d of the bounds missed"):format(missed))
  os.exit(1)
end
