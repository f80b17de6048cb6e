-- Children that are copies of one process that has loaded the program: option `prefork` of a pool.
--
-- It refuses to block the loop while a program loads: until that is done no child is started.
local native = ...
local tostring, type, error = tostring, type, error
local zygotes, staff = native.module("zygote"), native.module("pool/staff")

local prefork = {}

-- Seconds between two looks at a program that loads.
local LOOK = 0.005
-- Seconds for a copy to be made: a process that takes longer hangs, and is given up. The loop goes on meanwhile.
local PATIENCE = 1
local ETIMEDOUT = 110

-- A process that loads the program, with the options that are for all copies of it.
local function start(pool)
  local given = pool.given
  local command = given.command
  if not command then
    command = {}
    for i = 1, #given do command[i] = given[i] end
  end
  return zygotes.zygote{ command = command, env = given.env, cwd = given.cwd, stderr = given.stderr,
    timeout = PATIENCE }
end

local function late(pool, zygote)
  return ("%s did not load its program in time (after %g s, option handshake_timeout)"):format(tostring(zygote),
    pool.shake.patience)
end

-- Call `done(zygote)` when it has loaded, or `done(nil, message)`; none of it when the pool is closed before.
local function load(pool, done)
  pool.loop:go(function() -- not at once: whoever asks may be in the middle of something
    if pool.closing then return end
    local zygote, message = start(pool)
    if not zygote then return done(nil, message) end
    pool.loading[zygote] = true
    local deadline = pool.now() + pool.shake.patience
    local ready
    repeat
      ready, message = zygote:ready(0)
      if ready == false then pool.loop:sleep(LOOK) end
    until ready ~= false or pool.closing or pool.now() >= deadline
    pool.loading[zygote] = nil
    if pool.closing or not ready then zygote:close() end
    if pool.closing then return end
    if ready == false then message = late(pool, zygote) end
    done(ready and zygote or nil, message)
  end)
end

--- Let a new pool start its children so; the first program is waited for. True; or nil, message, errno.
function prefork.install(pool, wanted)
  if type(wanted) ~= "boolean" then
    error("fkrpc.pool: option 'prefork' must be a boolean, not a " .. type(wanted), 3)
  end
  local zygote, message, errno = start(pool)
  if not zygote then return nil, message, errno end
  local ready
  ready, message, errno = zygote:ready(pool.shake.patience)
  if not ready then
    zygote:close()
    return nil, message or late(pool, zygote), errno or ETIMEDOUT
  end

  local renewals, watch = 0, nil
  pool.loading = {}

  -- A copy was asked for: go on when it is there. One that hangs is killed, which is seen at the same place.
  local function await(fd)
    if watch or pool.loop.closed then return end
    local asked, patience = zygote, nil
    watch = pool.loop:watch(fd, "r", function()
      watch:cancel()
      patience:cancel()
      watch = nil
      pool:again()
    end)
    patience = pool.loop:after(PATIENCE, function() native.process_signal(asked.process, 9) end)
  end

  function pool.launch()
    local given = {}
    for name, value in next, pool.given do
      if type(name) == "string" and name ~= "command" and name ~= "env" and name ~= "cwd" then given[name] = value end
    end
    local child, why, number
    if pool.begun and zygote.loaded and not zygote.dead then
      child, why, number = zygotes.request(zygote, given)
      if type(why) == "number" then
        await(why)
        return nil, staff.LATER
      end
    else
      child, why, number = zygote:spawn(given)
    end
    if not child and zygote.dead and not pool.hold then
      -- Another is loaded meanwhile; the pool tries again when it is there.
      pool.hold = true
      load(pool, function(another, reason)
        pool.hold = nil
        if not another then
          pool.last_reason = reason
        elseif zygote.dead then
          zygote = another
        else
          another:close() -- a newer program has been loaded meanwhile
        end
        pool:again()
      end)
    end
    return child, why, number
  end

  --- Load the program anew; then call `go_on()`, or `go_on(message)` if that was not to be.
  function pool.renew(go_on)
    renewals = renewals + 1
    local number = renewals
    load(pool, function(another, reason)
      if number ~= renewals then -- there is a newer program than this
        if another then another:close() end
        return
      end
      if another then
        zygote:close()
        zygote = another
      end
      go_on(reason)
    end)
  end

  function pool.zygote()
    return zygote
  end
  return true
end

return prefork
