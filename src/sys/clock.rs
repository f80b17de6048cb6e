//! The two clocks, in whole microseconds, and sleeping by the monotonic one.
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

/// Seconds since 1970-01-01 UTC without leap seconds, as exact as a float of this size is (about 0.2 us).
#[must_use]
pub fn realtime() -> f64 {
    let time = now(libc::CLOCK_REALTIME);
    // The fields are 32 bits wide on some targets. OK because seconds are far below 2^53.
    #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
    let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
    seconds + nanoseconds * 1e-9
}

/// Sleeps until the monotonic clock has gone on by `seconds`; a signal does not cut it short, and setting the time of
/// day does not change it. Returns at once for 0, a negative number and NaN; more than 30 years are 30 years.
pub fn sleep(seconds: f64) {
    if seconds.is_nan() || seconds <= 0.0 {
        return;
    }
    let mut end = now(libc::CLOCK_MONOTONIC);
    let seconds = seconds.min(1e9);
    // OK because both are in range after `min`, and the sum of two fractions is below two seconds.
    #[allow(clippy::cast_possible_truncation)]
    {
        end.tv_sec += seconds.trunc() as libc::time_t;
        end.tv_nsec += (seconds.fract() * 1e9) as libc::c_long;
    }
    if end.tv_nsec >= 1_000_000_000 {
        end.tv_sec += 1;
        end.tv_nsec -= 1_000_000_000;
    }
    sleep_until(&end);
}

/// clock_nanosleep(2) with `TIMER_ABSTIME`: the end stands still however often signals wake us.
#[cfg(not(target_vendor = "apple"))]
fn sleep_until(end: &libc::timespec) {
    // SAFETY: `end` lives through the call, and nothing is written for an absolute time. Whether one wakes by a signal
    // (EINTR) is in the result; the other errors are for arguments that `sleep` does not make.
    while unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, end, std::ptr::null_mut()) }
        == libc::EINTR
    {}
}

/// There is no clock_nanosleep(2): what is left is computed anew after every signal.
#[cfg(target_vendor = "apple")]
fn sleep_until(end: &libc::timespec) {
    let end_us = microseconds(end);
    loop {
        let Ok(left) = u64::try_from(end_us - monotonic_us()) else {
            return;
        };
        if left == 0 {
            return;
        }
        // OK because `left` is at most 30 years.
        let left = libc::timespec {
            tv_sec: (left / 1_000_000) as libc::time_t,
            tv_nsec: (left % 1_000_000 * 1_000) as libc::c_long,
        };
        // SAFETY: `left` lives through the call; what remains is not asked for.
        unsafe { libc::nanosleep(&raw const left, std::ptr::null_mut()) };
    }
}

fn now_us(clock: libc::clockid_t) -> i64 {
    microseconds(&now(clock))
}

fn now(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec. The call cannot fail: both clocks exist on every system that
    // this builds for, and EFAULT is ruled out.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
}

fn microseconds(time: &libc::timespec) -> i64 {
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
    fn a_sleep_lasts_at_least_its_time() {
        for seconds in [0.0, -1.0, f64::NAN, 0.002, 0.0305] {
            let start = monotonic_us();
            sleep(seconds);
            let took = monotonic_us() - start;
            assert!(took as f64 >= seconds.max(0.0) * 1e6 - 1.0, "{seconds}: {took} us");
        }
    }

    #[test]
    fn seconds_and_microseconds_come_from_the_same_clock() {
        let before = realtime_us();
        let seconds = realtime();
        let after = realtime_us();
        assert!(before as f64 - 1.0 <= seconds * 1e6 && seconds * 1e6 <= after as f64 + 1.0);
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
