-- One load for bench/watchdog.lua: `lua watchdog_load.lua KIND COUNT off|handler|resume`, `handler` and `resume` being
-- the watchdog's `per`. "requests" serves its stdin.
local kind, count, per = arg[1], tonumber(arg[2]), arg[3]
local fkrpc = require("fkrpc")
if rawget(_G, "jit") then rawget(_G, "jit").off() end
if per ~= "off" then assert(fkrpc.watchdog(15, { per = per })) end
local create, resume, wrap, yield = coroutine.create, coroutine.resume, coroutine.wrap, coroutine.yield

local function sleeper() while true do yield() end end

local function resumes()
  local co = create(sleeper)
  for _ = 1, count do resume(co) end
end

local loads = {}

-- What a game does between two requests, more or less: calls, tables, strings.
function loads.plain()
  local list, sum = {}, 0
  local function add(n) return n * 3 % 7 end
  for i = 1, count do
    sum = sum + add(i)
    if i % 50 == 0 then list[i % 1000] = { name = "n" .. i % 512, sum } end
  end
  assert(next(list))
end

loads.resume = resumes

function loads.wrap()
  local f = wrap(sleeper)
  for _ = 1, count do f() end
end

function loads.create()
  local function f() end
  for _ = 1, count do resume(create(f)) end
end

function loads.nested()
  assert(resume(create(resumes)))
end

function loads.requests()
  local peer = assert(fkrpc.stdio())
  peer:on("add", function(params) return params[1] + params[2] end)
  assert(peer:serve() == "eof")
end

-- A handler that resumes.
function loads.handler()
  local one, other = fkrpc.pair()
  other:on("rooms", function() resumes() end)
  local _, e = one:call("rooms")
  assert(e == nil)
end

assert(loads[kind], kind)()
