-- What a fault happens in: fresh children with a time limit, and an end at which nothing is left over.
--
-- Whoever uses it has the library on package.cpath. It raises texts for people; it knows no test framework, so that
-- scripts/chaos.lua and scripts/soak.lua run the same faults as the specs.

local fkrpc = require("fkrpc")
local fs = fkrpc.fs
local left = dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/left.lua")

local World = {}
World.__index = World

--- Seconds after which what has not happened counts as hanging.
World.PATIENCE = 20
--- Seconds that what is left over has to go away.
World.SETTLING = 20

--- Fail with a text.
function World.fail(text, ...)
  error("fault: " .. text:format(...), 0)
end

--- Both must be equal.
function World.equal(expected, found, what)
  if expected ~= found then
    World.fail("%s: %s expected, %s found", what or "value", tostring(expected), tostring(found))
  end
end

--- The text must have `part` in it.
function World.has(text, part, what)
  if not tostring(text):find(part, 1, true) then
    World.fail("%s: %q expected in %q", what or "text", part, tostring(text))
  end
end

--- A world without children; `interpreter` runs Lua texts.
function World.new(interpreter)
  collectgarbage()
  collectgarbage()
  local before = left.descriptors(fs)
  return setmetatable({ interpreter = interpreter, children = {}, files = {}, open = before }, World)
end

--- A file that is gone afterwards.
function World:file(text)
  local path = os.tmpname()
  self.files[#self.files + 1] = path
  local file = assert(io.open(path, "wb"))
  file:write(text or "")
  file:close()
  return path
end

--- Start a command (words) as a child. Its stderr goes to a file, whose text `errors(child)` gives.
function World:start(words, options)
  local given, log = {}, self:file()
  for name, value in pairs(options or {}) do given[name] = value end
  given.command = { "sh", "-c", 'log=$1; shift; exec "$@" 2>"$log"', "sh", log }
  for _, word in ipairs(words) do table.insert(given.command, word) end
  local child = assert(fkrpc.spawn(given))
  self.children[#self.children + 1] = { peer = child, log = log }
  return child
end

--- A child that was started otherwise: it is ended with the others.
function World:adopt(child)
  self.children[#self.children + 1] = { peer = child, log = self:file() }
  return child
end

--- Start a Lua text.
function World:script(text, options)
  return self:start({ self.interpreter, self:file(text) }, options)
end

--- Start a child that knows ping and echo, does `lines`, and serves until the end; `childs` are its own options.
function World:child(lines, options, childs)
  return self:script(([[
    local fkrpc = require("fkrpc")
    local peer = assert(fkrpc.stdio(%s))
    peer:on("ping", function() return "pong" end)
    peer:on("echo", function(params) return params[1] end)
    %s
    local why = peer:serve()
    os.exit(why == "eof" and 0 or 9)
  ]]):format(childs or "{}", lines or ""), options)
end

--- What a child wrote to stderr.
function World:errors(child)
  for _, one in ipairs(self.children) do
    if one.peer == child then return assert(fs.read(one.log)) end
  end
end

--- The child answers.
function World:fine(child)
  local result, err = child:call("ping", nil, { timeout = self.PATIENCE })
  if result ~= "pong" then self.fail("a ping was answered %s", tostring(err or result)) end
end

--- A call fails with this code; the error.
function World:fails(code, child, method, params, timeout)
  local result, err = child:call(method, params, { timeout = timeout or self.PATIENCE })
  if err == nil then self.fail("%s gave %s, and should have failed", method, tostring(result)) end
  self.equal(code, err.code, "the code of " .. tostring(err))
  return err
end

--- The child ends by itself, or has ended, with this code or signal (a negative number).
function World:ends(child, expected)
  child:close()
  local exit = child:wait(self.PATIENCE)
  if not exit then self.fail("the child goes on after its input's end") end
  self.equal(expected or 0, exit.code or -exit.signal, "how the child ended")
end

--- Nothing is left: every child is ended and waited for, no process and no descriptor is there that was not before.
function World:finish()
  for _, one in ipairs(self.children) do
    one.peer:close()
    if one.peer:wait(0) == false then
      one.peer:kill(18) -- what is stopped does not hear
      one.peer:kill(9)
      if not one.peer:wait(self.PATIENCE) then self.fail("a child that was killed is still there") end
    end
    if fs.exists("/proc/self") and fs.exists(("/proc/%d"):format(one.peer.pid)) then
      self.fail("a zombie: %d", one.peer.pid)
    end
  end
  for _, path in ipairs(self.files) do os.remove(path) end
  self.children, self.files = {}, {}
  local count, names = left.since(fkrpc, self.open, self.SETTLING)
  self.equal(0, count, "open descriptors that were not there before (" .. names .. ")")
end

--- Run a fault in a world of its own; nil, or what went wrong.
function World.run(fault, interpreter)
  local world = World.new(interpreter)
  local fine, e = pcall(fault.run, world)
  local clean, e2 = pcall(world.finish, world)
  if not fine then return tostring(e) end
  if not clean then return tostring(e2) end
end

--- All faults, in order: `{ name =, run = }`.
function World.faults(folder)
  local all = {}
  for _, file in ipairs({ "deaths", "children", "streams", "replies", "handlers", "requests" }) do
    for _, fault in ipairs(dofile(folder .. "/" .. file .. ".lua")) do all[#all + 1] = fault end
  end
  return all
end

return World
