-- The control socket of a pool: those who may open it see the pool and may ask for replacements.
--
-- It refuses to run anything: it answers `info`, `metrics`, `drain` and `reload`.
local native = ...
local type, pairs, log = type, pairs, native.log
local report = native.module("pool/report")
local local_error = native.module("peer").local_error

local control = {}

local function answer(pool, message)
  if pool then return true end
  return nil, local_error(-32000, message)
end

-- Whoever connected; it may go whenever it likes, and goes with the pool.
local function greet(pool, peer, guests)
  peer:on("info", function() return report.info(pool) end)
  peer:on("metrics", function() return report.metrics(pool) end)
  peer:on("drain", function(params)
    return answer(pool:drain(type(params) == "table" and (params.pid or params[1]) or nil))
  end)
  peer:on("reload", function() return answer(pool:reload()) end)
  guests[peer] = true
  pool.loop:add(peer, { on_end = function()
    guests[peer] = nil
    peer:close()
  end })
end

--- Listen at a path, which only this user may open. True; or nil, message, errno.
function control.open(pool, path)
  local listener, message, errno = native.module("listener").listen{ path = path }
  if not listener then return nil, message, errno end
  local guests = {}
  local watch = pool.loop:watch(listener:fd(), "r", function()
    local peer, why = listener:accept(0)
    if peer then
      greet(pool, peer, guests)
    elseif why then
      log("fkrpc: the pool's control socket: " .. why .. "\n")
    end
  end)
  return function()
    watch:cancel()
    listener:close()
    for peer in pairs(guests) do peer:close() end
  end
end

return control
