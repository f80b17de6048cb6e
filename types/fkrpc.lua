---@meta fkrpc

-- Definitions for the Lua language server; the submodules' are in fkrpc/. Nothing here runs.
-- spec/types_spec.lua compares all of it with the library.

---JSON-RPC 2.0 over stdin and stdout, JSON and CBOR, for programs that serve a parent or run children.
---`require "fkrpc"` sets no globals.
---@class fkrpc
---@field _VERSION string `"fkrpc 0.1.0"`
---@field null lightuserdata null in JSON and CBOR, both ways; equal to lua-cjson's `cjson.null`, not equal to nil
---@field json fkrpc.json the same table as `require "fkrpc.json"`
---@field cbor fkrpc.cbor the same table as `require "fkrpc.cbor"`
---@field jsonrpc fkrpc.jsonrpc the same table as `require "fkrpc.jsonrpc"`
---@field random fkrpc.random the same as `require "fkrpc.random"`
---@field clock fkrpc.clock the same table as `require "fkrpc.clock"`
---@field fs fkrpc.fs the same table as `require "fkrpc.fs"`
---@field watchdog fkrpc.watchdog the same as `require "fkrpc.watchdog"`
---@field freekill fkrpc.freekill the same table as `require "fkrpc.freekill"`
---@field standin fkrpc.standin the same as `require "fkrpc.standin"`, which calls it
---@field compat fkrpc.compat modules of FreeKill programs; `require "fkrpc.compat"` installs all of them
local fkrpc = {}

---Does nothing until it is called: `fkrpc.compat{ "socket", "lfs" }` puts these modules into package.preload, a call
---without arguments all that there are: socket, lfs, posix, posix.sys.time, posix.time, qrandomgen,
---freekill-qrandomgen, json, cjson, cjson.safe, server.rpc.cbor, server.rpc.stdio, server.rpc.jsonrpc.
---@class fkrpc.compat
---@overload fun(names?: string[]): fkrpc.compat

---Hand stdin, stdout and stderr to a copy of a zygote that has loaded the same script, and end as that does. What comes
---back is the zygote or such a copy (true), or has to do the work itself (nil, message, errno).
---@class fkrpc.standin
---@overload fun(options?: fkrpc.standin.options): true?, string?, integer?

---What this build is.
---@class fkrpc.features
---@field version string
---@field lua string the Lua it was built for: `"lua51"` ... `"lua55"`, `"luajit"`
---@field parent boolean whether it can run children: `spawn`, `loop`, `pool`, `zygote`

---What this build is.
---@return fkrpc.features
function fkrpc.features() end

---Mark a table (or a new one) as an array: it encodes as `[]` when empty, and with holes it is refused.
---@generic T: table
---@param t? T
---@return T t the same table
function fkrpc.array(t) end

---Mark a table (or a new one) as an object: it encodes as `{}` when empty; in JSON its number keys become strings.
---@generic T: table
---@param t? T
---@return T t the same table
function fkrpc.object(t) end

---@class fkrpc.error.fields
---@field code? integer any integer; -32000 by default. -32768 to -32000 belong to JSON-RPC
---@field message? string the standard message of the code by default
---@field data? any what can be encoded

---An error object. Raised by a handler, or returned as its second value, it goes to the caller unchanged.
---@param fields fkrpc.error.fields
---@return fkrpc.error
function fkrpc.error(fields) end

---Why a call failed. `tostring` gives `code: message (data)`.
---@class fkrpc.error
---@field code integer|"closed"|"timeout"|"depth"|"garbage"|"cancelled"|"signal"|"not_here" an integer came from the other end; a word is ours
---@field message string
---@field data? any

-- ---- peers ----------------------------------------------------------------------------------------------------------

---What is spoken; both ends need the same.
---@class fkrpc.wire.options
---@field codec? "json"|"cbor" lines of JSON (default), or a sequence of CBOR items
---@field keys? "string"|"freekill" CBOR only: names as JSON-RPC has them (default), or FreeKill's numbers for them
---@field strings? "utf8"|"bytes"|"text" JSON: `"utf8"` (default) or `"bytes"`, which sends and takes any byte. CBOR: `"bytes"` (default), or `"text"`, which sends valid UTF-8 as text strings
---@field big? "error"|"float"|"string"|"wrap"|"cdata" integers Lua cannot hold, when received; see `fkrpc.json.options` and `fkrpc.cbor.options`. `"wrap"` is the default of `keys = "freekill"`
---@field depth? integer how deep tables of a message may nest, 8 to 1000; 128 by default
---@field max_frame? integer the longest message that is taken, in bytes, 512 at least; 16 MiB by default. A longer one fails the call that it belongs to
---@field garbage? "answer"|"log"|"error" what becomes of input that is no message; answered by default
---@field send_timeout? number seconds after which a peer is given up that moves no byte while something is sent; none by default
---@field queue? integer bytes of what arrives that are taken in while something is sent; 64 MiB by default
---@field batch? integer bytes of notifications that are collected for one write; none by default
---@field framing? "line"|"content-length"|"length"|"sequence" how messages are told apart. JSON: lines (default), after a header `Content-Length: N` as LSP and DAP have it, or after four bytes with the length, the highest first. CBOR: `"sequence"` (default) or `"length"`
---@field calls? boolean false: `call` and `must` raise, for another end that takes no requests; true by default
---@field trace? string record all messages in this file (`%p` in its name: the process's id); see docs/trace.md
---@field trace_size? integer bytes of that file and the `.1` before it, together; 65536 or more, 64 MiB by default
---@field latency? boolean measure how long calls and handlers take; see `fkrpc.stats`
---@field concurrency? integer handlers that run interleaved while their calls wait, 1 to 1000; 1 by default
---@field cancel? "lsp"|"mcp" how cancelling and progress are told to the other end and heard from it; not at all by default
---@field signals? fkrpc.signal[] signals that end waits, not the process

---@alias fkrpc.signal "TERM"|"INT"|"HUP"|"QUIT"|"USR1"|"USR2"

---@class fkrpc.pair.options: fkrpc.wire.options

---@class fkrpc.stdio.options: fkrpc.wire.options
---@field print? "stderr"|"notify"|"request" where Lua's print goes: stderr (default), or to the other end as notification or request `print` with the arguments as strings
---@field parent_death? boolean|number end the process so many seconds after the parent has gone, with status 123; true is half a second
---@field stdout? "stderr"|"forward" where descriptor 1 leads: to stderr (default), or to the other end as notifications `print` with whole lines

---@class fkrpc.spawn.options: fkrpc.wire.options
---@field [integer] string the program, looked up on the PATH, and its arguments
---@field command? string[] the same, in place of the array part
---@field env? table<string, string|false> changes to the environment; false removes a variable
---@field cwd? string the folder to start in
---@field stderr? "relay"|"keep"|"null"|"inherit" where its stderr goes: kept (64 KiB) and passed on to ours (default), kept alone, nowhere, or ours itself
---@field limits? fkrpc.limits what it may use
---@field handlers? table<string, fun(params: any, ctx: fkrpc.context): any, any> handlers that are there before its first message
---@field handshake? "hello"|fun(child: fkrpc.child, deadline: number): boolean?, string? what `spawn` waits for: its notification `hello`, whose params are `child.hello` then; or a function that returns true, or nil and a reason, by a time of `clock.monotonic_us`
---@field handshake_timeout? number seconds for that (10)

---What a child may use (setrlimit(2)); what is not mentioned is inherited.
---@class fkrpc.limits
---@field memory? integer bytes of address space
---@field cpu? integer seconds of CPU time; SIGXCPU then, and SIGKILL a second later
---@field files? integer open descriptors
---@field processes? integer processes of its user
---@field nice? integer added to the niceness

---@class fkrpc.zygote.options
---@field [integer] string the program, looked up on the PATH, and its arguments
---@field command? string[] the same, in place of the array part
---@field env? table<string, string|false> changes to the environment; false removes a variable
---@field cwd? string the folder to start in
---@field stderr? "relay"|"keep"|"null"|"inherit" where its stderr goes, and what it prints: as for fkrpc.spawn
---@field timeout? number seconds in which the script must be loaded, and a copy be made (10)

---@class fkrpc.standin.options
---@field socket? string where its zygote listens; by default what FKRPC_STANDIN says, or a place that follows from the command line
---@field idle? number seconds that the zygote outlives its last stand-in (600)
---@field patience? number seconds that the script may take to load (30)

---@class fkrpc.connect.options: fkrpc.wire.options
---@field path? string where somebody listens; either this or `fd`
---@field fd? integer the number of a stream socket that this process has inherited; it is taken over

---@class fkrpc.listen.options: fkrpc.wire.options
---@field path string where to listen

---Take stdin and stdout for the protocol: the peer is whoever started this process. Descriptor 0 becomes /dev/null,
---descriptor 1 stderr; `dbg` and `debug.debug` do nothing until it is closed. Call it once.
---@param options? fkrpc.stdio.options
---@return fkrpc.peer? peer nil if the descriptors cannot be had
---@return string? message
---@return integer? errno
function fkrpc.stdio(options) end

---Start a program, in a process group of its own; the peer is at its stdin and stdout.
---@param options fkrpc.spawn.options
---@return fkrpc.child? child nil if it cannot be started
---@return string? message
---@return integer? errno
function fkrpc.spawn(options) end

---Start a pool of children.
---@param options fkrpc.pool.options
---@return fkrpc.pool? pool nil if its first child cannot be started
---@return string? message
---@return integer? errno
function fkrpc.pool(options) end

---Load a script once: the program runs up to its `fkrpc.stdio` and waits there; its copies go on from there. Linux with
---glibc.
---@param options fkrpc.zygote.options
---@return fkrpc.zygote? zygote nil if it cannot be started
---@return string? message
---@return integer? errno
function fkrpc.zygote(options) end

---Connect to a Unix socket, or take an inherited one.
---@param options fkrpc.connect.options
---@return fkrpc.peer? peer nil if nobody listens there, or the descriptor is no inherited stream socket
---@return string? message
---@return integer? errno
function fkrpc.connect(options) end

---Listen at a Unix socket, for the own user alone. The file of a dead server is replaced.
---@param options fkrpc.listen.options
---@return fkrpc.listener? listener nil if somebody listens there, or the path cannot be had
---@return string? message
---@return integer? errno
function fkrpc.listen(options) end

---A socket that clients connect to.
---@class fkrpc.listener
local listener = {}

---Wait for a client.
---@param timeout? number seconds; without one, as long as it takes
---@return fkrpc.peer|false|nil client false if none came in time; nil if there will be none
---@return string? message
---@return integer? errno
function listener:accept(timeout) end

---Where to wait for clients, for `loop:watch`.
---@return integer? fd nil once it is closed
function listener:fd() end

---Remove the socket's file and refuse further clients; twice does no harm. Peers stay as they are.
function listener:close() end

---Two peers in memory, each the other's end: for tests. While one waits, the other runs.
---@param options? fkrpc.pair.options
---@return fkrpc.peer one
---@return fkrpc.peer other
function fkrpc.pair(options) end

---What a handler is told about a message, if it takes a second parameter.
---@class fkrpc.context
---@field peer fkrpc.peer where it came from
---@field method string
---@field id? integer|number|string|lightuserdata the request's id (`fkrpc.null` for null); nil for a notification
---@field notification boolean nobody waits for a result
local context = {}

---Whether the caller has cancelled this request, as far as what has arrived tells. Without the option `cancel` false.
---@return boolean
function context:cancelled() end

---Tell the caller how far this request is, where it wants to know and the peer has the option `cancel`.
---@param value any in MCP's manner a number, or a table with `progress`, `total`, `message`
---@param token? string|integer which of the request's tokens; the first by default
---@return boolean? sent false if the caller does not want to know; nil if the connection is closed
---@return fkrpc.error? err
function context:progress(value, token) end

---Ends the calls that are made with it as option `cancel`.
---@class fkrpc.token
local token = {}

---End them; their error has the code `"cancelled"` and the reason as message.
---@param reason? string
---@return boolean done false if that was done before
function token:cancel(reason) end

---@return boolean cancelled
---@return string? reason
function token:cancelled() end

---A token for calls that may be cancelled.
---@return fkrpc.token
function fkrpc.token() end

---Its first value is the result. To fail: `return nil, fkrpc.error{...}` or `error(fkrpc.error{...})`, which the caller
---gets unchanged; `return nil, "text"`, which is -32000 with the text as data; anything else raised is -32603 with its
---message as data, its traceback goes to stderr. It must not yield outside of coroutines of its own.
---@alias fkrpc.handler fun(params: table, ctx: fkrpc.context): any, any

---One end of a conversation.
---@class fkrpc.peer
---@field forked? { zygote: integer, standin?: integer } whose copy this process is: pids. Only of fkrpc.stdio's peer
local peer = {}

---Handle requests and notifications of this name; `"*"` those that no other handler takes. nil takes it away.
---@param method string
---@param handler? fkrpc.handler
---@return fkrpc.peer self
function peer:on(method, handler) end

---@class fkrpc.call.options
---@field timeout? number seconds; none by default. A late reply is dropped
---@field cancel? fkrpc.token ends the call when it is cancelled
---@field on_progress? fun(value: any, token: string|integer) hears how far the request is; for peers with the option `cancel`

---Call a method of the other end and wait. It failed if and only if `err ~= nil`; a null result is nil. Meanwhile
---requests are served, 64 levels deep at most. Raises if params cannot be encoded, naming the value.
---@param method string
---@param params? table an empty one is sent as `[]` unless marked as an object
---@param options? fkrpc.call.options
---@return any result
---@return fkrpc.error? err code from the other end, or `"closed"`, `"timeout"` (`data` is the method), `"depth"`, `"cancelled"`, `"signal"`, `"not_here"`
function peer:call(method, params, options) end

---`call` that returns the result and raises the error.
---@param method string
---@param params? table
---@param options? fkrpc.call.options
---@return any result
function peer:must(method, params, options) end

---Tell the other end something; there is no answer. Raises if params cannot be encoded.
---@param method string
---@param params? table
---@return true? sent nil if the connection is closed, or a signal came and the other end does not read: it is sent later
---@return fkrpc.error? err
function peer:notify(method, params) end

---Serve until the other end closes (`"eof"`), `stop` is called (`"stopped"`), a signal comes that is heard of
---(`"signal"`, and its name) or the connection is closed or breaks.
---@return "eof"|"stopped"|"closed"|"signal" why
---@return string? detail
function peer:serve() end

---Serve one message.
---@param timeout? number seconds to wait for it; without one, as long as it takes
---@return boolean? served false if time was over (or, in a pair, nothing is there); nil if the connection has ended
---@return fkrpc.error? err
function peer:step(timeout) end

---Make `serve` return once the present request is answered.
function peer:stop() end

---Close both directions; twice does no harm. Of a child: it sees the end of its input, and is not signalled.
function peer:close() end

---Keep notifications (1 MiB of them at most) until `uncork`. A call, a reply, every wait and the end send them before.
function peer:cork() end

---Send what was kept since `cork`.
---@return true? sent nil if the connection is closed, or a signal came and the other end does not read: it is sent later
---@return fkrpc.error? err
function peer:uncork() end

---Send bytes as they are.
---@param bytes string
---@return true? sent nil if the connection is closed, or a signal came and the other end does not read: it is sent later
---@return fkrpc.error? err
function peer:send_raw(bytes) end

---Take the next message as it is: it is neither read nor answered. For playing an end by hand, beside `send_raw`.
---@param timeout? number seconds; without one, as long as it takes
---@return string|false|nil bytes false if time was over; nil if there is none
---@return fkrpc.error? err code `"garbage"` for what is no message and is dropped; what follows can be taken
function peer:receive_raw(timeout) end

---Counts since the beginning.
---@class fkrpc.stats
---@field received integer messages of any kind; a batch counts by its members
---@field requests integer requests and notifications among them
---@field calls integer calls begun here
---@field last_method? string the one called last, where the other end is a process of ours
---@field replies integer replies that somebody waited for
---@field strays integer replies that nobody waited for
---@field unhandled integer notifications that nobody handled
---@field malformed integer what could not be read or is no valid message
---@field garbage integer what could not be read at all, among these
---@field mismatch? string what the other end sent, where that looks like another codec, framing or other keys, and nothing else came
---@field errors_received integer replies that were errors, among `replies`
---@field bytes_received integer all bytes that were read
---@field sent integer messages sent, a batch of answers once
---@field errors_sent integer error replies among the answers
---@field bytes_sent integer
---@field queued integer bytes that were kept or could not be sent yet
---@field unread integer bytes that are here and were not served yet
---@field waiting integer calls that wait at this moment
---@field depth integer how many requests are being served inside each other at this moment
---@field open boolean
---@field latency? fkrpc.latencies with the option `latency`

---How long things took since the beginning.
---@class fkrpc.latencies
---@field calls fkrpc.latency our calls, until the reply was read; those that ended without one are left out
---@field handlers fkrpc.latency requests, from when they were read until they were answered

---Times in seconds; a percentile is up to an eighth above the true one, the maximum is exact.
---@class fkrpc.latency
---@field count integer
---@field mean number
---@field p50 number
---@field p90 number
---@field p99 number
---@field p999 number
---@field max number

---Counts since the beginning.
---@return fkrpc.stats
function peer:stats() end

---A peer that is a process started by `fkrpc.spawn`. Errors with code "closed" have its certificate as their `data` once
---it has ended.
---@class fkrpc.child: fkrpc.peer
---@field pid integer
---@field certificate? fkrpc.certificate once its end was seen
---@field hello? any the params of its `hello`, with the handshake of that name
---@field on_death? fun(child: fkrpc.child, certificate: fkrpc.certificate) called once by whoever sees its end
local child = {}

---How a process ended, and what it used.
---@class fkrpc.certificate
---@field code? integer if it ended by itself
---@field signal? integer if a signal ended it
---@field reason string all of it in one line
---@field method? string what was called when it ended
---@field stderr? string the last it has written there, up to 64 KiB, where that is kept
---@field hung? string why a pool has killed it, if it did (option `hang_timeout`)
---@field oom? string what hints at a want of memory
---@field user number CPU seconds, of it and the children it waited for
---@field system number CPU seconds in the kernel, likewise
---@field max_rss integer the most memory it had, in bytes

---What a child does and uses.
---@class fkrpc.child.info
---@field pid integer
---@field state "starting"|"ready"|"stopping"|"dead"
---@field age number seconds since its start
---@field calls integer calls made to it
---@field last_method? string the one called last
---@field waiting integer calls that wait for it
---@field cpu? number CPU seconds
---@field rss? integer resident memory in bytes
---@field private? integer memory it shares with nobody, in bytes
---@field threads? integer
---@field worker? integer who does its work, where it is a stand-in (fkrpc.standin): that process's use counts then

---Wait for the process to end. Nothing is read meanwhile. Asked again, it answers the same.
---@param timeout? number seconds; without one, as long as it takes
---@return fkrpc.certificate|false|nil ended false if it still runs; nil if that cannot be known
---@return string? message
---@return integer? errno
function child:wait(timeout) end

---Look whether it has ended. Never waits; interleaved calls that wait for it fail then.
---@return fkrpc.certificate|false ended
function child:reap() end

---End it: close its stdin and read what it still says; SIGTERM to its group; SIGKILL to its group. Each step waits for
---a time, and whatever is left of the group when it has ended is killed.
---@param options? { grace: number?, terminate: number? } seconds after closing its stdin and after SIGTERM, 2 each
---@return fkrpc.certificate? ended nil if it is not gone after all that
---@return string? message
---@return integer? errno
function child:stop(options) end

---Make `serve` return "stopped" once the present request is answered: what `stop` is to other peers.
function child:stop_serving() end

---What it does and what it uses.
---@return fkrpc.child.info
function child:info() end

---Close its stdin: it sees the end of its input; what it says can still be read.
function child:close_stdin() end

---Send it a signal.
---@param signal? integer 15 (SIGTERM) by default; 9 kills; 0 only asks whether it is there
---@return true? sent nil if it was waited for already, or there is no such signal
---@return string? message
---@return integer? errno
function child:kill(signal) end

---A program that has loaded its script and is copied.
---@class fkrpc.zygote
---@field pid integer
local zygote = {}

---What it does and uses.
---@class fkrpc.zygote.info
---@field pid integer
---@field state "loading"|"ready"|"dead"
---@field copies integer made so far
---@field rss? integer bytes of memory that are in use
---@field private? integer bytes of it that no other process shares
---@field cpu? number seconds of CPU time
---@field threads? integer

---Whether the script is loaded.
---@param timeout? number seconds to wait for it; the zygote's own by default, 0 only asks
---@return boolean? ready nil if it never will be: the script has failed, or cannot be copied
---@return string? message
---@return integer? errno
function zygote:ready(timeout) end

---A process copied from the loaded script. The command is the zygote's; all other options are those of fkrpc.spawn.
---@param options? fkrpc.spawn.options
---@return fkrpc.child? child nil if there is none to be had; errno 32 (EPIPE): the zygote has ended
---@return string? message
---@return integer? errno
function zygote:spawn(options) end

---What it is doing and what it uses.
---@return fkrpc.zygote.info
function zygote:info() end

---End it; its copies go on.
function zygote:close() end

---One wait for peers, the ends of children, timers, signals and descriptors; and coroutines in which a call, `sleep`,
---`await` and `join` suspend that coroutine alone. Elsewhere, and where a coroutine cannot be left (callbacks of C
---functions; pcall in Lua 5.1), these run the loop in place until what they wait for is there.
---@class fkrpc.loop
local loop = {}

---@class fkrpc.loop.options
---@field on_end? fun(peer: fkrpc.peer, event: "eof"|"closed"|"stopped", detail: string?) the conversation is over

---A loop with nothing in it.
---@return fkrpc.loop
function fkrpc.loop() end

---Serve this peer from now on: each handler runs in a coroutine. Raises for one that is in a loop, closed or served.
---@param who fkrpc.peer
---@param options? fkrpc.loop.options
---@return fkrpc.loop
function loop:add(who, options) end

---Leave this peer to itself again. Calls that wait fail with code "closed".
---@param who fkrpc.peer
---@return boolean removed false if it is not in this loop
function loop:remove(who) end

---Call a function in a coroutine, in the next round.
---@param f function
---@param ... any its arguments
---@return fkrpc.task
function loop:go(f, ...) end

---Wait until `resume` is called, which `register` is given.
---@param register fun(resume: fun(...: any): boolean)
---@return any ... what `resume` was called with
function loop:await(register) end

---@param seconds number
function loop:sleep(seconds) end

---Call a function once, in a coroutine.
---@param seconds number
---@param f fun(timer: fkrpc.timer)
---@return fkrpc.timer
function loop:after(seconds, f) end

---Call a function again and again, in a coroutine; not while its last call has not ended.
---@param seconds number at least 0.001
---@param f fun(timer: fkrpc.timer)
---@return fkrpc.timer
function loop:every(seconds, f) end

---Call a function when a signal has come, in a coroutine; nil: let the signal do what it did before.
---@param name "TERM"|"INT"|"HUP"|"QUIT"|"USR1"|"USR2"
---@param f? fun(name: string)
---@return true? heard
---@return string? message
---@return integer? errno
function loop:signal(name, f) end

---Call a function whenever a descriptor can be read or written to, in a coroutine; not while its last call has not
---ended. An error on the descriptor counts as both; one that is closed ends the watch.
---@param fd integer
---@param events "r"|"w"|"rw"
---@param f fun(event: "r"|"w"|"rw"|nil, watch: fkrpc.watch) nil: it was poked
---@return fkrpc.watch
function loop:watch(fd, events, f) end

---Run until `stop`, a signal that a peer hears of, or nothing is left to wait for ("stalled": but for so many tasks,
---which nobody can wake).
---@return "stopped"|"done"|"stalled"|"signal"|"closed" why
---@return integer|string|nil detail how many tasks; which signal
function loop:run() end

---Do one thing.
---@param timeout? number seconds to wait for it; without one, as long as it takes
---@return boolean done false if time was over, or nothing is left to wait for
function loop:step(timeout) end

---Make `run` return "stopped".
function loop:stop() end

---Leave all peers, end timers, watches and signals; what waits in tasks is cancelled.
function loop:close() end

---What `loop:go` has begun.
---@class fkrpc.task
local task = {}

---Wait for its end.
---@return any ... its results; or nil and its error, which was logged
function task:join() end

---End it where it waits, or will wait next: an error with code "cancelled" is raised there.
---@return boolean cancelled false if it was over
function task:cancel() end

---@class fkrpc.timer
local timer = {}

---@return boolean cancelled false if it has run, or was cancelled before
function timer:cancel() end

---@class fkrpc.watch
local watch = {}

---Wait for other events from now on.
---@param events "r"|"w"|"rw"
---@return fkrpc.watch
function watch:want(events) end

---Have its function called in the next round, whatever the descriptor says.
function watch:poke() end

---End it; the descriptor stays open.
---@return boolean cancelled false if it had ended before
function watch:cancel() end

return fkrpc
