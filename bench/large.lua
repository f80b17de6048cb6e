-- Large documents: that time is linear in their size, and that memory stays in bounds and is given back.
--
--   lua5.4 bench/large.lua [--sizes=1,10,100] [--only=objects,numbers,strings,sorted]
--     [--heap=/path/to/heap.so]
--
-- Each document (so many megabytes of JSON) is decoded and encoded in a process of its own, in which nothing else was
-- done; "sorted" is one large object that is encoded with sorted keys and indentation. Time is CPU time (os.clock).
-- Memory is the kernel's: the peak resident set (VmHWM, reset before each step) over what the process had before it
-- read the text, compared with the value's own size (collectgarbage("count"), nothing but the value being new) plus the
-- text. It ends with status 1 if a bound is missed:
--
-- * time per megabyte at most 2 times that of the document a tenth its size (from 10 MB on),
-- * a peak of at most 2.5 times value plus text, for decoding and for encoding (from 10 MB on),
-- * after all is dropped and collected, at most 1.1 MB that are the library's own: what malloc has handed out (heap.c)
--   without what Lua has. The library keeps four buffers of at most 256 KB. "left" is for information: the resident set
--   then, after free pages went back; Lua's own small objects leave some of their pages behind.
--
-- Where there is no /proc, or no heap.so, memory or what is kept is not looked at, and it says so.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local PEAK, SLOWER, KEPT_MB = 2.5, 2, 1.1

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

-- Resident megabytes, now and at most; nil where there is no /proc.
local function resident()
  local status = read("/proc/self/status")
  if not status then return nil end
  return tonumber(status:match("VmRSS:%s*(%d+)")) / 1024, tonumber(status:match("VmHWM:%s*(%d+)")) / 1024
end

-- Let the peak begin anew (proc_pid_clear_refs(5)).
local function reset_peak()
  local file = io.open("/proc/self/clear_refs", "w")
  if not file then return false end
  file:write("5\n")
  file:close()
  return true
end

local function collect()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") / 1024
end

-- Megabytes that malloc has handed out to others than Lua, with free pages given back first; nil without heap.so.
-- LuaJIT has its memory from the system, not from malloc.
local function heap_of(library)
  local used = library and package.loadlib(library, "heap_used")
  if not used then return function() return nil end end
  local trim = assert(package.loadlib(library, "heap_trim"))
  return function()
    local lua = rawget(_G, "jit") and 0 or collect()
    trim()
    return used() / 2 ^ 20 - lua
  end
end

-- What a process of its own does: print one line of figures.
local function measure(path, megabytes, kind, heap_library)
  local library = dofile(here .. "/library.lua")
  local style = kind == "sorted" or nil
  local json = require("fkrpc").json.new({ big = "float", sorted = style, indent = style and 1 })
  -- All that is made once is made now.
  assert(json.encode(assert(json.decode('[{"a":[1,2.5,"x"]}]'))))
  assert(library)
  local others = heap_of(heap_library)
  collect()
  local kept = others()
  local before = resident()
  local file = assert(io.open(path, "rb"))
  local text = file:read(math.floor(megabytes * 1000000))
  file:close()
  local text_mb = #text / 2 ^ 20

  -- LuaJIT's buffer for reading shrinks by half with each collection.
  local counted, last = collect(), nil
  while counted ~= last do
    counted, last = collect(), counted
  end
  local known = before and reset_peak()
  local started = os.clock()
  local value = assert(json.decode(text))
  local decode_time = os.clock() - started
  local decode_peak = known and select(2, resident()) - before
  local value_mb = collect() - counted

  text = nil -- luacheck: ignore
  collect()
  known = before and reset_peak()
  started = os.clock()
  local written = assert(json.encode(value))
  local encode_time = os.clock() - started
  local encode_peak = known and select(2, resident()) - before
  local written_mb = #written / 2 ^ 20

  value, written = nil, nil -- luacheck: ignore
  collect()
  kept = kept and others() - kept
  local left = before and resident() - before
  print(("%.6f %.6f %.3f %.3f %.3f %s %s %s %s"):format(decode_time, encode_time, text_mb, written_mb, value_mb,
    decode_peak or "-", encode_peak or "-", left or "-",
    kept or "-"))
end

if arg[1] == "--measure" then
  measure(arg[2], tonumber(arg[3]), arg[4], arg[5])
  os.exit(0)
end

local library = dofile(here .. "/library.lua")
local corpora = dofile(here .. "/corpora.lua")

local options = { sizes = "1,10,100", only = "objects,numbers,strings,sorted", heap = "" }
for _, word in ipairs(arg) do
  local name, value = word:match("^%-%-(%w+)=(.+)$")
  if not options[name] then
    io.stderr:write("bench: unknown option '", word, "'\n")
    os.exit(2)
  end
  options[name] = value
end

-- Write a document of exactly so many bytes: records over and over, in an array or as members, then a string that fills
-- it.
local function write_document(path, records, bytes, members)
  local file = assert(io.open(path, "wb"))
  assert(file:write(members and "{" or "["))
  local size, i = 1, 0
  while true do
    -- Keys in no order.
    local key = members and ('"k%d":'):format(i * 7919 % 1000003) or ""
    local record = key .. records[i % #records + 1] .. ",\n"
    if size + #record + 9 > bytes then break end
    assert(file:write(record))
    size, i = size + #record, i + 1
  end
  local key = members and '"end":' or ""
  assert(file:write(key, '"', ("x"):rep(bytes - size - #key - 3), '"', members and "}" or "]"))
  assert(file:close())
end

local function generated(...)
  local records = {}
  for _, name in ipairs({ ... }) do
    for _, line in ipairs((corpora.load("", name))) do records[#records + 1] = line end
  end
  return records
end

local KINDS = {
  objects = function() return generated("rpc", "medium") end,
  numbers = function() return generated("num") end,
  strings = function() return generated("str") end,
  sorted = function() return generated("rpc") end,
}

local missed = 0
local function bound(figure, limit, text, ...)
  if figure <= limit then return "" end
  missed = missed + 1
  io.stderr:write("bench: missed: ", text:format(...), "\n")
  return "!"
end

local path = os.tmpname()
if not resident() then print("there is no /proc here: peaks are not looked at") end
if not package.loadlib(options.heap, "heap_used") then
  print("there is no heap.so (see bench/run.sh): what is kept is not looked at")
end
print(("%-8s %6s  %9s %9s  %8s  %14s %14s  %6s %6s"):format(
  "kind", "MB", "dec ms/MB", "enc ms/MB", "value MB", "dec peak (x)", "enc peak (x)", "left", "kept"))
for kind in options.only:gmatch("%w+") do
  local records = assert(KINDS[kind], "no such kind of document: " .. kind)()
  local last
  for size in options.sizes:gmatch("[%d.]+") do
    local megabytes = tonumber(size)
    write_document(path, records, megabytes * 1000000, kind == "sorted")
    local command = ("%s %s --measure %s %s %s %s"):format(library.quote(library.interpreter), library.quote(arg[0]),
      library.quote(path), size, kind, library.quote(options.heap))
    local pipe = assert(io.popen(command))
    local figures = {}
    for word in pipe:read("*a"):gmatch("%S+") do figures[#figures + 1] = tonumber(word) or word end
    pipe:close()
    assert(#figures == 9, "the process that measures has failed: " .. command)
    local text, written, value = figures[3], figures[4], figures[5]
    local now = { figures[1] * 1000 / megabytes, figures[2] * 1000 / megabytes }
    local marks = { "", "" }
    if last and megabytes >= 10 then
      for i, what in ipairs({ "decoding", "encoding" }) do
        marks[i] = bound(now[i], last[i] * SLOWER, "%s %s MB of %s takes %.1f times as long per MB as less of it",
          what, size, kind, now[i] / last[i])
      end
    end
    local peaks, left, kept = { "-", "-" }, "-", "-"
    if type(figures[6]) == "number" then
      for i, whole in ipairs({ value + text, value + written }) do
        local ratio = figures[5 + i] / whole
        local mark = megabytes >= 10 and bound(ratio, PEAK, "%s MB of %s: a peak of %.2f times value and text", size,
          kind, ratio) or ""
        peaks[i] = ("%.1f (%.2f%s)"):format(figures[5 + i], ratio, mark)
      end
    end
    if type(figures[8]) == "number" then left = ("%.1f"):format(figures[8]) end
    if type(figures[9]) == "number" then
      kept = ("%.2f"):format(figures[9]) .. bound(figures[9], KEPT_MB, "%s MB of %s: %.2f MB are not given back", size,
        kind, figures[9])
    end
    print(("%-8s %6s  %9s %9s  %8.1f  %14s %14s  %6s %6s"):format(kind, size, ("%.2f"):format(now[1]) .. marks[1],
      ("%.2f"):format(now[2]) .. marks[2], value, peaks[1], peaks[2], left, kept))
    last = now
  end
end
os.remove(path)
if missed > 0 then
  io.stderr:write("bench: ", missed, " bounds are missed\n")
  os.exit(1)
end
