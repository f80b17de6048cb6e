//! Random JSON texts that follow the grammar of RFC 8259.

use super::random::Random;
use std::io::Write;

/// A text that is JSON but for one in a hundred or so: a lone surrogate, a number too large, or too many levels.
pub fn document(random: &mut Random, out: &mut Vec<u8>) {
    out.clear();
    if random.once_in(100) {
        // Around the limits of 127 and 128 levels.
        let levels = 100 + random.below(60);
        let open: &[u8] = random.pick(&[&b"["[..], b"{\"a\":", b"[[],", b"[ \n"]);
        let close = if open[0] == b'{' { b'}' } else { b']' };
        for _ in 0..levels {
            out.extend_from_slice(open);
        }
        scalar(random, out);
        out.resize(out.len() + levels, close);
        return;
    }
    value(random, 0, out);
}

fn value(random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    space(random, out);
    let choices = if depth == 0 { 3 } else { 2 + depth };
    if random.below(choices) < 2 && depth < 7 {
        let object = random.once_in(2);
        out.push(if object { b'{' } else { b'[' });
        let items = random.below(if depth < 2 { 6 } else { 4 });
        for item in 0..items {
            if item > 0 {
                out.push(b',');
            }
            if object {
                space(random, out);
                key(random, out);
                space(random, out);
                out.push(b':');
            }
            value(random, depth + 1, out);
        }
        if items == 0 {
            space(random, out);
        }
        out.push(if object { b'}' } else { b']' });
    } else {
        scalar(random, out);
    }
    space(random, out);
}

fn scalar(random: &mut Random, out: &mut Vec<u8>) {
    match random.below(8) {
        0 => out.extend_from_slice(random.pick(&[&b"null"[..], b"true", b"false"])),
        1..=3 => number(random, out),
        _ => string(random, out),
    }
}

fn space(random: &mut Random, out: &mut Vec<u8>) {
    match random.below(16) {
        0 => out.push(b' '),
        1 => out.push(b'\n'),
        2 => out.extend_from_slice(b"\t\r\n"),
        3 => {
            let length = random.below(40);
            out.resize(out.len() + length, b' ');
        }
        _ => {}
    }
}

/// Numbers at the limits of something, for this scanner or for another.
pub const NUMBERS: [&[u8]; 40] = [
    b"0",
    b"-0",
    b"-0.0",
    b"0e0",
    b"0e400",
    b"0.0e-400",
    b"1",
    b"-1",
    b"42",
    b"9007199254740992",
    b"9007199254740993",
    b"-9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9999999999999999999",
    b"99999999999999999999",
    b"1e22",
    b"1e23",
    b"1E+5",
    b"2.5e-3",
    b"0.1",
    b"5e-324",
    b"2e-324",
    b"2.4703282292062327e-324",
    b"2.2250738585072014e-308",
    b"2.2250738585072011e-308",
    b"1.7976931348623157e308",
    b"1.7976931348623158e308",
    b"1e308",
    b"1e-400",
    b"1e400",
    b"3.141592653589793238462643383279",
    b"123456789012345678901234567890",
    b"9007199254740992.5",
    b"9007199254740993.0",
    b"1e-99999999999999999999",
];

fn digits(random: &mut Random, most: usize, out: &mut Vec<u8>) {
    for _ in 0..=random.below(most) {
        out.push(b'0' + random.below(10) as u8);
    }
}

fn number(random: &mut Random, out: &mut Vec<u8>) {
    match random.below(6) {
        0 => out.extend_from_slice(random.pick(&NUMBERS)),
        1 => write!(out, "{}", random.integer()).unwrap(),
        2 => write!(out, "{:e}", random.double()).unwrap(),
        _ => {
            if random.once_in(3) {
                out.push(b'-');
            }
            if random.once_in(4) {
                out.push(b'0');
            } else {
                out.push(b'1' + random.below(9) as u8);
                if random.once_in(2) {
                    let most = if random.once_in(8) { 40 } else { 18 };
                    digits(random, most, out);
                }
            }
            if random.once_in(2) {
                out.push(b'.');
                let most = if random.once_in(8) { 40 } else { 18 };
                digits(random, most, out);
            }
            if random.once_in(3) {
                out.extend_from_slice(random.pick(&[&b"e"[..], b"E", b"e+", b"E-", b"e-"]));
                let most = if random.once_in(30) { 22 } else { 2 };
                digits(random, most, out);
            }
        }
    }
}

const ESCAPES: [&[u8]; 20] = [
    b"\\\"",
    b"\\\\",
    b"\\/",
    b"\\b",
    b"\\f",
    b"\\n",
    b"\\r",
    b"\\t",
    b"\\u0000",
    b"\\u001F",
    b"\\u007f",
    b"\\u0080",
    b"\\u07FF",
    b"\\u0800",
    b"\\ud7ff",
    b"\\uE000",
    b"\\uffff",
    b"\\ud800\\udc00",
    b"\\uDBFF\\uDFFF",
    b"\\u5f20",
];
/// The first and the last character of each length in UTF-8, and the ones around the surrogates.
const CHARACTERS: [&str; 10] = [
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "\u{98de}",
];

fn string(random: &mut Random, out: &mut Vec<u8>) {
    out.push(b'"');
    for _ in 0..random.below(4) {
        match random.below(16) {
            0..=2 => out.extend_from_slice(random.pick(&ESCAPES)),
            3..=4 => out.extend_from_slice(random.pick(&CHARACTERS).as_bytes()),
            5 if random.once_in(8) => {
                out.extend_from_slice(random.pick(&[&b"\\ud800"[..], b"\\udc00x", b"\\udbff\\u0041"]))
            }
            _ => {
                let most = if random.once_in(8) { 70 } else { 12 };
                let length = random.below(most);
                let letter = b'a' + random.below(26) as u8;
                out.resize(out.len() + length, letter);
            }
        }
    }
    out.push(b'"');
}

fn key(random: &mut Random, out: &mut Vec<u8>) {
    if random.once_in(2) {
        out.extend_from_slice(random.pick(&[
            &b"\"\""[..],
            b"\"a\"",
            b"\"b\"",
            b"\"id\"",
            b"\"\\u0061\"",
            b"\"method\"",
        ]));
    } else {
        string(random, out);
    }
}
