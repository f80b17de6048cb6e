-- Pools for specs: their children run one Lua text that can say its pid, work, grow, wait and die.
--
-- Call `pools.finish` after each test: it closes the pools and removes the files.

local fkrpc = require("fkrpc")
local programs = require("spec.helper") and dofile(require("spec.helper").root .. "/spec/programs.lua")

local pools = { DEADLINE = programs.DEADLINE }

local SCRIPT = [[
local fkrpc = require("fkrpc")
%b
local peer = assert(fkrpc.stdio())
local stat = assert(io.open("/proc/self/stat"))
local pid = tonumber(stat:read("*l"):match("^%d+"))
stat:close()
local kept = {}
peer:on("pid", function() return pid end)
peer:on("echo", function(params) return params end)
peer:on("wait", function(params) fkrpc.clock.sleep(params[1]) return pid end)
peer:on("grow", function(params) kept[#kept + 1] = ("x"):rep(params[1] * 2^20) return #kept end)
peer:on("die", function(params) os.exit(params[1]) end)
peer:on("ask", function(params) return assert(peer:call("question", params)) end)
peer:on("fail", function() error("failed as asked") end)
%s
peer:notify("hello", {})
peer:serve()
]]

local open = {}

--- The command of a child; `more` is run before it says hello, `before` before it takes its stdio.
function pools.command(more, before)
  local parts = { s = more or "", b = before or "" }
  local script = SCRIPT:gsub("%%([sb])\n", function(part) return parts[part] .. "\n" end)
  return { "sh", "-c", "exec " .. programs.command(script) }
end

--- A pool of such children, with these options; for `given.more` and `given.before` see `pools.command`.
function pools.start(given)
  local options = { handshake = "hello", command = pools.command(given.more, given.before), grace = 1 }
  for name, value in pairs(given) do
    if name ~= "more" and name ~= "before" then options[name] = value end
  end
  local pool = assert(fkrpc.pool(options))
  open[#open + 1] = pool
  return pool
end

--- Run the pool's loop until `condition()` is true; fails after the hang detector's time.
function pools.until_true(pool, condition, what)
  local deadline = fkrpc.clock.monotonic_us() + pools.DEADLINE * 1e6
  while not condition() do
    assert(fkrpc.clock.monotonic_us() < deadline, "it did not happen: " .. what)
    pool.loop:step(0.02)
  end
end

--- Whether a process with this pid exists (a zombie does).
function pools.exists(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if file then file:close() end
  return file ~= nil
end

--- The pids of the children in one state, sorted.
function pools.pids(pool, state)
  local pids = {}
  for _, child in ipairs(pool:info().children) do
    if child.state == state then pids[#pids + 1] = child.pid end
  end
  return pids
end

--- Count events of a pool by name; the last one of each, too.
function pools.events(pool)
  local seen = { last = {} }
  for _, name in ipairs({ "started", "ready", "recycled", "stopped", "hung", "died", "failed" }) do
    seen[name] = 0
    pool:on(name, function(event)
      seen[name] = seen[name] + 1
      seen.last[name] = event
    end)
  end
  return seen
end

--- Close and remove everything.
function pools.finish()
  for _, pool in ipairs(open) do pool:close() end
  open = {}
  programs.finish()
end

--- The seconds that `f` takes.
function pools.seconds_of(f)
  local began = fkrpc.clock.monotonic_us()
  f()
  return (fkrpc.clock.monotonic_us() - began) / 1e6
end

return pools
