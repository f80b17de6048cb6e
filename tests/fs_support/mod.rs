//! A folder of its own for every test, removed at its end.
#![allow(dead_code)] // each test binary uses a part

use fkrpc::fs::{Base, Resolver};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "fkrpc-fs-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `name` in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn file(&self, name: &str, text: &str) {
        std::fs::write(self.join(name), text).expect("a test file");
    }

    pub fn folder(&self, name: &str) {
        std::fs::create_dir_all(self.join(name)).expect("a test folder");
    }

    pub fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.join(name)).expect("a test link");
    }

    /// The folder `name` as a root.
    pub fn root(&self, name: &str, resolver: Resolver) -> Base {
        let root = Base::Process.root(&bytes(&self.join(name)), resolver).expect("a root");
        assert_eq!(root.resolver(), resolver, "this test needs openat2(2): Linux 5.6");
        Base::Root(root)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

pub fn read(base: &Base, path: &str) -> Result<Vec<u8>, i32> {
    let mut out = Vec::new();
    base.read(path.as_bytes(), usize::MAX, &mut out)
        .map(|()| out)
        .map_err(|error| error.errno)
}

pub fn names(base: &Base, path: &str) -> Result<Vec<Vec<u8>>, i32> {
    let listing = base.list(path.as_bytes(), true).map_err(|error| error.errno)?;
    Ok(listing.iter().map(|(name, _)| name.to_vec()).collect())
}

pub const BOTH: [Resolver; 2] = [Resolver::Kernel, Resolver::Walk];

/// `outside/secret`, and a root full of ways to it.
pub fn world() -> Folder {
    let world = Folder::new();
    world.folder("outside/below");
    world.file("outside/secret", "OUTSIDE");
    world.file("outside/below/secret", "OUTSIDE");
    world.folder("root/a/b");
    world.file("root/plain", "inside");
    world.file("root/a/plain", "inside");
    let outside = world.join("outside");
    let outside = outside.to_str().expect("a path in UTF-8");
    for (target, name) in [
        (outside, "absolute"),
        ("../outside", "up"),
        ("..", "parent"),
        (".", "self"),
        ("/", "top"),
        ("../outside/secret", "file"),
        ("a/../../outside", "zigzag"),
        ("up", "twice"),
        ("/proc/self/root", "magic"),
        ("/proc/self/cwd", "magic_cwd"),
        ("loop", "loop"),
        ("../outside/new", "dangling"),
    ] {
        world.link(target, &format!("root/{name}"));
    }
    world.link("../../../outside", "root/a/b/deep");
    world.link("../../outside", "root/a/sideways");
    world.link("../a", "root/a/inside");
    world
}
