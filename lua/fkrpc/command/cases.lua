-- What `fkrpc check` looks at: each case talks to a program of its own. `advice` marks what JSON-RPC 2.0 leaves open or
-- only recommends; `where(speech)` says in which codecs and framings there is such a case.

local fkrpc = require("fkrpc")
local message = require("fkrpc.command.message")
local fail = require("fkrpc.command.probe").fail

local cases = {}

local function case(name, run, advice, where)
  cases[#cases + 1] = { name = name, run = run, advice = advice, where = where }
end

local function in_lines(speech) return speech.framing == "line" end
local function in_json(speech) return speech.codec == "json" end
local function prefixed(speech) return speech.framing == "content-length" or speech.framing == "length" end
local function with_headers(speech) return speech.framing == "content-length" end
local function in_cbor(speech) return speech.codec == "cbor" end

-- ---- requests -------------------------------------------------------------------------------------------------------

case("an unknown method is answered with -32601", function(probe)
  probe:ask("1")
  local value = probe:answer(1)
  if not value.error then fail("a result was not expected") end
  if value.error.code ~= -32601 then fail("the code is %d", value.error.code) end
end)

for text, id in pairs({
  ["1"] = 1, ["0"] = 0, ["-7"] = -7, ["2147483648"] = 2147483648, ["9007199254740991"] = 9007199254740991,
  ['"one"'] = "one", ['""'] = "", ['"1"'] = "1", ['"\\u00e9\\n\\u0000\\ud83d\\ude00"'] = "\195\169\n\0\240\159\152\128",
}) do
  case("the id " .. text .. " comes back", function(probe)
    probe:ask(text)
    probe:answer(id)
  end)
end

case("the id null comes back", function(probe)
  probe:ask("null")
  probe:answer(fkrpc.null)
end, true)
case("the id 1.5 comes back", function(probe)
  probe:ask("1.5")
  probe:answer(1.5)
end, true)

case("a notification is not answered", function(probe)
  probe:line('{"jsonrpc":"2.0","method":"fkrpc.check/no such method"}')
  probe:line('{"jsonrpc":"2.0","method":"fkrpc.check/no such method","params":[1]}')
  probe:alive()
end)
case("params may be an object, an array, or missing", function(probe)
  for i, params in ipairs({ "[]", "{}", '{"a":{"b":[null]}}', "[1,2,3]" }) do
    probe:ask(i, params)
    probe:answer(i)
  end
  probe:line('{"jsonrpc":"2.0","id":"none","method":"fkrpc.check/no such method"}')
  probe:answer("none")
end)
case("members come in any order, and unknown ones are passed over", function(probe)
  probe:line('{"x":[{}],"params":[],"method":"fkrpc.check/no such method","id":1,"y":null,"jsonrpc":"2.0"}')
  probe:answer(1)
end)
case("white space between tokens and a carriage return are no part of a message", function(probe)
  probe:line('  { "jsonrpc" :\t"2.0" , "id" : 1 , "method" : "fkrpc.check/no such method" }  \r')
  probe:answer(1)
end, false, in_json)
case("two requests with one id are both answered", function(probe)
  probe:bytes(probe:wire(probe:request("1")):rep(2))
  probe:answer(1)
  probe:answer(1)
end)

-- ---- what is no request ---------------------------------------------------------------------------------------------

for name, text in pairs({
  ["half an object"] = '{"jsonrpc":"2.0","method":"foobar,"params":"bar"', ["words"] = "hello world",
  ["half an array"] = '[{"jsonrpc":"2.0","id":1,"method":"sum"},{"jsonrpc":"2.0","method"]',
  ["two values"] = "{} {}",
}) do
  case("a line of " .. name .. " is answered with -32700", function(probe)
    probe:line(text)
    probe:refusal(-32700)
    probe:alive()
  end, false, in_json)
end

for name, text in pairs({
  ["a number"] = "5", ["null"] = "null", ["a string"] = '"text"', ["an empty array"] = "[]",
  ["an empty object"] = "{}", ["a method that is a number"] = '{"jsonrpc":"2.0","method":1,"params":"bar"}',
}) do
  case(name .. " is answered with -32600", function(probe)
    probe:line(text)
    probe:refusal(-32600)
    probe:alive()
  end)
end

case("another version than 2.0 is answered with -32600", function(probe)
  probe:line('{"jsonrpc":"1.0","id":1,"method":"fkrpc.check/no such method"}')
  local value = probe:response()
  if not value.error or value.error.code ~= -32600 then fail("it was accepted") end
end, true)
case("params that are a scalar are answered with -32602 or -32600", function(probe)
  probe:line('{"jsonrpc":"2.0","id":1,"method":"fkrpc.check/no such method","params":1}')
  local value = probe:response()
  local code = value.error and value.error.code
  if code ~= -32602 and code ~= -32600 then fail("the code is %s", tostring(code)) end
end, true)

for name, text in pairs({
  ["a result for nobody"] = '{"jsonrpc":"2.0","id":4711,"result":1}',
  ["an error for nobody"] = '{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}',
  ["an error without an id"] = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
}) do
  case(name .. " is not answered", function(probe)
    probe:line(text)
    probe:alive()
  end)
end

-- ---- batches --------------------------------------------------------------------------------------------------------

-- The ids of a batch's answers as a set, and how many there are.
local function ids_of(value)
  if value[1] == nil then fail("a batch was not answered with a batch") end
  local ids = {}
  for _, member in ipairs(value) do ids[tostring(member.id)] = true end
  return ids, #value
end

case("a batch is answered with a batch of all answers", function(probe)
  probe:line("[" .. probe:request("1") .. "," .. probe:request('"2"') .. ',{"jsonrpc":"2.0","method":"note"},5]')
  local ids, count = ids_of(probe:response())
  if count ~= 3 or not (ids["1"] and ids["2"] and ids[tostring(fkrpc.null)]) then fail("%d answers", count) end
  probe:alive()
end)
case("a batch of what is no request has an error for each", function(probe)
  probe:line("[1,2,3]")
  local _, count = ids_of(probe:response())
  if count ~= 3 then fail("%d answers", count) end
end)
case("a batch of notifications is not answered", function(probe)
  probe:line('[{"jsonrpc":"2.0","method":"note"},{"jsonrpc":"2.0","method":"note"}]')
  probe:alive()
end)

-- ---- how bytes arrive -----------------------------------------------------------------------------------------------

case("a request may arrive byte by byte", function(probe)
  for c in probe:wire(probe:request("1")):gmatch("[%s%S]") do probe:bytes(c) end
  probe:answer(1)
end)
case("a hundred requests in one write are all answered, in any order", function(probe)
  local lines, open = {}, {}
  for i = 1, 100 do lines[i], open[i] = probe:wire(probe:request(tostring(i))), true end
  probe:bytes(table.concat(lines))
  for _ = 1, 100 do
    local id = probe:response().id
    if not open[id] then fail("the id %s was answered twice, or never asked", tostring(id)) end
    open[id] = nil
  end
end)
case("a line of a megabyte is answered", function(probe)
  probe:ask("1", '["' .. ("x"):rep(2 ^ 20) .. '"]')
  probe:answer(1)
end)
case("an answer is not kept back until more arrives", function(probe)
  for i = 1, 20 do
    probe:ask(i)
    probe:answer(i)
  end
end)

for name, bytes in pairs({
  ["bytes that are no UTF-8"] = '{"jsonrpc":"2.0","id":1,"method":"\255\254"}\n', ["NUL bytes"] = "\0\0\0\n",
  ["binary garbage"] = ("\1\128\255\27[2J"):rep(50) .. "\n", ["an empty line"] = "\n",
  ["a byte order mark"] = "\239\187\191\n", ["half a surrogate pair"] = '{"jsonrpc":"2.0","method":"\\ud800"}\n',
  ["a number beyond all doubles"] = '{"jsonrpc":"2.0","method":"m","params":[1e999]}\n',
  ["100,000 open brackets"] = ("["):rep(100000) .. "\n",
  ["a text in the manner of HTTP"] = "Content-Length: 2\r\n\r\n{}\n",
}) do
  case("after " .. name .. " it goes on", function(probe)
    probe:bytes(bytes)
    if name == "bytes that are no UTF-8" then -- which may be taken for a request
      local value = probe:response()
      if value.id ~= 1 and value.id ~= fkrpc.null then fail("an answer with the id %s", tostring(value.id)) end
    end
    probe:recovers()
  end, false, in_lines)
end

for name, bytes in pairs({
  ["bytes that are no UTF-8"] = '{"jsonrpc":"2.0","method":"\255\254"}',
  ["binary garbage"] = ("\1\128\255\27[2J"):rep(50),
  ["half a request"] = '{"jsonrpc":"2.0","method":"m","params":[1,', ["100,000 open brackets"] = ("["):rep(100000),
  ["100,000 open arrays of CBOR"] = ("\129"):rep(100000), ["half an item"] = "\163gjsonrpcc2.0",
  ["a break"] = "\255", ["nothing"] = "",
}) do
  case("after a message of " .. name .. " it goes on", function(probe)
    probe:bytes(message.framed(probe.speech, bytes))
    probe:recovers()
  end, false, prefixed)
end

for name, header in pairs({
  ["another header before it"] = "Content-Type: application/vscode-jsonrpc\r\nContent-Length: %d\r\n\r\n",
  ["another header after it"] = "Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n",
}) do
  case("a length may have " .. name, function(probe)
    local request = probe:request("1")
    probe:bytes(header:format(#request) .. request)
    probe:answer(1)
  end, false, with_headers)
end
for name, header in pairs({
  ["in small letters"] = "content-length: %d\r\n\r\n", ["without a space"] = "Content-Length:%d\r\n\r\n",
}) do
  case("a length may be written " .. name, function(probe)
    local request = probe:request("1")
    probe:bytes(header:format(#request) .. request)
    probe:answer(1)
  end, true, with_headers)
end

case("a map of indefinite length is read", function(probe)
  probe:bytes(message.framed(probe.speech, "\191gjsonrpcc2.0bid\1fmethod\127lfkrpc.check/\255\255"))
  probe:answer(1)
end, false, in_cbor)
case("an integer may be longer than it has to be", function(probe)
  probe:bytes(message.framed(probe.speech, "\163gjsonrpcc2.0bid\27\0\0\0\0\0\0\0\1fmethodlfkrpc.check/"))
  probe:answer(1)
end, false, in_cbor)

-- ---- the end --------------------------------------------------------------------------------------------------------

case("the end of its input ends it with status 0", function(probe) probe:ends() end)
case("what it was asked before the end is answered", function(probe)
  probe:ask("1")
  probe.peer:close_stdin()
  probe:answer(1)
  probe:ends()
end)
case("the end of its input inside a line ends it with status 0", function(probe)
  probe:bytes(probe:wire(probe:request("1")):sub(1, 20))
  probe:ends()
end)
case("the last line needs no line feed", function(probe)
  probe:bytes(probe:request("1"))
  probe.peer:close_stdin()
  probe:answer(1)
  probe:exits()
end, true, in_lines)
case("it ends when nobody reads what it says", function(probe)
  probe:ask("1")
  probe:answer(1)
  probe.peer:close()
  probe:exits()
end)

table.sort(cases, function(a, b) return a.name < b.name end)
return cases
