//! Files and folders by the process's own paths: reading, making, removing, renaming, linking, asking.

mod fs_support;

use fkrpc::fs::{Base, Kind, Resolver};
use fs_support::{bytes, names, read, Folder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

const BASE: Base = Base::Process;

fn errno<T: std::fmt::Debug>(result: Result<T, fkrpc::fs::Error>) -> i32 {
    result.expect_err("a failure").errno
}

/// The path of `name` in the folder, as text.
fn path(folder: &Folder, name: &str) -> String {
    folder.join(name).to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn a_folder_lists_its_names_sorted_by_their_bytes_hidden_ones_included() {
    let folder = Folder::new();
    for name in ["b", "B", "a", ".hidden", "ä", "a b", "10", "9", "..."] {
        folder.file(name, "");
    }
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n");
    std::fs::write(folder.path().join(odd), "").expect("a name that is no text");
    let expected: Vec<Vec<u8>> = [
        &b"..."[..],
        b".hidden",
        b"10",
        b"9",
        b"B",
        b"a",
        b"a b",
        b"b",
        "ä".as_bytes(),
        b"\xff\n",
    ]
    .map(<[u8]>::to_vec)
    .into();
    assert_eq!(names(&BASE, &path(&folder, "")), Ok(expected));
}

#[test]
fn what_is_no_folder_is_not_listed() {
    let folder = Folder::new();
    folder.file("file", "");
    folder.link(".", "link");
    assert_eq!(names(&BASE, &path(&folder, "file")), Err(libc::ENOTDIR));
    assert_eq!(names(&BASE, &path(&folder, "nothing")), Err(libc::ENOENT));
    assert!(BASE.list(path(&folder, "link").as_bytes(), true).is_ok());
    assert_eq!(errno(BASE.list(path(&folder, "link").as_bytes(), false)), libc::ENOTDIR);
}

#[test]
fn a_file_is_read_whole_or_up_to_a_limit() {
    let folder = Folder::new();
    let text = "0123456789".repeat(300_000);
    folder.file("big", &text);
    let big = path(&folder, "big");
    assert!(read(&BASE, &big).is_ok_and(|bytes| bytes == text.as_bytes()));
    for most in [
        0,
        1,
        4095,
        4096,
        4097,
        1 << 20,
        (1 << 20) + 1,
        text.len() - 1,
        text.len(),
        text.len() + 1,
    ] {
        let mut out = b"before".to_vec();
        BASE.read(big.as_bytes(), most, &mut out).expect("a file");
        let expected = text.len().min(most);
        assert_eq!(out.len(), 6 + expected, "{most}");
        assert_eq!(&out[6..], &text.as_bytes()[..expected], "{most}");
    }
    assert!(read(&BASE, "/proc/self/stat").is_ok_and(|bytes| !bytes.is_empty()));
    assert_eq!(read(&BASE, &path(&folder, "")), Err(libc::EISDIR));
}

#[test]
fn folders_are_made_with_their_parents_only_if_asked() {
    let folder = Folder::new();
    let deep = path(&folder, "a/b/c");
    assert_eq!(errno(BASE.mkdir(deep.as_bytes(), 0o777, false)), libc::ENOENT);
    for path in [
        deep.clone(),
        deep.clone(),
        format!("{deep}/"),
        format!("{deep}/../x//y/."),
        format!("{deep}/."),
    ] {
        assert_eq!(BASE.mkdir(path.as_bytes(), 0o777, true), Ok(()), "{path}");
    }
    assert_eq!(
        names(&BASE, &path(&folder, "a/b")),
        Ok(vec![b"c".to_vec(), b"x".to_vec()])
    );
    assert_eq!(errno(BASE.mkdir(deep.as_bytes(), 0o777, false)), libc::EEXIST);
    folder.file("file", "");
    assert_eq!(
        errno(BASE.mkdir(path(&folder, "file").as_bytes(), 0o777, true)),
        libc::EEXIST
    );
    assert_eq!(
        errno(BASE.mkdir(path(&folder, "file/x").as_bytes(), 0o777, true)),
        libc::ENOTDIR
    );
    assert_eq!(errno(BASE.mkdir(b"", 0o777, true)), libc::ENOENT);
    BASE.mkdir(path(&folder, "private").as_bytes(), 0o700, false)
        .expect("a folder");
    assert_eq!(
        BASE.stat(path(&folder, "private").as_bytes(), true)
            .map(|found| found.mode),
        Ok(0o700)
    );
}

#[test]
fn removing_takes_one_thing_or_a_whole_tree() {
    let folder = Folder::new();
    folder.folder("tree/full/er");
    folder.file("tree/full/er/file", "");
    folder.file("tree/file", "");
    folder.folder("kept");
    folder.file("kept/file", "");
    folder.link("../kept", "tree/out");
    let remove = |name: &str, recursive| BASE.remove(path(&folder, name).as_bytes(), recursive);
    assert_eq!(errno(remove("tree", false)), libc::ENOTEMPTY);
    assert_eq!(errno(remove("nothing", true)), libc::ENOENT);
    assert_eq!(errno(remove("tree/file/", false)), libc::ENOTDIR);
    assert_eq!(errno(remove("tree/out/", true)), libc::ENOTDIR);
    for name in [".", "..", "tree/..", "tree/.", "tree/full/../"] {
        assert_eq!(errno(remove(name, true)), libc::EINVAL, "{name}");
    }
    assert_eq!(remove("tree/", true), Ok(()));
    assert_eq!(names(&BASE, &path(&folder, "")), Ok(vec![b"kept".to_vec()]));
    assert_eq!(names(&BASE, &path(&folder, "kept")), Ok(vec![b"file".to_vec()]));
}

#[test]
fn a_tree_deeper_than_paths_can_say_is_removed() {
    let folder = Folder::new();
    let top = |folder: &Base, name: &[u8]| Base::Root(folder.root(name, Resolver::Walk).expect("a root"));
    let root = top(&BASE, &bytes(folder.path()));
    // 1,500 names of 40 bytes: 15 times PATH_MAX, and more folders than descriptors.
    let fifty = format!("{}/", "d".repeat(40)).repeat(50);
    let mut here = top(&root, b".");
    for _ in 0..30 {
        here.mkdir(fifty.as_bytes(), 0o777, true).expect("a deep tree");
        here = top(&here, fifty.as_bytes());
    }
    assert_eq!(root.remove("d".repeat(40).as_bytes(), true), Ok(()));
    assert_eq!(names(&root, "."), Ok(vec![]));
}

#[test]
fn a_failed_removal_names_what_could_not_be_removed() {
    let folder = Folder::new();
    folder.folder("tree/locked/x");
    std::fs::set_permissions(folder.join("tree/locked"), PermissionsExt::from_mode(0o500)).expect("a mode");
    let unlocked = std::fs::write(folder.join("tree/locked/file"), "").is_ok();
    let removed = BASE.remove(path(&folder, "tree").as_bytes(), true);
    if unlocked {
        // Permissions do not stop root.
        assert_eq!(removed, Ok(()));
        return;
    }
    let error = removed.expect_err("a locked folder");
    std::fs::set_permissions(folder.join("tree/locked"), PermissionsExt::from_mode(0o700)).expect("a mode");
    assert_eq!(error.errno, libc::EACCES);
    assert!(error.to_string().contains("/tree/locked/x\": "), "{error}");
}

#[test]
fn renaming_replaces_a_file_in_one_step() {
    let folder = Folder::new();
    folder.file("a", "a");
    folder.file("b", "b");
    folder.folder("d");
    let rename = |from: &str, to: &str| BASE.rename(path(&folder, from).as_bytes(), path(&folder, to).as_bytes());
    assert_eq!(rename("a", "b"), Ok(()));
    assert_eq!(read(&BASE, &path(&folder, "b")).as_deref(), Ok(&b"a"[..]));
    assert_eq!(rename("d/", "e/"), Ok(()));
    assert_eq!(errno(rename("b", "f/")), libc::ENOTDIR);
    assert_eq!(errno(rename("b/", "f")), libc::ENOTDIR);
    let error = rename("nothing", "b").expect_err("nothing there");
    let expected = format!(
        "cannot rename \"{}\" to \"{}\": No such file or directory",
        path(&folder, "nothing"),
        path(&folder, "b")
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn links_are_made_read_and_told_from_what_they_lead_to() {
    let folder = Folder::new();
    folder.file("file", "text");
    let at = |name: &str| path(&folder, name).into_bytes();
    assert_eq!(BASE.symlink(b"file", &at("link")), Ok(()));
    assert_eq!(errno(BASE.symlink(b"file", &at("link"))), libc::EEXIST);
    assert_eq!(BASE.readlink(&at("link")).as_deref(), Ok(&b"file"[..]));
    assert_eq!(
        BASE.stat(&at("link"), true).map(|found| (found.kind, found.size)),
        Ok((Kind::File, 4))
    );
    assert_eq!(BASE.stat(&at("link"), false).map(|found| found.kind), Ok(Kind::Link));
    let error = BASE.readlink(&at("file")).expect_err("a file");
    assert!(
        error.to_string().ends_with(": not a symbolic link") && error.errno == libc::EINVAL,
        "{error}"
    );
    let long = "x".repeat(4_000);
    assert_eq!(BASE.symlink(long.as_bytes(), &at("long")), Ok(()));
    assert_eq!(BASE.readlink(&at("long")).as_deref(), Ok(long.as_bytes()));
    assert!(!BASE.exists(&at("long")));
}

#[test]
fn touching_makes_a_file_or_sets_its_times() {
    let folder = Folder::new();
    let at = |name: &str| path(&folder, name).into_bytes();
    assert_eq!(BASE.touch(&at("new"), None, None), Ok(()));
    assert_eq!(BASE.touch(&at("new"), Some(1.25), Some(-0.5)), Ok(()));
    let found = BASE.stat(&at("new"), true).expect("the file");
    assert_eq!((found.size, found.atime, found.mtime), (0, 1.25, -0.5));
    assert_eq!(BASE.touch(&at("new"), None, None), Ok(()));
    assert!(BASE.stat(&at("new"), true).is_ok_and(|found| found.mtime > 1e9));
    assert_eq!(errno(BASE.touch(&at("new"), Some(f64::NAN), None)), libc::EINVAL);
    assert_eq!(errno(BASE.touch(&at("new"), None, Some(f64::INFINITY))), libc::EINVAL);
    let root = Base::Root(BASE.root(&bytes(folder.path()), Resolver::Kernel).expect("a root"));
    assert_eq!(root.touch(b"below", None, Some(7.0)), Ok(()));
    assert_eq!(root.touch(b".", None, Some(8.0)), Ok(()));
    assert_eq!(root.stat(b"below", true).map(|found| found.mtime), Ok(7.0));
    assert_eq!(root.stat(b".", true).map(|found| found.mtime), Ok(8.0));
}

#[test]
fn existence_follows_links_and_slashes() {
    let folder = Folder::new();
    folder.file("file", "");
    folder.link("nothing", "dangling");
    folder.link("file", "link");
    let exists = |name: &str| BASE.exists(path(&folder, name).as_bytes());
    assert!(exists("file") && exists("link") && exists("") && exists("."));
    assert!(!exists("file/") && !exists("dangling") && !exists("nothing") && !exists("file\0"));
    assert!(!BASE.exists(b""));
}
