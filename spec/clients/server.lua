-- What vscode_jsonrpc.mjs talks to: the framing of LSP, and a server that asks its client back.

local fkrpc = require "fkrpc"
local peer = assert(fkrpc.stdio{ framing = "content-length", print = "notify" })

peer:on("echo", function(params) return params end)
peer:on("ask", function(params)
  print("asking", params.name)
  local answer, err = peer:call("hint", { name = params.name })
  return { answer = answer, code = err and err.code }
end)
peer:on("refuse", function() return nil, fkrpc.error{ code = 404, message = "no such room", data = { room = 9 } } end)
peer:on("exit", function() peer:stop() end)

peer:notify("hello", { "wörld" })
assert(peer:serve() == "stopped")
