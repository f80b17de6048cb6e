//! Giving memory back to the system, and not only to malloc(3).
//!
//! glibc maps a giant block by itself and unmaps it when it is freed; but each such block raises the size from which on it
//! does (mallopt(3), `M_MMAP_THRESHOLD`), up to 32 MiB. After the second giant message the third one's memory comes from
//! the heap and stays there. It refuses to set that size: malloc belongs to the program.
#![allow(unsafe_code)]

/// Blocks of at least this many bytes are worth asking malloc to look for what it can do without: it takes longer than
/// to free them, and less than to fill them.
const GIANT: usize = 8 << 20;

/// Drop a buffer; if it is a giant's, free memory of malloc's goes back to the system, too.
pub fn give_back<T>(buffer: &mut Vec<T>) {
    let bytes = buffer.capacity().saturating_mul(size_of::<T>());
    *buffer = Vec::new();
    if bytes >= GIANT {
        trim();
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: malloc_trim(3) may be called at any time, from any thread.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_empty_and_has_no_memory() {
        for size in [0, 1, GIANT] {
            let mut buffer = vec![1u8; size];
            give_back(&mut buffer);
            assert_eq!(buffer.capacity(), 0);
        }
    }
}
