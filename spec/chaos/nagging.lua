-- Calls while signals come: a child that is stopped and continued thousands of times a second, and both ends
-- interrupted by a timer whose signal ends every system call that waits.
--
-- Whoever uses it has the library on package.cpath, and a C compiler. It counts; it judges nothing.

local nagging = {}

-- What both ends run. The timer of a program goes on when it executes another one, but its handler does not: so there
-- is no shell in between.
local CHILD = [[
  package.cpath = %q
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio())
  peer:on("echo", function(params) return params[1] end)
  peer:on("nested", function(params) return peer:must("back", { params[1] }) end)
  peer:on("length", function(params) return #params[1] end)
  os.exit(peer:serve() == "eof" and peer:stats().malformed == 0 and 0 or 9)
]]

local PARENT = [[
  package.cpath = %q
  local fkrpc = require("fkrpc")
  local child = assert(fkrpc.spawn({ %q, %q }))
  child:on("back", function(params) return params[1] end)
  local nag = %s
  if nag then nag = assert(fkrpc.spawn({ nag, ("%%d"):format(child.pid), "2000", env = { LD_PRELOAD = false } })) end
  local errors, large = 0, ("x"):rep(200000)
  local function check(expected, result, err)
    if err ~= nil or result ~= expected then
      errors = errors + 1
      io.stderr:write("call: ", tostring(err or result), "\n")
    end
  end
  local began = fkrpc.clock.monotonic_us()
  for i = 1, %d do
    if i %% 1000 == 0 then check(#large, child:call("length", { large }))
    elseif i %% 10 == 0 then check(i, child:call("nested", { i }))
    else check(i, child:call("echo", { i })) end
  end
  local seconds = (fkrpc.clock.monotonic_us() - began) / 1e6
  local stops = "0"
  if nag then
    nag:close_stdin()
    stops = assert(nag:receive_raw(30))
  end
  local stats = child:stats()
  child:close_stdin()
  local exit = child:wait(30)
  if not exit or exit.code ~= 0 then errors = errors + 1 end
  print(errors, stats.strays + stats.malformed, seconds, stops)
]]

local function file(text)
  local path = os.tmpname()
  local handle = assert(io.open(path, "wb"))
  handle:write(text)
  assert(handle:close())
  return path
end

local function read(path)
  local handle = assert(io.open(path, "rb"))
  local text = handle:read("*a")
  handle:close()
  return text
end

local function succeeded(status) return status == true or status == 0 end

--- Build what sends the signals from the folder of the sources: a table for `run`; nil without a C compiler.
function nagging.build(folder)
  local tools = { nag = os.tmpname(), alarm = os.tmpname() }
  local fine = succeeded(os.execute(("cc -O1 -o '%s' '%s/nag.c' 2>/dev/null"):format(tools.nag, folder)))
    and succeeded(os.execute(("cc -shared -fPIC -O1 -o '%s' '%s/alarm.c' 2>/dev/null"):format(tools.alarm, folder)))
  if fine then return tools end
  nagging.remove(tools)
end

--- Remove what was built.
function nagging.remove(tools)
  os.remove(tools.nag)
  os.remove(tools.alarm)
end

--- `count` calls with both (or one) of `{ stop = true, alarm = true }`: `{ errors =, strays =, seconds =, stops =,
--- alarms =, log = }`; nil and what was said if they did not come to their end.
function nagging.run(tools, interpreter, count, what)
  local childs, log, out = file(CHILD:format(package.cpath)), file(""), file("")
  local parents = file(PARENT:format(package.cpath, interpreter, childs,
    what.stop and ("%q"):format(tools.nag) or "false", count))
  local preload = what.alarm and "LD_PRELOAD=" .. tools.alarm .. " " or ""
  os.execute(("%s%s %s >%s 2>>%s </dev/null"):format(preload, interpreter, parents, out, log))
  local errors, strays, seconds, stops = read(out):match("^(%d+)\t(%d+)\t(%S+)\t(%d+)\n$")
  local said = read(log)
  local alarms = 0
  for number in said:gmatch("alarm: (%d+)") do alarms = alarms + tonumber(number) end
  for _, path in ipairs({ childs, parents, log, out }) do os.remove(path) end
  return errors and {
    errors = tonumber(errors), strays = tonumber(strays), seconds = tonumber(seconds), stops = tonumber(stops),
    alarms = alarms, log = said,
  }, said
end

return nagging
