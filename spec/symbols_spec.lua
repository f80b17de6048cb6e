-- What the library shows to the dynamic linker.
--
-- A module that brings its own Lua crashes the process that loads it, and any other exported name can collide with the
-- interpreter's or another module's.

local helper = require("spec.helper")

local function symbols(options)
  local pipe = io.popen("nm -D " .. options .. " " .. helper.quote(helper.library) .. " 2>&1; echo status $?")
  local text = pipe:read("*a")
  pipe:close()
  local listing, status = text:match("^(.*)status (%d+)%s*$")
  assert(status == "0", "nm (package binutils) failed: " .. text)
  local names = {}
  for name in listing:gmatch("(%S+)\n") do
    names[#names + 1] = name
  end
  return names
end

describe("the symbols of fkrpc.so", function()
  it("include luaopen_fkrpc", function()
    local found = false
    for _, name in ipairs(symbols("--defined-only")) do
      found = found or name == "luaopen_fkrpc"
    end
    assert.is_true(found)
  end)

  it("are luaopen_fkrpc and luaopen_fkrpc_<name> alone", function()
    local others = {}
    for _, name in ipairs(symbols("--defined-only")) do
      if name ~= "luaopen_fkrpc" and not name:match("^luaopen_fkrpc_[%w_]+$") then
        others[#others + 1] = name
      end
    end
    assert.same({}, others)
  end)

  it("take Lua's functions from the interpreter", function()
    local needed, defined = 0, 0
    for _, name in ipairs(symbols("--undefined-only")) do
      needed = needed + (name:match("^luaL?_") and 1 or 0)
    end
    for _, name in ipairs(symbols("--defined-only")) do
      defined = defined + (name:match("^luaL?_") and 1 or 0)
    end
    assert.is_true(needed > 0)
    assert.equal(0, defined)
  end)
end)
