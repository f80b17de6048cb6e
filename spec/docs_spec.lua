-- What the documents say is so: every Lua snippet runs and prints what is written beside it, every shell command names
-- things that exist, every link leads somewhere, and the two READMEs have the same code.
--
-- How a snippet is written:
-- * `--> text` is a line of output. Output and such lines are equal, in order; a snippet without them prints nothing.
--   "..." at the end stands for any rest of the line.
-- * A first line `-- child.lua` names the file that the snippet is. Snippets of a document lie in one folder. One whose
--   name is mentioned by another snippet (`"child.lua"`) is started by that one; all others are run by themselves.
-- * A first line `-- Lua 5.3 and later` keeps a snippet from Luas without integers.

local helper = require("spec.helper")
local program = require("spec.program")

local DOCUMENTS = { "README.md", "README.zh.md" }
do
  local pipe = assert(io.popen("cd " .. helper.quote(helper.root) .. " && ls docs/*.md"))
  for name in pipe:lines() do
    DOCUMENTS[#DOCUMENTS + 1] = name
  end
  pipe:close()
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- The fenced blocks of a document: { language =, line = of the first line of text, text = }.
local function blocks_of(text)
  local blocks, open, number = {}, nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local fence = line:match("^```(.*)$")
    if fence and open then
      open.text = table.concat(open, "\n") .. "\n"
      blocks[#blocks + 1] = open
      open = nil
    elseif fence then
      open = { language = fence, line = number + 1 }
    elseif open then
      open[#open + 1] = line
    end
  end
  assert(not open, "a fence is left open")
  return blocks
end

-- The text without its fenced blocks.
local function prose_of(text)
  return ("\n" .. text):gsub("\n```[^\n]*\n.-\n```", "\n")
end

-- What GitHub makes of a heading: lower case, without punctuation, spaces as dashes.
local function slug(heading)
  return (heading:lower():gsub("[%p]", function(c)
    return (c == "-" or c == "_") and c or ""
  end):gsub(" ", "-"))
end

local function anchors_of(text)
  local anchors = {}
  for heading in prose_of(text):gmatch("\n#+ ([^\n]+)") do
    anchors[slug(heading)] = true
  end
  return anchors
end

local function expected_of(text)
  local lines = {}
  for line in text:gmatch("%-%->%s?([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

local function assert_output(expected, output, where)
  local i = 0
  for line in output:gmatch("([^\n]*)\n") do
    i = i + 1
    local wanted = (expected[i] or "(nothing)"):gsub("%s+", " ")
    local start = wanted:match("^(.*)%.%.%.$")
    -- A tab between printed values reads as a space, and so does an indentation.
    local seen = line:gsub("%s+", " ")
    local fits = start and seen:sub(1, #start) == start or seen == wanted
    assert(fits, where .. " prints\n" .. line .. "\nwhere it says\n" .. wanted .. "\nAll it prints:\n" .. output)
  end
  assert(i == #expected, where .. " prints " .. i .. " lines, not " .. #expected .. ":\n" .. output)
end

local targets = {}
for target in program.read(helper.root .. "/Makefile"):gmatch("\n([%w_]+):") do
  targets[target] = true
end

-- Folders of the project that commands may name files of; what is built is not there yet.
local FOLDERS = {}
for folder in ("scripts rockspec examples docs spec types bench"):gmatch("%w+") do
  FOLDERS[folder] = true
end

local function check_command(line, where)
  for target in line:gmatch("make ([%w_]+)") do
    if not line:match("luarocks") then
      assert(targets[target], where .. ": there is no make target " .. target)
    end
  end
  for word in line:gmatch("[%w_./-]+") do
    local folder = word:match("^([%w_]+)/")
    if folder and FOLDERS[folder] and not word:match("/%.%.") then
      assert(exists(helper.root .. "/" .. word), where .. ": there is no file " .. word)
    end
  end
end

for _, name in ipairs(DOCUMENTS) do
  describe(name, function()
    local text = program.read(helper.root .. "/" .. name)
    local blocks = blocks_of(text)
    local folder

    setup(function()
      folder = program.folder()
    end)

    teardown(function()
      program.remove(folder)
    end)

    for _, block in ipairs(blocks) do
      if block.language == "lua" then
        block.name = block.text:match("^%-%- ([%w_]+%.lua)\n")
        block.file = block.name or ("line_" .. block.line .. ".lua")
      end
    end

    local function is_started_by_another(block)
      for _, other in ipairs(blocks) do
        if other ~= block and other.language == "lua" and block.name
            and other.text:find('"' .. block.name .. '"', 1, true) then
          return true
        end
      end
      return false
    end

    for _, block in ipairs(blocks) do
      local where = name .. ":" .. block.line
      local skipped = block.text:match("^%-%- Lua 5%.3 and later") and not math.type
      if block.language == "lua" and is_started_by_another(block) then
        it("has at line " .. block.line .. " a program that another snippet starts", function()
          assert.same({}, expected_of(block.text)) -- nobody would look at them
          assert((loadstring or load)(block.text))
        end)
      elseif block.language == "lua" and not skipped then
        it("has at line " .. block.line .. " a program that does what it says", function()
          for _, other in ipairs(blocks) do
            if other.file then program.write(folder .. "/" .. other.file, other.text) end
          end
          local ran = program.run(block.file, folder)
          assert(ran.status == 0, where .. " ends with status " .. ran.status .. ":\n" .. ran.errors)
          assert_output(expected_of(block.text), ran.output, where)
        end)
      elseif block.language == "sh" then
        it("has at line " .. block.line .. " commands for things that exist", function()
          for line in block.text:gmatch("[^\n]+") do
            check_command(line, where)
          end
        end)
      elseif block.language == "json" then
        it("has at line " .. block.line .. " JSON", function()
          for line in block.text:gmatch("[^\n]+") do
            assert(require("fkrpc.json").decode((line:gsub("^[%-<]%-?[%->] ", ""))), where .. ": " .. line)
          end
        end)
      elseif block.language ~= "lua" then
        it("has at line " .. block.line .. " a block of a known kind", function()
          assert(block.language == "text", where .. ": " .. block.language)
        end)
      end
    end

    it("has links that lead somewhere", function()
      local own = name:match("^(.*/)") or ""
      local links = 0
      for link in prose_of(text):gmatch("%]%(([^)]+)%)") do
        if not link:match("^https?:") then
          links = links + 1
          local path, anchor = link:match("^([^#]*)#?(.*)$")
          path = path == "" and name or own .. path
          assert(exists(helper.root .. "/" .. path), name .. ": there is no file " .. path)
          if anchor ~= "" then
            assert(anchors_of(program.read(helper.root .. "/" .. path))[anchor], name .. ": nothing is called " .. link)
          end
        end
      end
      assert.is_true(links > 0)
    end)
  end)
end

describe("README.zh.md", function()
  local english = program.read(helper.root .. "/README.md")
  local chinese = program.read(helper.root .. "/README.zh.md")

  it("has the code of README.md, comments aside", function()
    local function code_of(text)
      local code = {}
      for i, block in ipairs(blocks_of(text)) do
        local lines = {}
        for line in block.text:gmatch("[^\n]+") do
          local bare = line:gsub("%s*%-%-[^>].*$", "")
          if bare ~= "" then lines[#lines + 1] = bare end
        end
        code[i] = block.language .. "\n" .. table.concat(lines, "\n")
      end
      return code
    end
    assert.is_true(#code_of(english) > 0)
    assert.same(code_of(english), code_of(chinese))
  end)

  it("has the headings, table rows and list items of README.md", function()
    local function shape_of(text)
      local shape = {}
      for line in prose_of(text):gmatch("[^\n]+") do
        shape[#shape + 1] = line:match("^#+ ") or line:match("^|") or line:match("^%* ")
      end
      return shape
    end
    assert.is_true(#shape_of(english) > 0)
    assert.same(shape_of(english), shape_of(chinese))
  end)
end)
