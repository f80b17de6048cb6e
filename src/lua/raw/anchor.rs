//! Places in the anchors table, which holds the Lua values that the library needs; the key cache uses [`KEYS_TABLE`]'s
//! table.
//!
//! # What may raise
//! Nothing: these are numbers.

/// Metatable of arrays.
pub const ARRAY: i64 = 1;
/// Metatable of objects.
pub const OBJECT: i64 = 2;
/// Metatable of error objects.
pub const ERROR: i64 = 3;
/// Metatable of tagged CBOR values.
pub const TAGGED: i64 = 4;
/// Metatable of simple CBOR values.
pub const SIMPLE: i64 = 5;
/// Strings of the key cache.
pub const KEYS_TABLE: i64 = 6;
/// LuaJIT: `function(high, low, unsigned)` that makes 64-bit cdata.
pub const MAKE_CDATA: i64 = 7;
/// LuaJIT: `function(cdata)` that returns the digits of 64-bit cdata, or nil.
pub const READ_CDATA: i64 = 8;
/// Metatable of connections.
pub const CONNECTION: i64 = 9;
/// Metatable of request contexts.
pub const CONTEXT: i64 = 10;
/// Metatable of processes.
pub const PROCESS: i64 = 11;
/// The table of loaded submodules.
pub const MODULES: i64 = 12;
/// The table of native functions the prelude gets.
pub const NATIVE: i64 = 13;
/// The protected part of encoding hooks.
pub const TOCBOR: i64 = 14;
/// The string `tag`.
pub const TAG: i64 = 15;
/// The string `value`.
pub const VALUE: i64 = 16;
/// The string `simple`.
pub const SIMPLE_NAME: i64 = 17;
/// The string `code`.
pub const CODE: i64 = 18;
/// The string `message`.
pub const MESSAGE: i64 = 19;
/// The string `data`.
pub const DATA: i64 = 20;
/// The protected part of going on in a table that a hook may have changed.
pub const NEXT_PAIR: i64 = 21;
/// The error of the slice that the watchdog stopped last.
pub const OVERDUE: i64 = 22;
/// Soft hooks: coroutine to `{ function, count }`, weak keys.
pub const SOFT_HOOKS: i64 = 23;
/// How many there are.
pub const COUNT: i32 = 23;
