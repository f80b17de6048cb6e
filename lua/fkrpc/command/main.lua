-- The command line: which part is meant, help, and exit statuses: 0 all is well, 1 something was found, 2 it could not
-- be done.

local fkrpc = require("fkrpc")
local arguments = require("fkrpc.command.arguments")

local HELP = [[
fkrpc trace FILE           show a recorded conversation
fkrpc replay FILE -- CMD   play one side of it against CMD and compare
fkrpc check -- CMD         check a program that speaks JSON-RPC 2.0 over stdin and stdout
fkrpc top SOCKET           the children of a running pool
fkrpc --version
fkrpc help trace | replay | check | top

Exit status: 0 if all is well, 1 if something was found (a difference, a failed check), 2 if it could not be done.
]]

local PARTS = {
  trace = "fkrpc.command.show", replay = "fkrpc.command.replay", check = "fkrpc.command.check",
  top = "fkrpc.command.top",
}

local function run(words)
  local name = words[1]
  if name == nil then arguments.wrong("what? trace, replay, check or top; fkrpc help tells more") end
  if name == "help" or name == "--help" or name == "-h" then
    local part = words[2] and PARTS[words[2]]
    if words[2] and not part then arguments.wrong("there is no command '" .. words[2] .. "'") end
    io.stdout:write(part and require(part).HELP or HELP)
    return 0
  elseif name == "--version" then
    io.stdout:write(fkrpc._VERSION, "\n")
    return 0
  end
  local part = PARTS[name]
  if not part then arguments.wrong("there is no command '" .. name .. "'; fkrpc help tells what there is") end
  for i = 2, #words do
    if words[i] == "--" then break end
    if words[i] == "--help" then
      io.stdout:write(require(part).HELP)
      return 0
    end
  end
  return require(part).run(words)
end

--- Run the command with these words; the exit status.
return function(words)
  local done, status = xpcall(function() return run(words) end, function(e)
    if arguments.is_wrong(e) then return e end
    return debug.traceback(tostring(e), 2)
  end)
  if done then
    io.stdout:flush()
    return status
  end
  io.stderr:write("fkrpc: ", tostring(status), "\n")
  return 2
end
