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
---@return string|integer|nil next position after the value, with `start`; on failure what is wrong, with line and column
---@return integer? position on failure: of the offending byte, from 1
function json.decode(text, start) end

---@class fkrpc.json.options
---@field strings? "utf8"|"bytes" strings must be UTF-8 (default), or may hold any bytes, which are sent as they are
---@field big? "error"|"float"|"string"|"cdata" an integer that Lua cannot hold exactly (beyond 64 bits; beyond 2^53 in Lua 5.1, 5.2, LuaJIT) is refused (default), becomes the nearest float, its digits, or (LuaJIT) a 64-bit cdata
---@field depth? integer how deep tables may nest, both ways, 1 to 1000; 128 by default
---@field empty? "object"|"array" what an unmarked empty table is; an object by default
---@field max_size? integer longest text to decode, in bytes; no limit by default

---A codec of its own.
---@class fkrpc.json.codec
---@field null lightuserdata `fkrpc.null`
---@field encode fun(value: any): string?, string? as `fkrpc.json.encode`
---@field decode fun(text: string, start?: integer): any, string|integer|nil, integer? as `fkrpc.json.decode`

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
