//! The operating system: descriptors, pipes, waiting, the stdio switch, processes, clocks.
//!
//! The only place with `unsafe` system calls. Every descriptor is an `OwnedFd`; every failure is an `io::Error`.
