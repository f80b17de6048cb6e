---@meta fkrpc.cbor

---CBOR as RFC 8949 has it.
---@class fkrpc.cbor
---@field null lightuserdata `fkrpc.null`
---@field undefined fkrpc.cbor.simple CBOR's undefined; decoding gives this one value
local cbor = {}

---A value under a tag: what decoding gives where no handler is registered, and encodes again.
---@class fkrpc.cbor.tagged
---@field tag integer
---@field value any

---A simple value that is neither boolean nor null.
---@class fkrpc.cbor.simple
---@field simple integer 0 to 255

---A value as CBOR, or nil and what is wrong with it and where.
---Strings are byte strings, floats take the smallest exact width. A table is an array if its keys are 1 to n, otherwise
---a map; an empty one is a map unless marked. A value whose metatable has `__tocbor` is what that function returns for
---it: a string of CBOR. What that function raises is raised.
---@param value any
---@return string? bytes
---@return string? message
function cbor.encode(value) end

---The value of a CBOR item and the position after it. Without `start` nothing may follow the item.
---Byte and text strings are both strings; null is `fkrpc.null`; arrays are marked as such.
---@param bytes string
---@param start? integer from 1 to one after the end
---@return any value nil if it is not CBOR
---@return string|integer next position after the item; on failure what is wrong
---@return integer? position on failure: of the offending byte, from 1
function cbor.decode(bytes, start) end

---@class fkrpc.cbor.options
---@field strings? "bytes"|"text" strings go out as byte strings (default), or as text strings where they are valid UTF-8 and in no tag that wants bytes
---@field utf8? boolean refuse text strings that are not UTF-8; false by default
---@field big? "error"|"float"|"string"|"wrap"|"cdata" an integer that Lua cannot hold exactly is refused (default), becomes the nearest float, its digits, is taken modulo 2^64, or (LuaJIT) becomes a 64-bit cdata
---@field floats? "shortest"|"double" floats go out in the smallest exact width (default), or always in 8 bytes
---@field integral? boolean decode floats with an integral value as integers; false by default
---@field order? "any"|"strict" keys 1 to n make an array in whatever order they are stored (default), or only if they come in order
---@field empty? "object"|"array" what an unmarked empty table is; an object (map) by default
---@field sorted? boolean write the pairs of maps in the bytewise order of their encoded keys (RFC 8949, section 4.2.1); false by default (Lua's order)
---@field tags? table<integer, fun(value: any, tag: integer): any> what to make of tagged values when decoding
---@field simple? table<integer, any> what to make of simple values when decoding
---@field depth? integer how deep tables and tags may nest, both ways, 1 to 1000; 128 by default
---@field max_size? integer longest input to decode, in bytes; no limit by default

---A codec of its own.
---@class fkrpc.cbor.codec
---@field null lightuserdata `fkrpc.null`
---@field encode fun(value: any): string?, string? as `fkrpc.cbor.encode`
---@field decode fun(bytes: string, start?: integer): any, string|integer, integer? as `fkrpc.cbor.decode`

---A codec with options. Raises if an option is unknown or wrong.
---@param options? fkrpc.cbor.options
---@return fkrpc.cbor.codec
function cbor.new(options) end

---A value under a tag.
---@param tag integer
---@param value any
---@return fkrpc.cbor.tagged
function cbor.tagged(tag, value) end

---A simple value; 23 is `undefined`.
---@param value integer 0 to 255
---@return fkrpc.cbor.simple
function cbor.simple(value) end

---Mark a table (or a new one) as an array; `fkrpc.array`.
---@generic T: table
---@param t? T
---@return T t the same table
function cbor.array(t) end

---Mark a table (or a new one) as an object; `fkrpc.object`.
---@generic T: table
---@param t? T
---@return T t the same table
function cbor.object(t) end

return cbor
