//! read(2) in a few instructions of our own, so that a signal handler can tell whether it has begun.
//!
//! From the look at the slot to the system call nothing has been read. A handler that finds the thread there may send it
//! to the end instead: the kernel takes an interrupted call back to its instruction when it is to be made again
//! (signal(7), `SA_RESTART`), while one that has read something, or failed, has its instruction behind it. It refuses to
//! do anything else.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;

/// What [`read`] returns when it was sent to its end; no error of the kernel's (those end at -4095).
pub const WOKEN: isize = -100_000;

// Arguments as the C language has them: slot, word, descriptor, buffer, length. Only registers are used that a function
// may change and that a system call takes or leaves alone (syscall(2)).
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text.fkrpc_read,\"ax\",@progbits",
    ".balign 16",
    ".globl fkrpc_read",
    ".globl fkrpc_read_look",
    ".globl fkrpc_read_call",
    ".globl fkrpc_read_woken",
    ".hidden fkrpc_read",
    ".hidden fkrpc_read_look",
    ".hidden fkrpc_read_call",
    ".hidden fkrpc_read_woken",
    ".type fkrpc_read,@function",
    "fkrpc_read:",
    ".cfi_startproc",
    "mov r9, rdi",
    "mov r10, rsi",
    "mov edi, edx",
    "mov rsi, rcx",
    "mov rdx, r8",
    "xor eax, eax", // __NR_read
    "fkrpc_read_look:",
    "cmp qword ptr [r9], r10",
    "jne fkrpc_read_woken",
    "fkrpc_read_call:",
    "syscall",
    "ret",
    "fkrpc_read_woken:",
    "mov rax, -100000",
    "ret",
    ".cfi_endproc",
    ".size fkrpc_read, . - fkrpc_read",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text.fkrpc_read,\"ax\",%progbits",
    ".balign 16",
    ".globl fkrpc_read",
    ".globl fkrpc_read_look",
    ".globl fkrpc_read_call",
    ".globl fkrpc_read_woken",
    ".hidden fkrpc_read",
    ".hidden fkrpc_read_look",
    ".hidden fkrpc_read_call",
    ".hidden fkrpc_read_woken",
    ".type fkrpc_read,%function",
    "fkrpc_read:",
    ".cfi_startproc",
    "mov x5, x0",
    "mov x6, x1",
    "mov w0, w2",
    "mov x1, x3",
    "mov x2, x4",
    "mov x8, #63", // __NR_read
    "fkrpc_read_look:",
    "ldar x7, [x5]",
    "cmp x7, x6",
    "b.ne fkrpc_read_woken",
    "fkrpc_read_call:",
    "svc #0",
    "ret",
    "fkrpc_read_woken:",
    "movn x0, #0x869f",          // the low half of -100000
    "movk x0, #0xfffe, lsl #16", // and the rest
    "ret",
    ".cfi_endproc",
    ".size fkrpc_read, . - fkrpc_read",
    ".popsection",
);

unsafe extern "C" {
    fn fkrpc_read(slot: *const AtomicU64, word: u64, fd: libc::c_int, buffer: *mut u8, length: usize) -> isize;
    static fkrpc_read_look: u8;
    static fkrpc_read_call: u8;
    static fkrpc_read_woken: u8;
}

/// read(2), if `slot` holds `word`: the number of bytes, the negative of an error's, or [`WOKEN`].
///
/// # Safety
/// `buffer` is writable for `length` bytes.
#[inline]
pub unsafe fn read(slot: &AtomicU64, word: u64, fd: libc::c_int, buffer: *mut u8, length: usize) -> isize {
    // SAFETY: the function follows the C calling convention and keeps the stack as it is; the caller answers for the
    // buffer.
    unsafe { fkrpc_read(slot, word, fd, buffer, length) }
}

/// In a signal handler: where its thread was in [`read`] and nothing has been read, that returns [`WOKEN`] as soon as
/// the handler has; false if it was elsewhere.
///
/// # Safety
/// `context` is what the kernel has given the handler (`SA_SIGINFO`).
pub unsafe fn redirect(context: *mut libc::ucontext_t) -> bool {
    // SAFETY: the context is the kernel's, and this thread's alone. All three are places of the function's code, of
    // which only the address is taken; from each of the first two on, no state but registers was changed, and the last
    // expects none.
    unsafe {
        let place = instruction(context);
        let look = (&raw const fkrpc_read_look).addr();
        let call = (&raw const fkrpc_read_call).addr();
        // OK because the instruction's address is that wide.
        if !(look..=call).contains(&(*place as usize)) {
            return false;
        }
        *place = (&raw const fkrpc_read_woken).addr() as _; // OK as above
        true
    }
}

/// Where the address of the next instruction is kept.
#[cfg(target_arch = "x86_64")]
unsafe fn instruction(context: *mut libc::ucontext_t) -> *mut libc::greg_t {
    // SAFETY: the caller's word; the register is one of the list's.
    unsafe { &raw mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] }
}

/// Where the address of the next instruction is kept.
#[cfg(target_arch = "aarch64")]
unsafe fn instruction(context: *mut libc::ucontext_t) -> *mut u64 {
    // SAFETY: the caller's word.
    unsafe { &raw mut (*context).uc_mcontext.pc }
}
