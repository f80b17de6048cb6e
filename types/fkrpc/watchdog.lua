---@meta fkrpc.watchdog

---The runaway guard. It is called: `fkrpc.watchdog(15)` gives 15 seconds to every handler, and to every coroutine that
---is resumed while no other has a deadline; nil or false: no limit. True, or nil, message, errno. See docs/watchdog.md.
---@class fkrpc.watchdog
---@overload fun(seconds: number|false|nil, options?: fkrpc.watchdog.options): true|nil, string?, integer?
local watchdog = {}

---@class fkrpc.watchdog.options
---@field per? "handler"|"resume" "resume": each coroutine.resume of a handler has the whole time, too; "handler"
---@field grace? number|false CPU seconds after which the process ends if the code cannot be stopped; 2 by default

---Call `f(...)` with a limit of its own, inside whatever limit there is. As pcall; nil, message, errno without a
---watchdog. `f` must not yield.
---@param seconds number
---@param f function
---@param ... any
---@return boolean|nil ok
---@return any ... results, or the error
function watchdog.run(seconds, f, ...) end

---Let `debug.sethook(co, f, "", n)` with n >= 1000 mean that `f` is called in `co` about once a second of running;
---other hooks pass through. False undoes it.
---@param on? boolean
---@return true|nil ok
---@return string? message
---@return integer? errno
function watchdog.soft_hooks(on) end
