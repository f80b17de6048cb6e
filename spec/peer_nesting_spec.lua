-- Calls inside calls: replies in any order, the limit of 64, serving inside handlers.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local left, right

local function fresh() left, right = fkrpc.pair() end

before_each(fresh)

describe("nested calls", function()
  it("are served while the outer one waits", function()
    right:on("outer", function(params, ctx) return { ctx.peer:call("inner", { params[1] + 1 }) } end)
    left:on("inner", function(params) return params[1] * 10 end)
    assert.same({ 20 }, (left:call("outer", { 1 })))
  end)

  it("may fail inside without hurting what is outside", function()
    right:on("outer", function(_, ctx)
      local _, err = ctx.peer:call("inner")
      return { code = err.code, data = err.data }
    end)
    left:on("inner", function() error("inside", 0) end)
    assert.same({ code = -32603, data = "inside" }, (left:call("outer")))
    right:on("must", function(_, ctx) return ctx.peer:must("inner") end)
    local _, err = left:call("must")
    assert.same({ -32603, "inside" }, { err.code, err.data })
  end)

  it("go 64 deep on each side and say so beyond", function()
    local function recurse(peer)
      peer:on("down", function(params, ctx)
        local result, err = ctx.peer:call("down", { params[1] + 1 })
        return err and { depth = params[1], code = err.code, text = tostring(err) } or result
      end)
    end
    recurse(left)
    recurse(right)
    for _ = 1, 3 do
      local result, err = left:call("down", { 1 })
      assert.is_nil(err)
      assert.equal("depth", result.code)
      assert.equal("depth: more than 64 calls inside each other", result.text)
      assert.is_true(result.depth >= 64, result.depth)
      assert.equal(0, left.depth)
      assert.equal(0, right.depth)
      assert.equal(0, left:stats().waiting)
      assert.equal(0, right:stats().waiting)
    end
  end)

  it("leave a handler at the 64th level room for calls of its own", function()
    local function recurse(peer)
      peer:on("down", function(params, ctx)
        if params[1] == 0 then
          return (("x"):gsub("x", function() return select(2, pcall(string.rep, "y", 2)) end))
        end
        return ctx.peer:must("down", { params[1] - 1 })
      end)
    end
    recurse(left)
    recurse(right)
    assert.equal("yy", (left:call("down", { 63 })))
  end)

  it("get their replies in whatever order these come", function()
    -- The reply to the outer call comes while the inner one waits: it is kept.
    left:on("inner", function(_, ctx)
      assert.equal(2, select("#", ctx.peer:call("second")))
      return "inner"
    end)
    right:on("first", function(_, ctx)
      right:send_raw('{"jsonrpc":"2.0","id":1,"result":"early"}\n')
      ctx.peer:call("inner")
      return "late"
    end)
    right:on("second", function() return "second" end)
    assert.equal("early", (left:call("first")))
    left:step(0)
    assert.equal(1, left:stats().strays)
    assert.equal(0, left:stats().waiting)
  end)

  it("are not ended by an error for another id", function()
    right:on("x", function()
      right:send_raw('{"jsonrpc":"2.0","id":77,"error":{"code":-32603,"message":"m"}}\n')
      right:send_raw('{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"m"}}\n')
      return "fine"
    end)
    assert.equal("fine", (left:call("x")))
  end)

  it("may be made by notifications' handlers, and notifications served meanwhile", function()
    local seen = {}
    left:on("note", function(params, ctx)
      local double = ctx.peer:must("double", params)
      seen[#seen + 1] = double
    end)
    right:on("double", function(params) return params[1] * 2 end)
    right:on("work", function()
      for i = 1, 3 do assert(right:notify("note", { i })) end
      return "done"
    end)
    assert.equal("done", (left:call("work")))
    assert.same({ 6, 4, 2 }, seen) -- each is served while the one before it waits
  end)

  it("work in coroutines of the user's", function()
    right:on("outer", function(_, ctx) return ctx.peer:must("inner") end)
    left:on("inner", function() return 5 end)
    local co = coroutine.wrap(function()
      for i = 1, 3 do coroutine.yield(left:must("outer") + i) end
    end)
    assert.same({ 6, 7, 8 }, { co(), co(), co() })
  end)

  it("are spoiled by a handler that yields at that level only", function()
    right:on("outer", function(_, ctx)
      local _, err = ctx.peer:call("inner")
      return err.code
    end)
    left:on("inner", function() coroutine.yield() end)
    for _ = 1, 5 do assert.equal(-32603, (left:call("outer"))) end
  end)
end)

describe("serving inside a handler", function()
  it("ends like any serving, and its handler's answer goes to its caller", function()
    local served = {}
    right:on("outer", function(_, ctx)
      local how = ctx.peer:serve()
      return "outer after " .. how
    end)
    right:on("stop", function(_, ctx)
      served[#served + 1] = "stop"
      ctx.peer:stop()
      return "stopping"
    end)
    right:on("fail", function()
      served[#served + 1] = "fail"
      error("inside", 0)
    end)
    local lines = {}
    for id, method in ipairs({ "outer", "fail", "stop", "fail" }) do
      lines[id] = '{"jsonrpc":"2.0","id":' .. id .. ',"method":"' .. method .. '"}\n'
    end
    left:send_raw(table.concat(lines))
    assert.equal("stopped", (right:serve()))
    assert.same({ "fail", "stop", "fail" }, served)
    assert.equal(0, right.depth)
  end)

  it("answers each request once and with its own answer, though handlers fail in between", function()
    local done = programs.run([[
      local peer = assert(require("fkrpc").stdio())
      peer:on("outer", function(_, ctx)
        ctx.peer:serve()
        error("after serving", 0)
      end)
      peer:on("yield", function() coroutine.yield() end)
      peer:on("fail", function() error("inside", 0) end)
      peer:on("step", function(_, ctx) return ctx.peer:step() end)
      peer:on("stop", function(_, ctx) ctx.peer:stop() return "stopping" end)
      assert(peer:serve() == "eof")
    ]], (("outer fail outer step yield fail stop fail stop step fail"):gsub("%S+ ?", function(word)
      local method = word:match("%S+")
      return '{"jsonrpc":"2.0","id":"' .. method .. '","method":"' .. method .. '"}\n'
    end)))
    programs.finish()
    local order = {}
    for line in done.out:gmatch("[^\n]+") do
      local answer = fkrpc.json.decode(line)
      order[#order + 1] = answer.id .. " " .. tostring(answer.error and answer.error.data or answer.result)
    end
    local yields = "the handler yielded outside of any scheduler and cannot be resumed"
    assert.same({ "fail inside", "yield " .. yields, "step true", "fail inside", "stop stopping", "outer after serving",
      "fail inside", "stop stopping", "outer after serving", "fail inside", "step true" }, order)
  end)

  it("is limited, by step and by serve", function()
    for _, how in ipairs({ "step", "serve" }) do
      fresh()
      local depth, deepest = 0, 0
      right:on("in", function(_, ctx)
        depth = depth + 1
        deepest = math.max(deepest, depth)
        pcall(ctx.peer[how], ctx.peer)
        depth = depth - 1
      end)
      local line = '{"jsonrpc":"2.0","id":1,"method":"in"}\n'
      left:send_raw(line:rep(1000))
      assert.equal("stopped", (right:serve()))
      assert.equal(1000, right:stats().requests)
      assert.is_true(deepest >= 32 and deepest <= 64, how .. " " .. deepest)
      assert.equal(0, right.depth)
      for _ = 1, 1000 do left:step(0) end
      assert.equal(1000, left:stats().strays)
    end
  end)
end)
