//! The binding: what `require "fkrpc"` sees. The only place that names `mlua`, of which it uses the raw
//! `mlua::ffi` alone.

pub mod modules;
pub mod raw;
