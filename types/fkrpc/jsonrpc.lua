---@meta fkrpc.jsonrpc

---JSON-RPC 2.0 messages as values, without I/O, for those who bring their own transport.
---@class fkrpc.jsonrpc
---@field errors fkrpc.jsonrpc.errors
local jsonrpc = {}

---An integer, a string, or `fkrpc.null`.
---@alias fkrpc.jsonrpc.id integer|string|lightuserdata

---A message as a table, ready for an encoder.
---@class fkrpc.jsonrpc.message
---@field jsonrpc "2.0"
---@field id? fkrpc.jsonrpc.id
---@field method? string
---@field params? table
---@field result? any
---@field error? fkrpc.error

---A request.
---@param method string
---@param params table? an unmarked empty one becomes an empty array
---@param id fkrpc.jsonrpc.id
---@return fkrpc.jsonrpc.message
function jsonrpc.request(method, params, id) end

---A notification.
---@param method string
---@param params? table an unmarked empty one becomes an empty array
---@return fkrpc.jsonrpc.message
function jsonrpc.notification(method, params) end

---A response; a nil result becomes `fkrpc.null`.
---@param id fkrpc.jsonrpc.id
---@param result any
---@return fkrpc.jsonrpc.message
function jsonrpc.response(id, result) end

---An error response.
---@param id fkrpc.jsonrpc.id? nil becomes `fkrpc.null`
---@param err fkrpc.error|string|integer an error object, or the name or code of a registered one
---@return fkrpc.jsonrpc.message
function jsonrpc.error(id, err) end

---Several messages as one.
---@param messages fkrpc.jsonrpc.message[] at least one
---@return fkrpc.jsonrpc.message[]
function jsonrpc.batch(messages) end

---What a text says. The items of a batch are in its array part; `"invalid"` ones have an `error`.
---@class fkrpc.jsonrpc.read
---@field kind "request"|"notification"|"response"|"error"|"batch"|"invalid"
---@field id? fkrpc.jsonrpc.id
---@field method? string
---@field params? table
---@field result? any `fkrpc.null` for null
---@field error? fkrpc.error
---@field [integer] fkrpc.jsonrpc.read

---What a JSON text says, or nil and the error to answer it with (-32700, -32600, -32602).
---@param text string
---@return fkrpc.jsonrpc.read? message
---@return fkrpc.error? err
function jsonrpc.read(text) end

---The answer to a message (or batch) as a text; nil where there is none. Handlers are as a peer's; `methods["*"]` takes
---what no other takes.
---@param methods table<string, fkrpc.handler>
---@param text string JSON
---@return string? answer JSON
function jsonrpc.handle(methods, text) end

---The registered errors: six standard ones (`parse_error`, `invalid_request`, `method_not_found`, `invalid_params`,
---`internal_error`, `server_error`) and yours.
---@class fkrpc.jsonrpc.errors
local errors = {}

---Register an error of your own, or change it. Raises if the name is a standard one's or the code is taken.
---@param name string
---@param code integer -32099 to -32001
---@param message string
function errors.add(name, code, message) end

---Take an error of your own away. Raises if it is a standard one.
---@param name string
---@return boolean removed false if there was none
function errors.remove(name) end

---A new error object.
---@param name string|integer its name or its code
---@param data? any
---@return fkrpc.error? err nil if none is registered
function errors.get(name, data) end

return jsonrpc
