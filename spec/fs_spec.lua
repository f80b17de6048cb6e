-- fkrpc.fs: files and folders by the process's own paths.
local fkrpc = require("fkrpc")
local fs = fkrpc.fs

local ENOENT, EISDIR, ENOTDIR, EEXIST, EINVAL, ENOTEMPTY = 2, 21, 20, 17, 22, 39

local top

local function write(name, text)
  local file = assert(io.open(top .. "/" .. name, "wb"))
  file:write(text or "")
  file:close()
end

local function fails(errno, message, ...)
  local value, said, number = ...
  assert.is_nil(value)
  assert.equal(message, said)
  assert.equal(errno, number)
end

before_each(function()
  top = os.tmpname()
  os.remove(top)
  assert(fs.mkdir(top))
end)

after_each(function()
  assert(fs.remove(top, { recursive = true }))
end)

describe("fs.ls", function()
  it("lists names sorted by their bytes, hidden ones included", function()
    for _, name in ipairs({ "b", "B", "a", ".hidden", "a b", "10", "9", "\255\n" }) do write(name) end
    assert.same({ ".hidden", "10", "9", "B", "a", "a b", "b", "\255\n" }, fs.ls(top))
    assert.same(fs.ls(top), fs.ls(top .. "/"))
  end)

  it("gives an array, so that an empty folder is [] in JSON", function()
    assert.equal("[]", fkrpc.json.encode(fs.ls(top)))
  end)

  it("lists the working directory without a path", function()
    assert.same(fs.ls("."), fs.ls())
    assert.same(fs.ls("."), fs.ls(nil))
  end)

  it("answers with nil, message, errno for what it cannot open", function()
    write("file")
    fails(ENOENT, 'cannot open "' .. top .. '/x": No such file or directory', fs.ls(top .. "/x"))
    fails(ENOTDIR, 'cannot open "' .. top .. '/file": Not a directory', fs.ls(top .. "/file"))
    fails(ENOENT, 'cannot open "": No such file or directory', fs.ls(""))
    fails(EINVAL, 'cannot open "a\0b": the path contains a NUL byte', fs.ls("a\0b"))
  end)

  it("lists ten thousand names", function()
    for i = 1, 10000 do write(("%05d"):format(i)) end
    local names = fs.ls(top)
    assert.same({ 10000, "00001", "10000" }, { #names, names[1], names[10000] })
  end)
end)

describe("fs.exists and fs.is_dir", function()
  it("follow symlinks", function()
    write("file")
    assert(fs.symlink("file", top .. "/link"))
    assert(fs.symlink(top, top .. "/folder"))
    assert(fs.symlink("nothing", top .. "/dangling"))
    local found = {}
    for _, name in ipairs({ "file", "link", "folder", "dangling", "nothing" }) do
      found[name] = { fs.exists(top .. "/" .. name), (fs.is_dir(top .. "/" .. name)) }
    end
    assert.same({
      file = { true, false }, link = { true, false }, folder = { true, true },
      dangling = { false }, nothing = { false },
    }, found)
  end)

  it("have edges: the empty path, a slash after a file, a NUL", function()
    write("file")
    assert.is_false(fs.exists(""))
    assert.is_false(fs.exists(top .. "/file/"))
    assert.is_true(fs.exists(top .. "/"))
    assert.is_false(fs.exists(top .. "\0"))
    fails(ENOENT, 'cannot stat "' .. top .. '/x": No such file or directory', fs.is_dir(top .. "/x"))
    fails(ENOTDIR, 'cannot stat "' .. top .. '/file/": Not a directory', fs.is_dir(top .. "/file/"))
  end)
end)

describe("fs.stat", function()
  it("tells type, size, mode and times", function()
    write("file", "12345")
    assert(fs.touch(top .. "/file", { mtime = 1234.5, atime = 99 }))
    local found = fs.stat(top .. "/file")
    assert.same({ "file", 5, 1234.5, 99, 1 }, { found.type, found.size, found.mtime, found.atime, found.nlink })
    assert.is_true(found.mode > 0 and found.mode <= 511)
    for _, name in ipairs({ "ctime", "uid", "gid", "dev", "ino", "rdev", "blocks", "blksize" }) do
      assert.equal("number", type(found[name]), name)
    end
  end)

  it("follows a symlink unless told not to", function()
    assert(fs.symlink("file", top .. "/link"))
    fails(ENOENT, 'cannot stat "' .. top .. '/link": No such file or directory', fs.stat(top .. "/link"))
    write("file", "12345")
    assert.same({ "file", 5 }, { fs.stat(top .. "/link").type, fs.stat(top .. "/link").size })
    assert.equal("link", fs.stat(top .. "/link", { follow = false }).type)
  end)

  it("knows the other types", function()
    assert(os.execute("mkfifo '" .. top .. "/fifo'"))
    assert.equal("fifo", fs.stat(top .. "/fifo").type)
    assert.equal("directory", fs.stat(top).type)
    assert.equal("char", fs.stat("/dev/null").type)
  end)
end)

describe("fs.mkdir and fs.remove", function()
  it("make and remove one folder, or all of them", function()
    assert.is_true(fs.mkdir(top .. "/a"))
    fails(EEXIST, 'cannot make folder "' .. top .. '/a": File exists', fs.mkdir(top .. "/a"))
    fails(ENOENT, 'cannot make folder "' .. top .. '/x/y": No such file or directory', fs.mkdir(top .. "/x/y"))
    assert.is_true(fs.mkdir(top .. "/x/y/z/", { parents = true }))
    assert.is_true(fs.mkdir(top .. "/x/y/z", { parents = true }))
    fails(ENOTEMPTY, 'cannot remove "' .. top .. '/x": Directory not empty', fs.remove(top .. "/x"))
    assert.is_true(fs.remove(top .. "/x", { recursive = true }))
    assert.is_true(fs.remove(top .. "/a"))
    assert.same({}, fs.ls(top))
  end)

  it("give a folder the mode it is told", function()
    assert(fs.mkdir(top .. "/private", { mode = 448 }))
    assert.equal(448, fs.stat(top .. "/private").mode)
  end)

  it("remove symlinks themselves, never what they lead to", function()
    assert(fs.mkdir(top .. "/kept"))
    write("kept/file")
    assert(fs.mkdir(top .. "/tree/sub", { parents = true }))
    assert(fs.symlink("../../kept", top .. "/tree/sub/out"))
    assert(fs.symlink("kept", top .. "/link"))
    fails(ENOTDIR, 'cannot remove "' .. top .. '/link/": Not a directory',
      fs.remove(top .. "/link/", { recursive = true }))
    assert(fs.remove(top .. "/link", { recursive = true }))
    assert(fs.remove(top .. "/tree", { recursive = true }))
    assert.same({ "kept" }, fs.ls(top))
    assert.same({ "file" }, fs.ls(top .. "/kept"))
  end)

  it("refuse to remove . and ..", function()
    for _, path in ipairs({ "/.", "/..", "/./", "/../" }) do
      fails(EINVAL, 'cannot remove "' .. top .. path .. '": the path does not end in a name',
        fs.remove(top .. path, { recursive = true }))
    end
  end)
end)

describe("fs.read", function()
  it("reads all bytes, or the first of them", function()
    write("file", "a\0b\r\n\255")
    assert.equal("a\0b\r\n\255", fs.read(top .. "/file"))
    assert.equal("a\0b", fs.read(top .. "/file", 3))
    assert.equal("", fs.read(top .. "/file", 0))
    assert.equal("a\0b\r\n\255", fs.read(top .. "/file", math.huge))
  end)

  it("reads files that say their size is 0", function()
    assert.is_true(#fs.read("/proc/self/status") > 100)
  end)

  it("answers with nil, message, errno for what it cannot read", function()
    fails(ENOENT, 'cannot open "' .. top .. '/x": No such file or directory', fs.read(top .. "/x"))
    fails(EISDIR, 'cannot read "' .. top .. '": Is a directory', fs.read(top))
  end)
end)

describe("fs.rename, fs.touch and links", function()
  it("rename in one step over a file", function()
    write("a", "a")
    write("b", "b")
    assert.is_true(fs.rename(top .. "/a", top .. "/b"))
    assert.equal("a", fs.read(top .. "/b"))
    fails(ENOENT, 'cannot rename "' .. top .. '/a" to "' .. top .. '/c": No such file or directory',
      fs.rename(top .. "/a", top .. "/c"))
  end)

  it("touch makes a file and sets times", function()
    assert.is_true(fs.touch(top .. "/new"))
    assert.same({ "file", 0 }, { fs.stat(top .. "/new").type, fs.stat(top .. "/new").size })
    assert(fs.touch(top .. "/new", { mtime = 5 }))
    assert.equal(5, fs.stat(top .. "/new").mtime)
    fails(EINVAL, 'cannot touch "' .. top .. '/new": Invalid argument', fs.touch(top .. "/new", { mtime = 0 / 0 }))
  end)

  it("make and read symlinks", function()
    assert.is_true(fs.symlink("any \255 text", top .. "/link"))
    assert.equal("any \255 text", fs.readlink(top .. "/link"))
    write("file")
    fails(EINVAL, 'cannot read link "' .. top .. '/file": not a symbolic link', fs.readlink(top .. "/file"))
    fails(EEXIST, 'cannot link "' .. top .. '/file" to "x": File exists', fs.symlink("x", top .. "/file"))
  end)
end)

describe("fs.cd and fs.pwd", function()
  it("change and tell the working directory", function()
    local home = fs.pwd()
    finally(function() assert(fs.cd(home)) end)
    assert.is_true(fs.cd(top))
    assert.equal(fs.pwd():match("[^/]*$"), top:match("[^/]*$"))
    assert(fs.mkdir("below"))
    assert.same({ "below" }, fs.ls())
    fails(ENOENT, 'cannot change to folder "nowhere": No such file or directory', fs.cd("nowhere"))
    assert(fs.cd("below"))
    assert(fs.remove(top .. "/below"))
    assert.is_nil((fs.pwd()))
    assert.equal(ENOENT, (select(3, fs.pwd())))
  end)
end)

describe("fs.walk", function()
  local function walked(path)
    local seen = {}
    for name, kind, message in fs.walk(path) do
      seen[#seen + 1] = name:sub(#top + 2) .. " " .. kind .. (message and " " .. message or "")
    end
    return seen
  end

  it("goes through a tree: folders before what is in them, names in order, symlinks not followed", function()
    for _, name in ipairs({ "b", "a/y", "a/x/deep", "c" }) do
      assert(fs.mkdir(top .. "/" .. name, { parents = true }))
    end
    write("a/x/file")
    write("a/Z")
    assert(fs.symlink(top, top .. "/a/up"))
    local expected = {
      "a directory", "a/Z file", "a/up link", "a/x directory", "a/x/deep directory", "a/x/file file", "a/y directory",
      "b directory", "c directory",
    }
    assert.same(expected, walked(top))
    assert.same(expected, walked(top .. "/"))
  end)

  it("tells what it cannot read and goes on", function()
    assert(fs.mkdir(top .. "/a/b", { parents = true }))
    write("c")
    local seen = {}
    for name, kind, message, errno in fs.walk(top) do
      if name == top .. "/a" then assert(fs.remove(top .. "/a/b")) end
      seen[#seen + 1] = { name:sub(#top + 2), kind, message, errno }
    end
    -- The folder was listed before it was told, and is gone when its turn comes.
    assert.same({
      { "a", "directory" },
      { "a/b", "directory", 'cannot open "' .. top .. '/a/b": No such file or directory', ENOENT },
      { "c", "file" },
    }, seen)
  end)

  it("answers with nil, message, errno for a top it cannot open", function()
    fails(ENOENT, 'cannot open "' .. top .. '/x": No such file or directory', fs.walk(top .. "/x"))
  end)
end)

describe("programmer's mistakes", function()
  local function message(f, ...)
    local arguments, count = { ... }, select("#", ...)
    local ok, said = pcall(function() f((table.unpack or unpack)(arguments, 1, count)) end) -- luacheck: ignore
    assert.is_false(ok)
    return said
  end

  it("raise, for every function", function()
    for _, name in ipairs({ "cd", "exists", "is_dir", "stat", "mkdir", "remove", "rename", "read", "write_atomic",
                            "touch", "readlink", "symlink", "walk", "root" }) do
      for _, wrong in ipairs({ false, 5, {} }) do
        local said = message(fs[name], wrong)
        assert.is_truthy(said:find("bad argument #1 to '[%w_?]+' %(string expected, got " .. type(wrong) .. "%)"), said)
      end
    end
    assert.is_truthy(message(fs.ls, 5):find("(string expected, got number)", 1, true))
    assert.is_truthy(message(fs.rename, "a"):find("bad argument #2", 1, true))
    assert.is_truthy(message(fs.read, "a", -1):find("number of bytes expected", 1, true))
  end)

  it("raise for options that do not exist or are of another kind", function()
    assert.is_truthy(message(fs.stat, "/", { folow = true }):find("(unknown option 'folow')", 1, true))
    assert.is_truthy(message(fs.stat, "/", { true })
      :find("(names of options expected, got a number as a key)", 1, true))
    assert.is_truthy(message(fs.stat, "/", true):find("(table expected, got boolean)", 1, true))
    assert.is_truthy(message(fs.stat, "/", { follow = 1 })
      :find("(option 'follow' must be a boolean, not a number)", 1, true))
    assert.is_truthy(message(fs.mkdir, "/", { mode = 4096 }):find("must be an integer from 0 to 4095", 1, true))
    assert.is_truthy(message(fs.touch, "/", { mtime = "now" })
      :find("(option 'mtime' must be a number, not a string)", 1, true))
    assert.is_truthy(message(fs.root, "/", { a = 1 }):find("bad argument #2 to 'root' (unknown option 'a')", 1, true))
  end)
end)
