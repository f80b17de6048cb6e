-- The children of the round-trip benchmark: `lua5.4 bench/child.lua KIND`.
--
-- echo      io.read and print, nothing is parsed: the least a Lua program can do
-- fkrpc     a peer over JSON lines
-- watching  the same, which also hears of signals and has a child process of its own
-- freekill  a peer over CBOR with FreeKill's integer keys
-- cjson     lua-cjson over io.read and print, with a dispatcher that checks nothing
-- dkjson    the same with dkjson (its own parser, not LPeg's)
--
-- HandleRequest answers true; Nest makes ten calls to the parent first.

local kind = arg[1]
local here = arg[0]:match("^(.*)/[^/]*$") or "."
local CALLS = 10

local function echo()
  io.stdout:setvbuf("line")
  for line in io.lines() do
    print(line)
  end
end

local function peer(options)
  -- The folder is on the path: spec/helper.lua would need processes of its own to check the stamp, run.sh did.
  local rpc = require("fkrpc").stdio(options)
  rpc:on("HandleRequest", function()
    return true
  end)
  rpc:on("Nest", function()
    for i = 1, CALLS do
      local result, err = rpc:call("Ask", { i })
      if err ~= nil or result ~= "fixed" then
        error("the parent did not answer as it should")
      end
    end
    return true
  end)
  rpc:serve()
end

local function minimal(encode, decode)
  io.stdout:setvbuf("line")
  local handlers, last = {}, 0
  local function call(method, params)
    last = last + 1
    print(encode({ jsonrpc = "2.0", method = method, params = params, id = last }))
    local reply = decode(io.read())
    return reply.result
  end
  function handlers.HandleRequest()
    return true
  end
  function handlers.Nest()
    for i = 1, CALLS do
      if call("Ask", { i }) ~= "fixed" then
        error("the parent did not answer as it should")
      end
    end
    return true
  end
  for line in io.lines() do
    local request = decode(line)
    local result = handlers[request.method](request.params)
    print(encode({ jsonrpc = "2.0", result = result, id = request.id }))
  end
end

if kind == "echo" then
  echo()
elseif kind == "fkrpc" then
  peer({})
elseif kind == "watching" then
  -- A child that ends with its input, which is ours to close.
  local other = assert(require("fkrpc").spawn({ command = { "cat" } }))
  peer({ signals = { "TERM", "INT" } })
  other:close()
elseif kind == "freekill" then
  peer({ codec = "cbor", keys = "freekill" })
elseif kind == "cjson" then
  local cjson = require("cjson")
  minimal(cjson.encode, cjson.decode)
elseif kind == "dkjson" then
  local dkjson = require("dkjson")
  minimal(dkjson.encode, dkjson.decode)
else
  error("bench/child.lua: unknown kind '" .. tostring(kind) .. "' in " .. here)
end
