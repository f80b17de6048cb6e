-- What the caller hears of code that the watchdog stopped, in batches and where making the text of an error takes long.

local helper = require("spec.helper")
package.path = helper.root .. "/spec/fixtures/watchdog/?.lua;" .. package.path
local run = require("run")

local cpath = helper.library:gsub("fkrpc%.so$", "?.so")
local TEXT = "fkrpc.watchdog: the code does not end and cannot be stopped; the process ends with status 124"
-- An error handler, which no hook stops.
local SPIN = "xpcall(function() while true do end end, function() while true do end end)"

-- What a child without a peer on our side says to `input`, and its status.
local function replies_of(codec, input, code)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  assert(file:write(input))
  file:close()
  local output, status = run(([[
local child = ([=[
package.cpath = %q
if jit then jit.off() end
local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio{ codec = %q })
assert(fkrpc.watchdog(0.05, { grace = 0.1 }))
peer:on("add", function(p) return p[1] + p[2] end)
%s
peer:serve()
]=])
local pipe = io.popen("%s -e '" .. child .. "' <%s 2>/dev/null; echo status $?")
io.write(pipe:read("*a"))
]]):format(cpath, codec, code, helper.quote(helper.interpreter), name))
  os.remove(name)
  assert(status == 0, output)
  local text, code_of_child = output:match("^(.*)status (%d+)\n$")
  return text, tonumber(code_of_child)
end

describe("code that cannot be stopped in a batch", function()
  local fkrpc = require("fkrpc")
  for _, codec in ipairs({ "json", "cbor" }) do
    it("is answered with what the batch has of responses before it: " .. codec, function()
      local requests = fkrpc.array()
      for id, method in ipairs({ "add", "add", "stubborn", "add" }) do
        requests[id] = { jsonrpc = "2.0", id = id, method = method, params = { id, 1 } }
      end
      for first = 1, 3, 2 do
        local batch = fkrpc.array()
        for i = first, 4 do batch[#batch + 1] = requests[i] end
        local text, status = replies_of(codec, fkrpc[codec].encode(batch) .. (codec == "json" and "\n" or ""),
          'peer:on("stubborn", function() ' .. SPIN .. " end)")
        assert.equal(124, status)
        local replies = assert(fkrpc[codec].decode(text))
        assert.equal(4 - first, #replies)
        for i = 1, #replies - 1 do assert.same({ i, i + 1 }, { replies[i].id, replies[i].result }) end
        local last = replies[#replies]
        assert.same({ 3, -32603, TEXT }, { last.id, last.error.code, last.error.data })
      end
    end)
  end
end)

describe("an error object whose __tostring spins", function()
  it("has a deadline like the handler that raised it", function()
    local output, status = run([[
local one, other = fkrpc.pair()
assert(fkrpc.watchdog(0.05))
local function spin() while true do pcall(function() while true do end end) end end
local raising = setmetatable({}, { __tostring = spin })
other:on("fail", function() error(raising) end)
other:on("add", function(p) return p[1] + p[2] end)
for i = 1, 3 do
  local result, e = one:call("fail")
  assert(result == nil and e.code == -32603, tostring(e))
  assert(e.data == "(error object is a table value)", e.data)
  assert(one:must("add", { i, 1 }) == i + 1)
end
print("passed")
]])
    assert.equal("passed", output:match("([^\n]*)\n$"), output)
    assert.equal(0, status)
  end)
end)
