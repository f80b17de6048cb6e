std = "max"
max_line_length = 120
cache = false
exclude_files = { "build", "dist", "target", "fuzz", "vendor" }
files["spec"] = { std = "max+busted" }
files["rockspec"] = { std = "max+rockspec" }
-- Definitions: functions without bodies, and a comment line for each field however long.
files["types"] = { ignore = { "212", "241", "631" } }
-- FreeKill's game is made of globals.
local game = { "fk", "InitScheduler", "HandleRequest", "ResumeRoom", "GetRoom" }
files["examples/04_freekill"] = { globals = game }
files["bench/game_child.lua"] = { globals = game }
files["spec/fixtures/freekill"] = { globals = game }
