-- What a recorded conversation is spoken in: the options for `fkrpc.spawn` and `fkrpc.stdio`.

local wire = {}

--- New options for a recording's codec, `"json"` or `"cbor"`.
function wire.options(codec)
  if codec == "json" then
    -- The game's strings are bytes, in JSON too.
    return { codec = "json", strings = "bytes" }
  end
  return { codec = "cbor", keys = "freekill" }
end

return wire
