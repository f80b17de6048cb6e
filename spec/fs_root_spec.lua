-- fs.root: the same functions, and no way out of the folder.
local helper = require("spec.helper")
local fs = require("fkrpc").fs
local left = dofile(helper.root .. "/spec/chaos/left.lua")

local top, root

local function write(name, text)
  local file = assert(io.open(top .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

-- Paths that lead from top/root to top/outside or to the system's own files; % is `top`.
local ESCAPES = {
  "/", "//", "/.", "/..", "/etc/passwd", "//etc/passwd", "/proc/self/root/etc/passwd", "/proc/self/cwd", "%",
  "%/outside", "%/outside/secret", "%/root/inside", "%/root/../outside/secret", "..", "../", "../.", "../..",
  "../../../../etc/passwd", "../outside", "../outside/", "../outside/secret", "..//outside//secret", "./..",
  "./../outside/secret", ".//..//outside", "a/../..", "a/../../outside", "a/../../outside/secret",
  "a/./../../outside/secret", "a/b/../../..", "a/b/../../../outside/secret", "a//b//..//..//..//outside//secret",
  "../root", "../root/inside", "../root/../outside/secret", "absolute", "absolute/", "absolute/secret",
  "absolute/../outside/secret", "relative", "relative/.", "relative/..", "relative/secret",
  "relative/../root/inside", "parent", "parent/", "parent/outside/secret", "parent/..", "parent/root/inside",
  "slash", "slash/etc/passwd", "slash/.", "file", "./file", "a/../file", "zigzag", "zigzag/secret", "twice",
  "twice/secret", "self/../outside/secret", "self/self/../..", "self/relative/secret", "a/deep", "a/deep/secret",
  "a/deep/..", "a/b/../deep/secret", "magic", "magic/etc/passwd", "cwd", "cwd/.", "fd/0", "dangling", "exact",
}

before_each(function()
  top = os.tmpname()
  os.remove(top)
  assert(fs.mkdir(top .. "/outside", { parents = true }))
  assert(fs.mkdir(top .. "/root/a/b", { parents = true }))
  write("outside/secret", "OUTSIDE")
  write("root/inside", "inside")
  for name, target in pairs({
    absolute = top .. "/outside", relative = "../outside", parent = "..", slash = "/", file = "../outside/secret",
    zigzag = "a/../../outside", twice = "relative", self = ".", ["a/deep"] = "../../outside", magic = "/proc/self/root",
    cwd = "/proc/self/cwd", fd = "/proc/self/fd", dangling = "../outside/new", exact = top .. "/outside/secret",
  }) do
    assert(fs.symlink(target, top .. "/root/" .. name))
  end
  root = assert(fs.root(top .. "/root"))
end)

after_each(function()
  root.close()
  assert(fs.remove(top, { recursive = true }))
end)

local function unharmed()
  assert.same({ "secret" }, fs.ls(top .. "/outside"))
  assert.equal("OUTSIDE", fs.read(top .. "/outside/secret"))
  assert.same({ "outside", "root" }, fs.ls(top))
end

for _, symlinks in ipairs({ true, false }) do
  describe("a root with symlinks = " .. tostring(symlinks), function()
    before_each(function()
      root.close()
      root = assert(fs.root(top .. "/root", { symlinks = symlinks }))
    end)

    it("shows nothing outside, by " .. #ESCAPES .. " ways", function()
      assert.is_true(#ESCAPES >= 60)
      for _, escape in ipairs(ESCAPES) do
        local path = escape:gsub("%%", (top:gsub("%%", "%%%%")))
        for _, name in ipairs({ "read", "ls", "stat", "is_dir", "walk", "cd", "root" }) do
          local value, message, errno = root[name](path)
          assert.is_nil(value, name .. " " .. path)
          assert.is_true(errno == 18 or errno == 40, name .. " " .. path .. ": " .. message)
        end
        assert.is_false(root.exists(path))
        assert.is_nil((root.stat(path .. "/x", { follow = false })), path)
        assert.is_nil((root.readlink(path .. "/x")), path)
      end
      unharmed()
    end)

    it("changes nothing outside", function()
      local home = fs.pwd()
      for _, escape in ipairs(ESCAPES) do
        local path = escape:gsub("%%", (top:gsub("%%", "%%%%"))) .. "/new"
        for _, result in ipairs({
          { root.mkdir(path) }, { root.mkdir(path .. "/er", { parents = true }) }, { root.write_atomic(path, "x") },
          { root.touch(path) }, { root.symlink("x", path) }, { root.rename("inside", path) },
          { root.rename(path, "stolen") }, { root.remove(path) }, { root.remove(path, { recursive = true }) },
          { root.remove((path:gsub("new$", "secret"))) },
        }) do
          assert.is_nil(result[1], path)
          assert.equal("number", type(result[3]), path)
        end
      end
      assert.is_nil((root.touch("dangling")))
      assert.is_nil((root.touch("file", { mtime = 0 })))
      assert.equal(home, fs.pwd())
      unharmed()
    end)

    it("has the same functions", function()
      assert.is_true(root.mkdir("x/y", { parents = true }))
      assert.is_true(root.write_atomic("x/y/f", "text"))
      assert.equal("text", root.read("x/y/../y/f"))
      assert.equal("te", root.read("x/y/f", 2))
      assert.is_true(root.rename("x/y/f", "x/g"))
      assert.is_true(root.touch("x/g", { mtime = 3 }))
      assert.same({ "file", 4, 3 }, { root.stat("x/g").type, root.stat("x/g").size, root.stat("x/g").mtime })
      assert.same({ "g", "y" }, root.ls("x"))
      assert.is_true(root.exists("x/g"))
      assert.is_true(root.is_dir("x"))
      assert.is_true(root.symlink("g", "x/h"))
      assert.equal("g", root.readlink("x/h"))
      local seen = {}
      for path, kind in root.walk("x") do seen[#seen + 1] = path .. " " .. kind end
      assert.same({ "x/g file", "x/h link", "x/y directory" }, seen)
      assert.is_true(root.remove("x", { recursive = true }))
      assert.is_false(root.exists("x"))
      for name in pairs(fs) do assert.equal("function", type(root[name]), name) end
    end)

    it("goes into a folder below itself only", function()
      local home = fs.pwd()
      finally(function() assert(fs.cd(home)) end)
      assert.is_true(root.cd("a"))
      assert.equal("a", fs.pwd():match("[^/]*$"))
      assert.equal(fs.pwd(), root.pwd())
      assert.equal("inside", root.read("inside"))
    end)

    it("never leads out while a folder is swapped for a symlink", function()
      local script = top .. "/swap.lua"
      write("swap.lua", ([[
        local from = %q
        os.execute("cd " .. from .. " && mkdir swap && echo inside > swap/secret && ln -s ../outside link")
        local swap, link, away = from .. "/swap", from .. "/link", from .. "/away"
        for round = 1, 1000000 do
          assert(os.rename(swap, away) and os.rename(link, swap) and os.rename(swap, link) and os.rename(away, swap))
          if round == 100 then io.open(from .. "/ready", "w"):close() end
          if round %% 100 == 0 and io.open(from .. "/stop") then break end
        end
      ]]):format(top .. "/root"))
      local pipe = io.popen(helper.quote(helper.interpreter) .. " " .. script .. " 2>&1")
      local inside, refused, rounds = 0, 0, 0
      -- Until both sides of the swap were met often enough, or for so many rounds.
      while rounds < 300000 and (inside < 200 or refused < 200 or not root.exists("ready")) do
        local text, _, errno = root.read("swap/secret")
        rounds = rounds + 1
        if text then inside = inside + 1 elseif errno == 18 or errno == 40 then refused = refused + 1 end
        assert(text == nil or text == "inside\n" or text == "", text)
        for _, name in ipairs(root.ls("swap") or {}) do assert(name ~= "new", name) end
        root.touch("swap/touched")
        root.mkdir("swap/made")
      end
      assert(root.touch("stop"))
      assert.equal("", pipe:read("*a"))
      pipe:close()
      assert.is_true(inside > 0 and refused > 0, inside .. " and " .. refused)
      assert.same({ "secret" }, fs.ls(top .. "/outside"))
    end)
  end)
end

describe("a root", function()
  it("follows symlinks that stay inside, unless it is told to follow none", function()
    assert(root.symlink("../inside", "a/link"))
    assert.equal("inside", root.read("a/link"))
    assert.equal("inside", root.read("self/inside"))
    local strict = assert(fs.root(top .. "/root", { symlinks = false }))
    assert.same({ nil, 'cannot open "a/link": a symbolic link, and this root follows none', 40 },
      { strict.read("a/link") })
    strict.close()
  end)

  it("says that a path leads out", function()
    local _, message, errno = root.read("../outside/secret")
    assert.same({ 'cannot open "../outside/secret": the path leads out of the root', 18 }, { message, errno })
  end)

  it("may be used with a dot or a colon", function()
    assert.equal("inside", root.read("inside"))
    assert.equal("inside", root:read("inside"))
    assert.equal("in", root:read("inside", 2))
    assert.equal("link", root:stat("self", { follow = false }).type)
    assert.same(root.ls(), root:ls())
    assert.equal("function", type(root:walk("a")))
    local ok, message = pcall(function() root:read(5) end)
    assert.is_false(ok)
    assert.is_truthy(message:find("bad argument #1 to 'read' (string expected, got number)", 1, true), message)
  end)

  it("has roots of its own", function()
    local inner = assert(root.root("a"))
    assert.same({ "b", "deep" }, inner.ls())
    assert.is_nil((inner.read("../inside")))
    root.close()
    assert.same({ "b", "deep" }, inner.ls())
    inner:close()
  end)

  it("stays with its folder when that is renamed", function()
    assert(fs.rename(top .. "/root", top .. "/moved"))
    assert.equal("inside", root.read("inside"))
    assert(fs.rename(top .. "/moved", top .. "/root"))
  end)

  it("tells what it is, and fails once it is closed", function()
    assert.equal("fkrpc.fs.root: " .. top .. "/root", tostring(root))
    assert.is_true(root.close())
    assert.is_true(root:close())
    assert.equal("fkrpc.fs.root: " .. top .. "/root (closed)", tostring(root))
    assert.same({ nil, 'cannot open "inside": the root is closed', 9 }, { root.read("inside") })
    assert.is_nil((root.root("a")))
    assert.is_false(root.exists("inside"))
  end)

  it("gives its descriptor back when it is closed, collected or goes out of scope", function()
    collectgarbage()
    collectgarbage()
    local before = left.descriptors(fs)
    local function hold()
      local held = {}
      for i = 1, 50 do held[i] = assert(fs.root(top)) end
      assert.equal(#held, (left.more(fs, before)))
    end
    hold()
    collectgarbage()
    collectgarbage()
    assert.equal(0, (left.more(fs, before)))
    fs.root(top).close()
    assert.equal(0, (left.more(fs, before)))
    if _VERSION == "Lua 5.4" then
      assert(load([[
        local fs, top = ...
        local root <close> = assert(fs.root(top))
        assert(root.ls())
      ]]))(fs, top)
      assert.equal(0, (left.more(fs, before)))
    end
  end)

  it("is refused where there is no folder", function()
    local value, message, errno = fs.root(top .. "/nothing")
    assert.same({ nil, 'cannot open "' .. top .. '/nothing": No such file or directory', 2 }, { value, message, errno })
    assert.equal(20, (select(3, fs.root(top .. "/root/inside"))))
  end)
end)
