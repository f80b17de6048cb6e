//! `write_atomic`: the old contents or the new ones, with the right permissions, and nothing left beside them.

mod fs_support;

use fkrpc::fs::{Base, Resolver};
use fs_support::{bytes, names, read, Folder};
use std::os::unix::fs::PermissionsExt;

fn bases(folder: &Folder) -> [(Base, String); 3] {
    let root = |resolver| Base::Root(Base::Process.root(&bytes(folder.path()), resolver).expect("a root"));
    let here = format!("{}/", folder.path().display());
    [
        (Base::Process, here),
        (root(Resolver::Kernel), String::new()),
        (root(Resolver::Walk), String::new()),
    ]
}

fn write(base: &Base, path: &str, text: &str) -> Result<(), i32> {
    base.write_atomic(path.as_bytes(), text.as_bytes(), None)
        .map_err(|error| error.errno)
}

#[test]
fn the_file_has_the_new_bytes_and_nothing_is_left_beside_it() {
    let folder = Folder::new();
    for (base, place) in bases(&folder) {
        let file = format!("{place}file");
        for text in ["first", "", &"x".repeat(3_000_000)] {
            assert_eq!(write(&base, &file, text), Ok(()));
            assert!(read(&base, &file).is_ok_and(|bytes| bytes == text.as_bytes()));
        }
        assert_eq!(
            names(&base, if place.is_empty() { "." } else { &place }),
            Ok(vec![b"file".to_vec()])
        );
    }
}

#[test]
fn permissions_are_kept_given_or_those_of_a_new_file() {
    let folder = Folder::new();
    let mode = |name: &str| {
        std::fs::metadata(folder.join(name))
            .expect("the file")
            .permissions()
            .mode()
            & 0o7777
    };
    for (base, place) in bases(&folder) {
        let file = format!("{place}file");
        folder.file("plain", "");
        assert_eq!(write(&base, &file, "a"), Ok(()));
        assert_eq!(mode("file"), mode("plain"));
        for kept in [0o640, 0o4751, 0o444] {
            std::fs::set_permissions(folder.join("file"), PermissionsExt::from_mode(kept)).expect("a mode");
            assert_eq!(write(&base, &file, "b"), Ok(()));
            assert_eq!(mode("file"), kept);
        }
        assert_eq!(base.write_atomic(file.as_bytes(), b"c", Some(0o666)), Ok(()));
        assert_eq!(mode("file"), 0o666);
        std::fs::remove_file(folder.join("file")).expect("the file");
    }
}

#[test]
fn a_symlink_is_replaced_and_what_it_leads_to_untouched() {
    let folder = Folder::new();
    for (base, place) in bases(&folder) {
        folder.file("target", "old");
        let _ = std::fs::remove_file(folder.join("link"));
        folder.link("target", "link");
        assert_eq!(write(&base, &format!("{place}link"), "new"), Ok(()));
        assert_eq!(read(&base, &format!("{place}target")).as_deref(), Ok(&b"old"[..]));
        assert_eq!(
            base.stat(format!("{place}link").as_bytes(), false)
                .map(|found| found.size),
            Ok(3)
        );
    }
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = Folder::new();
    folder.folder("folder");
    for (base, place) in bases(&folder) {
        for (name, errno) in [
            ("folder", libc::EISDIR),
            ("folder/", libc::EISDIR),
            ("new/", libc::EISDIR),
            ("folder/..", libc::EISDIR),
            (".", libc::EISDIR),
            ("nothing/file", libc::ENOENT),
            ("a\0b", libc::EINVAL),
        ] {
            assert_eq!(write(&base, &format!("{place}{name}"), "x"), Err(errno), "{name}");
        }
        assert_eq!(write(&base, "", "x"), Err(libc::ENOENT));
    }
    assert_eq!(
        names(&Base::Process, &format!("{}", folder.path().display())),
        Ok(vec![b"folder".to_vec()])
    );
    assert_eq!(write(&Base::Process, "/dev/null", "x"), Err(libc::EINVAL));
    let error = Base::Process
        .write_atomic(b"/dev/null", b"x", None)
        .expect_err("a device");
    assert_eq!(error.to_string(), "cannot write \"/dev/null\": not a regular file");
}

#[test]
fn readers_never_see_a_torn_file() {
    let folder = Folder::new();
    let (base, path) = (Base::Process, format!("{}/file", folder.path().display()));
    let texts = ["a".repeat(300_000), "b".repeat(200_000)];
    assert_eq!(write(&base, &path, &texts[0]), Ok(()));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..40).all(|round| write(&base, &path, &texts[round % 2]) == Ok(())));
        while !writer.is_finished() {
            let seen = read(&base, &path).expect("the file");
            assert!(texts.iter().any(|text| text.as_bytes() == seen), "{} bytes", seen.len());
        }
        assert!(writer.join().expect("the writer"));
    });
}
