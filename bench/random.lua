-- How fast generators draw and are made, beside `math.random` in the same run: lua5.4 bench/random.lua [rounds]
--
-- Rounds of all rows in shuffled order, medians of CPU time per call (an empty loop is not taken off).

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local library = dofile(here .. "/library.lua")
local fkrpc = require "fkrpc"

local ROUNDS = tonumber(arg[1]) or 25
local clock = os.clock
local g = fkrpc.random(42)
local new, q = fkrpc.random.compat().new, fkrpc.random.compat().new(42)
local drawn, math_random = g.random, math.random
local cards = {}
for i = 1, 160 do cards[i] = i end

local function by_hand(t)
  for i = #t, 2, -1 do
    local j = g:random(i)
    t[i], t[j] = t[j], t[i]
  end
end

-- name, calls per round, the loop
local rows = {
  { "math.random(1,100)", 300000, function(n) for _ = 1, n do math.random(1, 100) end end },
  { "g:random(1,100)", 300000, function(n) for _ = 1, n do g:random(1, 100) end end },
  { "freekill-qrandomgen's g:random(1,100)", 300000, function(n) for _ = 1, n do q:random(1, 100) end end },
  { "local math_random(1,100)", 300000, function(n) for _ = 1, n do math_random(1, 100) end end },
  { "local random(g,1,100)", 300000, function(n) for _ = 1, n do drawn(g, 1, 100) end end },
  { "math.random()", 300000, function(n) for _ = 1, n do math.random() end end },
  { "g:random()", 300000, function(n) for _ = 1, n do g:random() end end },
  { "g:random(6)", 300000, function(n) for _ = 1, n do g:random(6) end end },
  { "g:double()", 300000, function(n) for _ = 1, n do g:double() end end },
  { "g:bounded(1,101)", 300000, function(n) for _ = 1, n do g:bounded(1, 101) end end },
  { "fkrpc.random(seed)", 5000, function(n) for i = 1, n do fkrpc.random(i) end end },
  { "freekill-qrandomgen's new(seed)", 5000, function(n) for i = 1, n do new(i) end end },
  { "fkrpc.random()", 5000, function(n) for _ = 1, n do fkrpc.random() end end },
  { "g:shuffle(160 cards)", 1000, function(n) for _ = 1, n do g:shuffle(cards) end end },
  { "the same as a loop in Lua", 1000, function(n) for _ = 1, n do by_hand(cards) end end },
}

local order, times = {}, {}
for i = 1, #rows do order[i], times[i] = i, {} end
local shuffler = fkrpc.random(1)
for round = 0, ROUNDS do
  for _, i in ipairs(shuffler:shuffle(order)) do
    local row = rows[i]
    collectgarbage()
    local started = clock()
    row[3](row[2])
    -- The first round warms up.
    if round > 0 then times[i][round] = (clock() - started) / row[2] * 1e9 end
  end
end

local medians = {}
print(("%s, %d rounds"):format(library.name, ROUNDS))
for i, row in ipairs(rows) do
  medians[row[1]] = library.median(times[i])
  print(("%-40s %9.1f ns"):format(row[1], medians[row[1]]))
end
for _, pair in ipairs {
  { "g:random(1,100)", "math.random(1,100)" },
  { "freekill-qrandomgen's g:random(1,100)", "math.random(1,100)" },
  { "local random(g,1,100)", "local math_random(1,100)" },
} do
  print(("speed of %s: %.2f of %s"):format(pair[1], medians[pair[2]] / medians[pair[1]], pair[2]))
end
