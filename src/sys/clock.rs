//! The two clocks, in whole microseconds.
//!
//! It refuses to do date arithmetic, and to mix the two: deadlines and durations come from [`monotonic_us`], the time
//! of day from [`realtime_us`].
#![allow(unsafe_code)]

/// Microseconds since some fixed moment; never goes back, does not count suspended time on Linux (clock_gettime(2)).
#[must_use]
pub fn monotonic_us() -> i64 {
    now_us(libc::CLOCK_MONOTONIC)
}

/// Microseconds since 1970-01-01 UTC without leap seconds; jumps when the clock is set (clock_gettime(2)).
#[must_use]
pub fn realtime_us() -> i64 {
    now_us(libc::CLOCK_REALTIME)
}

fn now_us(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec. The call cannot fail: both clocks exist on every system that
    // this builds for, and EFAULT is ruled out.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // The fields are 32 bits wide on some targets. OK because seconds in i64 microseconds last 292,000 years.
    #[allow(clippy::unnecessary_cast)]
    let (seconds, nanoseconds) = (time.tv_sec as i64, time.tv_nsec as i64);
    seconds * 1_000_000 + nanoseconds / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let mut last = monotonic_us();
        assert!(last > 0);
        for _ in 0..1_000 {
            let now = monotonic_us();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn the_time_of_day_agrees_with_the_standard_library() {
        let micros = |at: std::time::SystemTime| {
            i64::try_from(
                at.duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |since| since.as_micros()),
            )
            .unwrap_or(0)
        };
        let before = micros(std::time::SystemTime::now());
        let now = realtime_us();
        let after = micros(std::time::SystemTime::now());
        assert!(before <= now && now <= after, "{before} <= {now} <= {after}");
    }
}
