-- What is too large is refused before it costs anything: memory for a message that is longer than it may be, time for
-- one that is deeper.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

describe("a limit", function()
  after_each(programs.finish)

  -- How much more memory than before a peer takes at most, and is left with, in kB: `start` comes first, then `size`
  -- bytes of `byte`.
  local function memory(options, start, size, byte)
    local script = programs.command(([[
      local fkrpc = require("fkrpc")
      local function memory(name)
        return tonumber(fkrpc.fs.read("/proc/self/status"):match(name .. ":%%s*(%%d+) kB"))
      end
      local peer = assert(fkrpc.stdio(%s))
      while peer:step(0.01) do end -- nothing is there yet
      local base = memory("VmRSS")
      io.stderr:write("ready\n")
      peer:serve()
      io.stderr:write(memory("VmHWM") - base, " ", memory("VmRSS") - base, "\n")
    ]]):format(options))
    local done = programs.shell(([[
      { until grep -q ready "$ERR"; do sleep 0.01; done; cat "$START"; head -c %d /dev/zero | tr '\0' '%s'; } \
        | %s >"$OUT" 2>"$ERR"
    ]]):format(size, byte, script), "", { START = programs.file(start) })
    local peak, left = done.err:match("(%-?%d+) (%-?%d+)\n$")
    assert.is_truthy(peak, done.err)
    return tonumber(peak), tonumber(left)
  end

  local MIB = 2 ^ 20
  local function header(size) return ("Content-Length: %d\r\n\r\n"):format(size) end
  local function length(size) return string.char(math.floor(size / 2 ^ 24), math.floor(size / 65536) % 256, 0, 0) end
  for name, case in pairs({
    ["a line without end"] = { "{}", "", 100 * MIB, "x" },
    ["a line of nearly the limit"] = { "{}", "\"", 15 * MIB, "x" },
    ["a message with a header"] = { '{ framing = "content-length" }', header(100 * MIB), 100 * MIB, "x" },
    ["one of nearly the limit"] = { '{ framing = "content-length" }', header(15 * MIB), 15 * MIB, "x" },
    ["a header without end"] = { '{ framing = "content-length" }', "X", 100 * MIB, "x" },
    ["a message with a length"] = { '{ framing = "length" }', length(100 * MIB), 100 * MIB, "x" },
    ["one with a length of nearly the limit"] = { '{ framing = "length" }', length(15 * MIB), 15 * MIB, "x" },
    ["a text of CBOR"] = { '{ codec = "cbor" }', "\122" .. length(100 * MIB), 100 * MIB, "x" },
    ["a text of CBOR of nearly the limit"] = { '{ codec = "cbor" }', "\122" .. length(15 * MIB), 15 * MIB, "x" },
    ["an endless array of CBOR"] = { '{ codec = "cbor" }', "\159", 100 * MIB, "a" },
  }) do
    it("of 16 MiB keeps memory below twice that, and what was taken is given back: " .. name, function()
      local peak, left = memory((unpack or table.unpack)(case))
      assert.truthy(peak < 2 * 16 * 1024, "peak " .. peak .. " kB above the base")
      assert.truthy(left < 1024, left .. " kB are left")
    end)
  end

  it("does not matter to open brackets: a hundred thousand are refused in under 10 ms of CPU time", function()
    for name, case in pairs({
      JSON = { {}, ("["):rep(100000) .. "\n" },
      ["JSON of a known length"] = { { framing = "length" }, "\0\1\134\160" .. ("["):rep(100000) },
      CBOR = { { codec = "cbor" }, ("\129"):rep(100000) },
      ["CBOR of a known length"] = { { codec = "cbor", framing = "length" }, "\0\1\134\160" .. ("\129"):rep(100000) },
    }) do
      local left, right = fkrpc.pair(case[1])
      local best = math.huge
      for _ = 1, 5 do
        assert(left:send_raw(case[2]))
        local before = os.clock()
        right:step(0)
        best = math.min(best, os.clock() - before)
      end
      assert.truthy(best < 0.01, name .. ": " .. best)
      assert.truthy(right:stats().malformed >= 1)
      -- It is still at work (CBOR without lengths has no place to go on at before all is passed over).
      while left:receive_raw(0) do end -- luacheck: ignore
    end
  end)
end)
