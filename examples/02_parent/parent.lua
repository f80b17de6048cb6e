-- A parent: it starts examples/01_child as a process and calls it.
--
--   lua5.4 examples/02_parent/parent.lua
--
-- The child's stderr is ours, so its print shows up between our lines.

local fkrpc = require "fkrpc"

-- The same interpreter for the child as for us; a server would just write "lua5.4".
local lua = arg[-1] or "lua5.4"
local here = arg[0]:match("^(.*)/") or "."

local child = assert(fkrpc.spawn{ lua, here .. "/../01_child/child.lua" })

-- The child can talk to us at any time; its messages are served while we wait for something.
child:on("hello", function(params)
  print("the child says hello, " .. params[1])
end)

-- Result and error: the call failed if and only if err is not nil.
local result, err = child:call("subtract", { 42, 23 })
print("42 - 23", result, err)

-- must() returns the result or raises the error.
local room = child:must("new_room", { capacity = 1 })
print("room", room.id, "players", #room.players)
print("players in the room", child:must("enter", { room = room.id, player = "Cao Cao" }))

-- Errors are tables { code, message, data } that print well.
for _, params in ipairs{ { room = 1, player = "Liu Bei" }, { room = 9, player = "Sun Quan" } } do
  local _, refused = child:call("enter", params)
  print("refused", refused.code, refused)
end
local _, bug = child:call("buggy")
print("bug", bug.code, bug.message)

-- Codes of our own side are words: "timeout", "closed", "depth". Times are seconds.
local _, late = child:call("subtract", { 1, 1 }, { timeout = 10 })
assert(late == nil, late)

-- No answer to a notification; it is handled before what we send next.
child:notify("log", { text = "over and out" })
print("bye", child:must("bye"))

-- The end of the process, waited for at most 10 seconds: exit code, CPU seconds, bytes.
local ended = assert(child:wait(10), "the child does not end")
print("exit code", ended.code, "used memory", ended.max_rss > 0)
child:close()
