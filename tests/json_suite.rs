//! The parsing suite in `spec/fixtures/json_suite/` on the scanner: every file taken or refused as its name or the
//! table of answers says, and with serde_json beside it.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use differential::json_written::{comes_back, Room};
use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::Tape;
use fkrpc::codec::{CodecError, ErrorKind, Integers};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const INTEGERS: [Integers; 2] = [Integers::I64, Integers::Double];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("spec/fixtures/json_suite")
}

/// Name and text of each file.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The answer for each file that may be taken or refused, as the table has it.
fn answers() -> BTreeMap<String, String> {
    let table = fs::read_to_string(folder().join("ANSWERS.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| i_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(
            cells.len() >= 6 && !cells[3].is_empty() && !cells[4].is_empty(),
            "{row}"
        );
        (cells[1].to_owned(), cells[2].to_owned())
    })
    .collect()
}

/// Whether the file is to be taken by a reader with these integers.
fn expected(name: &str, integers: Integers, answers: &BTreeMap<String, String>) -> bool {
    match name.get(..2) {
        Some("y_") => true,
        Some("n_") => false,
        _ => match answers.get(name).map(String::as_str) {
            Some("taken") => true,
            Some("refused") => false,
            Some("taken with 64-bit integers") => integers == Integers::I64,
            other => panic!("{name} has no answer in ANSWERS.md: {other:?}"),
        },
    }
}

fn scanned(text: &[u8], integers: Integers) -> Result<(), CodecError> {
    let options = ScanOptions {
        integers,
        ..ScanOptions::default()
    };
    scan(text, &mut Tape::new(), &options)
}

#[test]
fn the_suite_is_whole() {
    let files = files();
    let count = |prefix: &str| files.iter().filter(|(name, _)| name.starts_with(prefix)).count();
    let counts = (count("y_"), count("n_"), count("i_"));
    assert!(counts.0 >= 160 && counts.1 >= 340 && counts.2 >= 50, "{counts:?}");
    assert_eq!(counts.0 + counts.1 + counts.2, files.len());
    let answered: Vec<String> = answers().into_keys().collect();
    let asked: Vec<String> = files
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("i_"))
        .collect();
    assert_eq!(answered, asked);
}

#[test]
fn every_file_is_taken_or_refused_as_it_should_be() {
    let answers = answers();
    for (name, text) in files() {
        for integers in INTEGERS {
            let result = scanned(&text, integers);
            assert_eq!(
                result.is_ok(),
                expected(&name, integers, &answers),
                "{name}: {result:?}"
            );
            if let Err(error) = result {
                assert!(error.offset <= text.len(), "{name}: {error}");
                let (line, column) = error.line_column(&text);
                assert!(line >= 1 && column >= 1 && column <= text.len() + 1, "{name}: {error}");
            }
        }
    }
}

#[test]
fn every_file_means_the_same_to_serde_json_and_comes_back() {
    let (mut tape, mut room) = (Tape::new(), Room::default());
    for (name, text) in files() {
        // At the limit of serde_json, one below ours, both refuse.
        let taken = differential::json::agree(&text, &mut tape);
        assert_eq!(comes_back(&text, &mut room), taken, "{name}");
        if name.starts_with("n_") {
            assert!(!taken, "{name}");
        }
    }
}

#[test]
fn every_beginning_of_a_short_file_means_the_same_to_both() {
    let mut tape = Tape::new();
    for (_, text) in files().iter().filter(|(_, text)| text.len() < 1000) {
        for end in 0..text.len() {
            differential::json::agree(&text[..end], &mut tape);
        }
    }
}

#[test]
fn every_file_that_ends_too_early_is_refused_at_its_end() {
    let mut seen = 0;
    for (name, text) in files() {
        if name.starts_with("n_cut_") {
            let error = scanned(&text, Integers::I64).unwrap_err();
            assert_eq!(error.offset, text.len(), "{name}: {error}");
            // A minus that nothing follows is wrong as a number already.
            assert!(
                matches!(error.kind, ErrorKind::UnexpectedEnd | ErrorKind::InvalidNumber),
                "{name}: {error}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 10);
}
