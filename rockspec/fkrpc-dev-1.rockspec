-- `luarocks make rockspec/fkrpc-dev-1.rockspec`, from the project's folder: paths below start there.
rockspec_format = "3.0"
package = "fkrpc"
version = "dev-1"

-- The project has no public home yet. `luarocks make` does not look at this; it becomes the address of the sources, and
-- of nothing else, once there is one.
source = {
  url = "git+https://fkrpc.invalid/fkrpc.git",
}

description = {
  summary = "JSON-RPC 2.0 over stdio, JSON, CBOR and process tools, in one shared library",
  detailed = [[
fkrpc speaks JSON-RPC 2.0 over pipes from both ends: a script can serve the program that started it, and start programs
of its own. It brings fast JSON and CBOR codecs and the system calls that such programs need. It is one shared library
without dependencies on other rocks. Building it takes cargo (Rust 1.85 or newer).
]],
  license = "MIT",
  maintainer = "the fkrpc authors",
  labels = { "rpc", "json-rpc", "json", "cbor", "ipc", "process", "lsp", "rust" },
}

supported_platforms = { "linux", "macosx" }

dependencies = {
  "lua >= 5.1, < 5.6",
}

-- A plain command, and not a build back-end: back-ends are rocks of their own, for the Lua that LuaRocks itself runs on,
-- which is often not the Lua that is served.
build = {
  type = "command",
  build_command = "$(LUA) scripts/build.lua --rock",
  install = {
    lib = { "build/rock/fkrpc.so" },
    bin = { "bin/fkrpc" },
    -- What the command is made of; the library needs none of it.
    lua = {
      ["fkrpc.command.arguments"] = "lua/fkrpc/command/arguments.lua",
      ["fkrpc.command.cases"] = "lua/fkrpc/command/cases.lua",
      ["fkrpc.command.check"] = "lua/fkrpc/command/check.lua",
      ["fkrpc.command.compare"] = "lua/fkrpc/command/compare.lua",
      ["fkrpc.command.main"] = "lua/fkrpc/command/main.lua",
      ["fkrpc.command.message"] = "lua/fkrpc/command/message.lua",
      ["fkrpc.command.probe"] = "lua/fkrpc/command/probe.lua",
      ["fkrpc.command.recording"] = "lua/fkrpc/command/recording.lua",
      ["fkrpc.command.player"] = "lua/fkrpc/command/player.lua",
      ["fkrpc.command.replay"] = "lua/fkrpc/command/replay.lua",
      ["fkrpc.command.show"] = "lua/fkrpc/command/show.lua",
      ["fkrpc.command.summary"] = "lua/fkrpc/command/summary.lua",
      ["fkrpc.command.top"] = "lua/fkrpc/command/top.lua",
    },
    -- Stays in the rock's own folder; LuaRocks has no place of its own for a licence beside copied directories.
    conf = { "LICENSE" },
  },
  copy_directories = { "docs", "types" },
}

-- A script, and not the type "busted": that one downloads busted even where it is installed.
test = {
  type = "command",
  script = "scripts/spec.lua",
}
