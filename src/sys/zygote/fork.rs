//! fork(2), of a process with one thread, also for this process's own parent.
//!
//! It refuses to guess what the C library needs: where the address of its thread id is not to be had, there is no copy
//! for the parent (`ENOSYS`).
#![allow(unsafe_code)]

use std::io;

use crate::sys::{fd, interrupt, timer};

/// Copies this process: the copy's id, or 0 in the copy, which is a child of this process.
pub(super) fn own() -> io::Result<libc::pid_t> {
    // SAFETY: the process has one thread (the server has seen to it), so that the copy may do whatever this one may.
    let pid = fd::check(unsafe { libc::fork() })?;
    if pid == 0 {
        interrupt::in_copy();
    }
    Ok(pid)
}

/// The same, but the copy is a child of this process's parent, which can wait for it: `CLONE_PARENT` (clone(2)).
///
/// # Errors
/// `ENOSYS` where the C library or the kernel does not say what is needed; what clone(2) says (`EINVAL`: this process
/// is the first of its namespace).
#[cfg(all(target_env = "gnu", not(target_arch = "s390x")))]
pub(super) fn for_parent() -> io::Result<libc::pid_t> {
    /// linux/prctl.h
    const PR_GET_TID_ADDRESS: libc::c_int = 40;
    let no_system = || io::Error::from_raw_os_error(libc::ENOSYS);
    let mut place: *mut libc::pid_t = std::ptr::null_mut();
    let mut robust: *mut libc::c_void = std::ptr::null_mut();
    let mut robust_size: libc::size_t = 0;
    // SAFETY: both calls write to places of ours. glibc has told the kernel where it keeps the id of this thread
    // (set_tid_address(2)), and that is what the first call gives back: read only when it is not null, and believed
    // only when it holds this thread's id.
    unsafe {
        if libc::prctl(PR_GET_TID_ADDRESS, &raw mut place) != 0
            || place.is_null()
            || i64::from(*place) != libc::syscall(libc::SYS_gettid)
        {
            return Err(no_system());
        }
        fd::check_long(libc::syscall(
            libc::SYS_get_robust_list,
            0,
            &raw mut robust,
            &raw mut robust_size,
        ))?;
    }
    let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    // SAFETY: a fork by another name: no memory is shared, and the copy goes on on its own copy of this stack. What
    // glibc's fork() does beyond the call is either done here or needless in a process with one thread, which is what
    // the server has made sure of:
    // - the thread id that glibc keeps is written by the kernel (CLONE_CHILD_SETTID at glibc's own place, as its fork()
    //   has it), and the robust list is named again, which the kernel forgets in a copy;
    // - locks of malloc and stdio are held by nobody: there is no other thread, and this one is not inside them;
    // - process ids are not kept by glibc (2.25 and later; an older one is found out below);
    // - pthread_atfork(3) handlers are not run. Our own, the timer's and the kicks', are called by hand; other
    //   libraries' guard locks, which nobody holds, or notice the new process id themselves.
    // The place of the child's thread id is the fourth or the fifth argument, as the architecture has it; what lies in
    // the other place (the new thread pointer) is not looked at without CLONE_SETTLS.
    unsafe {
        let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, place, place);
        if pid == 0 {
            libc::syscall(libc::SYS_set_robust_list, robust, robust_size);
            if i64::from(libc::getpid()) != libc::syscall(libc::SYS_getpid) {
                libc::_exit(super::server::BROKEN);
            }
            timer::in_copy();
            interrupt::in_copy();
        }
        fd::check_long(pid).map(|pid| pid as libc::pid_t) // OK because process ids are pid_t
    }
}

/// Not where the C library is another one: it keeps ids of its own.
#[cfg(not(all(target_env = "gnu", not(target_arch = "s390x"))))]
pub(super) fn for_parent() -> io::Result<libc::pid_t> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}
