-- How fkrpc.compat installs its shims, and the small ones: socket, lfs, posix.
local helper = require "spec.helper"
local fkrpc = require "fkrpc"

local function fails(with, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find(with, 1, true), tostring(message))
end

-- The module by fkrpc.compat, even where another one is loaded.
local function shim(name)
  local loaded, preload = package.loaded[name], package.preload[name]
  package.loaded[name] = nil
  fkrpc.compat { name }
  local module = require(name)
  package.loaded[name], package.preload[name] = loaded, preload
  return module
end

describe("fkrpc.compat", function()
  it("does nothing until it is called, then installs what is named", function()
    local before = package.preload["posix.time"]
    package.preload["posix.time"] = nil
    local compat = fkrpc.compat
    assert.is_nil(package.preload["posix.time"])
    assert.equal(compat, compat { "posix.time" })
    assert.is_function(package.preload["posix.time"])
    package.preload["posix.time"] = before
  end)

  it("is what require gives, with all shims installed", function()
    assert.equal(fkrpc.compat, require "fkrpc.compat")
    local names = {
      "socket", "lfs", "posix", "posix.sys.time", "posix.time", "qrandomgen", "freekill-qrandomgen", "json", "cjson",
      "cjson.safe", "server.rpc.cbor", "server.rpc.stdio", "server.rpc.jsonrpc",
    }
    for _, name in ipairs(names) do
      assert.is_function(package.preload[name], name)
    end
  end)

  it("names a shim that it does not have", function()
    fails("no shim for 'ssl'", fkrpc.compat, { "socket", "ssl" })
    fails("table of module names expected", fkrpc.compat, "socket")
  end)

  it("gives one generator under both names", function()
    assert.equal(shim("qrandomgen"), shim("freekill-qrandomgen"))
    assert.is_function(shim("qrandomgen").new)
  end)

  it("works after a program has replaced os, io, package and package.path", function()
    local script = [[require "fkrpc.compat"
      package.path = "./nowhere/?.lua"; os = {}; io = {}; package = nil
      local names = { "socket", "lfs", "posix", "json", "cjson", "server.rpc.cbor", "server.rpc.jsonrpc" }
      for _, name in ipairs(names) do require(name) end
      assert(require("socket").gettime() > 1e9 and require("lfs").attributes("/").mode == "directory")
      print(require("json").encode({ 1 }))]]
    local pipe = io.popen(("%s -e %s -e %s 2>&1"):format(helper.quote(helper.interpreter),
      helper.quote("package.cpath = '" .. helper.library:match("^.*/") .. "?.so" .. "'"), helper.quote(script)))
    assert.equal("[1]\n", pipe:read("*a"))
    pipe:close()
  end)
end)

describe("socket", function()
  local socket = shim("socket")

  it("has the clock functions", function()
    assert.is_true(math.abs(socket.gettime() - os.time()) < 5)
    local before = socket.gettime()
    socket.sleep(0.01)
    assert.is_true(socket.gettime() - before >= 0.009)
    assert.is_string(socket._VERSION)
  end)

  it("names what it does not cover", function()
    fails("socket.tcp is not covered", function() return socket.tcp() end)
  end)
end)

describe("posix", function()
  local posix = shim("posix")

  it("tells the time", function()
    local day = posix.sys.time.gettimeofday()
    assert.is_true(math.abs(day.tv_sec - os.time()) < 5 and day.tv_usec >= 0 and day.tv_usec < 1000000)
    assert.equal(posix.sys.time, shim("posix.sys.time"))
    local time = shim("posix.time")
    assert.is_true(math.abs(time.clock_gettime(time.CLOCK_REALTIME).tv_sec - os.time()) < 5)
    assert.is_true(time.clock_gettime(time.CLOCK_MONOTONIC).tv_nsec < 1000000000)
    assert.equal(0, time.nanosleep({ tv_sec = 0, tv_nsec = 1000 }))
  end)

  it("names what it does not cover", function()
    fails("posix.fork is not covered", function() return posix.fork() end)
    fails("posix.time.clock_gettime(99)", posix.clock_gettime, 99)
  end)
end)

describe("lfs", function()
  local lfs = shim("lfs")
  local root
  before_each(function()
    root = os.tmpname()
    os.remove(root)
    assert(lfs.mkdir(root))
  end)
  after_each(function() os.execute("rm -rf " .. helper.quote(root)) end)

  local function touch(name)
    local file = assert(io.open(root .. "/" .. name, "w"))
    file:write("12345")
    file:close()
    return root .. "/" .. name
  end

  it("tells attributes, one or all, or nil, message and errno", function()
    local path = touch("f")
    assert.same({ "file", 5, "directory" },
      { lfs.attributes(path, "mode"), lfs.attributes(path, "size"), lfs.attributes(root).mode })
    assert.truthy(lfs.attributes(path).permissions:match("^rw[-rwx]+$"))
    local all = lfs.attributes(path)
    for name in ("dev ino nlink uid gid rdev access modification change size blocks blksize"):gmatch("%S+") do
      assert.is_number(all[name], name)
    end
    assert.is_true(math.abs(lfs.attributes(path, "modification") - os.time()) < 5)
    local none, message, errno = lfs.attributes(root .. "/none")
    assert.same({ nil, "cannot obtain information from file '" .. root .. "/none': No such file or directory", 2 },
      { none, message, errno })
    fails("invalid attribute name 'odd'", lfs.attributes, path, "odd")
  end)

  it("lists a folder with its dots, and raises for what is none", function()
    touch("b")
    touch(".a")
    local names = {}
    for name in lfs.dir(root) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ ".", "..", ".a", "b" }, names)
    local _, dir = lfs.dir(root)
    assert.is_string(dir:next())
    dir:close()
    fails("closed directory", dir.next, dir)
    fails("cannot open " .. root .. "/none: No such file or directory", lfs.dir, root .. "/none")
  end)

  it("changes and tells the folder", function()
    local before = lfs.currentdir()
    assert.is_true(lfs.chdir(root))
    assert.equal(root:match("[^/]*$"), lfs.currentdir():match("[^/]*$"))
    assert.is_true(lfs.chdir(before))
    local done, message = lfs.chdir(root .. "/none")
    assert.is_nil(done)
    assert.truthy(message:find("No such file or directory", 1, true))
  end)

  it("makes and removes folders, and removes nothing else", function()
    assert.is_true(lfs.mkdir(root .. "/d"))
    assert.same({ nil, "File exists", 17 }, { lfs.mkdir(root .. "/d") })
    assert.is_true(lfs.rmdir(root .. "/d"))
    assert.is_nil((lfs.rmdir(touch("f"))))
    assert.equal("file", lfs.attributes(root .. "/f", "mode"))
  end)

  it("links, and tells a symlink from its target", function()
    local path = touch("f")
    assert.is_true(lfs.link(path, root .. "/hard"))
    assert.equal(2, lfs.attributes(path, "nlink"))
    assert.same({ nil, "File exists", 17 }, { lfs.link(path, root .. "/hard") })
    assert.is_true(lfs.link("f", root .. "/soft", true))
    assert.same({ "file", "link", "f" }, { lfs.attributes(root .. "/soft", "mode"),
      lfs.symlinkattributes(root .. "/soft", "mode"), lfs.symlinkattributes(root .. "/soft", "target") })
  end)

  it("sets times, of what exists", function()
    local path = touch("f")
    assert.is_true(lfs.touch(path, 1000000, 2000000))
    assert.same({ 1000000, 2000000 }, { lfs.attributes(path, "access"), lfs.attributes(path, "modification") })
    assert.is_true(lfs.touch(path))
    assert.is_true(lfs.attributes(path, "modification") > 2000000)
    assert.is_nil((lfs.touch(root .. "/none")))
    assert.is_nil(lfs.attributes(root .. "/none"))
  end)

  it("locks files and folders", function()
    local file = assert(io.open(touch("f"), "r+"))
    assert.is_true(lfs.lock(file, "w"))
    assert.is_true(lfs.unlock(file))
    file:close()
    assert.is_false((pcall(lfs.lock, file, "w")))
    local lock = assert(lfs.lock_dir(root))
    assert.is_nil((lfs.lock_dir(root)))
    lock:free()
    assert(lfs.lock_dir(root)):free()
    assert.is_true(lfs.setmode(io.stdout, "binary"))
  end)

  it("names what it does not have", function()
    fails("lfs.copy is not covered", function() return lfs.copy() end)
  end)
end)
