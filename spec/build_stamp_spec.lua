-- The guard in spec/helper.lua, tried on a small project of its own: copies of the scripts, a library and a stamp.
--
-- Each case first shows that the untouched project passes, so that a broken copy cannot pass for a working guard.

local helper = require("spec.helper")
local stamp = dofile(helper.root .. "/scripts/stamp.lua")
local quote = helper.quote

local function sh(command)
  local status = os.execute(command)
  assert(status == true or status == 0, "failed: " .. command)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
end

local PROBE = [[
it("loads the library", function()
  local fkrpc = require("fkrpc")
  assert.equal("table", type(fkrpc))
  assert.is_nil(fkrpc.impostor)
end)
]]

describe("the build that specs are given", function()
  local project, paths

  local function run_specs()
    local command = "cd " .. quote(project) .. " && " .. quote(helper.interpreter) .. " scripts/spec.lua --run -o TAP"
    local pipe = io.popen(command .. " 2>&1; echo status $?")
    local text = pipe:read("*a")
    pipe:close()
    local output, status = text:match("^(.*)status (%d+)%s*$")
    return status == "0", output
  end

  before_each(function()
    project = os.tmpname()
    os.remove(project)
    paths = stamp.paths(project, helper.name)
    sh("mkdir -p " .. quote(project .. "/src") .. " " .. quote(project .. "/scripts") .. " " .. quote(paths.folder))
    sh("mkdir " .. quote(project .. "/spec"))
    for _, file in ipairs({ "scripts/stamp.lua", "scripts/spec.lua", "spec/helper.lua", ".busted" }) do
      sh("cp " .. quote(helper.root .. "/" .. file) .. " " .. quote(project .. "/" .. file))
    end
    for _, file in ipairs({ "src/lib.rs", "build.rs", "Cargo.toml", "Cargo.lock" }) do
      write(project .. "/" .. file, "a source\n")
    end
    write(project .. "/spec/probe_spec.lua", PROBE)
    sh("cp " .. quote(helper.library) .. " " .. quote(paths.library))
    stamp.write(paths, helper.name, stamp.sources(project))
    local passed, output = run_specs()
    assert.is_true(passed, output)
    assert.truthy(output:find("ok 1", 1, true), output)
  end)

  after_each(function()
    sh("rm -rf " .. quote(project))
  end)

  local function assert_refused(reason)
    local passed, output = run_specs()
    assert.is_false(passed, output)
    assert.truthy(output:find(reason, 1, true), output)
    assert.is_nil(output:find("ok 1", 1, true), output)
  end

  it("is refused when a source has changed since", function()
    write(project .. "/src/lib.rs", "b source\n")
    assert_refused("is stale")
  end)

  it("is refused when a source has come since", function()
    write(project .. "/src/more.rs", "")
    assert_refused("is stale")
  end)

  it("is refused when it was made for another Lua", function()
    local other = helper.name == "lua53" and "lua54" or "lua53"
    stamp.write(paths, other, stamp.sources(project))
    assert_refused("was built for " .. other)
  end)

  it("is refused when the library was put in place of the one that was stamped", function()
    local file = assert(io.open(paths.library, "ab"))
    file:write("\0")
    assert(file:close())
    assert_refused("is not the library that its stamp describes")
  end)

  it("is missed rather than replaced by another Lua's", function()
    local other = helper.name == "lua53" and "lua54" or "lua53"
    sh("mv " .. quote(paths.folder) .. " " .. quote(stamp.paths(project, other).folder))
    assert_refused("there is no build for " .. helper.name)
  end)

  it("goes before any other fkrpc on the paths", function()
    write(project .. "/fkrpc.lua", "return { impostor = true }\n")
    local passed, output = run_specs()
    assert.is_true(passed, output)
  end)
end)
