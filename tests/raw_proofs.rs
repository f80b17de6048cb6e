//! Every file of raw Lua stack code says what in it may raise, and why nothing is skipped then.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

const HEADING: &str = "//! # What may raise";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn raw_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lua/raw"), &mut found);
    found
}

/// The lines of the section, without its heading.
fn proof(text: &str) -> Vec<&str> {
    text.lines()
        .take_while(|line| line.starts_with("//!"))
        .skip_while(|line| *line != HEADING)
        .skip(1)
        .take_while(|line| !line.starts_with("//! # "))
        .filter(|line| line.len() > "//! ".len())
        .collect()
}

#[test]
fn every_file_of_raw_stack_code_has_its_proof() {
    let found = raw_files();
    assert!(found.len() > 30, "{} files", found.len());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!proof(&text).is_empty(), "{} has no \"{HEADING}\"", path.display());
    }
}

#[test]
fn panics_are_caught_in_one_place_alone() {
    for path in raw_files() {
        let name = path.file_name().unwrap().to_owned();
        let calls = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .filter(|line| line.contains("catch_unwind(") && !line.trim_start().starts_with("//"))
            .count();
        assert_eq!(calls, usize::from(name == "guard.rs"), "{}", path.display());
    }
}
