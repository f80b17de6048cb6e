-- json: the API of rxi's json.lua 0.1.2, over the library's codec.
--
-- Numbers are exact: integers keep all their digits and floats the shortest text that reads back as the same value;
-- floats with an integral value are written without fraction. What is not JSON but was accepted goes to json_plain.
local native = ...

local encode, decode = native.compat_json(nil, true, function(text)
  return native.module("compat/json_plain")(text)
end)

return { _version = "0.1.2", encode = encode, decode = decode }
