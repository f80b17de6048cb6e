-- The parsing suite in spec/fixtures/json_suite, a file each: what RFC 8259 allows is taken, what it does not allow is
-- refused with a position, and what it leaves open is answered as ANSWERS.md says.

local fkrpc = require("fkrpc")
local helper = require("spec.helper")
local json = fkrpc.json

local FOLDER = helper.root .. "/spec/fixtures/json_suite/"
local INTEGERS = math.type ~= nil

local function read(name)
  local file = assert(io.open(FOLDER .. name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Names in the folder. `fs.list` would do, but a suite leans on nothing that it does not test.
local names = {}
do
  local pipe = assert(io.popen("ls " .. helper.quote(FOLDER)))
  for name in pipe:lines() do
    if name:match("%.json$") then names[#names + 1] = name end
  end
  pipe:close()
end

local ANSWERS = { ["taken"] = true, ["refused"] = false, ["taken with 64-bit integers"] = INTEGERS }
local answers = {}
for name, answer in read("ANSWERS.md"):gmatch("\n| (i_%S+) | ([^|]-) |") do
  answers[name] = ANSWERS[answer]
end

local function taken(text)
  local value, message, position = json.decode(text)
  assert.is_nil(message)
  assert.is_nil(position)
  assert.is_not_nil(value)
  -- What was read can be written, and what was written reads back as the same.
  local again = assert(json.encode(value))
  local back = json.decode(again)
  if type(value) == "table" then
    assert.same(value, back)
  else
    assert.equal(value, back)
  end
end

local function refused(text)
  local value, message, position = json.decode(text)
  assert.is_nil(value)
  assert.is_string(message)
  assert.is_true(position >= 1 and position <= #text + 1, "position " .. tostring(position))
  assert.equal(position, tonumber(message:match("%(byte (%d+)%)")))
  local line, column = message:match(" at line (%d+) col (%d+) %(byte")
  assert.is_true(tonumber(line) >= 1 and tonumber(column) >= 1)
end

describe("the parsing suite", function()
  it("is whole", function()
    assert.is_true(#names >= 250, #names)
  end)

  for _, name in ipairs(names) do
    local kind, text = name:sub(1, 2), read(name)
    if kind == "y_" then
      it("takes " .. name, function() taken(text) end)
    elseif kind == "n_" then
      it("refuses " .. name, function() refused(text) end)
    else
      it("answers " .. name, function()
        assert.equal("i_", kind)
        assert.is_boolean(answers[name], "no answer in ANSWERS.md")
        if answers[name] then taken(text) else refused(text) end
      end)
    end
  end
end)
