//! `SIGPIPE`, each scenario in a process of its own that starts with the signal at its default.
#![allow(clippy::unwrap_used)]

mod sys_reexec;

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use fkrpc::sys::signal::SigpipeGuard;
use fkrpc::sys::{fd, stderr};
use sys_reexec::{broken_pipe, c, command, enter, outcome, run};

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn scenario() {
    let Some(name) = enter() else { return };
    match name.as_str() {
        "no guard" => assert_eq!(write_to_nobody(), Some(libc::EPIPE)),
        "guard" => live_and_restore(),
        "two guards" => count_guards(),
        "child" => run_a_child(),
        "foreign" => leave_others_alone(),
        "changed" => meet_a_change(),
        "log" => log_to_nobody(),
        other => panic!("no scenario {other}"),
    }
    c::exit();
}

fn write_to_nobody() -> Option<i32> {
    fd::write_all(broken_pipe().as_fd(), b"x").unwrap_err().raw_os_error()
}

fn is_default() -> bool {
    c::disposition(libc::SIGPIPE) == libc::SIG_DFL
}

#[test]
fn without_a_guard_a_write_to_nobody_kills() {
    let status = command("no guard", "").output().unwrap().status;
    assert_eq!(status.signal(), Some(libc::SIGPIPE), "or the other tests show nothing");
}

fn live_and_restore() {
    let guard = SigpipeGuard::install().unwrap();
    assert_eq!(write_to_nobody(), Some(libc::EPIPE));
    assert_ne!(c::disposition(libc::SIGPIPE), libc::SIG_IGN);
    drop(guard);
    assert!(is_default());
}

#[test]
fn with_a_guard_it_is_epipe_and_afterwards_the_default_is_back() {
    run("guard", b"", "");
}

fn count_guards() {
    let first = SigpipeGuard::install().unwrap();
    let second = SigpipeGuard::install().unwrap();
    drop(first);
    assert_eq!(write_to_nobody(), Some(libc::EPIPE));
    drop(second);
    assert!(is_default());
    let third = SigpipeGuard::install().unwrap();
    assert_eq!(write_to_nobody(), Some(libc::EPIPE));
    drop(third);
    assert!(is_default());
}

#[test]
fn only_the_last_guard_restores_and_a_new_one_starts_again() {
    run("two guards", b"", "");
}

fn run_a_child() {
    let _guard = SigpipeGuard::install().unwrap();
    let status = c::system("kill -PIPE $$; exit 0");
    assert!(
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGPIPE,
        "{status}"
    );
}

#[test]
fn a_child_has_the_default() {
    run("child", b"", "");
}

extern "C" fn foreign(_signal: libc::c_int) {}

fn leave_others_alone() {
    for theirs in [
        libc::SIG_IGN,
        foreign as extern "C" fn(libc::c_int) as libc::sighandler_t,
    ] {
        c::set_disposition(libc::SIGPIPE, theirs);
        let guard = SigpipeGuard::install().unwrap();
        assert_eq!(c::disposition(libc::SIGPIPE), theirs);
        assert_eq!(write_to_nobody(), Some(libc::EPIPE));
        drop(guard);
        assert_eq!(c::disposition(libc::SIGPIPE), theirs);
    }
}

#[test]
fn an_ignored_signal_and_a_foreign_handler_are_left_alone() {
    run("foreign", b"", "");
}

fn meet_a_change() {
    let guard = SigpipeGuard::install().unwrap();
    c::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    drop(guard);
    assert_eq!(c::disposition(libc::SIGPIPE), libc::SIG_IGN);

    c::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
    let first = SigpipeGuard::install().unwrap();
    c::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
    let second = SigpipeGuard::install().unwrap();
    assert_eq!(write_to_nobody(), Some(libc::EPIPE));
    drop((first, second));
    assert!(is_default());
}

#[test]
fn a_disposition_changed_meanwhile_is_kept_and_a_new_guard_guards_again() {
    run("changed", b"", "");
}

fn log_to_nobody() {
    stderr::log(b"lost\n");
    assert!(is_default());
    c::close(2);
    stderr::log(b"lost as well\n");
    c::write(1, "alive").unwrap();
}

#[test]
fn a_log_without_a_reader_or_a_descriptor_is_dropped() {
    let output = command("log", "")
        .stdin(Stdio::null())
        .stderr(Stdio::from(broken_pipe()))
        .output()
        .unwrap();
    assert_eq!(outcome("log", output).wire, "alive");
}
