-- The strict parent itself: each thing that would make FreeKill's server wait for ever is an error.

local helper = require("spec.helper")
package.path = helper.root .. "/?.lua;" .. package.path
local parent = require("spec.freekill_parent")
local packets = require("spec.fixtures.freekill.packets")

-- A child that writes these bytes and then waits for its input to end.
local function writing(bytes)
  local parts = {}
  for i = 1, #bytes do parts[i] = "\\" .. ("%03d"):format(bytes:byte(i)) end
  return ('io.stdout:write("%s") io.stdout:flush() io.read(1)'):format(table.concat(parts))
end

local REQUEST = "A4 V 1868 01 1865 45 'qInfo' 1866 81 42 'hi'"

describe("the strict parent", function()
  local server

  after_each(function() server:finish() end)

  it("takes a packet that the server can take", function()
    server = parent.start(writing(packets.hex(REQUEST)))
    assert.same({ id = 1, method = "qInfo", params = { "hi" } }, server:read())
  end)

  for what, written in pairs({
    ["two packets at once"] = REQUEST .. " " .. REQUEST,
    ["a text string"] = "A4 V 1868 01 1865 45 'qInfo' 1866 81 62 'hi'",
    ["a text string as the method"] = "A4 V 1868 01 1865 65 'qInfo' 1866 81 42 'hi'",
    ["a float"] = "A4 V 1868 01 1865 45 'qInfo' 1866 81 F9 3C00",
    ["null"] = "A4 V 1868 01 1865 45 'qInfo' 1866 81 F6",
    ["a nested array"] = "A4 V 1868 01 1865 45 'qInfo' 1866 81 80",
    ["six params"] = "A4 V 1868 01 1865 45 'qInfo' 1866 86 000000000000",
    ["an unknown key"] = "A5 V 1868 01 1865 45 'qInfo' 1866 80 186A 00",
    ["an id of zero"] = "A4 V 1868 00 1865 45 'qInfo' 1866 80",
    ["error data that is a map"] = "A2 V 1867 A3 18C8 20 18C9 41'x' 18CA A0",
    ["an indefinite length"] = "A4 V 1868 01 1865 45 'qInfo' 1866 9F FF",
    ["a tag"] = "A4 V 1868 01 1865 45 'qInfo' 1866 81 C1 00",
  }) do
    it("refuses " .. what, function()
      server = parent.start(writing(packets.hex(written)))
      assert.is_false((pcall(server.read, server)))
    end)
  end

  it("notices a child that does not wait for its answer", function()
    server = parent.start(([[
      local bytes = %q
      io.stdout:write(bytes) io.stdout:flush()
      io.stdout:write(bytes) io.stdout:flush() io.read(1)]]):format(packets.hex(REQUEST)))
    assert.is_false((pcall(function()
      server:send({ id = server:read().id, result = 0 })
      server:read()
      server:read()
    end)))
  end)
end)
