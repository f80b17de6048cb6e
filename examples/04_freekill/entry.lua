-- A complete FreeKill child: what the server starts as `lua5.4 entry.lua` and talks to over stdin and stdout.
--
-- This is the small game's; for FreeKill itself take the file in docs/migrating-freekill.md, which loads the game's own
-- files and gives them the modules they ask for by name.
--
-- By hand, in JSON:
--
--   echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' | lua5.4 examples/04_freekill/entry.lua
--
-- game.lua beside this file stands in for the game here.

local fkrpc = require "fkrpc"
fk = require "fkrpc.freekill" -- the game knows this table by this name

-- From here on stdin and stdout are the server's, in CBOR if FK_RPC_MODE says so; print is a message to it.
assert(fk.start())

-- What the game's files find each other by.
package.path = "./?.lua;./?/init.lua;./lua/lib/?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path

-- A handler that runs longer than this gets an error, and so does each coroutine that it resumes, for itself: the game
-- sees `coroutine.resume` return false and can release the room. Waiting for the server is free.
assert(fkrpc.watchdog(15, { per = "resume" }))

-- The game defines InitScheduler, HandleRequest, ResumeRoom and GetRoom. It may log while it loads.
dofile(arg[0]:gsub("[^/]*$", "") .. "game.lua")

-- Nobody sits at this process's keyboard: what waits for one, or reads the server's pipe, is closed.
fk.lockdown()

InitScheduler(fk.RoomThread())

-- Hello, then whatever the server asks, until it says bye or goes away. The status is 0 in both cases.
fk.serve()
