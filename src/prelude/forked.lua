-- In a process that was started as a zygote: it waits where it would begin to serve, and its copies go on from there.
--
-- What a copy must not have in common with the others is made anew: random seeds here, the rest by the native side.
local native = ...
local collect, randomseed, pairs, tonumber = collectgarbage, math.randomseed, pairs, tonumber

local forked = {}

--- Take the control socket that the environment names; it may have been meant for somebody else.
function forked.take(text)
  local number, key, idle = text:match("^(%d+):(%x+):(%d+)$")
  native.zygote = native.zygote_take and number and native.zygote_take(tonumber(number), key, tonumber(idle))
end

--- Wait to be copied: nothing in a copy, or message, errno if there can be none.
function forked.enter()
  native.zygote = nil
  -- What the copies need at once.
  local random = native.module("random")
  random()
  -- The second one collects what the first has finalized.
  collect()
  collect()
  local zygote, standin, errno = native.zygote_serve()
  if zygote == nil then return standin, errno end
  native.origin = { zygote = zygote, standin = standin ~= 0 and standin or nil }
  local generator = random()
  randomseed(generator:generate() % 2 ^ 31, generator:generate() % 2 ^ 31)
  -- Each new one is noted among them, too: the list is made first.
  local unseeded = {}
  for known in pairs(native.unseeded or {}) do unseeded[#unseeded + 1] = known end
  for i = 1, #unseeded do unseeded[i]:restore(random():state()) end
end

return forked
