//! The CBOR scanner: one data item from bytes to a tape, checked as RFC 8949, appendix C checks it.
//!
//! It refuses to trust a length: a string's is compared with the input that is there, and an array's or a map's
//! reserves nothing. It does not recurse, so no input can exhaust the machine stack.

use super::head::{self, ARRAY, BYTES, DIRECT_MAX, INDEFINITE, MAP, NEGATIVE, TAG, TEXT, UNSIGNED};
use super::stack::{array_items, map_items, Frame, Kind, Stack, UNTIL_BREAK};
use super::{float, scalar, ScanOptions};
use crate::codec::{CodecError, ErrorKind, Tape};

/// Append the data item that starts at `source[start]` to the tape; the offset after it.
///
/// Byte strings and text strings both become strings; a string in one piece stays in the source. After an error the
/// tape is as it was before.
///
/// # Errors
/// Offsets are those of the offending item's first byte. `UnexpectedEnd`, at `source.len()`, if the input ends inside
/// the item; `TooDeep`, `InvalidHead`, `UnexpectedBreak`, `InvalidChunk`, `InvalidSimple` for what is not well-formed;
/// `InvalidKey` for NaN as a map key, also under a tag; `IntegerTooLarge` (a tag's number, too) and `InvalidUtf8` if
/// `options` refuse it; `OutOfMemory`.
pub fn scan_item(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mark = tape.mark();
    let result = scan(source, start, tape, options);
    if result.is_err() {
        tape.truncate(mark);
    }
    result
}

/// The loop over all items. What packets are made of is dealt with by its initial byte (RFC 8949, appendix B);
/// other items without children are left to [`leaf`].
fn scan(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mut stack = Stack::new();
    // The present frame, in variables of its own: only opening and closing a container touches the stack.
    let (mut kind, mut total, mut done, mut depth) = (Kind::Root, 1, 0, 0);
    let mut tags = 0; // tags before the next item
    let mut at = start;
    loop {
        let Some(&initial) = source.get(at) else {
            return Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len()));
        };
        let (major, info) = head::split(initial);
        match major {
            UNSIGNED | NEGATIVE => {
                let sign = -i32::from(major); // -1 - n is !n in two's complement
                if info <= DIRECT_MAX {
                    tape.small(i32::from(info) ^ sign)?;
                    at += 1;
                } else {
                    match (info, source.get(at + 1..)) {
                        (24, Some(&[a, ..])) => {
                            tape.small(i32::from(a) ^ sign)?;
                            at += 2;
                        }
                        (25, Some(&[a, b, ..])) => {
                            tape.small(i32::from(u16::from_be_bytes([a, b])) ^ sign)?;
                            at += 3;
                        }
                        (26, Some(&[a, b, c, d, ..])) => {
                            tape.int(i64::from(u32::from_be_bytes([a, b, c, d])) ^ i64::from(sign))?;
                            at += 5;
                        }
                        _ => at = leaf(source, at, tape, options, false)?,
                    }
                }
                done += 1;
            }
            BYTES | TEXT => {
                if info != INDEFINITE && (major == BYTES || !options.utf8) {
                    let (len, after) = head::argument(source, at, info)?;
                    at = head::string_end(source, after, len)?;
                    tape.str(after, at - after)?;
                } else {
                    at = leaf(source, at, tape, options, false)?;
                }
                done += 1;
            }
            ARRAY | MAP => {
                let (items, after) = match (info, major) {
                    (INDEFINITE, _) => (UNTIL_BREAK, at + 1),
                    (_, ARRAY) => head::argument(source, at, info).map(|(n, after)| (array_items(n), after))?,
                    _ => head::argument(source, at, info).map(|(n, after)| (map_items(n), after))?,
                };
                if depth + tags >= options.max_depth {
                    return Err(CodecError::new(ErrorKind::TooDeep, at));
                }
                stack.push(
                    Frame {
                        kind,
                        total,
                        done,
                        depth,
                    },
                    at,
                )?;
                kind = if major == ARRAY {
                    Kind::Array(tape.open_array()?)
                } else {
                    Kind::Map(tape.open_object()?)
                };
                depth += tags + 1;
                (total, done) = (items, 0);
                at = after;
            }
            TAG => {
                let (tag, after) = head::argument(source, at, info)?;
                if depth + tags >= options.max_depth {
                    return Err(CodecError::new(ErrorKind::TooDeep, at));
                }
                if !scalar::tag_fits(options, tag) {
                    return Err(CodecError::new(ErrorKind::IntegerTooLarge, at));
                }
                tape.tag(tag)?;
                tags += 1;
                at = after;
                continue;
            }
            _ => match info {
                27 if !options.integral_floats && !matches!(kind, Kind::Map(_)) => match source.get(at + 1..) {
                    Some(&[a, b, c, d, e, f, g, h, ..]) => {
                        tape.float(f64::from_be_bytes([a, b, c, d, e, f, g, h]))?;
                        at += 9;
                        done += 1;
                    }
                    _ => return Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len())),
                },
                20 | 21 => {
                    tape.bool(info == 21)?;
                    at += 1;
                    done += 1;
                }
                INDEFINITE => {
                    let halfway = matches!(kind, Kind::Map(_)) && done % 2 == 1;
                    if total != UNTIL_BREAK || halfway || tags != 0 {
                        return Err(CodecError::new(ErrorKind::UnexpectedBreak, at));
                    }
                    total = done;
                    at += 1;
                }
                _ => {
                    let is_key = matches!(kind, Kind::Map(_)) && done % 2 == 0;
                    at = leaf(source, at, tape, options, is_key)?;
                    done += 1;
                }
            },
        }
        tags = 0;
        while done == total {
            match kind {
                Kind::Root => return Ok(at),
                // OK because no container has more items than a slice has bytes
                Kind::Array(open) => tape.close(open, done as usize),
                Kind::Map(open) => tape.close(open, (done / 2) as usize),
            }
            let Some(outer) = stack.pop() else {
                return Ok(at); // OK because only the root has nothing around it
            };
            (kind, total, done, depth) = (outer.kind, outer.total, outer.done + 1, outer.depth);
        }
    }
}

/// The item without children, or the reserved head, at `at`; the offset after it.
#[inline(never)]
fn leaf(source: &[u8], at: usize, tape: &mut Tape, options: &ScanOptions, is_key: bool) -> Result<usize, CodecError> {
    let (major, info) = head::split(source[at]); // OK because the caller looked at that byte
    if info == INDEFINITE && (major == BYTES || major == TEXT) {
        return chunks(source, at, tape, options, major);
    }
    let (argument, after) = match info {
        ..=DIRECT_MAX => (u64::from(info), at + 1),
        _ => head::wide_argument(source, at, info)?,
    };
    match major {
        UNSIGNED | NEGATIVE => scalar::integer(tape, options, major == NEGATIVE, argument, at)?,
        BYTES | TEXT => {
            let end = head::string_end(source, after, argument)?;
            if major == TEXT && options.utf8 {
                check_utf8(&source[after..end], at)?;
            }
            tape.str(after, end - after)?;
            return Ok(end);
        }
        _ => simple_or_float(tape, options, info, argument, is_key, at)?,
    }
    Ok(after)
}

/// An indefinite-length string whose head is at `at`: its chunks one after the other in the scratch buffer.
fn chunks(source: &[u8], at: usize, tape: &mut Tape, options: &ScanOptions, major: u8) -> Result<usize, CodecError> {
    let start = tape.scratch().len();
    let mut next = at + 1;
    loop {
        let chunk = next;
        let (len, after) = head::chunk(source, chunk, major)?;
        let Some(len) = len else {
            tape.scratch_str(start)?;
            return Ok(after);
        };
        next = head::string_end(source, after, len)?;
        let bytes = &source[after..next];
        if major == TEXT && options.utf8 {
            check_utf8(bytes, chunk)?;
        }
        scalar::append(tape.scratch_mut(), bytes, chunk)?;
    }
}

/// An item of major type 7 other than the break (RFC 8949, section 3.3).
#[inline]
fn simple_or_float(
    tape: &mut Tape,
    options: &ScanOptions,
    info: u8,
    argument: u64,
    is_key: bool,
    at: usize,
) -> Result<(), CodecError> {
    // OK because each width's argument has that many bits: the casts drop zeros only
    let value = match info {
        20 => return tape.bool(false),
        21 => return tape.bool(true),
        22 => return tape.null(),
        24 if argument < 32 => return Err(CodecError::new(ErrorKind::InvalidSimple, at)),
        25 => float::from_half(argument as u16),
        26 => f64::from(f32::from_bits(argument as u32)),
        27 => f64::from_bits(argument),
        _ => return tape.simple(argument as u8),
    };
    scalar::float(tape, options, value, is_key, at)
}

fn check_utf8(bytes: &[u8], at: usize) -> Result<(), CodecError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| CodecError::new(ErrorKind::InvalidUtf8, at))?;
    Ok(())
}
