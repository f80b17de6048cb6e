-- Load for a long time, with a random fault every few seconds: `lua5.4 scripts/soak.lua MINUTES [SECONDS] [SEED]`
-- (`make soak MINUTES=10`).
--
-- Three children are called in turn. A call that a fault ends is made again until it is answered; an answer that is not
-- the right one, a call that no fault explains, a descriptor or a process that stays, and memory that grows make the
-- status 1. It needs the library on LUA_CPATH, or built for this Lua.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/stamp.lua")
local root = stamp.absolute(here .. "/..")
local folder = stamp.paths(root, stamp.lua_name()).folder
package.cpath = folder .. "/?.so;" .. package.cpath

local fkrpc = require("fkrpc")
local clock, fs = fkrpc.clock, fkrpc.fs
local left = dofile(root .. "/spec/chaos/left.lua")

local lowest = 0
while arg[lowest - 1] do lowest = lowest - 1 end
local interpreter = arg[lowest]

local minutes, pause = tonumber(arg[1]) or 10, tonumber(arg[2]) or 5
local seed = tonumber(arg[3]) or os.time()
local random = fkrpc.random(seed)
local TIMEOUT = 2

local SCRIPT = os.tmpname()
do
  local file = assert(io.open(SCRIPT, "wb"))
  file:write(("package.cpath = %q .. package.cpath\n"):format(folder .. "/?.so;"), [[
    local fkrpc = require("fkrpc")
    local peer = assert(fkrpc.stdio())
    peer:on("echo", function(params) return params[1] end)
    peer:on("nested", function(params) return peer:must("back", { params[1] }) + 1 end)
    peer:on("raise", function(params) error("fault " .. params[1]) end)
    peer:on("garbage", function() peer:send_raw(("\0\255garbage\n"):rep(50)) end)
    peer:on("flood", function() for i = 1, 2000 do peer:notify("tick", { i, ("x"):rep(100) }) end end)
    peer:on("giant", function() return ("g"):rep(4e6) end)
    peer:on("nap", function(params) fkrpc.clock.sleep(params[1]) end)
    peer:on("half", function() peer:send_raw('{"jsonrpc":"2.0",') os.exit(0) end)
    peer:on("exit", function() os.exit(3) end)
    peer:on("die", function() os.execute("kill -9 $PPID") end)
    peer:serve()
  ]])
  file:close()
end

local counts = { calls = 0, retried = 0, faults = 0, restarts = 0, wrong = 0, unexplained = 0 }
local children = {}

local function start(i)
  local child = assert(fkrpc.spawn({
    "sh", "-c", 'exec "$@" 2>/dev/null', "sh", interpreter, SCRIPT, garbage = "log",
  }))
  child:on("back", function(params) return params[1] end)
  child:on("tick", function() end)
  children[i] = child
end

local function restart(i)
  local child = children[i]
  child:close()
  child:kill(18)
  if child:wait(0.2) == false then
    child:kill(9)
    child:wait()
  end
  counts.restarts = counts.restarts + 1
  start(i)
end

-- What runs beside us for a moment; collected later.
local function beside(command)
  return fkrpc.spawn({ "sh", "-c", command })
end

local helpers = {}
local FAULTS = {
  function(child) child:kill(9) end,
  function(child) child:kill(15) end,
  function(child) helpers[#helpers + 1] = beside(("sleep 0.0%d; kill -9 %d"):format(random:random(9), child.pid)) end,
  function(child)
    helpers[#helpers + 1] = beside(("kill -STOP %d; sleep 0.3; kill -CONT %d"):format(child.pid, child.pid))
  end,
  function(child) child:kill(19) end, -- for good: calls time out, and it is replaced
  function(child) child:send_raw(("garbage \0\255\n"):rep(100)) end,
  function(child) child:send_raw('{"jsonrpc":"2.0",') end,
  function(child) child:send_raw('[1,2,[],{"jsonrpc":"2.0","id":null,"method":"echo"}]\n') end,
  function(child) child:call("garbage", nil, { timeout = TIMEOUT }) end,
  function(child) child:call("flood", nil, { timeout = TIMEOUT }) end,
  function(child) child:call("giant", nil, { timeout = TIMEOUT }) end,
  function(child) child:call("nap", { 0.2 }, { timeout = 0.05 }) end,
  function(child) child:call("half", nil, { timeout = TIMEOUT }) end,
  function(child) child:call("exit", nil, { timeout = TIMEOUT }) end,
  function(child) child:call("die", nil, { timeout = TIMEOUT }) end,
  function(child) child:close_stdin() end,
  function(child) child:close() end,
  function(child) for i = 1, 5000 do child:notify("raise", { i }) end end,
}

-- One call until it is answered rightly.
local touched = {} -- children that had a fault and may fail for it
local function call(i, number)
  local method = number % 5 == 0 and "nested" or "echo"
  local param = method == "nested" and number or ("%d:"):format(number) .. ("p"):rep(number % 300)
  local expected = method == "nested" and number + 1 or param
  counts.calls = counts.calls + 1
  for _ = 1, 5 do
    local result, err = children[i]:call(method, { param }, { timeout = TIMEOUT })
    if err == nil then
      if result ~= expected then counts.wrong = counts.wrong + 1 end
      return
    end
    if not touched[i] then
      counts.unexplained = counts.unexplained + 1
      print("unexplained: " .. tostring(err))
    end
    counts.retried = counts.retried + 1
    restart(i)
    touched[i] = nil
  end
  counts.wrong = counts.wrong + 1
end

local function memory()
  collectgarbage()
  collectgarbage()
  return tonumber((fs.read("/proc/self/status") or ""):match("VmRSS:%s*(%d+)")) or 0
end

for i = 1, 3 do start(i) end
-- None has its first stderr any more, and somebody looks out for the calls' timeouts.
local function warm_up()
  for i = 1, 300 do call(i % 3 + 1, i) end
end
warm_up()
local _, open = left.count(fkrpc)
local sizes = {}
local begun, ends = clock.monotonic_us(), clock.monotonic_us() + minutes * 60e6
local due, number = begun + pause * 1e6, 0
while clock.monotonic_us() < ends do
  for _ = 1, 100 do
    number = number + 1
    call(number % 3 + 1, number)
  end
  if clock.monotonic_us() >= due then
    due = due + pause * 1e6
    for at = #helpers, 1, -1 do
      if helpers[at]:wait(0) then table.remove(helpers, at) end
    end
    local i = random:random(3)
    touched[i] = true
    counts.faults = counts.faults + 1
    FAULTS[random:random(#FAULTS)](children[i])
    if clock.monotonic_us() - begun > (#sizes + 1) * minutes * 6e6 then sizes[#sizes + 1] = memory() end
  end
end
for _, helper in ipairs(helpers) do
  helper:close()
  helper:wait()
end
helpers = {}
for i = 1, 3 do restart(i) end -- what faults have closed is open again
warm_up()
local _, now = left.count(fkrpc, open)
sizes[#sizes + 1] = memory()
for i = 1, 3 do
  children[i]:close()
  children[i]:kill(18)
  if children[i]:wait(1) == false then
    children[i]:kill(9)
    children[i]:wait()
  end
end
os.remove(SCRIPT)

print(("seed %d, %.1f minutes: %d calls, %d faults, %d calls made again, %d restarts"):format(seed,
  (clock.monotonic_us() - begun) / 60e6, counts.calls, counts.faults, counts.retried, counts.restarts))
print(("%d wrong or lost, %d unexplained; descriptors %d at the beginning, %d at the end"):format(counts.wrong,
  counts.unexplained, open, now))
print("memory in KiB, ten times on the way: " .. table.concat(sizes, " "))
-- Giants come and go: half way all kinds of faults have been there.
local half = sizes[math.ceil(#sizes / 2)]
local grown = sizes[#sizes] > half * 1.25 + 8192
os.exit((counts.wrong + counts.unexplained == 0 and open == now and not grown) and 0 or 1)
