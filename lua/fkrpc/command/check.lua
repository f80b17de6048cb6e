-- `fkrpc check -- CMD`: a conformance and fault suite for any program that speaks JSON-RPC 2.0 over stdin and stdout,
-- in any of the framings.

local arguments = require("fkrpc.command.arguments")
local cases = require("fkrpc.command.cases")
local probe = require("fkrpc.command.probe")

local check = {}

check.HELP = [[
fkrpc check [OPTION...] -- CMD...

Starts CMD once for each check and talks to it in lines of JSON, as JSON-RPC 2.0 over stdio has it, or as the options
say. It needs to know no method of CMD. "ok" and "FAILED" tell how a check went, "note" that something is otherwise than
most do it, which the specification allows. The exit status is 1 if a check failed. What CMD writes to stderr goes to
stderr.

  --codec NAME       json (the default) or cbor, one item after the other
  --framing NAME     line (JSON's default), content-length (LSP, DAP), length (four bytes before each message) or
                     sequence (CBOR's default)

  --only TEXT        only checks with this text in their name; may be given again
  --timeout SECONDS  how long to wait for an answer, or for the end (5)
  --strict           what is a note otherwise fails
  --list             name the checks and do nothing
  --quiet            print only what is not ok, and the count
]]

local KNOWN = {
  ["--codec"] = { "json", "cbor" }, ["--framing"] = { "line", "content-length", "length", "sequence" },
  ["--only"] = "list", ["--timeout"] = "number", ["--strict"] = true, ["--list"] = true, ["--quiet"] = true,
}

local FRAMINGS = {
  json = { line = true, ["content-length"] = true, length = true }, cbor = { sequence = true, length = true },
}

-- What is spoken.
local function speech_of(options)
  local codec = options.codec or "json"
  local framing = options.framing or (codec == "json" and "line" or "sequence")
  if not FRAMINGS[codec][framing] then arguments.wrong(codec:upper() .. " has no framing " .. framing) end
  return { codec = codec, framing = framing }
end

local function wanted(case, only, speech)
  if case.where and not case.where(speech) then return false end
  if not only then return true end
  for _, text in ipairs(only) do
    if case.name:find(text, 1, true) then return true end
  end
  return false
end

-- Nil, or what is wrong.
local function run_one(case, command, timeout, speech)
  local program = probe.start(command, timeout, speech)
  local fine, e = pcall(case.run, program)
  program:finish()
  if fine then return nil end
  if type(e) == "table" and e.expectation then return e.expectation end
  error(e, 0)
end

function check.run(words)
  local options, others, command = arguments.parse(words, 2, KNOWN)
  if #others > 0 then arguments.wrong("fkrpc check -- " .. table.concat(others, " ") .. "?") end
  if not options.list and not (command and command[1]) then arguments.wrong("check what? fkrpc check -- CMD") end
  local speech = speech_of(options)
  local counts = { ok = 0, note = 0, FAILED = 0 }
  for _, case in ipairs(cases) do
    if wanted(case, options.only, speech) then
      if options.list then
        io.stdout:write(case.name, "\n")
      else
        local started, why = pcall(run_one, case, command, options.timeout or 5, speech)
        if not started then arguments.wrong(tostring(why)) end
        local word = "ok"
        if why then word = case.advice and not options.strict and "note" or "FAILED" end
        counts[word] = counts[word] + 1
        if not options.quiet or why then
          io.stdout:write(("%-6s %s%s\n"):format(word, case.name, why and ": " .. why or ""))
          io.stdout:flush()
        end
      end
    end
  end
  if options.list then return 0 end
  io.stdout:write(("%d ok, %d notes, %d failed\n"):format(counts.ok, counts.note, counts.FAILED))
  return counts.FAILED == 0 and 0 or 1
end

return check
