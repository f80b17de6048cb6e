//! Scenarios that need a process of their own: a test binary runs itself, with real descriptors 0, 1 and 2.
//!
//! libtest prints to stdout before a test runs. So a shell moves the descriptors under test to 3, 4 and 5, and the
//! scenario moves them back: what it does then happens on 0, 1 and 2 as in any program, and nothing else shows there.
//! Each binary has one ignored test named `scenario` that calls [`enter`] and runs what it names.
#![allow(clippy::unwrap_used)]
// Every binary uses a part of this.
#![allow(dead_code)]

pub mod c;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

/// What a scenario left behind.
pub struct Outcome {
    /// Everything that reached the stdout under test.
    pub wire: String,
    /// Everything that reached the stderr under test.
    pub log: String,
}

/// The command for `scenario`, after `redirections` in the shell; its stdio is the caller's to choose.
pub fn command(scenario: &str, redirections: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let script = format!(
        "{redirections}
        exec \"$0\" --exact scenario --ignored --nocapture --test-threads=1 3<&0 4>&1 5>&2 </dev/null >/dev/null"
    );
    command
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .env("FKRPC_SCENARIO", scenario);
    command
}

/// Runs `scenario` with `input` on its stdin, and fails unless it succeeds.
pub fn run(scenario: &str, input: &[u8], redirections: &str) -> Outcome {
    outcome(
        scenario,
        command(scenario, redirections)
            .stdin(filled_pipe(input))
            .output()
            .unwrap(),
    )
}

/// The output as text; fails unless the scenario succeeded.
pub fn outcome(scenario: &str, output: Output) -> Outcome {
    let wire = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success(),
        "{scenario}: {}\nwire: {wire}\nlog: {log}",
        output.status
    );
    Outcome { wire, log }
}

/// A pipe that holds `input` and its end from the start, so that every read finds all of it. At most 64 KiB.
pub fn filled_pipe(input: &[u8]) -> Stdio {
    let (reader, writer) = fkrpc::sys::fd::pipe().unwrap();
    std::fs::File::from(writer).write_all(input).unwrap();
    Stdio::from(reader)
}

/// In the scenario: puts the descriptors under test in place, closes whatever else was inherited, and returns the
/// scenario's name. `None` when nobody asked for one (`--include-ignored`); nothing is touched then.
pub fn enter() -> Option<String> {
    let name = std::env::var("FKRPC_SCENARIO").ok()?;
    for number in 0..3 {
        c::dup2(number + 3, number);
    }
    c::close_from(3);
    // The Rust runtime ignores SIGPIPE; the hosts of a Lua module do not.
    c::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
    Some(name)
}

/// A pipe end nobody reads from any more.
pub fn broken_pipe() -> OwnedFd {
    fkrpc::sys::fd::pipe().unwrap().1
}
