-- Programs for specs: Lua texts run by the interpreter that runs the specs, as children of a peer or in a shell with
-- their streams in files. Every one has a deadline, which is a hang detector and no measurement.
--
-- Call `programs.finish` after each test: it ends what still runs and removes the files.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local quote = helper.quote

local programs = { DEADLINE = 30 }

local files, children = {}, {}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text
end

--- A file that is gone after the test, with `text` in it.
function programs.file(text)
  local path = os.tmpname()
  files[#files + 1] = path
  local file = assert(io.open(path, "wb"))
  file:write(text or "")
  assert(file:close())
  return path
end

--- What a file holds.
programs.read = read

--- The shell command that runs `script` (a Lua text).
function programs.command(script)
  return quote(helper.interpreter) .. " " .. quote(programs.file(script))
end

local function wait(child)
  local exit, why = child:wait(programs.DEADLINE)
  if exit == nil then error(why, 3) end
  if not exit then
    child:kill(9)
    child:wait()
    error("a child still ran after " .. programs.DEADLINE .. " s", 3)
  end
  return exit
end

--- Run a shell command whose `$IN`, `$OUT`, `$ERR` are files; what they hold then, `out`, `err`, and how the shell
--- ended, `code` or `signal`. `env` has more variables.
function programs.shell(command, input, env)
  local variables = { IN = programs.file(input), OUT = programs.file(), ERR = programs.file() }
  for name, value in pairs(env or {}) do variables[name] = value end
  local child = assert(fkrpc.spawn({ "sh", "-c", command, env = variables }))
  children[#children + 1] = child
  local exit = wait(child)
  child:close()
  return { out = read(variables.OUT), err = read(variables.ERR), code = exit.code, signal = exit.signal }
end

--- Run a Lua text with its three streams in files.
function programs.run(script, input, redirections)
  return programs.shell("exec " .. programs.command(script) .. " "
    .. (redirections or '<"$IN" >"$OUT" 2>"$ERR"'), input)
end

--- Start a Lua text as a child to talk to; `options` as for fkrpc.spawn. Its stderr goes to a file: the second result.
function programs.spawn(script, options)
  local given = {}
  for name, value in pairs(options or {}) do given[name] = value end
  local log = programs.file()
  given.command = { "sh", "-c", "exec " .. programs.command(script) .. " 2>" .. quote(log) }
  local child = assert(fkrpc.spawn(given))
  children[#children + 1] = child
  return child, log
end

--- Close a child and wait for its end.
function programs.ended(child)
  child:close()
  return wait(child)
end

--- End and remove everything.
function programs.finish()
  for _, child in ipairs(children) do
    child:close()
    if child:wait(0) == false then
      child:kill(9)
      child:wait()
    end
  end
  for _, path in ipairs(files) do os.remove(path) end
  files, children = {}, {}
end

return programs
