-- A child of bench/game.c over fkrpc.freekill: the recorded game's calls, made through its objects.
--
--   lua5.4 bench/game_child.lua TAPE

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/../?.lua;" .. package.path
local fk = require("fkrpc.freekill")
local playing = require("bench.game_plan")

local play = playing.read(arg[1], fk)
HandleRequest, ResumeRoom = play, play
function GetRoom() end
assert(fk.start({ mode = "cbor" }))
play()
fk.serve()
