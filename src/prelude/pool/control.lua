-- The control socket of a pool: those who may open it see the pool and may ask for replacements.
--
-- It refuses to run anything: it answers `info`, `metrics`, `drain` and `reload`.
local native = ...
local type, pairs, log = type, pairs, native.log
local report = native.module("pool/report")
local local_error = native.module("peer").local_error

-- Clients at a time.
local MOST = 64
-- Seconds between two tries when none can be accepted.
local PAUSE = 1

local control = {}

local function answer(pool, message)
  if pool then return true end
  return nil, local_error(-32000, message)
end

-- Whoever connected; it may go whenever it likes.
local function greet(pool, peer, clients)
  peer:on("info", function() return report.info(pool) end)
  peer:on("metrics", function() return report.metrics(pool) end)
  peer:on("drain", function(params)
    return answer(pool:drain(type(params) == "table" and (params.pid or params[1]) or nil))
  end)
  peer:on("reload", function() return answer(pool:reload()) end)
  clients.number = clients.number + 1
  clients.all[peer] = true
  function peer.on_close()
    clients.number = clients.number - 1
    clients.all[peer] = nil
  end
  pool.loop:add(peer, { on_end = function() peer:close() end })
end

--- Listen at a path, which only this user may open. A function that ends it; or nil, message, errno.
function control.open(pool, path)
  local listener, message, errno = native.module("listener").listen{ path = path }
  if not listener then return nil, message, errno end
  local clients = { number = 0, all = {} }
  local watch = pool.loop:watch(listener:fd(), "r", function()
    local peer, why = listener:accept(0)
    if peer and clients.number < MOST then
      greet(pool, peer, clients)
    elseif peer then
      peer:close()
    elseif why then
      -- Who could not be accepted (no descriptors are left) still waits: not again at once.
      log("fkrpc: the pool's control socket: " .. why .. "\n")
      pool.loop:sleep(PAUSE)
    end
  end)
  return function()
    watch:cancel()
    listener:close()
    for peer in pairs(clients.all) do
      if peer.loop then pool.loop:remove(peer) end -- nobody waits for one that does not read
      peer:close()
    end
  end
end

return control
