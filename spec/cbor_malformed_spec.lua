-- fkrpc.cbor.decode on RFC 8949's appendix F: every example that is not well-formed is refused, for its own reason and
-- at its own byte.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local cbor = fkrpc.cbor

local function bin(hex)
  return (hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local rows
do
  local file = assert(io.open(helper.root .. "/spec/fixtures/cbor/appendix_f.json", "rb"))
  rows = assert(fkrpc.json.decode(file:read("*a"))).rows
  file:close()
end

describe("every row of RFC 8949's appendix F", function()
  it("is there", function()
    assert.is_true(#rows >= 90, #rows)
  end)

  for _, row in ipairs(rows) do
    it(row.hex .. " is refused", function()
      local value, message, position = cbor.decode(bin(row.hex))
      assert.is_nil(value)
      assert.equal(row.error .. " at byte " .. row.offset + 1, message)
      assert.equal(row.offset + 1, position)
    end)

    it(row.hex .. " is refused inside an array and behind other bytes, too", function()
      local value, message, position = cbor.decode("\1\2\130\0" .. bin(row.hex), 3)
      assert.is_nil(value)
      assert.equal(row.error .. " at byte " .. row.offset + 5, message)
      assert.equal(row.offset + 5, position)
    end)
  end
end)
