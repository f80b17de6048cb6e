-- Copies of a loaded script against loading it: time to the first reply, and what becomes of the shared memory.
--
--   lua5.4 bench/zygote.lua [MEGABYTES]      (or `make bench-zygote`, which builds and sets the path)
--
-- The script builds a heap of so many megabytes (20). The status is 1 when even the fastest first reply of a kind took
-- longer than its bound, which is for 20 MB: whatever else the machine does only adds. Medians are what one sees.

local library = dofile((debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or ".") .. "/library.lua")
local fkrpc = require("fkrpc")
local clock = fkrpc.clock

local MEGABYTES = tonumber(arg[1]) or 20
local BOUNDS = { zygote = 1.0, standin = 8.0 }
local ROUNDS = tonumber(os.getenv("ROUNDS")) or 31

local SCRIPT = [[
local fkrpc = require("fkrpc")
local heap, count = {}, 0
while collectgarbage("count") < MEGABYTES * 1024 do
  for _ = 1, 1000 do
    count = count + 1
    heap[count] = { id = count, name = "card number " .. count, tags = { "a", "b", count } }
  end
end
HEAP = heap
local peer = assert(fkrpc.stdio())
peer:on("ping", function() return true end)
peer:on("work", function(params)
  local t = {}
  for i = 1, 20 do t[i] = { params[1], "text " .. params[1] * i } end
  return #t
end)
peer:on("collect", function() collectgarbage() return true end)
peer:serve()
]]

local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write((SCRIPT:gsub("MEGABYTES", ("%d"):format(MEGABYTES))))
file:close()
local socket = os.tmpname()
os.remove(socket)

-- Milliseconds to the first reply of a child that `start` starts, so many times: the median and the least.
local function first_reply(start, rounds)
  local times = {}
  for i = 1, rounds do
    local before = clock.monotonic_us()
    local child = assert(start())
    child:must("ping")
    times[i] = (clock.monotonic_us() - before) / 1000
    child:close_stdin()
    assert(child:wait(10))
    child:close()
  end
  table.sort(times)
  return library.median(times), times[1]
end

-- Megabytes of one kind in smaps_rollup (proc(5)): `Pss`, `Private_Dirty` ...
local function memory(pid, kind)
  local text = fkrpc.fs.read(("/proc/%d/smaps_rollup"):format(pid)) or ""
  local kilobytes = 0
  for number in text:gmatch(kind .. ":%s*(%d+)") do kilobytes = kilobytes + number end
  return kilobytes / 1024
end

local command = { library.interpreter, path }
local full, full_least = first_reply(function() return fkrpc.spawn(command) end, 7)
print(("full load              %8.2f ms (least %.2f), a heap of %d MB"):format(full, full_least, MEGABYTES))

local zygote = assert(fkrpc.zygote({ command = command, timeout = 60 }))
assert(zygote:ready())
local copied, copied_least = first_reply(function() return zygote:spawn() end, ROUNDS)
print(("copy of a zygote       %8.2f ms (least %.2f), bound %.1f"):format(copied, copied_least, BOUNDS.zygote))

local stand_in = { library.interpreter, "-l", "fkrpc.standin", path }
local env = { FKRPC_STANDIN = socket }
local function behind() return fkrpc.spawn({ command = stand_in, env = env }) end
first_reply(behind, 1) -- starts the zygote
local stood, stood_least = first_reply(behind, ROUNDS)
print(("through a stand-in     %8.2f ms (least %.2f), bound %.1f"):format(stood, stood_least, BOUNDS.standin))

local bare = first_reply(function() return fkrpc.spawn({ library.interpreter, "-e",
  "local p = require('fkrpc').stdio() p:on('ping', function() return true end) p:serve()" }) end, ROUNDS)
print(("an empty script        %8.2f ms"):format(bare))

print("\nmemory of a copy, in MB     private dirty   proportional (PSS)")
for _, count in ipairs({ 1, 10 }) do
  local children = {}
  for i = 1, count do
    children[i] = assert(zygote:spawn())
    children[i]:must("ping")
  end
  local function row(what)
    print(("%2d: %-20s %10.1f %18.1f"):format(count, what, memory(children[1].pid, "Private_Dirty"),
      memory(children[1].pid, "Pss")))
  end
  row("at the fork")
  for _, child in ipairs(children) do
    for i = 1, 1000 do child:must("work", { i }) end
  end
  row("after 1000 requests")
  for _, child in ipairs(children) do child:must("collect") end
  row("after a collection")
  for _, child in ipairs(children) do child:stop() end
end
local alone = assert(fkrpc.spawn(command))
alone:must("ping")
print((" 1: %-20s %10.1f %18.1f"):format("loaded alone", memory(alone.pid, "Private_Dirty"), memory(alone.pid, "Pss")))
alone:stop()

zygote:close()
-- The stand-ins' zygote: it would wait for the next.
local last = assert(behind())
last:must("ping")
local pid = tonumber((fkrpc.fs.read(("/proc/%d/comm"):format(last.pid)) or ""):match("standin:(%d+)"))
pid = pid and (fkrpc.fs.read(("/proc/%d/status"):format(pid)) or ""):match("PPid:%s*(%d+)")
last:stop()
if pid then os.execute("kill " .. pid) end
for _, name in ipairs({ path, socket, socket .. ".log" }) do os.remove(name) end

local failed = copied_least > BOUNDS.zygote or stood_least > BOUNDS.standin
if failed then print("missed") end
os.exit(failed and 1 or 0)
