-- Plays the child of a recorded conversation over stdin and stdout: lua demo/child.lua RECORDS CODEC REPORT [PATIENCE].
--
-- RECORDS is a file of `trace.write`. REPORT is written at the end, in CBOR: messages, calls, difference, cpu (seconds
-- from the first message to the last, without reading the records) and rss (bytes).

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/../?.lua;" .. package.path

local fkrpc = require("fkrpc")
local player = require("demo.player")
local trace = require("demo.trace")
local wire = require("demo.wire")

-- Memory held by this process, in bytes; nil where the system does not tell in this way.
local function resident()
  local file = io.open("/proc/self/status", "r")
  if not file then
    return nil
  end
  local kilobytes = file:read("*a"):match("VmRSS:%s*(%d+)")
  file:close()
  return tonumber(kilobytes) * 1024
end

local records, codec, report, patience = arg[1], arg[2], arg[3], tonumber(arg[4])
local peer = assert(fkrpc.stdio(wire.options(codec)))
local source, spent = trace.blocks(records)
local child = player.new(peer, source, "c2p", { patience = patience })

local started, reading = os.clock(), spent.seconds
child:run()
local cpu = os.clock() - started - (spent.seconds - reading)

local file = assert(io.open(report, "wb"))
file:write(assert(fkrpc.cbor.encode({
  messages = child.number - 1, calls = child.calls, difference = child.difference, cpu = cpu, rss = resident(),
})))
file:close()
peer:close()
os.exit(child.difference and 1 or 0)
