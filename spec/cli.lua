-- Runs the command `fkrpc` as a user would: with words, files and an exit status.
--
-- Call `programs.finish` after each test, as for spec/programs.lua.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local quote = helper.quote

local cli = { programs = programs, command = quote(helper.interpreter) .. " " .. quote(helper.root .. "/bin/fkrpc") }

--- Run the command with these words; what it wrote and its status: `out`, `err`, `code`.
function cli.run(...)
  local words = { cli.command }
  for _, word in ipairs({ ... }) do words[#words + 1] = quote(word) end
  return programs.shell(table.concat(words, " ") .. ' <"$IN" >"$OUT" 2>"$ERR"', "")
end

--- A Lua text as the words that run it.
function cli.program(script)
  return helper.interpreter, programs.file(script)
end

--- The lines of a text.
function cli.lines(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

return cli
