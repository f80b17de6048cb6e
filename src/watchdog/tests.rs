use super::*;

/// A watchdog and its clocks, in milliseconds.
struct Bench {
    watchdog: Watchdog,
    now: Tick,
}

const MS: u64 = 1_000_000;

impl Bench {
    fn new() -> Self {
        Self {
            watchdog: Watchdog::new(),
            now: Tick { wall: 7, cpu: 3 },
        }
    }

    fn begin(&self, ms: u64) -> Saved {
        let saved = self.watchdog.put_aside();
        self.watchdog.begin(ms * MS);
        saved
    }

    fn begin_part(&self, ms: u64) -> Saved {
        let mut whole = self.watchdog.put_aside();
        self.watchdog.begin_part(&mut whole, ms * MS);
        whole
    }

    /// So much passes on both clocks, then comes a tick.
    fn burn(&mut self, ms: u64) -> Verdict {
        self.pass(ms, ms)
    }

    fn pass(&mut self, wall: u64, cpu: u64) -> Verdict {
        self.now.wall += wall * MS;
        self.now.cpu += cpu * MS;
        self.watchdog.tick(self.now).0
    }
}

#[test]
fn a_slice_is_overdue_at_its_limit_and_not_before() {
    let mut bench = Bench::new();
    let saved = bench.begin(100);
    assert_eq!(bench.burn(10), Verdict::Fine); // seen for the first time
    assert_eq!(bench.burn(60), Verdict::Fine);
    assert_eq!(bench.burn(39), Verdict::Fine);
    assert_eq!(bench.burn(1), Verdict::Overdue);
    assert!(bench.watchdog.overdue());
    bench.watchdog.end(&saved);
    assert!(!bench.watchdog.overdue());
    assert_eq!(bench.burn(500), Verdict::Fine);
}

#[test]
fn slices_that_end_in_time_never_add_up() {
    let mut bench = Bench::new();
    let saved = bench.begin(100);
    for _ in 0..100 {
        assert_eq!(bench.burn(40), Verdict::Fine);
        assert_eq!(bench.burn(90), Verdict::Fine);
        bench.watchdog.pause();
        assert_eq!(bench.burn(300), Verdict::Fine);
        bench.watchdog.begin(100 * MS);
    }
    bench.watchdog.end(&saved);
    assert_eq!(bench.watchdog.running(), 0);
}

#[test]
fn time_spent_waiting_for_the_other_end_does_not_count_and_sleeping_does() {
    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    bench.watchdog.waited();
    assert_eq!(bench.pass(5_000, 10), Verdict::Fine);
    bench.watchdog.waited();
    assert_eq!(bench.pass(5_000, 89), Verdict::Fine);
    assert_eq!(bench.pass(1, 0), Verdict::Overdue);

    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    assert_eq!(bench.pass(5_000, 10), Verdict::Overdue);
}

#[test]
fn a_slice_that_never_ends_because_it_keeps_asking_is_overdue_by_its_own_time() {
    let mut bench = Bench::new();
    bench.begin(100);
    let mut ticks = 0;
    loop {
        bench.watchdog.waited();
        ticks += 1;
        if bench.pass(30, 10) == Verdict::Overdue {
            break;
        }
    }
    assert_eq!(ticks, 11);
}

#[test]
fn an_inner_slice_neither_counts_for_the_outer_nor_forgives_it() {
    let mut bench = Bench::new();
    let none = bench.begin(100);
    bench.burn(10);
    bench.burn(80);
    let outer = bench.begin(100);
    bench.burn(10);
    assert_eq!(bench.burn(99), Verdict::Fine);
    bench.watchdog.end(&outer);
    bench.watchdog.waited();
    assert_eq!(bench.burn(10), Verdict::Fine);
    assert_eq!(bench.burn(10), Verdict::Overdue);
    // Served while the outer one is past its deadline already:
    let outer = bench.begin(100);
    assert!(!bench.watchdog.overdue());
    assert_eq!(bench.burn(50), Verdict::Fine);
    bench.watchdog.end(&outer);
    assert!(bench.watchdog.overdue());
    bench.watchdog.end(&none);
    assert!(!bench.watchdog.overdue());
}

#[test]
fn a_suspended_slice_is_charged_for_its_own_time_alone() {
    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    assert_eq!(bench.burn(60), Verdict::Fine);
    for slept in [0, 5_000] {
        let suspended = bench.watchdog.suspend();
        bench.watchdog.begin_alike();
        bench.burn(10);
        assert_eq!(bench.burn(99), Verdict::Fine);
        assert_eq!(bench.burn(1), Verdict::Overdue);
        bench.now.wall += slept * MS;
        bench.watchdog.pause();
        bench.watchdog.go_on(suspended);
        assert!(!bench.watchdog.overdue());
        assert_eq!(bench.burn(50), Verdict::Fine); // part of it was the inner slice's
    }
    assert_eq!(bench.burn(39), Verdict::Fine);
    assert_eq!(bench.burn(1), Verdict::Overdue);
}

#[test]
fn a_slice_that_is_suspended_again_and_again_is_overdue_all_the_same() {
    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    for _ in 0..9 {
        let suspended = bench.watchdog.suspend();
        bench.watchdog.begin_alike();
        bench.watchdog.pause();
        bench.watchdog.go_on(suspended);
        assert_eq!(bench.burn(11), Verdict::Fine);
    }
    assert_eq!(bench.burn(1), Verdict::Overdue);
}

#[test]
fn a_slice_that_lets_others_run_into_their_limits_is_charged_a_tenth_for_each() {
    let mut bench = Bench::new();
    bench.begin(100);
    for round in 0..10 {
        let mut suspended = bench.watchdog.suspend();
        assert!(!bench.watchdog.is_spent(&suspended), "round {round}");
        bench.watchdog.begin_alike();
        bench.burn(10);
        assert_eq!(bench.burn(100), Verdict::Overdue);
        bench.watchdog.charge(&mut suspended);
        bench.watchdog.pause();
        bench.watchdog.go_on(suspended);
    }
    let suspended = bench.watchdog.suspend();
    assert!(bench.watchdog.is_spent(&suspended));
    bench.watchdog.go_on(suspended);
    bench.burn(1);
    assert_eq!(bench.burn(1), Verdict::Overdue);
}

#[test]
fn a_slice_whose_inner_ones_end_in_time_is_charged_nothing_for_them() {
    let mut bench = Bench::new();
    bench.begin(100);
    for _ in 0..50 {
        let mut suspended = bench.watchdog.suspend();
        assert!(!bench.watchdog.is_spent(&suspended));
        bench.watchdog.begin_alike();
        bench.burn(10);
        assert_eq!(bench.burn(80), Verdict::Fine);
        bench.watchdog.charge(&mut suspended);
        bench.watchdog.pause();
        bench.watchdog.go_on(suspended);
    }
}

#[test]
fn a_part_has_a_limit_of_its_own_and_counts_for_the_whole() {
    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    for spent in [30, 60, 90] {
        let whole = bench.begin_part(40);
        assert_eq!(bench.burn(30), Verdict::Fine, "after {spent}");
        bench.watchdog.end(&whole);
    }
    let whole = bench.begin_part(40);
    assert_eq!(bench.burn(10), Verdict::Overdue); // the whole's limit comes first
    bench.watchdog.end(&whole);

    let mut bench = Bench::new();
    bench.begin(1_000);
    bench.burn(10);
    let whole = bench.begin_part(40);
    assert_eq!(bench.burn(40), Verdict::Overdue);
    bench.watchdog.end(&whole);
    assert_eq!(bench.burn(40), Verdict::Fine);
}

#[test]
fn an_overdue_slice_is_hopeless_when_its_grace_is_burnt_and_not_when_the_process_stood_still() {
    let mut bench = Bench::new();
    bench.watchdog.set_grace(50 * MS);
    bench.begin(100);
    bench.burn(10);
    assert_eq!(bench.burn(100), Verdict::Overdue);
    assert_eq!(bench.pass(60_000, 1), Verdict::Overdue);
    assert_eq!(bench.burn(48), Verdict::Overdue);
    assert_eq!(bench.burn(1), Verdict::Hopeless);
}

#[test]
fn a_slice_that_goes_on_failing_has_ten_graces() {
    let mut bench = Bench::new();
    bench.watchdog.set_grace(50 * MS);
    bench.begin(100);
    bench.burn(10);
    assert_eq!(bench.burn(100), Verdict::Overdue);
    for _ in 0..24 {
        bench.watchdog.failed();
        assert_eq!(bench.burn(20), Verdict::Overdue);
    }
    bench.watchdog.failed();
    assert_eq!(bench.burn(20), Verdict::Hopeless);
}

#[test]
fn without_grace_nothing_is_ever_hopeless() {
    let mut bench = Bench::new();
    bench.begin(100);
    bench.burn(10);
    for _ in 0..1_000 {
        assert_ne!(bench.burn(1_000), Verdict::Hopeless);
    }
}

#[test]
fn a_slice_without_a_limit_is_never_overdue() {
    let mut bench = Bench::new();
    bench.begin(0);
    for _ in 0..100 {
        assert_eq!(bench.burn(1_000_000), Verdict::Fine);
    }
}
