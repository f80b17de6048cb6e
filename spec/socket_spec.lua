-- fkrpc.connect and fkrpc.listen: the same conversations over a Unix socket or an inherited socket pair.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local program = require("spec.program")
local programs = dofile(helper.root .. "/spec/programs.lua")

local folder, path

before_each(function()
  folder = program.folder()
  path = folder .. "/game.sock"
end)

after_each(function()
  programs.finish()
  program.remove(folder)
end)

local function exists(name)
  local pipe = assert(io.popen("test -e " .. helper.quote(name) .. " && echo yes"))
  local answer = pipe:read("*l")
  pipe:close()
  return answer == "yes"
end

-- A process that listens at `path`, tells so, and does `serve` (a Lua text) with a `client`.
local function server(options, serve)
  local child, log = programs.spawn(([[
    local fkrpc = require("fkrpc")
    local up = assert(fkrpc.stdio())
    local listener = assert(fkrpc.listen{ path = %q%s })
    up:notify("ready")
    local client = assert(listener:accept(%d))
    %s
    listener:close()
  ]]):format(path, options, programs.DEADLINE, serve))
  local ready
  child:on("ready", function() ready = true end)
  assert(child:step(programs.DEADLINE))
  assert.is_true(ready, programs.read(log))
  return child
end

describe("over a socket", function()
  for _, spoken in ipairs({
    { "", {} },
    { ', framing = "length"', { framing = "length" } },
    { ', codec = "cbor"', { codec = "cbor" } },
  }) do
    it("peers of two processes call each other, whatever they speak" .. spoken[1], function()
      local child = server(spoken[1], [[
        client:on("ask", function(params) return params[1] .. client:must("hint", { ("x"):rep(300000) }) end)
        assert(client:serve() == "eof")
      ]])
      spoken[2].path = path
      local peer = assert(fkrpc.connect(spoken[2]))
      peer:on("hint", function(params) return #params[1] end)
      for i = 1, 20 do assert.equal(i .. "300000", peer:must("ask", { i .. "" })) end
      assert.truthy(tostring(peer):find("socket " .. path, 1, true))
      peer:close()
      assert.equal(0, programs.ended(child).code)
      assert.is_false(exists(path))
    end)
  end

  it("a listener has many clients in one process, and outlives them", function()
    local listener = assert(fkrpc.listen({ path = path }))
    local heard = {}
    for i = 1, 3 do
      local one = assert(fkrpc.connect({ path = path }))
      local other = assert(listener:accept(programs.DEADLINE))
      other:on("tell", function(params) heard[#heard + 1] = params[1] end)
      one:notify("tell", { i })
      assert.is_true(other:step(programs.DEADLINE))
      one:close()
      assert.equal("eof", (other:serve()))
    end
    assert.same({ 1, 2, 3 }, heard)
    assert.is_false(listener:accept(0))
    assert.is_false(listener:accept(0.01))
    listener:close()
  end)

  it("a client that has gone is an error for who writes to it, not a signal", function()
    local listener = assert(fkrpc.listen({ path = path }))
    local one = assert(fkrpc.connect({ path = path }))
    local other = assert(listener:accept(programs.DEADLINE))
    one:close()
    local sent, err = other:notify("tell", { 1 })
    assert.is_nil(sent)
    assert.equal("closed", err.code)
    local _, failed = other:call("ask")
    assert.equal("closed", failed.code)
    listener:close()
  end)

  it("calls = false holds for the peers of a listener", function()
    local listener = assert(fkrpc.listen({ path = path, calls = false }))
    local one = assert(fkrpc.connect({ path = path }))
    local other = assert(listener:accept(programs.DEADLINE))
    assert.is_false(pcall(other.call, other, "ask"))
    one:close()
    listener:close()
  end)
end)

describe("the file of a listener", function()
  it("is for its user alone, and goes with the listener", function()
    local listener = assert(fkrpc.listen({ path = path }))
    local pipe = assert(io.popen("ls -l " .. helper.quote(path)))
    assert.equal("srw-------", pipe:read("*a"):sub(1, 10))
    pipe:close()
    listener:close()
    listener:close()
    assert.is_false(exists(path))
    local none, message, errno = listener:accept(0)
    assert.same({ nil, "cannot accept: the listener is closed", 9 }, { none, message, errno })
  end)

  it("goes with a listener that nobody refers to", function()
    local listener = assert(fkrpc.listen({ path = path }))
    assert.is_true(exists(path))
    assert.is_true(listener ~= nil) -- up to here it is referred to
    listener = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_false(exists(path))
  end)

  it("is not taken from a living server", function()
    local listener = assert(fkrpc.listen({ path = path }))
    local none, message, errno = fkrpc.listen({ path = path })
    assert.is_nil(none)
    assert.truthy(message:find(path, 1, true))
    assert.equal(98, errno) -- EADDRINUSE
    assert.truthy(message:find("somebody listens there", 1, true))
    assert.is_true(exists(path))
    listener:close()
  end)

  it("is replaced when its server has been killed", function()
    local child = server("", "client:serve()")
    child:kill(9)
    child:wait(programs.DEADLINE)
    assert.is_true(exists(path))
    local none, message = fkrpc.connect({ path = path })
    assert.is_nil(none)
    assert.truthy(message:find("nobody listens there any more", 1, true))
    local listener = assert(fkrpc.listen({ path = path }))
    assert(fkrpc.connect({ path = path })):close()
    listener:close()
  end)
end)

describe("an inherited descriptor", function()
  -- Perl makes the pair: it can leave descriptors open for the program it becomes.
  local PARENT = [[
    use Socket; $^F = 100;
    socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die;
    if (!fork) { close A; exec @ARGV, fileno(B) or die }
    close B;
    syswrite(A, qq({"jsonrpc":"2.0","id":1,"method":"ask"}\n));
    print scalar <A>; shutdown(A, 1); print scalar(<A>) // "end\n"; wait; exit($? >> 8);
  ]]

  it("is a peer, and no program that is started has it", function()
    local script = programs.file([[
      local fkrpc = require("fkrpc")
      local number = assert(tonumber(arg[1]))
      local peer = assert(fkrpc.connect{ fd = number })
      local again, message, errno = fkrpc.connect{ fd = number }
      assert(again == nil and errno == 9, message)
      peer:on("ask", function()
        local seen = io.popen("ls -l /proc/self/fd"):read("*a")
        return not seen:find("socket:", 1, true)
      end)
      assert(peer:serve() == "eof")
      peer:close()
    ]])
    local done = programs.shell("exec perl -e " .. helper.quote(PARENT) .. " " .. helper.interpreter .. " "
      .. helper.quote(script) .. ' >"$OUT" 2>"$ERR"')
    assert.equal('{"jsonrpc":"2.0","id":1,"result":true}\nend\n', done.out, done.err)
    assert.equal(0, done.code)
  end)

  it("is refused if it is none, with the reason", function()
    for fd, said in pairs({ [0] = "fkrpc.stdio", [1] = "fkrpc.stdio", [1000000] = "errno 9" }) do
      local none, message, errno = fkrpc.connect({ fd = fd })
      assert.is_nil(none)
      assert.truthy(message:find("cannot take descriptor " .. fd, 1, true) and message:find(said, 1, true), message)
      assert.is_true(errno == 9 or errno == 22)
    end
  end)
end)

describe("the options of sockets", function()
  it("are a path or a descriptor, and what peers have", function()
    for said, call in pairs({
      ["give either a path or an fd"] = function() fkrpc.connect({}) end,
      ["give either a path"] = function() fkrpc.connect({ path = path, fd = 9 }) end,
      ["option 'path' must be a string, not a number"] = function() fkrpc.listen({ path = 1 }) end,
      ["no path"] = function() fkrpc.listen() end,
      ["unknown option 'fd'"] = function() fkrpc.listen({ path = path, fd = 9 }) end,
      ["option 'fd' must be an integer"] = function() fkrpc.connect({ fd = 1.5 }) end,
      ["option 'framing'"] = function() fkrpc.listen({ path = path, framing = "sequence" }) end,
    }) do
      local ok, message = pcall(call)
      assert.is_false(ok, said)
      assert.truthy(message:find(said, 1, true), message)
      assert.truthy(message:find("socket_spec.lua", 1, true), message)
    end
    assert.is_false(exists(path))
  end)

  it("refuse a path that is too long, and say how long it may be", function()
    for _, open in ipairs({ fkrpc.connect, fkrpc.listen }) do
      local none, message = open({ path = "/tmp/" .. ("x"):rep(200) })
      assert.is_nil(none)
      assert.truthy(message:find("at most 10%d bytes, this one 205"), message)
    end
    local none, _, errno = fkrpc.connect({ path = path })
    assert.same({ nil, 2 }, { none, errno })
  end)
end)
