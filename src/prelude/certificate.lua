-- How a child ended, in a table and in words: its exit code or signal, its last words, whether memory was the reason.
--
-- It refuses to claim what cannot be known: `oom` is a hint, and says what it rests on.
local native = ...
local tostring, ipairs, concat = tostring, ipairs, table.concat
local fs = native.module("fs")

local certificate = {}

local NAMES = {
  [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE",
  [9] = "SIGKILL", [11] = "SIGSEGV", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM", [24] = "SIGXCPU",
  [25] = "SIGXFSZ", [31] = "SIGSYS",
}
-- What programs say that have found no memory: Lua, the C library, C++, Python and Node.
local COMPLAINTS = {
  "not enough memory", "Cannot allocate memory", "bad_alloc", "MemoryError", "heap out of memory", "out of memory",
}
local LONGEST = 200

-- How many processes the kernel has killed for want of memory: those of this control group (cgroups(7)), or of the
-- whole system (proc(5), vmstat).
local function oom_kills()
  local group = (fs.read("/proc/self/cgroup") or ""):match("0::([^\n]*)")
  local events = group and fs.read("/sys/fs/cgroup" .. group .. "/memory.events") or fs.read("/proc/vmstat")
  return events and tonumber(events:match("oom_kill (%d+)"))
end

local known

--- A child is about to be started: note how many were killed before.
function certificate.prepare()
  if known == nil then known = oom_kills() or false end
end

-- The line that says the most: the last one; before a traceback of Lua's at the end, that of its error.
local function last_line(text)
  local line
  local before, frames = text:match("^(.*)\nstack traceback:(\n.*)$")
  if before and not frames:find("\n[^\t\n]") then
    for other in before:gmatch("[^\n]+") do
      if other:find("^[^\t].*%S") then line = other end
    end
  end
  line = line or text:match("([^\n]*%S[^\n]*)%s*$")
  if line and #line > LONGEST then line = line:sub(1, LONGEST) .. "..." end
  return line
end

local function memory_hint(given, stderr, limits, killed)
  for _, complaint in ipairs(COMPLAINTS) do
    if stderr:find(complaint, 1, true) then
      return ('its stderr says "%s"'):format(complaint)
        .. (limits.memory and ("; its limit is %.0f bytes of address space"):format(limits.memory) or "")
    end
  end
  if given.signal == 9 and not killed then
    local kills = oom_kills()
    if kills and known and kills > known then
      known = kills
      return "it was killed from elsewhere, and the kernel's count of processes killed for want of memory has risen"
    elseif not kills or not known then
      return "it was killed from elsewhere, which is what the kernel does when memory runs out"
    end
  elseif limits.memory and (given.signal == 6 or given.signal == 7 or given.signal == 11) then
    return ("it crashed at a limit of %.0f bytes of address space"):format(limits.memory)
  end
end

local function words(given, limits)
  local parts = { given.hung }
  if given.signal then
    local name = NAMES[given.signal]
    parts[#parts + 1] = "killed by signal " .. ("%d"):format(given.signal) .. (name and " (" .. name .. ")" or "")
    if limits.cpu and (given.signal == 24 or given.signal == 9 and given.user + given.system >= limits.cpu) then
      parts[#parts + 1] = ("at its limit of %.0f s of CPU time"):format(limits.cpu)
    end
  elseif given.code then
    parts[#parts + 1] = "exit code " .. ("%d"):format(given.code)
  else
    parts[#parts + 1] = given.reason
  end
  if given.method then parts[#parts + 1] = "while it was called: " .. given.method end
  if given.oom then parts[#parts + 1] = "perhaps out of memory: " .. given.oom end
  local line = given.stderr and last_line(given.stderr)
  if line then parts[#parts + 1] = "its last words: " .. line end
  return (concat(parts, "; "):gsub("[\r\n]+", " "))
end

--- Complete what is known of an end: `{ code | signal, user, system, max_rss }`, or `{ reason }` where somebody else
--- has collected it. `hung` says why a pool has killed it.
function certificate.complete(given, stderr, method, limits, killed, hung)
  given.stderr, given.method, given.hung = stderr, method, hung
  given.oom = memory_hint(given, stderr or "", limits, killed)
  given.reason = words(given, limits)
  return given
end

--- The last line of a text that says something, in quotes and after these words; "" if there is none.
function certificate.quoted(before, text)
  local line = last_line(text or "")
  return line and before .. tostring(line) or ""
end

return certificate
