---@meta fkrpc.pool

---Children that do the same work, replaced while it goes on. See docs/pool.md.
---@class fkrpc.pool
local pool = {}

---Options of `fkrpc.pool`, beside those of `fkrpc.spawn`, which every child gets.
---@class fkrpc.pool.options: fkrpc.spawn.options
---@field size? integer children that take calls; 1 by default
---@field warm? integer more of them, ready for the place of one that goes; 0 by default
---@field concurrency? integer calls in flight for one child at most; no limit by default
---@field backlog? integer calls that wait for a free child at most; 100,000 by default
---@field recycle? fkrpc.pool.recycle when a child should be replaced; never by default
---@field restart? fkrpc.pool.restart how often children that end too soon are started again
---@field handshake? "hello"|fun(child: fkrpc.child, deadline: number): any when a child can take calls: after its notification hello, or when the function returns true; at once by default
---@field handshake_timeout? number seconds for that; 10 by default
---@field handlers? table<string, fun(params: any, ctx: fkrpc.context): any, any> for what children ask
---@field grace? number seconds from closing a child's input to SIGTERM, and from there to SIGKILL; 2 by default
---@field drain_timeout? number seconds that a draining child keeps its calls and keys; for ever by default
---@field hang_timeout? number seconds for which a child with calls may be silent before it is killed and replaced; for ever by default
---@field check? number seconds between two looks at memory and age; 1 by default
---@field loop? fkrpc.loop where it lives; one of its own by default
---@field prefork? boolean fork the children from one that has loaded the program
---@field control? string path of a Unix socket for `fkrpc top`; switches on `latency` unless that is false

---@class fkrpc.pool.recycle
---@field memory? number bytes of private memory
---@field calls? number
---@field age? number seconds
---@field jitter? number each child's limits are lower by a random share up to this; 0.1 by default

---@class fkrpc.pool.restart
---@field max? number restarts within that time; 5 by default
---@field within? number seconds; a child that lived longer is started again at once, and not counted; 10 by default
---@field backoff? number[] seconds before the first restart and at most; `{ 0.1, 10 }` by default

---@class fkrpc.pool.call.options: fkrpc.call.options
---@field key? any calls of one key go to one child

---Why a child was not told something.
---@class fkrpc.pool.missed: fkrpc.error
---@field pid? integer nil where there is no child, and none to come: the pool is closed or failed

---@alias fkrpc.pool.event.name "started"|"ready"|"recycled"|"stopped"|"hung"|"died"|"failed"

---@class fkrpc.pool.event
---@field event fkrpc.pool.event.name
---@field time number seconds since 1970
---@field pid? integer
---@field generation? integer
---@field reason? string
---@field why? "memory"|"calls"|"age"|"asked"|"reload" of "recycled"
---@field memory? integer private bytes when it was last looked at, of "recycled" for memory
---@field certificate? table how the process ended

---Call a method of the child that has the key, or of the one with the fewest calls in flight. It failed if and only if
---the second result is not nil; codes as for `peer:call`, and "busy" when too many calls wait already.
---@param method string
---@param params? any
---@param given? fkrpc.pool.call.options
---@return any result
---@return fkrpc.error? err
function pool:call(method, params, given) end

---The same; raises the error object if it failed.
---@param method string
---@param params? any
---@param given? fkrpc.pool.call.options
---@return any result
function pool:must(method, params, given) end

---Tell a child something, chosen as for a call.
---@param method string
---@param params? any
---@param given? fkrpc.pool.call.options
---@return true? sent
---@return fkrpc.error? err
function pool:notify(method, params, given) end

---Tell every child that takes calls something, without waiting for any. One that does not read (1 MiB waits for it
---already) is not told: "busy"; nor is one that has closed its input: "closed".
---@param method string
---@param params? any
---@return integer told how many were told
---@return fkrpc.pool.missed[]? missed for each that was not, the error; nil if all were told
function pool:broadcast(method, params) end

---The room of a key is over; a child that drains may leave.
---@param key any
---@return boolean had whether a child had it
function pool:release(key) end

---Call `handler(event)` when this happens, in a coroutine of the loop; nil takes the handler away.
---@param name fkrpc.pool.event.name
---@param handler? fun(event: fkrpc.pool.event)
---@return fkrpc.pool self
function pool:on(name, handler) end

---Handle what children ask, now and later ones.
---@param method string
---@param handler? fun(params: any, ctx: fkrpc.context): any, any
---@return fkrpc.pool self
function pool:handle(method, handler) end

---Replace the child with this pid once another is ready.
---@param pid integer
---@return true? found
---@return string? message
function pool:drain(pid) end

---Start a new generation; the old children finish their calls and rooms and go. A pool that gave up tries again.
---@param changes? fkrpc.spawn.options
---@return true? begun nil if the pool is closed
---@return string? message
function pool:reload(changes) end

---Wait until all children are there and none is about to be replaced.
---@param timeout? number seconds
---@return true? ready
---@return string? message
function pool:wait(timeout) end

---What there is: see docs/pool.md.
---@return table info
function pool:info() end

---The same in Prometheus' text format.
---@param name? string value of the label "pool"
---@return string text
function pool:metrics(name) end

---Stop all children, wait for their ends; waiting calls fail. Twice does no harm.
function pool:close() end

return pool
