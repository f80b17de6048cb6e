//! Roots: no path leads out, by either resolver, and what stays inside works.

mod fs_support;

use fkrpc::fs::{Base, Kind, Resolver};
use fs_support::{names, read, world, BOTH};

/// Paths that lead out of the root; `%` stands for the absolute path of the world.
const ESCAPES: &[&str] = &[
    "/",
    "//",
    "/.",
    "/..",
    "/etc",
    "/etc/passwd",
    "/proc/self/root",
    "/tmp",
    "%",
    "%/outside",
    "%/outside/secret",
    "%/root/plain",
    "%/root/../outside/secret",
    "..",
    "../",
    "../.",
    "../..",
    "../../..",
    "../outside",
    "../outside/",
    "../outside/secret",
    "..//outside//secret",
    "./..",
    "./../outside/secret",
    "a/../..",
    "a/../../outside",
    "a/../../outside/secret",
    "a/b/../../..",
    "a/b/../../../outside/secret",
    "a/./../../outside/secret",
    "a//..//..//outside//secret",
    "a/b/./.././../../outside/secret",
    "../root/../outside/secret",
    "../root/plain",
    "absolute/secret",
    "absolute/below/secret",
    "absolute/../outside/secret",
    "up/secret",
    "up/below/secret",
    "up/.",
    "up/..",
    "up/../outside/secret",
    "parent/outside/secret",
    "parent/..",
    "parent/root/plain",
    "top/etc/passwd",
    "top/.",
    "top/proc/self/root",
    "file",
    "./file",
    "zigzag/secret",
    "zigzag/below",
    "twice/secret",
    "twice/.",
    "self/../outside/secret",
    "self/up/secret",
    "self/self/../..",
    "a/b/deep/secret",
    "a/b/deep/below/secret",
    "a/b/deep/..",
    "a/sideways/secret",
    "a/sideways/below/..",
    "a/inside/../../outside/secret",
    "a/inside/sideways/secret",
    "magic/etc/passwd",
    "magic/.",
    "magic_cwd/.",
    "magic_cwd/Cargo.toml",
    "a/b/../../up/secret",
    "a/b/../../../root/plain",
];

#[test]
fn nothing_outside_is_seen_through_a_root() {
    let world = world();
    let here = world.path().to_str().expect("a path in UTF-8");
    assert!(ESCAPES.len() >= 60);
    for resolver in BOTH {
        let root = world.root("root", resolver);
        for escape in ESCAPES {
            let path = escape.replace('%', here);
            let errno = read(&root, &path).expect_err(&path);
            assert!(
                matches!(errno, libc::EXDEV | libc::ELOOP),
                "{resolver:?} {path}: {errno}"
            );
            assert!(!root.exists(path.as_bytes()), "{resolver:?} {path}");
            assert!(root.stat(path.as_bytes(), true).is_err(), "{resolver:?} {path}");
            assert!(root.list(path.as_bytes(), true).is_err(), "{resolver:?} {path}");
            assert!(root.root(path.as_bytes(), resolver).is_err(), "{resolver:?} {path}");
            let below = format!("{path}/x");
            assert!(root.stat(below.as_bytes(), false).is_err(), "{resolver:?} {below}");
        }
    }
}

#[test]
fn nothing_outside_is_changed_through_a_root() {
    let world = world();
    let here = world.path().to_str().expect("a path in UTF-8");
    let before = names(&Base::Process, world.join("outside").to_str().expect("UTF-8"));
    for resolver in BOTH {
        let root = world.root("root", resolver);
        for escape in ESCAPES {
            let path = escape.replace('%', here);
            // The link itself is a name in the root, and may be removed; what is behind it may not.
            let behind = format!("{path}/secret");
            let new = format!("{path}/new");
            assert!(root.remove(behind.as_bytes(), true).is_err(), "{resolver:?} {behind}");
            assert!(
                root.rename(behind.as_bytes(), b"stolen").is_err(),
                "{resolver:?} {behind}"
            );
            assert!(root.rename(b"plain", new.as_bytes()).is_err(), "{resolver:?} {new}");
            assert!(root.mkdir(new.as_bytes(), 0o777, true).is_err(), "{resolver:?} {new}");
            assert!(root.symlink(b"x", new.as_bytes()).is_err(), "{resolver:?} {new}");
            assert!(root.readlink(new.as_bytes()).is_err(), "{resolver:?} {new}");
            assert!(
                root.write_atomic(new.as_bytes(), b"x", None).is_err(),
                "{resolver:?} {new}"
            );
            assert!(root.touch(new.as_bytes(), None, None).is_err(), "{resolver:?} {new}");
            assert!(
                root.touch(path.as_bytes(), None, Some(0.0)).is_err(),
                "{resolver:?} {path}"
            );
            assert!(root.cd(path.as_bytes()).is_err(), "{resolver:?} {path}");
        }
        assert!(root.touch(b"dangling", None, None).is_err(), "{resolver:?}");
    }
    assert_eq!(
        names(&Base::Process, world.join("outside").to_str().expect("UTF-8")),
        before
    );
    assert_eq!(
        std::fs::read(world.join("outside/secret")).expect("still there"),
        b"OUTSIDE"
    );
}

#[test]
fn what_stays_inside_works() {
    let world = world();
    for resolver in BOTH {
        let root = world.root("root", resolver);
        for path in [
            "plain",
            "./plain",
            "a/plain",
            "a/../plain",
            "a/b/../plain",
            "a/b/../../plain",
            "a//plain",
            ".//a/./plain",
        ] {
            assert_eq!(read(&root, path).as_deref(), Ok(&b"inside"[..]), "{resolver:?} {path}");
        }
        for path in [".", "./", "a", "a/", "a/b/..", "a/.", "a/b/../.."] {
            assert_eq!(root.is_dir(path.as_bytes()), Ok(true), "{resolver:?} {path}");
        }
        assert_eq!(
            names(&root, "a/b/.."),
            Ok(["b", "inside", "plain", "sideways"]
                .map(|name| name.as_bytes().to_vec())
                .into())
        );
        assert_eq!(read(&root, "plain/"), Err(libc::ENOTDIR));
        assert_eq!(read(&root, "plain/.."), Err(libc::ENOTDIR));
        assert_eq!(read(&root, "a/b/../nothing"), Err(libc::ENOENT));
        assert_eq!(read(&root, ""), Err(libc::ENOENT));
        assert_eq!(read(&root, "a\0b"), Err(libc::EINVAL));
        assert_eq!(root.stat(b"up", false).map(|found| found.kind), Ok(Kind::Link));
        assert_eq!(root.readlink(b"up").as_deref(), Ok(&b"../outside"[..]));
    }
}

#[test]
fn symlinks_within_the_root_are_followed_by_the_kernel_and_refused_by_the_walk() {
    let world = world();
    let root = world.root("root", Resolver::Kernel);
    assert_eq!(read(&root, "self/plain").as_deref(), Ok(&b"inside"[..]));
    assert_eq!(read(&root, "a/inside/plain").as_deref(), Ok(&b"inside"[..]));
    assert_eq!(read(&root, "loop"), Err(libc::ELOOP));
    let root = world.root("root", Resolver::Walk);
    for path in ["self/plain", "self", "self/", "a/inside/plain", "loop", "up", "file"] {
        let error = root.stat(path.as_bytes(), true).expect_err(path);
        assert_eq!(error.errno, libc::ELOOP, "{path}");
        assert!(
            error
                .to_string()
                .ends_with("a symbolic link, and this root follows none"),
            "{error}"
        );
        assert_eq!(read(&root, path), Err(libc::ELOOP), "{path}");
    }
}

#[test]
fn a_path_of_many_names_takes_few_descriptors() {
    let world = world();
    let deep = "a/".repeat(1500);
    for resolver in BOTH {
        let root = world.root("root", resolver);
        assert_eq!(root.mkdir(deep.as_bytes(), 0o777, true), Ok(()), "{resolver:?}");
        assert_eq!(root.is_dir(deep.as_bytes()), Ok(true), "{resolver:?}");
    }
}

#[test]
fn a_root_within_a_root_starts_there() {
    let world = world();
    for resolver in BOTH {
        let inner = world.root("root", resolver).root(b"a", resolver).expect("a root");
        let inner = Base::Root(inner);
        assert_eq!(read(&inner, "plain").as_deref(), Ok(&b"inside"[..]));
        assert_eq!(read(&inner, "../plain"), Err(libc::EXDEV));
    }
}

#[test]
fn a_closed_base_does_nothing() {
    assert_eq!(read(&Base::Closed, "plain"), Err(libc::EBADF));
    assert_eq!(
        Base::Closed.mkdir(b"x", 0o777, true).map_err(|error| error.errno),
        Err(libc::EBADF)
    );
    assert_eq!(
        Base::Closed.touch(b"x", None, None).map_err(|error| error.errno),
        Err(libc::EBADF)
    );
    assert!(!Base::Closed.exists(b"."));
}
