-- What the channel asks of the kernel: one read(2) and one write(2) for each message, and nothing while nothing comes.
-- strace(1) counts; where it is missing or may not trace (ptrace(2) is often forbidden in containers) that is said.

local helper = require("spec.helper")
local programs = dofile(helper.root .. "/spec/programs.lua")
local fkrpc = require("fkrpc")

local MESSAGES = 1000

-- Memory is the allocator's and the collector's business, not the channel's.
local MEMORY = { brk = true, mmap = true, munmap = true, mremap = true, madvise = true, mprotect = true }

-- A system call that no library makes by itself stands for each `mark` in the record.
local CHILD = [[
  local fkrpc = require("fkrpc")
  local peer = assert(fkrpc.stdio(OPTIONS))
  peer:on("mark", function() return io.open("/no-such-file-of-fkrpc") == nil end)
  peer:on("add", function(params) return params[1] + params[2] end)
  peer:on("ask", function(params)
    local options = params[2] and { timeout = params[2] } or nil
    for i = 1, params[1] do assert(peer:call("answer", { i }, options) == i) end
    return true
  end)
  local child
  peer:on("through", function(params)
    child = child or assert(fkrpc.spawn({ INTERPRETER, CHILD }))
    for i = 1, params[1] do assert(child:call("add", { i, 1 }) == i + 1) end
    return true
  end)
  peer:on("be busy", function()
    local pipe = io.popen("sleep 1; echo done")
    local said = pipe:read("*l")
    pipe:close()
    return said
  end)
  peer:serve()
]]

local function script(options, child)
  local words = {
    OPTIONS = options or "", INTERPRETER = ("%q"):format(helper.interpreter), CHILD = ("%q"):format(child or ""),
  }
  return (CHILD:gsub("%u%u%u+", words))
end

local function why_not()
  local status = os.execute("strace -qq -o /dev/null true >/dev/null 2>&1")
  if status == true or status == 0 then return nil end
  return "strace is not installed, or may not trace here"
end

-- A child whose system calls are recorded; and how many of each there were from one mark to the next, as soon as it has
-- ended: a list of tables, `total` in each of them; and the record. `alone`: only its first thread's.
local function traced(options, alone)
  local log = programs.file()
  local program = programs.file(script(options, alone and programs.file(script())))
  local command = { "strace", alone and "-qq" or "-f", "-qq", "-o", log, helper.interpreter, program }
  local peer = assert(fkrpc.spawn({ command = command }))
  return peer, function()
    assert.equal(0, programs.ended(peer).code)
    local counts, current = {}, nil
    local record = programs.read(log)
    for line in record:gmatch("[^\n]+") do
      local name = line:match("^%d*%s*([%w_]+)%(") -- the rest of one that was interrupted has no bracket
      -- One that the kernel begins again, when the whole machine was halted, say, is there twice.
      if name and line:find("/no-such-file-of-fkrpc", 1, true) then
        current = { total = 0 }
        counts[#counts + 1] = current
      elseif name and current and not MEMORY[name] and not line:find("= ? ERESTART", 1, true) then
        current[name] = (current[name] or 0) + 1
        current.total = current.total + 1
      end
    end
    return counts, record
  end
end

local function ticks(pid)
  local stat = programs.read("/proc/" .. pid .. "/stat"):gsub("^.*%) ", "")
  local fields = {}
  for field in stat:gmatch("%S+") do fields[#fields + 1] = field end
  return assert(tonumber(fields[12])) + tonumber(fields[13]) -- utime and stime, proc_pid_stat(5), counted from `state`
end

-- One read and one write for each message that `talk(count)` causes. `more`: the answer to the first mark and the
-- second mark are one of each, and what begins and ends so many calls is another.
local function assert_one_each(peer, counted, talk, more)
  talk(100)
  assert.is_true(peer:must("mark"))
  talk(MESSAGES)
  assert.is_true(peer:must("mark"))
  local each = MESSAGES + more
  assert.same({ read = each, write = each, total = 2 * each }, counted()[1])
end

describe("system calls", function()
  after_each(programs.finish)

  it("are one read and one write for each request served, and no other", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced()
    assert_one_each(peer, counted, function(count)
      for i = 1, count do assert.equal(i + 1, peer:must("add", { i, 1 })) end
    end, 1)
  end)

  it("are one write and one read for each call made, and no other", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced()
    peer:on("answer", function(params) return params[1] end)
    assert_one_each(peer, counted, function(count) assert.is_true(peer:must("ask", { count })) end, 2)
  end)

  it("are no more where signals are heard of", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced('{ signals = { "TERM", "INT" } }')
    assert_one_each(peer, counted, function(count)
      for i = 1, count do assert.equal(i + 1, peer:must("add", { i, 1 })) end
    end, 1)
  end)

  it("are no more where calls have a timeout", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced(nil, true)
    peer:on("answer", function(params) return params[1] end)
    assert_one_each(peer, counted, function(count) assert.is_true(peer:must("ask", { count, 3600 })) end, 2)
  end)

  it("are no more at the parent's end, where a process is watched", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced(nil, true)
    assert_one_each(peer, counted, function(count) assert.is_true(peer:must("through", { count })) end, 2)
  end)

  it("of the program's own are not interrupted when a timeout would have been over", function()
    local reason = why_not()
    if reason then pending(reason) return end
    local peer, counted = traced()
    peer:on("answer", function(params) return params[1] end)
    assert.is_true(peer:must("ask", { 100, 0.5 }))
    assert.is_true(peer:must("mark"))
    assert.equal("done", peer:must("be busy"))
    assert.is_true(peer:must("mark"))
    local _, record = counted()
    record = record:match("/no%-such%-file%-of%-fkrpc.*$")
    assert.is_nil(record:match("%-%-%- SIG[^C]"), record) -- SIGCHLD is the shell's
  end)

  it("are none while nothing comes, and neither is time spent", function()
    local idle = {}
    for place, options in ipairs({ "{}", '{ signals = { "TERM", "INT" } }', "{ parent_death = true }" }) do
      local peer = programs.spawn(script(options))
      assert.equal(3, peer:must("add", { 1, 2 }))
      idle[place] = { peer = peer, ticks = ticks(peer.pid) }
    end
    local reason = why_not()
    local watched, counted
    if not reason then
      watched, counted = traced()
      assert.is_true(watched:must("mark"))
    end
    os.execute("sleep 2")
    for _, child in ipairs(idle) do assert.equal(child.ticks, ticks(child.peer.pid)) end
    if reason then pending(reason) return end
    assert.is_true(watched:must("mark"))
    assert.same({ read = 1, write = 1, total = 2 }, counted()[1]) -- an answer, and the wait for what came 2 s later
  end)
end)
