---@meta fkrpc.json

---JSON as RFC 8259 has it, strict: what is not JSON is refused.
---@class fkrpc.json
---@field null lightuserdata `fkrpc.null`
local json = {}

---A value as JSON, or nil and what is wrong with it and where (`players[3].name: cannot encode a function`).
---A table is an array if its keys are 1 to n, an object if they are strings; an empty one is an object unless marked.
---nil and `fkrpc.null` are null. Integers and floats keep their kind, floats are shortest and exact.
---@param value any
---@return string? text
---@return string? message
function json.encode(value) end

---The value of a JSON text. Without `start` the text holds one value. With `start`, the value that begins there (after
---white space) and the position after it. null is `fkrpc.null`; arrays are marked as such.
---@param text string
---@param start? integer from 1 to one after the end
---@return any value nil if it is not JSON
---@return string|integer|nil next position after the value, with `start`; on failure what is wrong, with line, column and an excerpt
---@return integer? position on failure: of the offending byte, from 1
function json.decode(text, start) end

---The values that stand one after the other in a text (JSON lines, or with anything else that is white space, or
---nothing, between them), each with the position it starts at. What is wrong comes last: its position, nil, a message.
---Raises only if the arguments are wrong.
---@param text string
---@param start? integer from 1 to one after the end
---@return fun(state: table): integer?, any, string? next position of the value or the error, value, message
---@return table state
function json.documents(text, start) end

---@class fkrpc.json.options
---@field strings? "utf8"|"bytes" strings must be UTF-8 (default), or may hold any bytes, which are sent as they are
---@field big? "error"|"float"|"string"|"cdata" an integer that Lua cannot hold exactly (beyond 64 bits; beyond 2^53 in Lua 5.1, 5.2, LuaJIT) is refused (default), becomes the nearest float, its digits, or (LuaJIT) a 64-bit cdata
---@field depth? integer how deep tables may nest, both ways, 1 to 1000; 128 by default
---@field empty? "object"|"array" what an unmarked empty table is; an object by default
---@field max_size? integer longest text to decode, in bytes; no limit by default
---@field indent? integer|string write each member and item on a line of its own, indented by so many spaces (0 to 16; 0 is compact, the default) or by this string of spaces and tabs for every level
---@field sorted? boolean write the members of objects in the order of their keys' bytes; false by default (Lua's order, which differs from run to run)
---@field null? any what null decodes to, `fkrpc.null` by default; a table, function or userdata is also encoded as null, beside `fkrpc.null`
---@field drop_null? boolean decode null as nil, so that members are missing and arrays have holes; false by default
---@field nan? "error"|"null"|"literal" NaN and the infinities are refused (default), written as null, or written and read as `NaN`, `Infinity` and `-Infinity`, which is not JSON
---@field sparse? "error"|"null"|"object" an array with holes is refused (default), or null stands in the holes; with "object" every table that is no array becomes an object with its numbers as strings
---@field sparse_ratio? integer with `sparse = "null"`: the greatest index may be so many times the number of items, 1 to 1000; 10 by default
---@field integral? boolean write floats with an integral value up to 2^53 like integers (`1`, not `1.0`), and read them as integers where Lua has such; false by default

---A codec of its own.
---@class fkrpc.json.codec
---@field null any `fkrpc.null`, or the option `null`
---@field encode fun(value: any): string?, string? as `fkrpc.json.encode`
---@field decode fun(text: string, start?: integer): any, string|integer|nil, integer? as `fkrpc.json.decode`
---@field documents fun(text: string, start?: integer): function, table as `fkrpc.json.documents`

---A codec with options. Raises if an option is unknown or wrong.
---@param options? fkrpc.json.options
---@return fkrpc.json.codec
function json.new(options) end

---Mark a table (or a new one) as an array; `fkrpc.array`.
---@generic T: table
---@param t? T
---@return T t the same table
function json.array(t) end

---Mark a table (or a new one) as an object; `fkrpc.object`.
---@generic T: table
---@param t? T
---@return T t the same table
function json.object(t) end

return json
