-- What the watchdog costs while nobody is late: instructions of the whole program with it, divided by those without.
--
--   lua5.4 bench/watchdog.lua [KIND ...]       (or `make bench-watchdog`, which builds and sets the path)
--
-- Counted by callgrind (valgrind), so that neither the machine nor its load matters; the smaller of two counts, as hash
-- seeds differ from run to run. The status is 1 if a ratio is above LIMIT; without valgrind nothing is measured, and it
-- says so.

local LIMIT = 1.01

-- Kind, how often, what it is. Long enough that turning the watchdog on (its source is compiled then) hardly counts.
local LOADS = {
  { "plain", 400000, "a loop of calls, tables and strings" },
  { "requests", 100000, "serving requests on stdin" },
  { "resume", 300000, "resume and yield, nothing between" },
  { "wrap", 300000, "the same by coroutine.wrap" },
  { "create", 100000, "a new coroutine that is resumed once" },
  { "nested", 300000, "resume and yield inside a coroutine" },
  { "handler", 300000, "resume and yield inside a handler" },
}
local RUNS = 2

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

if output_of("command -v valgrind") == "" then
  print("skipped: valgrind is missing")
  os.exit(0)
end

local least = -1
while arg[least - 1] do least = least - 1 end
local interpreter = arg[least]
local here = arg[0]:match("^(.*)/[^/]*$") or "."

local requests = os.tmpname()

local function counted(kind, count, per)
  local command = table.concat({
    "valgrind --tool=callgrind --callgrind-out-file=/dev/null", quote(interpreter),
    quote(here .. "/watchdog_load.lua"), kind, ("%d"):format(count), per, "<" .. quote(requests), "2>&1 >/dev/null",
  }, " ")
  local text = output_of(command)
  return tonumber(text:match("Collected : (%d+)")) or error("callgrind counted nothing:\n" .. text, 0)
end

local function instructions(kind, count, per)
  local least_count = counted(kind, count, per)
  for _ = 2, RUNS do least_count = math.min(least_count, counted(kind, count, per)) end
  return least_count
end

local function write_requests(count)
  local file = assert(io.open(requests, "w"))
  for id = 1, count do
    file:write('{"jsonrpc":"2.0","id":', id, ',"method":"add","params":[', id, ",2]}\n")
  end
  file:close()
end

local wanted = {}
for i = 1, #arg do wanted[arg[i]] = true end

local function measure()
  local above = false
  for _, load in ipairs(LOADS) do
    local kind, count, what = load[1], load[2], load[3]
    if #arg == 0 or wanted[kind] then
      if kind == "requests" then write_requests(count) end
      local off = instructions(kind, count, "off")
      for _, per in ipairs({ "handler", "resume" }) do
        local ratio = instructions(kind, count, per) / off
        above = above or ratio > LIMIT
        print(("%-9s per %-8s %.4f%s  %s, %.0f instructions each"):format(kind, per, ratio,
          ratio > LIMIT and " ABOVE " .. LIMIT or "", what, off / count))
        io.stdout:flush()
      end
    end
  end
  return above
end

local fine, above = pcall(measure)
os.remove(requests)
if not fine then error(above, 0) end
os.exit(above and 1 or 0)
