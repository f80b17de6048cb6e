-- An MCP server: tools for a language model. In a client's configuration, with fkrpc installed where lua5.4 finds it:
--
--   { "mcpServers": { "notes": { "command": "lua5.4", "args": ["/path/to/examples/05_mcp_server.lua"] } } }
--
-- Clients start servers without most of the environment, LUA_CPATH included. If the library lies beside the program,
-- this line finds it: package.cpath = (arg[0]:match("^.*/") or "./") .. "?.so;" .. package.cpath

local fkrpc = require "fkrpc"

-- Lines of JSON, and nothing but messages on stdout: print goes to stderr. This server asks its client for nothing.
local peer = assert(fkrpc.stdio{ calls = false })

local VERSIONS = { ["2025-11-25"] = true, ["2025-06-18"] = true, ["2025-03-26"] = true, ["2024-11-05"] = true }
local INVALID_PARAMS = -32602
local notes = {}

-- A tool: what a model is told about it, and what it does. A text is the answer; an error is one the model can read.
local tools = {
  {
    name = "add_note", description = "Keep a note under a title; one that is there is replaced.",
    inputSchema = {
      type = "object",
      properties = { title = { type = "string" }, text = { type = "string" } },
      required = { "title", "text" },
    },
    run = function(given)
      if given.title == "" then error("a note needs a title", 0) end
      notes[given.title] = given.text
      return "kept: " .. given.title
    end,
  },
  {
    name = "list_notes", description = "All titles, one a line.",
    inputSchema = { type = "object" },
    run = function()
      local titles = {}
      for title in pairs(notes) do titles[#titles + 1] = title end
      table.sort(titles)
      return table.concat(titles, "\n")
    end,
  },
}

peer:on("initialize", function(params)
  return {
    protocolVersion = VERSIONS[params.protocolVersion] and params.protocolVersion or "2025-11-25",
    capabilities = { tools = fkrpc.object() },
    serverInfo = { name = "notes", version = "1.0.0" },
  }
end)
peer:on("notifications/initialized", function() end)
peer:on("notifications/cancelled", function() end)
peer:on("ping", function() return fkrpc.object() end)

peer:on("tools/list", function()
  local list = fkrpc.array()
  for i, tool in ipairs(tools) do
    list[i] = { name = tool.name, description = tool.description, inputSchema = tool.inputSchema }
  end
  return { tools = list }
end)

peer:on("tools/call", function(params)
  for _, tool in ipairs(tools) do
    if tool.name == params.name then
      local given = params.arguments or {}
      for _, name in ipairs(tool.inputSchema.required or {}) do
        if type(given[name]) ~= "string" then
          return nil, fkrpc.error{ code = INVALID_PARAMS, data = name .. " must be a string" }
        end
      end
      local fine, text = pcall(tool.run, given)
      return { content = { { type = "text", text = tostring(text) } }, isError = not fine }
    end
  end
  return nil, fkrpc.error{ code = INVALID_PARAMS, data = "there is no tool " .. tostring(params.name) }
end)

peer:serve()
