-- Memory that runs out at every single place there is: an error or an answer, never the end of the process; and sizes
-- that are only announced, for which none is taken.
--
-- The places are found by a malloc that fails on command (spec/fixtures/exhausted/malloc.c). Without a C compiler, or
-- where a malloc cannot be put before the C library's, these cases are pending and say so.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local quote = helper.quote
local fixtures = helper.root .. "/spec/fixtures/exhausted/"

local folder, preload, missing

-- Run a Lua text with the failing malloc, which waits for its command. LuaJIT takes Lua's memory from elsewhere: there
-- it is the library's own that fails.
local function run(script)
  if missing then pending(missing) return nil end
  local command = "LD_PRELOAD=" .. quote(preload) .. " exec " .. programs.command(script)
  local done = programs.shell("{ " .. command .. '; } <"$IN" >"$OUT" 2>"$ERR"')
  programs.finish()
  return done
end

describe("without memory at one place after the other", function()
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(fkrpc.fs.mkdir(folder))
    preload = folder .. "/malloc.so"
    local build = "cc -std=c11 -O1 -shared -fPIC -o " .. quote(preload) .. " " .. quote(fixtures .. "malloc.c")
    local done = programs.shell("command -v cc >/dev/null || exit 66; " .. build .. ' 2>"$ERR"')
    if done.code ~= 0 then
      missing = done.code == 66 and "there is no cc to build the failing malloc" or "no failing malloc: " .. done.err
      return
    end
    done = run('print(os.getenv("FAULTY_MALLOC 0 0"))')
    if done.out ~= "0 0\n" then missing = "the failing malloc is not used: " .. done.err end
  end)

  teardown(function() fkrpc.fs.remove(folder, { recursive = true }) end)

  it("everything is an answer or an error, and works again when there is memory", function()
    local done = run(("arg = { %q }; dofile(%q)"):format(folder, fixtures .. "sweep.lua"))
    if not done then return end
    assert.equal(0, done.code, done.err)
    local points, errors, refusals = done.out:match("^(%d+) points: (%d+) errors, (%d+) refusals\n$")
    assert.truthy(points, done.out .. done.err)
    -- Where Lua's own memory does not fail there are fewer places.
    assert.is_true(tonumber(points) > (helper.name == "luajit" and 200 or 2000), done.out)
    assert.is_true(tonumber(errors) > 0 and tonumber(refusals) > 0, done.out)
  end)

  it("none is taken for lengths that a head announces, however long", function()
    local done = run([[
      local fkrpc = require("fkrpc")
      local cbor, fs = fkrpc.cbor, fkrpc.fs
      local function byte(text)
        return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
      end
      local lengths = { "1000000000000000", "1fffffffffffffff", "0fffffffffffffff", "7fffffffffffffff",
        "ffffffffffffffff", "0000010000000000", "000000003fffffff" }
      local heads, decoders = {}, { cbor.decode, cbor.new({ tags = {}, max_size = 100 }).decode }
      for _, length in ipairs(lengths) do
        for _, kind in ipairs({ "5b", "7b", "9b", "bb" }) do
          for _, before in ipairs({ "", "82", "a100", "c1", "d9d9f7", "9f", "bf", kind == "5b" and "5f" or "9f81" }) do
            for _, after in ipairs({ "", "00", "0000000000000000" }) do
              heads[#heads + 1] = byte(before .. kind .. length .. after)
            end
          end
        end
      end
      local left, right = fkrpc.pair({ codec = "cbor" })
      local function measured(work)
        os.getenv("FAULTY_MALLOC 1000000000 1")
        local fine, got = pcall(work)
        local largest = tonumber((os.getenv("FAULTY_MALLOC 0 0"):match(" (%d+)")))
        assert(largest < 100000, largest)
        return fine, got
      end
      measured(function() return cbor.decode("\130\1") end)
      local told = 0
      for _, bytes in ipairs(heads) do
        for _, decode in ipairs(decoders) do
          local fine, got = measured(function() return (decode(bytes)) end)
          assert(fine and got == nil)
          told = told + 1
        end
        measured(function() return left:send_raw(bytes) and right:step(0) end)
        left, right = fkrpc.pair({ codec = "cbor" })
      end
      local path = os.tmpname()
      for _, most in ipairs({ 2 ^ 60, 2 ^ 63, 1e300 }) do
        local fine, got = measured(function() return fs.read(path, most) end)
        assert(fine and got == "")
      end
      os.remove(path)
      print(told)
    ]])
    if not done then return end
    assert.equal(0, done.code, done.err)
    assert.equal(tostring(7 * 4 * 8 * 3 * 2), done.out:match("%d+"), done.err)
  end)
end)

describe("with a little memory less each time", function()
  -- From where Lua and the library just start to where all of it goes well.
  it("giant documents and programs with giant arguments are answers or errors", function()
    local script = [[
      if jit then jit.off() end
      local fkrpc = require("fkrpc")
      local json, cbor = fkrpc.json, fkrpc.cbor
      local work = {
        function() return #json.decode(json.encode({ ("x"):rep(3000000), ("\"\\"):rep(500000) }))[1] end,
        function() return #cbor.decode(cbor.encode({ ("x"):rep(3000000) }))[1] end,
        function()
          local list = {}
          for i = 1, 50000 do list[i] = { i, tostring(i) } end
          return #json.decode(json.encode(list)), #cbor.decode(cbor.encode(list))
        end,
        function()
          local child, message = fkrpc.spawn({ "true", ("x"):rep(4000000) })
          if child then child:close() end
          return message
        end,
      }
      local fine = 0
      for _, f in ipairs(work) do
        local worked, got = pcall(f)
        f = nil
        collectgarbage()
        collectgarbage()
        if worked and got then fine = fine + 1 end
      end
      assert(json.encode({ 1 }) == "[1]" and cbor.encode({ 1 }) == "\129\1")
      io.write(fine, " alive\n")
    ]]
    local started, fewest, most = 0, math.huge, 0
    for kilobytes = 6000, 66000, 2000 do
      local command = ("ulimit -v %d || exit 77; exec %s"):format(kilobytes, programs.command(script))
      local done = programs.shell("{ " .. command .. '; } <"$IN" >"$OUT" 2>"$ERR"')
      programs.finish()
      if done.code == 77 then pending("there is no ulimit -v") return end
      local fine = tonumber(done.out:match("^(%d) alive\n$"))
      if fine then
        started, fewest, most = started + 1, math.min(fewest, fine), math.max(most, fine)
        assert.equal(0, done.code, kilobytes .. " KB: " .. done.err)
      else
        -- Too little to start with; nothing of it may be an abort.
        assert.is_nil(done.signal, kilobytes .. " KB: " .. done.err)
        assert.is_true(done.code == 1 or done.code == 127 or done.code == 126, kilobytes .. " KB: " .. done.err)
        assert.is_nil(done.err:find("memory allocation of", 1, true), kilobytes .. " KB: " .. done.err)
      end
    end
    assert.is_true(started >= 10, started .. " of the runs had enough to start with")
    assert.is_true(fewest < most, ("%d to %d of the four went well"):format(fewest, most))
  end)
end)
