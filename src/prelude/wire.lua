-- What a connection speaks: the options that stdio, spawn and pair have in common, as the native side wants them.
local native = ...
local error = error
local options = native.module("options")

if native.features == "luajit" then native.module("cdata") end

local wire = {}

local KIND = { json = 0, cbor = 1, freekill = 2 }
-- A framing that is not the codec's own is added to the kind.
local JSON_FRAMING = { line = 0, ["content-length"] = 4, length = 8 }
local CBOR_FRAMING = { sequence = 0, length = 8 }
local JSON_BIG = { error = 0, float = 1, string = 2 }
local CBOR_BIG = { error = 0, float = 1, string = 2, wrap = 3 }
if native.features == "luajit" then JSON_BIG.cdata, CBOR_BIG.cdata = 4, 4 end
local UNLIMITED = -1

local GARBAGE = { answer = 0, log = 1, error = 2 }
local MEGABYTE = 2 ^ 20
-- What refuses a message must fit: two ends that each refuse the other's refusal would not come to an end.
local LEAST_FRAME = 512

-- What `native.configure` wants: how much may come, and how much may wait.
local function settings_of(where, given)
  local max_frame = options.integer(where, given, "max_frame", 16 * MEGABYTE, LEAST_FRAME, 2 ^ 40, 5)
  local send_timeout = options.seconds(where, given, "send_timeout", 5)
  local batch = options.integer(where, given, "batch", 0, 0, 2 ^ 30, 5)
  local queue = options.integer(where, given, "queue", 64 * MEGABYTE, 0, 2 ^ 40, 5)
  local garbage = options.choice(where, given, "garbage", GARBAGE, "answer", 5)
  -- What else they ask of a new peer is loaded when they do.
  local conduct
  if given.concurrency ~= nil or given.cancel ~= nil or given.signals ~= nil then
    conduct = native.module("conduct").of(where, given)
  end
  return {
    max_frame, send_timeout or false, batch, queue, garbage, conduct = conduct,
    latency = options.typed(where, given, "latency", "boolean", 5),
    trace = options.typed(where, given, "trace", "string", 5),
    trace_size = options.integer(where, given, "trace_size", 64 * MEGABYTE, 65536, 2 ^ 40, 5),
  }
end

--- `kind, utf8, big, depth, empty_array, max_size [, text, shortest, integral, any_order]` and a name for people.
function wire.arguments(where, given)
  local codec = options.choice(where, given, "codec", { json = "json", cbor = "cbor" }, "json", 4)
  options.typed(where, given, "calls", "boolean", 4)
  local depth = options.integer(where, given, "depth", 128, 8, 1000, 4)
  local settings = settings_of(where, given)
  if codec == "json" then
    if given.keys ~= nil then error("fkrpc." .. where .. ": option 'keys' is for codec = \"cbor\"", 3) end
    local utf8 = options.choice(where, given, "strings", { utf8 = true, bytes = false }, "utf8", 4)
    local big = options.choice(where, given, "big", JSON_BIG, "error", 4)
    local framing = options.choice(where, given, "framing", JSON_FRAMING, "line", 4)
    return { KIND.json + framing, utf8, big, depth, false, UNLIMITED, settings = settings }, "json"
  end
  local freekill = options.choice(where, given, "keys", { string = false, freekill = true }, "string", 4)
  local text = options.choice(where, given, "strings", { bytes = false, text = true }, "bytes", 4)
  if freekill and text then
    error("fkrpc." .. where .. ": keys = \"freekill\" knows byte strings only (option 'strings')", 3)
  end
  local big = options.choice(where, given, "big", CBOR_BIG, freekill and "wrap" or "error", 4)
  local framing = options.choice(where, given, "framing", CBOR_FRAMING, "sequence", 4)
  if freekill and framing ~= 0 then
    error("fkrpc." .. where .. ": keys = \"freekill\" knows sequences only (option 'framing')", 3)
  end
  local kind = (freekill and KIND.freekill or KIND.cbor) + framing
  return { kind, false, big, depth, false, UNLIMITED, text, true, freekill, true, settings = settings },
    freekill and "freekill" or "cbor"
end

--- Look at a connection as the settings want: true, or nil, message, errno if its messages cannot be recorded. The
--- file's name has `ending` where there may be several.
function wire.observe(conn, settings, name, ending)
  if settings.latency then native.measure(conn) end
  if settings.trace then return native.trace(conn, settings.trace .. (ending or ""), settings.trace_size, name) end
  return true
end

--- The names of these options, and of more.
function wire.known(...)
  return options.set("codec", "keys", "strings", "big", "depth", "max_frame", "send_timeout", "batch", "queue",
    "garbage", "framing", "calls", "concurrency", "cancel", "signals", "trace", "trace_size", "latency", ...)
end

local function no_calls()
  error("fkrpc: this peer sends no requests (option calls = false); use notify", 2)
end

--- With `calls = false` a peer raises before it sends the other end a request. The peer.
function wire.restrict(given, self)
  if given.calls == false then self.call, self.must, self.restricted = no_calls, no_calls, true end
  return self
end

return wire
