-- Plays a recorded conversation: the parent's side here, the child's in a process of its own (demo/child.lua).
--
-- Reading the recording is done before the conversation starts, so that its times are the conversation's.

local fkrpc = require("fkrpc")
local player = require("demo.player")
local trace = require("demo.trace")
local wire = require("demo.wire")

local parent = {}

-- Seconds a child may take to end once the conversation is over.
local LAST_SECONDS = 20

-- Seconds on a wall clock, to a hundredth where the system has /proc.
local function now()
  local file = io.open("/proc/uptime", "r")
  if not file then
    return os.time()
  end
  local seconds = file:read("*n")
  file:close()
  return seconds
end

-- The environment in which a child finds the library this process found.
local function environment()
  local env = { LUA_CPATH = package.cpath }
  -- The variable with a version, where it is set, goes before the plain one.
  local version = _VERSION:match("%d.*"):gsub("%.", "_")
  if version ~= "5_1" then
    env["LUA_CPATH_" .. version] = false
  end
  return env
end

local function contents(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text ~= "" and text or nil
end

-- How a process ended, in words.
local function ending(status)
  if not status then
    return "it did not end"
  end
  return status.signal and "signal " .. status.signal or "exit status " .. tostring(status.code)
end

-- The first difference of both sides. A connection that ended early is the other side's doing, if that has anything
-- to tell.
local function first(mine, childs)
  local primary = mine and not mine.ended and { "the parent", mine } or childs and { "the child", childs }
    or mine and { "the parent", mine }
  return primary and ("%s received a difference at %s"):format(primary[1], primary[2].text) or nil
end

-- The conversation with files for the child in place.
local function play(given, records, report)
  local options = wire.options(given.trace.codec)
  options.command = { given.lua, given.root .. (given.child or "/demo/child.lua"), records, given.trace.codec, report }
  if given.patience then
    options.command[6] = tostring(given.patience)
  end
  options.env = environment()
  options.env.FK_RPC_MODE = given.trace.codec
  local child, message = fkrpc.spawn(options)
  assert(child, message)
  local side = player.new(child, trace.list(given.trace.records), "p2c", given)
  local started = now()
  side:run(function()
    child:close_stdin()
  end)
  local seconds = now() - started
  child:close()
  local status = child:wait(LAST_SECONDS)
  if not status then
    child:kill(9)
    child:wait()
  end

  local text = contents(report)
  local told = text and fkrpc.cbor.decode(text) or {}
  local difference = first(side.difference, told.difference)
  if not difference and not (text and status and status.code == 0) then
    difference = "the child failed: " .. ending(status)
  elseif not difference and told.messages ~= side.number - 1 then
    difference = ("the child played %d records, the parent %d"):format(told.messages, side.number - 1)
  end
  return {
    messages = side.number - 1, calls = side.calls, seconds = seconds, cpu = told.cpu, rss = told.rss,
    differences = difference and 1 or 0, difference = difference,
  }
end

--- Play `given.trace` (of `trace.read`) with a child run by the interpreter `given.lua`; `given.root` is the folder
--- that holds `demo/`. `given.records` are the child's records if not the trace's (to see that differences show).
--- `given.child` is the child's program below the root if not demo/child.lua. `progress` and `patience` are the
--- player's.
---
--- `{ messages =, calls =, seconds = (wall), cpu = (the child's seconds), rss = (the child's bytes), differences =,
--- difference = text }`. A conversation ends at its first difference, so there are 0 or 1.
function parent.play(given)
  local records, report = os.tmpname(), os.tmpname()
  local good, outcome = pcall(function()
    trace.write(records, given.records or given.trace.records)
    return play(given, records, report)
  end)
  os.remove(records)
  os.remove(report)
  if not good then
    error(outcome, 0)
  end
  return outcome
end

return parent
