-- Calls inside calls of two processes, to every depth: each is answered, with a value or an error, never by silence.
--
-- FKRPC_ALL_DEPTHS=1 tries every depth from 1 to 2000 instead of a few.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")

local DEPTHS = { 1, 2, 63, 64, 65, 66, 127, 128, 129, 199, 200, 201, 500, 2000 }
-- On each end 64 handlers run inside each other; the child's serving has the first place there.
local PROMISED = 2 * 64 - 1

if os.getenv("FKRPC_ALL_DEPTHS") then
  DEPTHS = {}
  for depth = 1, 2000 do DEPTHS[depth] = depth end
end

-- How a handler asks the other end; some leave less of the C stack to those below.
local MANNERS = {
  plain = "return peer:call('down', params)",
  ["in pcall"] = [[
    local fine, result, err = pcall(peer.call, peer, 'down', params)
    if not fine then return nil, result end
    return result, err]],
  ["in coroutines"] = "return coroutine.wrap(function() return peer:call('down', params) end)()",
  ["in callbacks"] = [[
    local result, err
    local _ = ("x"):gsub("x", function() result, err = peer:call('down', params) end)
    return result, err]],
}

-- The same program for both ends.
local function program(manner)
  return [[
    return function(peer)
      peer:on("down", function(params)
        if params[1] <= 1 then return "bottom" end
        params = { params[1] - 1 }
        ]] .. manner .. [[

      end)
    end
  ]]
end

after_each(programs.finish)

describe("nested calls of two processes", function()
  for name, manner in pairs(MANNERS) do
    for _, options in ipairs({ "", "concurrency = 4" }) do
      it("are answered at every depth, " .. name .. (options == "" and "" or ", with " .. options), function()
        local text = program(manner)
        local child, log = programs.spawn([[
          local peer = assert(require("fkrpc").stdio({ ]] .. options .. [[ }))
          local program = (function() ]] .. text .. [[ end)()
          program(peer)
          peer:on("idle", function() return peer.depth end)
          os.exit(peer:serve() == "eof" and 0 or 1)
        ]], { concurrency = options ~= "" and 4 or nil })
        assert((loadstring or load)(text))()(child)
        for _, depth in ipairs(DEPTHS) do
          local result, err = child:call("down", { depth }, { timeout = programs.DEADLINE })
          local said = depth .. ": " .. tostring(result) .. " " .. tostring(err)
          if name == "plain" and depth <= PROMISED then
            assert.equal("bottom", result, said)
          elseif err ~= nil then
            assert.equal("number", type(err.code), said)
          else
            assert.equal("bottom", result, said)
          end
          assert.equal(1, (child:call("idle", nil, { timeout = programs.DEADLINE })), said)
          assert.equal(0, child.depth)
        end
        assert.same({ 0, 0, 0 }, { child:stats().waiting, child:stats().malformed, child:stats().strays })
        child:close_stdin()
        assert.equal(0, child:wait(programs.DEADLINE).code, programs.read(log))
      end)
    end
  end
end)
