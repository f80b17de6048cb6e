-- Runs Lua programs for specs: in a fresh interpreter of the kind that runs the specs, with the library under test.
--
-- Wherever a program starts "lua5.4", the same interpreter answers: a folder with a link of that name, and with the
-- command `fkrpc`, comes first on the PATH. It judges nothing: what was printed and the status are handed back. Its
-- time limit is there to detect a hang; it measures nothing.

local helper = require("spec.helper")
local quote = helper.quote

local HANG = 60 -- seconds

local program = {}

-- os.execute answers with a number in Lua 5.1 and LuaJIT, with true or nil since 5.2.
local function sh(command)
  local status = os.execute(command)
  assert(status == true or status == 0, "failed: " .. command)
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- The whole file as a string.
function program.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Make the file hold `text`.
function program.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- A new empty folder; `program.remove` takes it away.
function program.folder()
  return (output_of("mktemp -d"):gsub("%s+$", ""))
end

--- Remove what `program.folder` made.
function program.remove(folder)
  assert(folder:match("^/.+/.+"), "not a temporary folder: " .. folder)
  sh("rm -rf " .. quote(folder))
end

local function environment(bin)
  local cpath = quote(helper.library:gsub("[^/]*$", "") .. "?.so;;")
  local words = { "PATH=" .. quote(bin) .. ":\"$PATH\"", "LUA_INIT=", "LUA_CPATH=" .. cpath }
  for _, version in ipairs({ "5_2", "5_3", "5_4", "5_5" }) do
    words[#words + 1] = "LUA_INIT_" .. version .. "="
    words[#words + 1] = "LUA_CPATH_" .. version .. "=" .. cpath
  end
  return table.concat(words, " ")
end

--- Run the Lua file `script` from `folder`, with the text `input` on its stdin.
--- `{ output =, errors =, status = }`: stdout, stderr, and the exit status as the shell tells it.
function program.run(script, folder, input)
  local work = program.folder()
  local interpreter = output_of("command -v " .. quote(helper.interpreter)):gsub("%s+$", "")
  sh("mkdir " .. quote(work .. "/bin") .. " && ln -s " .. quote(interpreter) .. " " .. quote(work .. "/bin/lua5.4"))
  program.write(work .. "/bin/fkrpc", "#!/bin/sh\nexec lua5.4 " .. quote(helper.root .. "/bin/fkrpc") .. ' "$@"\n')
  sh("chmod +x " .. quote(work .. "/bin/fkrpc"))
  program.write(work .. "/input", input or "")
  local command = "cd " .. quote(folder) .. " && env " .. environment(work .. "/bin") .. " timeout " .. HANG
    .. " lua5.4 " .. quote(script) .. " < " .. quote(work .. "/input") .. " > " .. quote(work .. "/output") .. " 2> "
    .. quote(work .. "/errors") .. "; echo $?"
  local status = tonumber(output_of(command))
  local result = {
    output = program.read(work .. "/output"),
    errors = program.read(work .. "/errors"),
    status = status,
  }
  program.remove(work)
  return result
end

return program
