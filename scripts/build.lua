-- Builds fkrpc for the Lua that runs this script: `lua5.4 scripts/build.lua` makes build/lua54/fkrpc.so.
--
-- With `--rock` the library is also laid at build/rock/fkrpc.so, where the rockspec picks it up under the name that
-- `require` looks for. With `--child` the library can do all but run children of its own, is a sixth smaller, and lies
-- at build/lua54-child/fkrpc.so, beside the whole one. Cargo works in a target folder of that Lua alone, so that no Lua
-- ever gets another's library.
-- Needs cargo 1.85 or newer and a C linker; downloads crates unless cargo has them.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local stamp = dofile(here .. "/stamp.lua")
local quote = stamp.quote

local function fail(message)
  io.stderr:write("fkrpc: ", message, "\n")
  os.exit(1)
end

-- `os.execute` answers with a number in Lua 5.1 and LuaJIT, with true or nil since 5.2.
local function run(command)
  local status = os.execute(command)
  return status == true or status == 0
end

local function check_cargo()
  local pipe = io.popen("cargo --version 2>/dev/null")
  local major, minor = (pipe:read("*a") or ""):match("cargo (%d+)%.(%d+)")
  pipe:close()
  if not major then
    fail("cargo was not found on the PATH; `sh scripts/setup.sh` says how to get it")
  elseif tonumber(major) == 1 and tonumber(minor) < 85 then
    fail("cargo " .. major .. "." .. minor .. " is too old, 1.85 is needed; `sh scripts/setup.sh` says how to get it")
  end
end

local function copy(from, to)
  -- By way of a new file: a process that has the old library mapped keeps it whole.
  return run(table.concat({
    "cp " .. quote(from) .. " " .. quote(to .. ".new"),
    "chmod 755 " .. quote(to .. ".new"),
    "mv -f " .. quote(to .. ".new") .. " " .. quote(to),
  }, " && "))
end

local given = {}
for _, option in ipairs(arg) do
  if option ~= "--rock" and option ~= "--child" then
    fail("unknown option '" .. option .. "' (usage: lua scripts/build.lua [--rock | --child])")
  end
  given[option] = true
end
local rock, child = given["--rock"], given["--child"]
if rock and child then fail("a rock is the whole library: --rock or --child") end

local root = stamp.absolute(here .. "/..")
local name = stamp.lua_name()
local paths = stamp.paths(root, child and name .. "-child" or name)
local rock_folder = root .. "/build/rock"
-- What a failed build leaves behind must not be installed.
os.remove(rock_folder .. "/fkrpc.so")
check_cargo()

-- Taken first: an edit during the build makes the stamp stale rather than wrong.
local sources = stamp.sources(root)
local target = (os.getenv("CARGO_TARGET_DIR") or root .. "/target") .. "/" .. name .. (child and "-child" or "")
-- The shared library alone: beside a Rust library of the same code the compiler keeps every function that is called
-- once, and it comes out a sixteenth larger and slower at a request.
-- Little is inlined that does not ask for it (`#[inline(always)]`): a tenth less to load, and what is hot has asked.
-- And no loop is moved to the next multiple of 16: hardly one of ours goes round often enough to gain by that, and the
-- padding lies between what is fetched.
local INLINING = " -C llvm-args=--inline-threshold=25 -C llvm-args=--inlinehint-threshold=50"
  .. " -C llvm-args=--align-loops=1"
local probe = "rustc --crate-name probe --crate-type lib --emit obj -o /dev/null" .. INLINING
  .. " - < /dev/null > /dev/null 2>&1"
local flags = run(probe) and " --" .. INLINING or "" -- a compiler that does not know these words does without
local cargo = "cargo rustc --release --locked --lib --crate-type cdylib "
  .. (child and "--no-default-features " or "") .. "--features " .. name .. " --target-dir " .. quote(target) .. flags
if not run("cd " .. quote(root) .. " && " .. cargo) then
  fail("cargo could not build the library for " .. name)
end

-- With a target triple set, cargo puts one more folder in between.
local triple = os.getenv("CARGO_BUILD_TARGET")
local release = target .. (triple and "/" .. triple or "") .. "/release/"
local library
for _, candidate in ipairs({ "libfkrpc.so", "libfkrpc.dylib" }) do
  library = library or (stamp.file(release .. candidate) and release .. candidate)
end
if not library then
  fail("cargo built no libfkrpc.so in " .. release)
end

if not (run("mkdir -p " .. quote(paths.folder)) and copy(library, paths.library)) then
  fail("could not write " .. paths.library)
end
stamp.write(paths, name, sources)
if rock and not (run("mkdir -p " .. quote(rock_folder)) and copy(library, rock_folder .. "/fkrpc.so")) then
  fail("could not write " .. rock_folder .. "/fkrpc.so")
end
io.stdout:write("fkrpc: ", paths.library, "\n")
