//! Child processes: started, refused, waited for, signalled, dropped.
#![allow(clippy::unwrap_used)]

mod sys_reexec;

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fkrpc::sys::process::{reap_abandoned, spawn, Command, Errors, Exit, Limits, Process, Watch};
use fkrpc::sys::{fd, poll, SysError};
use sys_reexec::{c, enter, run};

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn scenario() {
    let Some(name) = enter() else { return };
    match name.as_str() {
        "no stdio" => spawn_without_stdio(),
        "ignored children" => spawn_while_children_are_ignored(),
        "abandoned" => abandon_children(),
        other => panic!("no scenario {other}"),
    }
    c::exit();
}

fn command<'a>(program: &'a str, args: &[&'a str]) -> Command<'a> {
    Command {
        program: OsStr::new(program),
        args: args.iter().copied().map(OsStr::new).collect(),
        env: Vec::new(),
        cwd: None,
        errors: Errors::Inherit,
        limits: Limits::default(),
    }
}

fn shell(script: &str) -> Command<'_> {
    command("sh", &["-c", script])
}

fn refused(command: &Command<'_>) -> SysError {
    spawn(command).unwrap_err()
}

fn everything(process: &Process) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match fd::read(process.output.as_ref().unwrap().as_fd(), &mut buffer).unwrap() {
            0 => return String::from_utf8(all).unwrap(),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

fn end(process: &mut Process) -> Exit {
    process.wait(None).unwrap().unwrap()
}

fn output(command: &Command<'_>) -> String {
    let mut process = spawn(command).unwrap();
    drop(process.input.take());
    let all = everything(&process);
    assert_eq!(end(&mut process).code, Some(0));
    all
}

#[test]
fn a_child_that_cannot_be_polled_is_looked_at_until_it_has_ended() {
    let mut process = spawn(&shell("read x; sleep 0.1; exit 5")).unwrap();
    let watch = Watch::Number(process.pid());
    let short = watch.wait(None, None, None, Some(Duration::from_millis(30))).unwrap();
    assert!(!short.end);
    drop(process.input.take());
    // A pipe that somebody else holds open says nothing.
    let (reader, _writer) = fd::pipe().unwrap();
    let ready = watch.wait(Some(reader.as_fd()), None, None, None).unwrap();
    assert!(ready.end && !ready.input);
    assert_eq!(end(&mut process).code, Some(5));
    assert!(
        watch.wait(None, None, None, None).unwrap().end,
        "and when it was collected"
    );
}

#[test]
fn the_end_of_a_child_can_be_waited_for_without_collecting_it() {
    let mut process = spawn(&shell("exit 6")).unwrap();
    assert!(process.watch_end(Duration::from_secs(60)).unwrap());
    process.signal_group(0).unwrap();
    assert_eq!(end(&mut process).code, Some(6));
    assert!(process.watch_end(Duration::ZERO).unwrap());
    assert_eq!(process.signal_group(9).unwrap_err().raw_os_error(), Some(libc::ESRCH));
}

#[test]
fn last_words_are_kept_and_are_there_when_the_child_has_ended() {
    let mut process = spawn(&Command {
        errors: Errors::Keep,
        ..shell("head -c 200000 /dev/zero >&2; printf end >&2")
    })
    .unwrap();
    end(&mut process);
    let mut words = Vec::new();
    process.last_words(&mut words);
    assert_eq!(words.len(), fkrpc::sys::process::errors::KEPT);
    assert!(words.ends_with(b"\0end"));
}

#[test]
fn what_is_written_to_a_child_comes_back_and_it_ends_with_its_input() {
    let mut process = spawn(&command("cat", &[])).unwrap();
    fd::write_all(process.input.as_ref().unwrap().as_fd(), b"ping\n").unwrap();
    assert_eq!(process.try_wait().unwrap(), None);
    drop(process.input.take());
    assert_eq!(everything(&process), "ping\n");
    assert_eq!(end(&mut process).code, Some(0));
}

#[test]
fn arguments_pass_as_they_are() {
    let script = "for word; do printf '<%s>' \"$word\"; done";
    assert_eq!(
        output(&command("sh", &["-c", script, "sh", "a b", "", "*", "中"])),
        "<a b><><*><中>"
    );
}

#[test]
fn the_end_is_a_code_or_a_signal_and_a_second_wait_says_the_same() {
    let mut process = spawn(&shell("exit 7")).unwrap();
    let exit = end(&mut process);
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    assert_eq!((process.try_wait().unwrap(), end(&mut process)), (Some(exit), exit));

    let mut process = spawn(&shell("kill -KILL $$")).unwrap();
    let exit = end(&mut process);
    assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGKILL)));
}

#[test]
fn a_wait_that_runs_out_leaves_the_child_running_and_a_signal_ends_it() {
    let mut process = spawn(&command("sleep", &["1000"])).unwrap();
    assert_eq!(process.wait(Some(Duration::from_millis(1))).unwrap(), None);
    process.signal(0).unwrap();
    process.signal(libc::SIGTERM).unwrap();
    let exit = process.wait(Some(Duration::from_secs(3_600))).unwrap().unwrap();
    assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGTERM)));
}

#[test]
fn a_child_that_was_waited_for_gets_no_signal() {
    let mut process = spawn(&shell("exit 0")).unwrap();
    assert_eq!(process.signal(999).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    end(&mut process);
    assert_eq!(
        process.signal(libc::SIGTERM).unwrap_err().raw_os_error(),
        Some(libc::ESRCH)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_end_can_be_polled_for() {
    let mut process = spawn(&command("cat", &[])).unwrap();
    assert!(!poll::readable(process.end_fd().unwrap(), Some(Duration::ZERO)).unwrap());
    drop(process.input.take());
    assert!(poll::readable(process.end_fd().unwrap(), None).unwrap());
    assert_eq!(process.try_wait().unwrap().unwrap().code, Some(0));
}

#[test]
fn a_child_that_was_waited_for_holds_no_descriptor() {
    let mut process = spawn(&shell("exit 3")).unwrap();
    end(&mut process);
    assert!(process.end_fd().is_none());
}

#[test]
fn what_a_child_used_is_known_at_its_end() {
    let mut process = spawn(&shell("i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done")).unwrap();
    let exit = end(&mut process);
    assert!(exit.user_us + exit.system_us > 0, "{exit:?}");
    assert!(exit.max_rss_bytes > 100_000, "{exit:?}");
}

#[test]
fn the_working_directory_is_the_one_asked_for() {
    let mut pwd = command("pwd", &[]);
    pwd.cwd = Some(Path::new("/"));
    assert_eq!(output(&pwd), "/\n");
}

#[test]
fn variables_are_set_removed_and_otherwise_inherited() {
    let mut script = shell("echo \"$FKRPC_A ${FKRPC_B-unset} ${HOME-unset} ${PATH:+inherited}\"");
    let name = OsStr::new;
    script.env = vec![
        (name("FKRPC_A"), Some(name("first"))),
        (name("FKRPC_A"), Some(name("a=1"))),
        (name("FKRPC_B"), Some(name("gone"))),
        (name("FKRPC_B"), None),
        (name("HOME"), None),
    ];
    assert_eq!(output(&script), "a=1 unset unset inherited\n");
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_sees_descriptors_0_1_and_2_alone() {
    let leak = c::dup(0);
    let another = spawn(&command("cat", &[])).unwrap();
    assert_eq!(output(&shell("ls /proc/$$/fd; true")), "0\n1\n2\n");
    c::close(leak);
    drop(another);
}

fn spawn_without_stdio() {
    let log = c::dup(2);
    (0..3).for_each(c::close);
    let mut process = spawn(&command("cat", &[])).unwrap();
    fd::write_all(process.input.as_ref().unwrap().as_fd(), b"ping").unwrap();
    drop(process.input.take());
    c::write(log, &everything(&process)).unwrap();
}

#[test]
fn a_parent_without_stdio_can_have_children() {
    assert_eq!(run("no stdio", b"", "").log, "ping");
}

#[test]
fn a_missing_program_is_enoent_at_once_and_says_where_it_was_looked_for() {
    let mut missing = command("fkrpc-no-such-program", &[]);
    let own = std::env::var("PATH").unwrap();
    let text = "cannot run \"fkrpc-no-such-program\": No such file or directory (errno 2); ";
    assert_eq!(refused(&missing).message, format!("{text}PATH={own}"));
    missing.env = vec![(OsStr::new("PATH"), Some(OsStr::new("/nowhere")))];
    assert_eq!(
        refused(&missing),
        SysError {
            message: format!("{text}PATH=/nowhere"),
            errno: libc::ENOENT
        }
    );
    missing.env = vec![(OsStr::new("PATH"), None)];
    assert_eq!(refused(&missing).message, format!("{text}PATH is not set"));
}

/// A file in a directory of its own, removed with it.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, text: &str, mode: u32) -> Self {
        let directory = std::env::temp_dir().join(format!("fkrpc-{name}-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        std::fs::remove_dir_all(self.0.parent().unwrap()).unwrap();
    }
}

#[test]
fn the_text_tells_a_missing_file_interpreter_directory_and_permission_apart() {
    let orphan = Script::new("orphan", "#!/nowhere/interpreter\n", 0o755);
    let error = refused(&command(orphan.0.to_str().unwrap(), &[]));
    assert_eq!(error.errno, libc::ENOENT);
    assert!(
        error
            .message
            .ends_with("; the file is there, its interpreter (#! line) or loader is not"),
        "{error}"
    );

    let plain = Script::new("plain", "", 0o644);
    let error = refused(&command(plain.0.to_str().unwrap(), &[]));
    assert_eq!(error.errno, libc::EACCES);
    assert!(
        error.message.ends_with("; it must be an executable file (chmod +x)"),
        "{error}"
    );

    let error = refused(&command("/nowhere/program", &[]));
    assert_eq!(
        error.to_string(),
        "cannot run \"/nowhere/program\": No such file or directory (errno 2); check the path"
    );

    let mut lost = command("cat", &[]);
    lost.cwd = Some(Path::new("/nowhere"));
    assert_eq!(
        refused(&lost).to_string(),
        "cannot run \"cat\" in \"/nowhere\": No such file or directory (errno 2); \
         the working directory must exist and be a directory"
    );
}

#[test]
fn a_nul_byte_and_an_impossible_name_are_refused() {
    assert_eq!(refused(&command("cat", &["a\0b"])).errno, libc::EINVAL);
    let mut named = command("cat", &[]);
    for name in ["", "A=B"] {
        named.env = vec![(OsStr::new(name), Some(OsStr::new("x")))];
        let error = refused(&named);
        assert_eq!(error.errno, libc::EINVAL);
        assert!(
            error.message.contains(&format!("{name:?} cannot name a variable")),
            "{error}"
        );
    }
}

fn spawn_while_children_are_ignored() {
    c::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
    let error = refused(&command("fkrpc-no-such-program", &[]));
    assert_eq!(error.errno, libc::ENOENT);
    let mut process = spawn(&command("true", &[])).unwrap();
    for _ in 0..2 {
        assert_eq!(process.wait(None).unwrap_err().raw_os_error(), Some(libc::ECHILD));
    }
    assert_eq!(
        process.signal(libc::SIGKILL).unwrap_err().raw_os_error(),
        Some(libc::ESRCH)
    );
    c::write(1, "refused and lost").unwrap();
}

#[test]
fn a_host_that_ignores_its_children_gets_errors_and_no_panic() {
    assert_eq!(run("ignored children", b"", "").wire, "refused and lost");
}

/// `false` also for a zombie's number: it is still taken.
fn is_gone(pid: i32) -> bool {
    c::kill(pid, 0) == Err(libc::ESRCH)
}

fn abandon_children() {
    let ended = spawn(&command("true", &[])).unwrap();
    let ended_pid = ended.pid();
    while !c::has_ended(ended_pid) {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!is_gone(ended_pid), "a zombie until it is dropped");
    drop(ended);
    assert!(is_gone(ended_pid));

    // It does not end with its input: nothing kills it, and nothing waits for it.
    let stubborn = spawn(&command("sleep", &["60"])).unwrap();
    let stubborn_pid = stubborn.pid();
    drop(stubborn);
    assert_eq!(reap_abandoned(), 1);
    assert_eq!(c::kill(stubborn_pid, libc::SIGKILL), Ok(()));

    // It ends with its input, which the drop has closed.
    let polite = spawn(&command("cat", &[])).unwrap();
    let polite_pid = polite.pid();
    drop(polite);
    while !c::has_ended(polite_pid) || !c::has_ended(stubborn_pid) {
        thread::sleep(Duration::from_millis(1));
    }
    // Any of these collects what has been abandoned: here a spawn.
    let mut next = spawn(&command("true", &[])).unwrap();
    assert!(is_gone(polite_pid) && is_gone(stubborn_pid));
    assert_eq!(reap_abandoned(), 0);
    end(&mut next);
}

#[test]
fn a_dropped_child_leaves_no_zombie_and_is_not_killed() {
    run("abandoned", b"", "");
}
