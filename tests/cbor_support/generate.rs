//! Random well-formed items of all shapes, any head width, and random damage to them.

use rand::rngs::StdRng;
use rand::Rng;

/// Append a head with an argument in a random width that holds it.
fn head(rng: &mut StdRng, out: &mut Vec<u8>, major: u8, argument: u64) {
    let narrowest = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    let width = if rng.random_bool(0.8) {
        narrowest
    } else {
        rng.random_range(narrowest..=4)
    };
    let bytes = argument.to_be_bytes();
    match width {
        0 => out.push(major << 5 | argument as u8),
        _ => {
            out.push(major << 5 | (23 + width));
            out.extend_from_slice(&bytes[8 - (1 << (width - 1))..]);
        }
    }
}

/// An argument of random magnitude.
fn argument(rng: &mut StdRng) -> u64 {
    let shift = rng.random_range(0..64);
    rng.random::<u64>() >> shift
}

fn string_bytes(rng: &mut StdRng, major: u8, out: &mut Vec<u8>) {
    let length = if rng.random_bool(0.05) { 300 } else { 30 };
    let length = rng.random_range(0..length);
    let mut bytes = Vec::new();
    for _ in 0..length {
        if major == 2 {
            bytes.push(rng.random());
        } else {
            bytes.extend_from_slice(rng.random::<char>().encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    head(rng, out, major, bytes.len() as u64);
    out.extend_from_slice(&bytes);
}

fn string(rng: &mut StdRng, out: &mut Vec<u8>) {
    let major = rng.random_range(2..=3);
    if rng.random_bool(0.8) {
        return string_bytes(rng, major, out);
    }
    out.push(major << 5 | 31);
    for _ in 0..rng.random_range(0..4) {
        string_bytes(rng, major, out);
    }
    out.push(0xff);
}

fn simple_or_float(rng: &mut StdRng, out: &mut Vec<u8>, is_key: bool) {
    match rng.random_range(0..8) {
        0..=1 => out.push(0xe0 | rng.random_range(20..24)),
        2 => out.push(0xe0 | rng.random_range(0..24)),
        3 => out.extend_from_slice(&[0xf8, rng.random_range(32..=255)]),
        4 if !is_key => {
            out.push(0xf9);
            out.extend_from_slice(&rng.random::<u16>().to_be_bytes());
        }
        5 if !is_key => {
            out.push(0xfa);
            out.extend_from_slice(&rng.random::<u32>().to_be_bytes());
        }
        _ => {
            let value = rng.random_range(-1e6..1e6);
            out.push(0xfb);
            out.extend_from_slice(&f64::to_be_bytes(if rng.random() { value } else { value.trunc() }));
        }
    }
}

/// Append a well-formed item with at most `depth` containers and tags around anything. A key is never NaN.
pub fn item(rng: &mut StdRng, out: &mut Vec<u8>, depth: usize, is_key: bool) {
    let shapes = if depth == 0 { 4 } else { 8 };
    match rng.random_range(0..shapes) {
        0..=1 => {
            let (major, argument) = (rng.random_range(0..=1), argument(rng));
            head(rng, out, major, argument);
        }
        2 => string(rng, out),
        3 => simple_or_float(rng, out, is_key),
        7 => {
            let tag = argument(rng);
            head(rng, out, 6, tag);
            item(rng, out, depth - 1, is_key);
        }
        shape => {
            let (count, is_map) = (rng.random_range(0..6), shape == 6);
            let major = 4 + u8::from(is_map);
            let definite = rng.random_bool(0.7);
            if definite {
                head(rng, out, major, count);
            } else {
                out.push(major << 5 | 31);
            }
            for _ in 0..count {
                if is_map {
                    item(rng, out, depth - 1, true);
                }
                item(rng, out, depth - 1, false);
            }
            if !definite {
                out.push(0xff);
            }
        }
    }
}

/// Change, insert, remove or cut off a few bytes.
pub fn damage(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let byte = match rng.random_range(0..3) {
            0 => rng.random(),
            1 => 0xff,
            _ => rng.random_range(0u8..8) << 5 | rng.random_range(23u8..32),
        };
        match rng.random_range(0..5) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
}
