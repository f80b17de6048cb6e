---@meta fkrpc.random

---Qt's QRandomGenerator, bit for bit. It is called: `fkrpc.random(42)` is the generator of that seed (cut to 32 bits),
---`fkrpc.random({ 1, 2, 3 })` that of a sequence of words, `fkrpc.random()` has a seed of the system. Not for secrets.
---@class fkrpc.random
---@overload fun(seed?: integer|integer[]): fkrpc.generator
local random = {}

---The module that `require "freekill-qrandomgen"` gives: `new(seed)` makes generators that have `random` alone.
---@return { new: fun(seed?: integer): userdata }
function random.compat() end

---A generator. Two are equal when they will draw the same.
---@class fkrpc.generator
local generator = {}

---A float of 0 to 1, both inclusive, in steps of 1e-8; an integer of 1 to `low`; an integer of `low` to `high`.
---As in the game: a negative `high` counts as absent, then so does a `low` below 1, and numbers are cut to 32 bits.
---Raises where `high` is below `low` or there are more than 2^31 - 1 numbers.
---@param low? integer
---@param high? integer
---@return number
function generator:random(low, high) end

---The next 32-bit word.
---@return integer word 0 to 2^32 - 1
function generator:generate() end

---The next 64 bits as an integer, which may be negative. Lua 5.1, 5.2 and LuaJIT: two words, the low one first.
---@return integer number
---@return integer? high
function generator:generate64() end

---A float of 53 random bits.
---@return number number 0 to below 1
function generator:double() end

---An integer of `first` (0 without `last`) to the one below the end. Qt's 32-bit form where both ends are 32-bit
---integers, else the 64-bit one. Raises where the range is empty or too wide for its form.
---@param first integer the end, if there is no `last`
---@param last? integer the end: not drawn itself
---@return integer
function generator:bounded(first, last) end

---The same by Qt's 64-bit form. Lua 5.1, 5.2 and LuaJIT: within 2^53.
---@param first integer the end, if there is no `last`
---@param last? integer the end: not drawn itself
---@return integer
function generator:bounded64(first, last) end

---`double()` times a factor.
---@param factor number
---@return number
function generator:bounded_double(factor) end

---Skip words. It takes as long as drawing them.
---@param count integer
---@return fkrpc.generator self
function generator:discard(count) end

---Shuffle in place, as the game's `table.shuffle` does.
---@generic T
---@param t T[]
---@return T[] t
function generator:shuffle(t) end

---A generator of its own that will draw the same.
---@return fkrpc.generator
function generator:clone() end

---The state as a string of ASCII, for `restore`; what is in it is not specified.
---@return string
function generator:state() end

---Continue where the generator was whose state this is. Raises if it is none.
---@param state string
---@return fkrpc.generator self
function generator:restore(state) end

return random
