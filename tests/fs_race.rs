//! Folders that are swapped for symlinks while a call runs: nothing outside the root is seen or changed.

mod fs_support;

use fkrpc::fs::{Base, Resolver};
use fs_support::{bytes, read, world, Folder, BOTH};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Ends the swaps when the work is over, also by a failed assertion.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While `<place>/swap` turns from a folder into a symlink that leads out, and back, `work` runs often.
fn race(world: &Folder, place: &str, work: impl Fn(u32)) {
    let (stop, cycles, swaps) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let [swap, link, away] = ["swap", "link", "away"].map(|name| world.join(&format!("{place}/{name}")));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // `work` may have removed or made some of it: whatever is in the way goes first.
                let _ = std::fs::remove_dir_all(&away);
                let _ = std::fs::remove_file(&swap);
                let _ = std::fs::remove_dir_all(&link);
                let _ = std::fs::create_dir_all(&swap);
                let _ = std::fs::write(swap.join("secret"), "inside");
                let _ = std::os::unix::fs::symlink(world.join("outside"), &link);
                let _ = std::fs::rename(&swap, &away);
                let swapped = std::fs::rename(&link, &swap).is_ok();
                let _ = std::fs::rename(&swap, &link);
                let _ = std::fs::rename(&away, &swap);
                swaps.fetch_add(u32::from(swapped), Ordering::Relaxed);
                cycles.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stop = Stop(&stop);
        for round in 0..50_000 {
            work(round);
            // Work that fails at once must not be through before the swaps have begun.
            let seen = cycles.load(Ordering::Relaxed);
            while round % 8 == 0 && cycles.load(Ordering::Relaxed) == seen {
                std::thread::yield_now();
            }
            if round >= 2_000 && swaps.load(Ordering::Relaxed) >= 100 {
                break;
            }
        }
    });
    assert!(swaps.load(Ordering::Relaxed) >= 100);
}

fn nothing_has_happened_outside(world: &Folder) {
    let outside = world.join("outside");
    let listing = Base::Process.list(&bytes(&outside), true).expect("still there");
    let names: Vec<_> = listing.iter().map(|(name, _)| name.to_vec()).collect();
    assert_eq!(names, [b"below".to_vec(), b"secret".to_vec()]);
    assert_eq!(
        std::fs::read(outside.join("below/secret")).expect("still there"),
        b"OUTSIDE"
    );
    assert_eq!(std::fs::read(outside.join("secret")).expect("still there"), b"OUTSIDE");
}

#[test]
fn a_folder_that_is_swapped_for_a_symlink_never_leads_out() {
    for resolver in BOTH {
        let world = world();
        let root = world.root("root", resolver);
        let inside = AtomicU32::new(0);
        race(&world, "root", |round| {
            if let Ok(text) = read(&root, "swap/secret") {
                assert!(text.is_empty() || text == b"inside");
                inside.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(listing) = root.list(b"swap", true) {
                assert!(listing.iter().all(|(name, _)| name != b"below"));
            }
            if round % 32 == 0 {
                // Waits for the disk.
                let _ = root.write_atomic(b"swap/written", b"x", None);
            }
            let _ = root.mkdir(b"swap/made/more", 0o777, true);
            let _ = root.touch(b"swap/touched", None, None);
            let _ = root.rename(b"swap/touched", b"swap/renamed");
        });
        assert!(inside.load(Ordering::Relaxed) > 0);
        nothing_has_happened_outside(&world);
    }
}

#[test]
fn removing_a_tree_removes_nothing_outside_whatever_is_swapped_in_it() {
    for confined in [true, false] {
        let world = world();
        let (root, place) = if confined {
            (world.root("root", Resolver::Kernel), String::new())
        } else {
            (Base::Process, format!("{}/root/", world.path().display()))
        };
        race(&world, "root/a/tree", |_| {
            let _ = root.remove(format!("{place}a/tree").as_bytes(), true);
        });
        nothing_has_happened_outside(&world);
        world.link("../../../outside", "root/a/b/out");
        assert_eq!(root.remove(format!("{place}a").as_bytes(), true), Ok(()));
        assert!(!root.exists(format!("{place}a").as_bytes()));
        nothing_has_happened_outside(&world);
    }
}
