-- Threads with a Lua state each, made and closed again and again: they share nothing and disturb nothing.
--
-- For Lua 5.4, whose liblua a C program can be linked to; without a compiler or its headers the case is pending and
-- says so. FKRPC_THREADS_SECONDS is how long it runs, 2 without it.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local quote = helper.quote
local fixtures = helper.root .. "/spec/fixtures/threads/"

describe("eight threads with Lua states of their own", function()
  it("encode, decode, draw, call and have files and children without disturbing each other", function()
    if helper.name ~= "lua54" then return end
    local folder = os.tmpname()
    os.remove(folder)
    assert(fkrpc.fs.mkdir(folder))
    local host = folder .. "/host"
    local build = "cc -std=c11 -D_GNU_SOURCE -O1 -I/usr/include/lua5.4 -o " .. quote(host) .. " "
      .. quote(fixtures .. "host.c") .. " -llua5.4 -lpthread"
    local done = programs.shell("command -v cc >/dev/null || exit 66; " .. build .. ' 2>"$ERR"')
    if done.code ~= 0 then
      fkrpc.fs.remove(folder, { recursive = true })
      pending(done.code == 66 and "there is no cc to build the host with" or "no host: " .. done.err)
      return
    end
    local command = ("%s 8 %s %s %s"):format(quote(host), os.getenv("FKRPC_THREADS_SECONDS") or "2",
      quote(fixtures .. "work.lua"), quote(folder))
    done = programs.shell(command .. ' >"$OUT" 2>"$ERR"')
    programs.finish()
    fkrpc.fs.remove(folder, { recursive = true })
    assert.equal(0, done.code, done.err)
    assert.is_true(tonumber(done.out:match("^(%d+) states\n$")) >= 8, done.out)
  end)
end)
