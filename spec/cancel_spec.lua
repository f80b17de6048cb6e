-- Cancelling calls and telling progress: tokens, and what is said to the other end in the manner of LSP or MCP.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local json = fkrpc.json

local left, right

local function fresh(options) left, right = fkrpc.pair(options) end

-- What the right end of a pair is sent, decoded; nothing serves it.
local function sent()
  local messages = {}
  right:on("*", function(params, ctx) messages[#messages + 1] = { ctx.method, params } end)
  while right:step(0) do end
  return messages
end

after_each(programs.finish)

describe("a token", function()
  before_each(function() fresh() end)

  it("ends the call that waits with it, and not the others", function()
    local token = fkrpc.token()
    right:on("outer", function(_, ctx)
      ctx.peer:call("inner")
      return "late"
    end)
    left:on("inner", function()
      assert.is_true(token:cancel("enough"))
      return "inner"
    end)
    local result, err = left:call("outer", nil, { cancel = token })
    assert.is_nil(result)
    assert.same({ "cancelled", "enough" }, { err.code, err.message })
    assert.equal("late", (left:call("outer")))
    assert.equal(1, left:stats().strays)
    assert.equal(0, left:stats().waiting)
  end)

  it("can be asked, is cancelled once, and lets no call begin afterwards", function()
    local token = fkrpc.token()
    assert.is_false((token:cancelled()))
    assert.is_true(token:cancel())
    assert.is_false(token:cancel("again"))
    assert.same({ true }, { token:cancelled() })
    local _, err = left:call("x", nil, { cancel = token })
    assert.equal("cancelled: the call was cancelled", tostring(err))
    assert.same({}, sent())
    assert.error_matches(function() token:cancel(5) end, "string or nil expected")
  end)

  it("ends calls of handlers that run interleaved", function()
    fresh({ concurrency = 4 })
    local token, seen = fkrpc.token(), {}
    right:on("ask", function(params, ctx)
      local _, err = ctx.peer:call("question", nil, params[1] < 3 and { cancel = token } or nil)
      seen[#seen + 1] = params[1] .. " " .. tostring(err and err.code)
    end)
    right:on("cancel", function() token:cancel() end)
    for i = 1, 3 do left:notify("ask", { i }) end
    left:notify("cancel")
    while right:step(0) do end
    table.sort(seen)
    assert.same({ "1 cancelled", "2 cancelled" }, seen)
    assert.equal(1, right:stats().waiting)
    left:send_raw('{"jsonrpc":"2.0","id":3,"result":1}\n')
    while right:step(0) do end
    assert.equal("3 nil", seen[3])
  end)

  it("is a token, and other options are what they are", function()
    for options, message in pairs({
      [{ cancel = {} }] = "made by fkrpc.token", [{ timeout = "1" }] = "must be seconds", [{ tiemout = 1 }] = "unknown",
      [{ on_progress = print }] = "needs a peer with the option 'cancel'",
    }) do
      assert.error_matches(function() left:call("x", nil, options) end, message)
    end
    assert.error_matches(function() left:call("x", nil, 5) end, "table of options or nil expected")
    assert.error_matches(function() fkrpc.pair({ cancel = "yes" }) end, "option 'cancel' must be one of")
  end)
end)

describe("without the option cancel", function()
  it("nothing is sent, and contexts know of nothing", function()
    fresh()
    local asked
    right:on("x", function(_, ctx)
      asked = { ctx:cancelled(), ctx:progress(5) }
      return 1
    end)
    assert.equal(1, (left:call("x", { workDoneToken = "t" })))
    assert.same({ false, false }, asked)
    left:call("x", nil, { timeout = 0 })
    left:send_raw('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":3}}\n')
    right:on("x", nil)
    local messages = sent()
    assert.equal("$/cancelRequest", messages[1][1])
    assert.equal(1, #messages)
  end)
end)

describe("in LSP's manner", function()
  before_each(function() fresh({ cancel = "lsp" }) end)

  it("a request that is cancelled is answered -32800, if its handler has nothing else to say", function()
    local lines = {}
    for id, method in ipairs({ "nothing", "result", "error" }) do
      lines[#lines + 1] = ('{"jsonrpc":"2.0","id":%d,"method":"%s"}\n'):format(id, method)
    end
    for id = 1, 3 do
      lines[#lines + 1] = ('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}\n'):format(id)
    end
    local done = programs.run([[
      local peer = assert(require("fkrpc").stdio({ cancel = "lsp" }))
      peer:on("nothing", function(_, ctx) ctx:cancelled() end)
      peer:on("result", function(_, ctx) return ctx:cancelled() end)
      peer:on("error", function(_, ctx) return nil, ctx:cancelled() and "is cancelled" end)
      peer:serve()
    ]], table.concat(lines) .. '{"jsonrpc":"2.0","id":4,"method":"nothing"}\n')
    local found = {}
    for line in done.out:gmatch("[^\n]+") do
      local answer = json.decode(line)
      local e = answer.error
      found[#found + 1] = e and { e.code, e.message, e.data } or answer.result
    end
    local error_of = { -32000, "Server error", "is cancelled" }
    assert.same({ { -32800, "Request cancelled" }, true, error_of, fkrpc.null }, found)
  end)

  it("what is asked for ahead keeps its order, and nothing of it is lost", function()
    local lines = {}
    local function line(text) lines[#lines + 1] = text .. "\n" end
    line('{"jsonrpc":"2.0","id":"a","method":"first"}')
    line('{"jsonrpc":"2.0","method":"note","params":[1]}')
    line("junk")
    line('[{"jsonrpc":"2.0","id":7,"method":"batch"},'
      .. '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"b"}}]')
    line('{"jsonrpc":"2.0","id":"b","method":"second"}')
    line('{"jsonrpc":"2.0","method":"note","params":[2]}')
    line('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"a"}}')
    line('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"never"}}')
    line('{"jsonrpc":"2.0","method":"$/cancelRequest"}')
    line('{"jsonrpc":"2.0","id":"a","method":"third"}')
    line('{"jsonrpc":"2.0","id":"c","method":"fourth"}')
    line('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"c"}}')
    local done = programs.run([[
      local peer = assert(require("fkrpc").stdio({ cancel = "lsp" }))
      local seen = {}
      peer:on("*", function(params, ctx)
        seen[#seen + 1] = ctx.method .. " " .. tostring(ctx:cancelled()) .. " " .. tostring(params[1])
        return seen
      end)
      peer:serve()
    ]], table.concat(lines))
    local last
    local ids = {}
    for text in done.out:gmatch("[^\n]+") do
      local answer = json.decode(text)
      ids[#ids + 1] = answer.id or answer[1].id
      last = answer
    end
    assert.same({ "a", fkrpc.null, 7, "b", "a", "c" }, ids)
    for i, text in ipairs(last.result) do last.result[i] = text:gsub("%.0$", "") end
    assert.same({ "first true nil", "note false 1", "batch false nil", "second false nil", "note false 2",
      "third false nil", "fourth true nil" },
      last.result)
  end)

  it("a cancellation that arrives while the handler works is seen, though nothing is waited for", function()
    local child = programs.spawn([[
      local fkrpc = require("fkrpc")
      local peer = assert(fkrpc.stdio({ cancel = "lsp" }))
      peer:on("work", function(_, ctx)
        peer:notify("begun")
        for _ = 1, 10000 do
          if ctx:cancelled() then return end
          fkrpc.clock.sleep(0.002)
        end
        return "not cancelled"
      end)
      peer:serve()
    ]], { cancel = "lsp" })
    local token = fkrpc.token()
    child:on("begun", function() token:cancel("no more") end)
    local _, err = child:call("work", nil, { cancel = token, timeout = programs.DEADLINE })
    assert.equal("cancelled", err.code)
    assert.is_true(child:step(programs.DEADLINE)) -- the answer, which nobody waits for
    assert.equal(1, child:stats().strays)
    child:close_stdin()
    assert.equal(0, child:wait(programs.DEADLINE).code)
  end)

  it("progress reaches the call that wants it, with the params' own tokens or with one of ours", function()
    right:on("work", function(params, ctx)
      local told = { ctx:progress({ kind = "begin" }), ctx:progress(2) }
      if params.partialResultToken then ctx:progress("part", params.partialResultToken) end
      return told
    end)
    local heard = {}
    local function listen(value, token) heard[#heard + 1] = { value, token } end
    assert.same({ true, true }, (left:call("work", { a = 1 }, { on_progress = listen })))
    assert.same({ { kind = "begin" }, 2 }, { heard[1][1], heard[2][1] })
    assert.equal("string", type(heard[1][2]))
    heard = {}
    left:call("work", { workDoneToken = 5, partialResultToken = "p" }, { on_progress = listen })
    assert.same({ { { kind = "begin" }, 5 }, { 2, 5 }, { "part", "p" } }, heard)
    assert.same({ false, false }, (left:call("work")))
    assert.is_nil(next(left.heard))
  end)

  it("progress that no call wants goes to the user's handler", function()
    local other
    left:on("$/progress", function(params) other = params end)
    right:notify("$/progress", { token = "x", value = 3 })
    assert.is_true(left:step(0))
    assert.same({ token = "x", value = 3 }, other)
    left:on("$/progress", nil)
    right:notify("$/progress", { token = "x", value = 3 })
    assert.is_true(left:step(0))
    assert.error_matches(function() left:on("$/progress", 5) end, "function or nil expected")
  end)

  it("a listener may cancel the call whose progress it hears", function()
    local token = fkrpc.token()
    right:on("work", function(_, ctx)
      ctx:progress(1)
      ctx.peer:call("wait")
      return ctx:cancelled()
    end)
    left:on("wait", function() end)
    local _, err = left:call("work", { a = 1 }, { cancel = token, on_progress = function() token:cancel() end })
    assert.equal("cancelled", err.code)
  end)

  it("params that are an array cannot carry a token", function()
    assert.error_matches(function() left:call("x", { 1 }, { on_progress = print }) end, "params that are an object")
  end)
end)

describe("in MCP's manner", function()
  before_each(function() fresh({ cancel = "mcp" }) end)

  it("progress has its token in _meta, and tells numbers", function()
    right:on("tools/call", function(params, ctx)
      ctx:progress({ progress = 1, total = 2, message = "half" })
      ctx:progress(2)
      return { params.name, params._meta.progressToken ~= nil, params._meta.more }
    end)
    local heard = {}
    local params = { name = "n", _meta = { more = 5 } }
    local result = left:call("tools/call", params, { on_progress = function(value, token)
      heard[#heard + 1] = { value.progress, value.total, value.message, value.progressToken == token }
    end })
    assert.same({ "n", true, 5 }, result)
    assert.same({ { 1, 2, "half", true }, { 2, nil, nil, true } }, heard)
    assert.is_nil(params._meta.progressToken)
  end)

  it("a request that is cancelled is not answered without a result", function()
    local done = programs.run([[
      local peer = assert(require("fkrpc").stdio({ cancel = "mcp" }))
      peer:on("nothing", function(_, ctx) ctx:cancelled() end)
      peer:on("result", function(_, ctx) return ctx:cancelled() end)
      peer:serve()
    ]], '{"jsonrpc":"2.0","id":1,"method":"nothing"}\n{"jsonrpc":"2.0","id":2,"method":"result"}\n'
      .. '[{"jsonrpc":"2.0","id":5,"method":"nothing"},{"jsonrpc":"2.0","id":6,"method":"nothing"}]\n'
      .. '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}\n'
      .. '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}\n'
      .. '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}\n')
    local found = {}
    for line in done.out:gmatch("[^\n]+") do found[#found + 1] = json.decode(line) end
    assert.same({ 2, true }, { found[1].id, found[1].result })
    assert.same({ 1, 6 }, { #found[2], found[2][1].id })
    assert.equal(2, #found)
  end)
end)

describe("what is told to the other end", function()
  for manner, expected in pairs({
    lsp = { "$/cancelRequest", { id = 1 }, { id = 2 } },
    mcp = { "notifications/cancelled", { requestId = 1, reason = "timeout" }, { requestId = 2, reason = "enough" } },
  }) do
    it("names the request that timed out or was cancelled: " .. manner, function()
      local file = programs.file()
      -- It answers nothing to the first line, and asks something back after the second and third.
      local child = assert(fkrpc.spawn({ "sh", "-c", [[
        read -r line; echo "$line" >"$FILE"; read -r line; echo "$line" >>"$FILE"
        read -r line; echo "$line" >>"$FILE"; echo '{"jsonrpc":"2.0","method":"poke"}'; exec cat >>"$FILE"
      ]], env = { FILE = file }, cancel = manner }))
      local token = fkrpc.token()
      child:on("poke", function() token:cancel("enough") end)
      local _, err = child:call("slow", nil, { timeout = 0.01 })
      assert.equal("timeout", err.code)
      _, err = child:call("slow", nil, { cancel = token })
      assert.equal("cancelled", err.code)
      child:close_stdin()
      assert(child:wait(programs.DEADLINE))
      child:close()
      local found = {}
      for line in programs.read(file):gmatch("[^\n]+") do found[#found + 1] = json.decode(line) end
      assert.same({ "slow", expected[1], "slow", expected[1] },
        { found[1].method, found[2].method, found[3].method, found[4].method })
      assert.same({ expected[2], expected[3] }, { found[2].params, found[4].params })
      assert.equal(4, #found)
    end)
  end
end)
