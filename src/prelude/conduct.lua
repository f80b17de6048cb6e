-- Options about waiting, which most peers do without: interleaved handlers, cancelling, signals, the parent's end.
local native = ...
local type, error, tostring, ipairs = type, error, tostring, ipairs
local options = native.module("options")

local conduct = {}

-- In the order that the native side knows.
local SIGNALS = { "TERM", "INT", "HUP", "QUIT", "USR1", "USR2" }

-- The signals of the option as bits.
local function signals_of(where, given)
  local names = options.typed(where, given, "signals", "table", 7)
  if names == nil then return nil end
  local bits, known, seen = 0, {}, {}
  for place, name in ipairs(SIGNALS) do known[name] = 2 ^ (place - 1) end
  for _, name in ipairs(names) do
    options.choice(where, { signals = name }, "signals", known, nil, 7)
    if not seen[name] then bits, seen[name] = bits + known[name], true end
  end
  return bits
end

--- What the options ask of a new peer: a function that is given it; nil if they ask for nothing.
function conduct.of(where, given)
  local most = options.integer(where, given, "concurrency", 1, 1, 1000, 6)
  local manner = given.cancel
  if manner ~= nil then options.choice(where, given, "cancel", { lsp = true, mcp = true }, nil, 6) end
  local signals = signals_of(where, given)
  if most == 1 and not manner and not signals then return nil end
  return function(peer)
    if signals then
      local watched, message = native.watch_signals(peer.conn, signals)
      if not watched then error("fkrpc." .. where .. ": cannot hear of signals: " .. message, 0) end
      peer.hears = true
    end
    if most > 1 then native.module("concurrent").install(peer, most) end
    if manner then native.module("cancel").install(peer, manner) end
  end
end

-- Seconds in which a process that has lost its parent may still end by itself.
local PATIENCE = 0.5

--- The seconds that the option `parent_death` means.
function conduct.patience(seconds)
  if seconds == true then return PATIENCE end
  if type(seconds) ~= "number" or seconds < 0 or seconds ~= seconds then
    error("fkrpc.stdio: option 'parent_death' must be true or seconds, not "
      .. (type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)), 3)
  end
  return seconds
end

return conduct
