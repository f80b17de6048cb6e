-- fs.write_atomic: after a kill, a full disk or a limit the file is the old one or the new one.
local helper = require("spec.helper")
local fs, clock = require("fkrpc").fs, require("fkrpc").clock

local top
local lua = helper.quote(helper.interpreter)

local function run(command)
  local pipe = io.popen(command .. " 2>&1; echo status $?")
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)status (%d+)%s*$")
  return output, tonumber(status)
end

local function script(text)
  local path = top .. "/script.lua"
  local file = assert(io.open(path, "w"))
  file:write('local fs = require("fkrpc").fs\n', text)
  file:close()
  return helper.quote(path)
end

-- Whether a name is one of the temporary files.
local function temporary(name) return name:find("^%.fkrpc%-%x+%.tmp$") ~= nil end

before_each(function()
  top = os.tmpname()
  os.remove(top)
  assert(fs.mkdir(top .. "/data", { parents = true }))
end)

after_each(function()
  assert(fs.remove(top, { recursive = true }))
end)

describe("fs.write_atomic", function()
  it("writes all bytes and leaves nothing beside the file", function()
    local path = top .. "/data/file"
    for _, text in ipairs({ "first", "", "a\0\255\n", ("x"):rep(3000000) }) do
      assert.is_true(fs.write_atomic(path, text))
      assert.equal(text, fs.read(path))
      assert.same({ "file" }, fs.ls(top .. "/data"))
    end
  end)

  it("keeps the old file's permissions, or gives those it is told", function()
    local path = top .. "/data/file"
    assert(fs.write_atomic(path, "1", { mode = 416 }))
    assert.equal(416, fs.stat(path).mode)
    assert(fs.write_atomic(path, "2"))
    assert.equal(416, fs.stat(path).mode)
    assert(fs.write_atomic(path, "3", { mode = 438 }))
    assert.equal(438, fs.stat(path).mode)
  end)

  it("says why it cannot", function()
    local path = top .. "/data"
    assert.same({ nil, 'cannot write "' .. path .. '": Is a directory', 21 }, { fs.write_atomic(path, "x") })
    path = top .. "/nowhere/file"
    assert.same({ nil, 'cannot write "' .. path .. '": No such file or directory', 2 }, { fs.write_atomic(path, "x") })
    assert.same({ nil, 'cannot write "/dev/full": not a regular file', 22 }, { fs.write_atomic("/dev/full", "x") })
    assert.equal("char", fs.stat("/dev/full").type)
    assert.same({}, fs.ls(top .. "/data"))
  end)

  it("takes strings alone", function()
    for _, wrong in ipairs({ false, 5, {} }) do
      local ok, message = pcall(function() fs.write_atomic(top .. "/data/file", wrong) end)
      assert.is_false(ok)
      assert.is_truthy(message:find("bad argument #2 to '[%w_]+' %(string expected, got " .. type(wrong)), message)
    end
    assert.same({}, fs.ls(top .. "/data"))
  end)

  it("leaves the old file or the new one when the process is killed, in 60 rounds", function()
    local path = top .. "/data/file"
    local texts = { ("a"):rep(400000), ("b"):rep(300000) }
    assert(fs.write_atomic(path, texts[1]))
    local writer = script(([[
      local path, texts = %q, { ("a"):rep(400000), ("b"):rep(300000) }
      io.write("go\n")
      io.flush()
      for i = 1, 1e9 do assert(fs.write_atomic(path, texts[i %% 2 + 1])) end
    ]]):format(path))
    local seen, left = {}, 0
    for round = 1, 60 do
      -- The shell tells the number of the process that it becomes.
      local pipe = io.popen("echo $$; exec " .. lua .. " " .. writer .. " 2>&1")
      local pid = pipe:read("*l")
      assert.equal("go", pipe:read("*l"))
      clock.sleep(0.0003 * (round % 20))
      os.execute("kill -9 " .. pid)
      pipe:read("*a")
      pipe:close()
      local text = fs.read(path)
      assert.is_true(text == texts[1] or text == texts[2], #text)
      seen[text] = true
      for _, name in ipairs(fs.ls(top .. "/data")) do
        if temporary(name) then
          left = left + 1
          assert(fs.remove(top .. "/data/" .. name))
        else
          assert.equal("file", name)
        end
      end
    end
    -- Otherwise the kills came too late or too early to mean anything.
    assert.is_true(left > 0)
    assert.is_true(next(seen) ~= nil)
  end)

  local too_big = [[
    local path = %q
    local ok, message, errno = fs.write_atomic(path, ("n"):rep(3000000))
    print(ok, errno)
    print((message:gsub("^.*: ", "")))
  ]]

  it("leaves the old file when a limit is hit", function()
    local path = top .. "/data/file"
    assert(fs.write_atomic(path, "old"))
    local limited = "trap '' XFSZ; ulimit -f 64; " .. lua .. " " .. script(too_big:format(path))
    assert.equal("nil\t27\nFile too large\n", (run("(" .. limited .. ")")))
    assert.equal("old", fs.read(path))
    assert.same({ "file" }, fs.ls(top .. "/data"))
  end)

  it("leaves the old file when the limit kills the process", function()
    local path = top .. "/data/file"
    assert(fs.write_atomic(path, "old"))
    local limited = "ulimit -c 0; ulimit -f 64; " .. lua .. " " .. script(too_big:format(path))
    -- A shell of its own says "File size limit exceeded" where it is heard.
    local _, status = run("sh -c " .. helper.quote(limited .. "; exit $?"))
    assert.is_true(status > 128, status)
    assert.equal("old", fs.read(path))
  end)

  it("leaves the old file when the disk is full", function()
    -- A disk of one MiB; mounting one takes root and a mount namespace of its own, so that nothing stays mounted.
    local disk = top .. "/data"
    local inside = "mount -t tmpfs -o size=1m none " .. helper.quote(disk) .. " && echo mounted && "
    local probe = "unshare -m sh -c " .. helper.quote(inside .. "true")
    if not run(probe):find("^mounted\n") then
      pending("needs root and unshare(1) for a small disk")
      return
    end
    local full = script(([[
      local path = %q
      assert(fs.write_atomic(path, ("o"):rep(400000)))
      local ok, message, errno = fs.write_atomic(path, ("n"):rep(700000))
      print(ok, errno, (message:gsub("^.*: ", "")))
      print(fs.read(path) == ("o"):rep(400000), #fs.ls(%q))
      print(fs.write_atomic(path, ("m"):rep(500000)), fs.read(path) == ("m"):rep(500000))
    ]]):format(disk .. "/file", disk))
    local command = "unshare -m sh -c " .. helper.quote(inside .. lua .. " " .. full)
    assert.equal("mounted\nnil\t28\tNo space left on device\ntrue\t1\ntrue\ttrue\n", (run(command)))
  end)
end)
