-- A language server for plain text: it warns of spaces at the ends of lines, and counts words under the mouse.
--
-- An editor starts it as `lua5.4 /path/to/examples/06_lsp_server.lua`; Neovim, for one:
--
--   vim.lsp.start{ name = "text", cmd = { "lua5.4", "/path/to/examples/06_lsp_server.lua" } }

local fkrpc = require "fkrpc"

-- The base protocol of LSP: a header with its length before each message.
local peer = assert(fkrpc.stdio{ framing = "content-length" })

local documents = {} -- lines by uri
local has_shut_down = false

-- LSP counts characters in units of UTF-16: two for what takes four bytes in UTF-8, else one.
local function units(text)
  local _, characters = text:gsub("[^\128-\191]", "")
  local _, doubles = text:gsub("[\240-\247]", "")
  return characters + doubles
end

local function range(line, first, last)
  return { start = { line = line, character = first }, ["end"] = { line = line, character = last } }
end

local function take(uri, text)
  local lines, diagnostics = {}, fkrpc.array()
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
    local kept = line:gsub("[ \t]+$", "")
    if kept ~= line then
      diagnostics[#diagnostics + 1] = {
        range = range(#lines - 1, units(kept), units(line)), severity = 2, source = "text",
        message = "spaces at the end of the line",
      }
    end
  end
  documents[uri] = lines
  peer:notify("textDocument/publishDiagnostics", { uri = uri, diagnostics = diagnostics })
end

peer:on("initialize", function()
  return {
    capabilities = { textDocumentSync = 1, hoverProvider = true, positionEncoding = "utf-16" },
    serverInfo = { name = "text", version = "1.0.0" },
  }
end)
peer:on("initialized", function() end)

peer:on("textDocument/didOpen", function(params) take(params.textDocument.uri, params.textDocument.text) end)
peer:on("textDocument/didChange", function(params)
  take(params.textDocument.uri, params.contentChanges[#params.contentChanges].text)
end)
peer:on("textDocument/didClose", function(params) documents[params.textDocument.uri] = nil end)

peer:on("textDocument/hover", function(params)
  local lines = documents[params.textDocument.uri]
  local line = lines and lines[params.position.line + 1]
  if not line then return nil end
  local _, words = line:gsub("%S+", "")
  local contents = { kind = "plaintext", value = words .. " words" }
  return { contents = contents, range = range(params.position.line, 0, units(line)) }
end)

peer:on("shutdown", function() has_shut_down = true end)
peer:on("exit", function() peer:stop() end)

peer:serve()
os.exit(has_shut_down and 0 or 1)
