-- A game server's Lua with the usual faults: it keeps what it should forget, and now and then needs a lot at once.

local fkrpc = require("fkrpc")
local peer = assert(fkrpc.stdio())

local history, games = {}, 0

-- One game: 8 players with hands of cards, some hundred log lines, all of it garbage afterwards. What leaks is the log,
-- which a table of all games keeps "for replays".
local function play(params)
  games = games + 1
  local random = fkrpc.random(params.seed)
  local players, log = {}, {}
  for seat = 1, 8 do
    local hand = {}
    for i = 1, 20 do hand[i] = { suit = random:random(1, 4), number = random:random(1, 13), name = "slash" } end
    players[seat] = { seat = seat, hp = 4, hand = hand }
  end
  for turn = 1, 120 do
    local player = players[turn % 8 + 1]
    local card = player.hand[random:random(1, 20)]
    log[turn] = ("game %d turn %d: player %d plays %s %d of suit %d"):format(games, turn, player.seat, card.name,
      card.number, card.suit)
  end
  history[#history + 1] = log
  if games % 500 == 0 then
    -- The end of a tournament: a table of everything, used once.
    local everything = {}
    for i = 1, 200000 do everything[i] = i * 0.5 end
    assert(#everything == 200000)
  end
  return { games = games, last = log[#log] }
end

peer:on("play", play)
peer:notify("hello", {})
peer:serve()
