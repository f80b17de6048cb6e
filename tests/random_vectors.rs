//! The generator against numbers that Qt 6.4.2 drew: all overloads, seeds of every form, blocks' ends, copies.
//!
//! spec/fixtures/random has a small set; the whole one is read from $FKRPC_VECTORS (default: ../shared/vectors beside
//! the project), and a run without it says so.

#![allow(clippy::print_stderr)] // a test that is skipped says so

use fkrpc::random::QRandomGenerator;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A number as Qt's program printed it, or a double's bits.
#[derive(Debug, PartialEq)]
enum Drawn {
    Integer(i128),
    Bits(u64),
}

impl From<f64> for Drawn {
    fn from(number: f64) -> Self {
        // Every NaN is one and the same.
        Self::Bits(if number.is_nan() { f64::NAN } else { number }.to_bits())
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(impl From<$type> for Drawn {
        fn from(number: $type) -> Self {
            Self::Integer(number.into())
        }
    })*};
}
integers!(u16, u32, u64, i32, i64);

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn number<T: std::str::FromStr>(value: &Value) -> T {
    let text = text(value);
    text.parse().ok().unwrap_or_else(|| panic!("{text} is no such number"))
}

/// What was recorded: doubles by their bits.
fn recorded(values: &Value, bits: Option<&Value>) -> Vec<Drawn> {
    match bits {
        Some(bits) => list(bits)
            .iter()
            .map(|bits| f64::from_bits(u64::from_str_radix(text(bits), 16).expect("hex digits")).into())
            .collect(),
        None => list(values).iter().map(|value| Drawn::Integer(number(value))).collect(),
    }
}

/// A generator made as `ctor` says; all ways to give words come to the same.
fn made(case: &Value) -> QRandomGenerator {
    let words: Vec<u32> = list(&case["seed"]).iter().map(number).collect();
    match (text(&case["ctor"]), &words[..]) {
        ("default" | "reseed_default", []) => QRandomGenerator::default(),
        ("u32" | "u32_64" | "reseed_u32", &[seed]) => QRandomGenerator::new(seed),
        ("ptr_len" | "range" | "array3" | "array4" | "seed_seq" | "reseed_seq", words) => {
            QRandomGenerator::from_words(words)
        }
        (ctor, words) => panic!("no way to make a generator: {ctor} of {} words", words.len()),
    }
}

/// `count` draws.
fn draws<T: Into<Drawn>>(count: usize, mut draw: impl FnMut() -> T) -> Vec<Drawn> {
    (0..count).map(|_| draw().into()).collect()
}

/// The same from a slice that was filled.
fn filled<T: Copy + Default + Into<Drawn>>(count: usize, fill: impl FnOnce(&mut [T])) -> Vec<Drawn> {
    let mut place = vec![T::default(); count];
    fill(&mut place);
    place.into_iter().map(Into::into).collect()
}

/// One call of Qt's, by its name in the vectors.
fn called(g: &mut QRandomGenerator, call: &str, args: &[Value]) -> Vec<Drawn> {
    let fine = "a range of Qt's domain";
    let count = || number::<usize>(&args[0]);
    let one = |drawn: Drawn| vec![drawn];
    match call {
        "generate" | "op_call" => one(g.generate().into()),
        "generate64" | "g64_generate" | "g64_op_call" => one(g.generate64().into()),
        "generateDouble" => one(g.generate_double().into()),
        "bounded_u32" => one(g.bounded_u32(number(&args[0])).into()),
        "bounded_u32_range" => one(g.bounded_u32_range(number(&args[0]), number(&args[1])).into()),
        "bounded_i32" => one(g.bounded_i32(number(&args[0])).expect(fine).into()),
        "bounded_i32_range" => one(g
            .bounded_i32_range(number(&args[0]), number(&args[1]))
            .expect(fine)
            .into()),
        "bounded_u64" => one(g.bounded_u64(number(&args[0])).expect(fine).into()),
        "bounded_u64_range" | "bounded_u32_u64" | "bounded_u64_u32" => one(g
            .bounded_u64_range(number(&args[0]), number(&args[1]))
            .expect(fine)
            .into()),
        "bounded_i64" => one(g.bounded_i64(number(&args[0])).expect(fine).into()),
        "bounded_i64_range" | "bounded_i32_i64" | "bounded_i64_i32" => one(g
            .bounded_i64_range(number(&args[0]), number(&args[1]))
            .expect(fine)
            .into()),
        "bounded_f64" => one(g.bounded_f64(number(&args[0])).into()),
        "discard" => {
            g.discard(number(&args[0]));
            Vec::new()
        }
        "g64_discard" => {
            g.discard(2 * number::<u64>(&args[0]));
            Vec::new()
        }
        "fillRange_u32" | "generate_ptr_u32" => filled(count(), |place| g.fill_u32(place)),
        "fillRange_u32_array5" => filled(5, |place| g.fill_u32(place)),
        "fillRange_u64" => filled(count(), |place| g.fill_u64(place)),
        "fillRange_u64_array3" => filled(3, |place| g.fill_u64(place)),
        "generate_iter_u32" => draws(count(), || g.generate()),
        "generate_iter_u64" | "generate_ptr_u64" => draws(count(), || u64::from(g.generate())),
        "generate_iter_u16" => draws(count(), || (g.generate() & 0xffff) as u16),
        _ => panic!("no such call: {call}"),
    }
}

/// A case that is one call, some times; the number of draws.
fn play_calls(case: &Value) -> usize {
    let mut generator = made(case);
    let mut drawn = Vec::new();
    for _ in 0..case["repeat"].as_u64().expect("a count") {
        drawn.extend(called(&mut generator, text(&case["call"]), list(&case["args"])));
    }
    assert_eq!(drawn, recorded(&case["outputs"], case.get("bits")), "{}", case["id"]);
    drawn.len()
}

/// A case of steps on several generators; the number of draws and comparisons.
fn play_steps(case: &Value) -> usize {
    let mut generators: HashMap<&str, QRandomGenerator> = HashMap::new();
    let mut checks = 0;
    for (step, op) in list(&case["ops"]).iter().enumerate() {
        match text(&op["op"]) {
            "new" => {
                generators.insert(text(&op["dst"]), made(op));
            }
            "copy" | "assign" => {
                let copy = generators[text(&op["src"])].clone();
                generators.insert(text(&op["dst"]), copy);
            }
            "eq" => {
                let equal = generators[text(&op["a"])] == generators[text(&op["b"])];
                assert_eq!(Some(equal), op["out"].as_bool(), "{} step {step}", case["id"]);
                checks += 1;
            }
            "call" => {
                let generator = generators.get_mut(text(&op["on"])).expect("a generator");
                let drawn = called(generator, text(&op["call"]), list(&op["args"]));
                assert_eq!(
                    drawn,
                    recorded(&op["out"], op.get("bits")),
                    "{} step {step}",
                    case["id"]
                );
                checks += drawn.len();
            }
            other => panic!("no such step: {other}"),
        }
    }
    checks
}

/// The number of cases and of checks in them.
fn play(path: &Path) -> (usize, usize) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Value = serde_json::from_slice(&bytes).expect("JSON");
    let cases = list(&vectors["cases"]);
    let checks = cases.iter().map(|case| {
        if case.get("ops").is_some() {
            play_steps(case)
        } else {
            play_calls(case)
        }
    });
    (cases.len(), checks.sum())
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_fixtures_numbers_come_out() {
    let (cases, checks) = play(&project().join("spec/fixtures/random/vectors.json"));
    // Exact, so that a case that is lost is seen.
    assert_eq!((cases, checks), (89, 492));
}

#[test]
fn all_of_qts_numbers_come_out() {
    let folder = std::env::var_os("FKRPC_VECTORS").map_or_else(|| project().join("../shared/vectors"), PathBuf::from);
    let path = folder.join("qrandom-vectors.json");
    if !path.exists() {
        eprintln!("SKIPPED: there is no {} (set FKRPC_VECTORS)", path.display());
        return;
    }
    let (cases, checks) = play(&path);
    eprintln!("{cases} cases, {checks} draws and comparisons");
    assert!(cases >= 1000 && checks >= 20_000, "{cases} cases, {checks} checks");
}

#[test]
fn the_standards_ten_thousandth_number_comes_out() {
    // C++ [rand.predef] has 4123659995 for mt19937's own seeding; this is the sequence [1]'s.
    let mut generator = QRandomGenerator::default();
    generator.discard(9999);
    assert_eq!(generator.generate(), 2_807_203_798);
}
