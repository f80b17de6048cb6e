//! fkrpc: JSON-RPC 2.0 over stdio, JSON, CBOR and process tools for Lua, in one shared library.
//!
//! Read it from the bytes up: [`codec`] and [`frame`] turn bytes into tapes, [`message`] finds the JSON-RPC envelope on
//! a tape, [`peer`] keeps a conversation, [`sys`] is the only contact with the operating system, and `lua` (built with
//! one of the `lua51` ... `luajit` features) hands all of it to a stock Lua interpreter.
//!
//! The core refuses to know Lua, and the binding refuses to hold a Rust borrow while Lua runs.

#[cfg(any(
    all(
        feature = "lua51",
        any(
            feature = "lua52",
            feature = "lua53",
            feature = "lua54",
            feature = "lua55",
            feature = "luajit"
        )
    ),
    all(
        feature = "lua52",
        any(feature = "lua53", feature = "lua54", feature = "lua55", feature = "luajit")
    ),
    all(feature = "lua53", any(feature = "lua54", feature = "lua55", feature = "luajit")),
    all(feature = "lua54", any(feature = "lua55", feature = "luajit")),
    all(feature = "lua55", feature = "luajit"),
))]
compile_error!(
    "choose one Lua: exactly one of the features lua51, lua52, lua53, lua54, lua55, luajit (a library serves one Lua ABI)"
);

pub mod channel;
pub mod codec;
pub mod connection;
pub mod envelope;
pub mod frame;
pub mod fs;
pub mod latency;
#[cfg(any(
    feature = "lua51",
    feature = "lua52",
    feature = "lua53",
    feature = "lua54",
    feature = "lua55",
    feature = "luajit"
))]
pub mod lua;
pub mod message;
pub mod outbox;
pub mod peer;
pub mod random;
pub mod slots;
pub mod sys;
pub mod text;
pub mod trace;
pub mod watchdog;
pub mod wire;
