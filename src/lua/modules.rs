//! The Lua files inside the library.

use std::ffi::CStr;

#[path = "../prelude/unpack.rs"]
mod unpack;
pub use unpack::Unpacker;

/// The words that the bytes of the packed files stand for, and where each ends: made by `build.rs`.
const WORDS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/prelude/words"));
static ENDS: [u16; 256] = include!(concat!(env!("OUT_DIR"), "/prelude/ends.rs"));

/// One file of the prelude.
pub struct Module {
    /// What tracebacks call it, which ends with its name.
    pub chunk: &'static CStr,
    packed: &'static [u8],
}

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        &[$(Module {
            // OK because concat! puts the only NUL at the end
            chunk: match CStr::from_bytes_with_nul(concat!("=fkrpc.", $name, "\0").as_bytes()) {
                Ok(chunk) => chunk,
                Err(_) => c"=fkrpc",
            },
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/prelude/", $name, ".lua")),
        }),*]
    };
}

/// The files of the feature `parent`.
#[cfg(feature = "parent")]
const PARENT: &[Module] = modules![
    "process",
    "child",
    "certificate",
    "handshake",
    "zygote",
    "forked",
    "standin",
    "loop",
    "loop/peer",
    "loop/room",
    "loop/scheduler",
    "loop/task",
    "loop/timers",
    "loop/watch",
    "pool",
    "pool/staff",
    "pool/calls",
    "pool/roster",
    "pool/member",
    "pool/restart",
    "pool/recycle",
    "pool/hang",
    "pool/report",
    "pool/control",
    "pool/prefork",
];
#[cfg(not(feature = "parent"))]
const PARENT: &[Module] = &[];

const MODULES: &[Module] = modules![
    "fkrpc",
    "json",
    "cbor",
    "cdata",
    "jsonrpc",
    "options",
    "wire",
    "peer",
    "cancel",
    "conduct",
    "concurrent",
    "early",
    "stdio",
    "pair",
    "socket",
    "listener",
    "clock",
    "fs",
    "freekill",
    "freekill/link",
    "freekill/values",
    "freekill/calls",
    "freekill/facilities",
    "freekill/log",
    "freekill/players",
    "freekill/rooms",
    "freekill/tasks",
    "freekill/dispatchers",
    "freekill/lockdown",
    "random",
    "watchdog",
    "soft_hooks",
    "compat",
    "compat/uncovered",
    "compat/json",
    "compat/json_plain",
    "compat/cjson",
    "compat/cjson_safe",
    "compat/cbor",
    "compat/cbor_plain",
    "compat/stdio",
    "compat/jsonrpc",
    "compat/socket",
    "compat/lfs",
    "compat/posix",
    "compat/posix_time",
    "compat/posix_sys_time",
    "compat/qrandomgen",
];

/// The file of this name.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Module> {
    MODULES
        .iter()
        .chain(PARENT)
        .find(|module| module.chunk.to_bytes().strip_prefix(b"=fkrpc.") == Some(name))
}

impl Module {
    /// Its text, without comments; the lines are those of the file.
    #[must_use]
    #[inline]
    pub fn source(&self) -> Unpacker<'static> {
        Unpacker {
            codes: self.packed,
            words: WORDS,
            ends: &ENDS,
        }
    }
}

/// Which Lua this library was built for, and its optional features, separated by spaces.
pub const FEATURES: &str = if cfg!(feature = "luajit") {
    "luajit"
} else if cfg!(feature = "lua51") {
    "lua51"
} else if cfg!(feature = "lua52") {
    "lua52"
} else if cfg!(feature = "lua53") {
    "lua53"
} else if cfg!(feature = "lua54") {
    "lua54"
} else {
    "lua55"
};

/// What `_VERSION` says in the Lua this library was built for. LuaJIT calls itself Lua 5.1, whose ABI it has.
pub const LUA_VERSION: &CStr = if cfg!(any(feature = "lua51", feature = "luajit")) {
    c"Lua 5.1"
} else if cfg!(feature = "lua52") {
    c"Lua 5.2"
} else if cfg!(feature = "lua53") {
    c"Lua 5.3"
} else if cfg!(feature = "lua54") {
    c"Lua 5.4"
} else {
    c"Lua 5.5"
};
