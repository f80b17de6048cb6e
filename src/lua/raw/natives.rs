//! The native functions that the prelude is given, by name.
//!
//! # What may raise
//! Nothing: it is a table.

#[cfg(all(target_os = "linux", feature = "parent"))]
use super::zygote;
use super::{
    cbor, channel, clock, compat, concurrent, connection, control, file, fs, json, observe, random_class, receive,
    reply, resume, scalars, send, services, socket, soft_hook, styled, watchdog, watching,
};
#[cfg(feature = "parent")]
use super::{poller, process, spawn};
use mlua::ffi::lua_CFunction;
use std::ffi::CStr;

/// Native functions the prelude is given, by name. What only a parent needs is the feature `parent`: with its entries
/// here the linker leaves out all that nothing else reaches.
pub const NATIVE: &[(&CStr, lua_CFunction)] = &[
    (c"json_codec", json::codec),
    (c"json_styled", styled::codec),
    (c"cbor_codec", cbor::codec),
    (c"compat_json", compat::json_codec),
    (c"compat_cbor", compat::cbor_codec),
    (c"channel", channel::open),
    (c"file_lock", file::lock),
    (c"hard_link", file::hard_link),
    (c"stdio", connection::stdio),
    (c"pair", connection::pair),
    #[cfg(feature = "parent")]
    (c"adopt", connection::adopt),
    (c"socket_connect", socket::connect),
    (c"socket_listen", socket::listen),
    (c"close", control::close),
    (c"close_output", control::close_output),
    #[cfg(feature = "parent")]
    (c"waiting", control::waiting),
    (c"stop", control::stop),
    (c"watch_parent", watching::watch_parent),
    (c"watch_signals", watching::watch_signals),
    (c"take_signal", watching::take_signal),
    (c"name", control::name),
    (c"configure", control::configure),
    (c"cork", control::cork),
    (c"uncork", control::uncork),
    (c"mute", control::mute),
    (c"forward", control::forward),
    (c"stats", observe::stats),
    (c"measure", observe::measure),
    (c"trace", observe::trace),
    (c"receive_raw", observe::receive_raw),
    (c"request", send::request),
    (c"notify", send::notify),
    (c"ask", scalars::ask),
    (c"tell", scalars::tell),
    (c"ask_text", scalars::ask_text),
    (c"tell_text", scalars::tell_text),
    (c"send_raw", send::send_raw),
    (c"reply", reply::reply),
    (c"step", reply::step),
    (c"receive", receive::receive_function),
    (c"wait", receive::wait_function),
    (c"begin", concurrent::begin),
    (c"call", concurrent::call),
    (c"next", concurrent::next),
    (c"concurrent", concurrent::concurrent),
    (c"delivering", concurrent::delivering),
    (c"after", concurrent::after),
    (c"manner", concurrent::manner),
    (c"is_cancelled", concurrent::is_cancelled),
    #[cfg(feature = "parent")]
    (c"poller", poller::poller_function),
    (c"take", services::take),
    (c"forget", services::forget),
    (c"log", services::log),
    (c"standard_message", services::message_of),
    #[cfg(feature = "parent")]
    (c"spawn", spawn::spawn),
    #[cfg(feature = "parent")]
    (c"process_wait", process::wait),
    #[cfg(feature = "parent")]
    (c"process_pid", process::pid),
    #[cfg(feature = "parent")]
    (c"process_signal", process::signal),
    #[cfg(feature = "parent")]
    (c"process_fd", process::end_fd),
    #[cfg(feature = "parent")]
    (c"process_stderr", process::stderr),
    (c"clock_functions", clock::functions),
    (c"fs_functions", fs::functions),
    (c"fs_root", fs::root::open),
    (c"random_class", random_class::random_class),
    (c"qrandomgen_class", random_class::qrandomgen_class),
    (c"resume", resume::resume_handler),
    (c"resume_within", resume::resume_within),
    (c"coroutine_resume", resume::resume_function),
    (c"coroutine_wrap", resume::wrap_function),
    (c"coroutine_close", resume::close_function),
    (c"watchdog_limit", watchdog::limit_function),
    (c"watchdog_soft", soft_hook::soft_function),
    (c"running_thread", soft_hook::thread_function),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"zygote_take", zygote::take),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"zygote_serve", zygote::serve),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"zygote_start", zygote::start),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"zygote_ready", zygote::ready),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"zygote_copy", zygote::copy),
    #[cfg(all(target_os = "linux", feature = "parent"))]
    (c"standin", zygote::standin),
];
