-- The tables of docs/codec.md say what happens: every case is put to every library that is installed.
--
-- The columns of other libraries are of Lua 5.4 and of the versions that the document names; elsewhere they are left
-- out, with the reason. The columns of libraries that are not run here are not looked at, but must be filled.

local helper = require("spec.helper")
local program = require("spec.program")
local cases = dofile(helper.root .. "/spec/codec_cases.lua")

local COLUMNS = { fkrpc = 3, cjson = 4, dkjson = 5 }
local INTEGERS = math.type ~= nil

-- The rows of a table by kind and case: { cells }.
local function rows_of(text)
  local rows, count = {}, 0
  for line in text:gmatch("\n|([^\n]+)|") do
    local cells = {}
    for cell in (line .. "|"):gmatch("%s*(.-)%s*|") do cells[#cells + 1] = cell end
    if cells[1] == "encode" or cells[1] == "decode" then
      local name = cells[1] .. " " .. cells[2]
      assert(not rows[name], "twice: " .. name)
      rows[name] = cells
      count = count + 1
    end
  end
  return rows, count
end

local text = program.read(helper.root .. "/docs/codec.md")
local where = assert(text:find("\n## Where all numbers are doubles\n", 1, true))
local rows, row_count = rows_of(text:sub(1, where))
local doubles = rows_of(text:sub(where))

local function name_of(case)
  return (case.decode and "decode " or "encode ") .. case.title
end

describe("docs/codec.md", function()
  it("has a row for every case and no others, with all its cells", function()
    local known = {}
    for _, case in ipairs(cases.list) do
      local name = name_of(case)
      assert(rows[name], "no row: " .. name)
      assert.equal(7, #rows[name], name)
      for _, cell in ipairs(rows[name]) do assert(cell ~= "", name) end
      known[name] = true
    end
    assert.equal(#cases.list, row_count)
    assert.is_true(row_count >= 40)
    for name in pairs(doubles) do assert(known[name], "no such case: " .. name) end
  end)

  for library_name, column in pairs(COLUMNS) do
    it("says what " .. library_name .. " does", function()
      local library, reason = cases.library(library_name)
      if library_name ~= "fkrpc" and _VERSION ~= "Lua 5.4" then library, reason = nil, "its column is of Lua 5.4" end
      if not library then
        pending(reason)
        return
      end
      for _, case in ipairs(cases.list) do
        local name = name_of(case)
        local said, seen = rows[name][column], cases.run(case, library)
        if not INTEGERS then
          if doubles[name] then said = doubles[name][3] end
          -- 1 and 1.0 are one number, which is shown without a fraction.
          if case.decode then said = said:gsub("(%d)%.0([^%d])", "%1%2") end
          seen = case.decode and seen:gsub("(%d)%.0([^%d])", "%1%2") or seen
        end
        assert.equal(said, seen, library_name .. ": " .. name)
      end
    end)
  end
end)
