-- The documents that the codec benchmark reads: `NAME.jsonl` files with one document a line, or generated ones.
--
-- Generated documents are the same on every machine (a generator of its own, no math.random), but small and made up:
-- figures from them are not comparable with figures from files, so whoever prints them must say which they are.

local corpora = { names = { "rpc", "medium", "num", "str" } }

-- A linear congruential generator (Park and Miller, 1988); exact in doubles, so every Lua draws the same.
local function generator(seed)
  return function(n)
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local WORDS = {
  "slash", "jink", "peach", "duel", "dismantlement", "snatch", "lightning", "indulgence", "player", "card",
}

local function rpc(random, lines)
  local methods = { "HandleRequest", "Player_doNotify", "Room_hasObserver", "GetLength" }
  for id = 1, 400 do
    local word, method = WORDS[random(#WORDS)], methods[random(#methods)]
    local inner = [["{\"name\":\"%s\",\"to\":[%d,%d],\"ok\":true}"]]
    lines[id] = ('{"jsonrpc":"2.0","method":"%s","params":[%d,"%s",' .. inner .. '],"id":%d}')
      :format(method, random(5000), word, word, random(8), random(8), id)
  end
end

local function medium(random, lines)
  local card = '{"id":%d,"name":"%s","suit":%d,"number":%d,"known":%s,"owner":null,"skills":["%s","%s"],"weight":%d.%d}'
  for i = 1, 30 do
    local cards = {}
    for j = 1, 60 do
      cards[j] = card:format(j, WORDS[random(#WORDS)], random(4), random(13), random(2) == 1 and "true" or "false",
        WORDS[random(#WORDS)], WORDS[random(#WORDS)], random(90), random(99))
    end
    lines[i] = '{"room":' .. i .. ',"cards":[' .. table.concat(cards, ",") .. "]}"
  end
end

local function num(random, lines)
  local numbers = {}
  for i = 1, 12000 do
    local kind = random(4)
    if kind == 1 then
      numbers[i] = tostring(random(100000) - 50000)
    elseif kind == 2 then
      numbers[i] = ("%d%09d"):format(random(900000), random(1000000000) - 1)
    elseif kind == 3 then
      numbers[i] = ("-%d.%d"):format(random(180), random(1000000))
    else
      numbers[i] = ("%d.%de-%d"):format(random(9), random(100000000), random(20))
    end
  end
  lines[1] = "[" .. table.concat(numbers, ",") .. "]"
end

local function str(random, lines)
  -- Han characters, escapes, a surrogate pair, plain text.
  local parts = {
    "\228\184\137\229\155\189\230\157\128", [[\"]], [[\n]], [[\u4e00]], [[\ud83d\ude00]], [[\\]], "plain text ",
  }
  for i = 1, 10 do
    local text = {}
    for j = 1, 2000 do
      text[j] = random(3) == 1 and parts[random(#parts)] or WORDS[random(#WORDS)] .. " "
    end
    lines[i] = '["' .. table.concat(text) .. '"]'
  end
end

local makers = { rpc = rpc, medium = medium, num = num, str = str }

-- The documents of a corpus, how many bytes they are, and where they are from.
function corpora.load(folder, name)
  local lines, bytes = {}, 0
  local file = io.open(folder .. "/" .. name .. ".jsonl", "rb")
  if file then
    for line in file:lines() do
      lines[#lines + 1] = line
    end
    file:close()
  else
    makers[name](generator(20170101), lines)
  end
  for _, line in ipairs(lines) do
    bytes = bytes + #line
  end
  return lines, bytes, file and "file" or "generated"
end

return corpora
