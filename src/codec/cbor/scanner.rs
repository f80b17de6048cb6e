//! The CBOR scanner: one data item from bytes to a tape, checked as RFC 8949, appendix C checks it.
//!
//! It refuses to trust a length: a string's is compared with the input that is there, and an array's or a map's
//! reserves nothing. It does not recurse, so no input can exhaust the machine stack.

use super::head::{self, ARRAY, BYTES, INDEFINITE, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED};
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
/// `InvalidKey` for NaN as a map key, also under a tag; `IntegerTooLarge` and `InvalidUtf8` if `options` refuse it;
/// `OutOfMemory`.
pub fn scan_item(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mark = tape.mark();
    let result = scan(source, start, tape, options);
    if result.is_err() {
        tape.truncate(mark);
    }
    result
}

fn scan(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mut stack = Stack::new();
    let mut frame = Frame {
        kind: Kind::Root,
        total: 1,
        done: 0,
        depth: 0,
    };
    let mut depth = 0; // frame.depth and the tags before the next item
    let mut at = start;
    loop {
        let Some(&initial) = source.get(at) else {
            return Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len()));
        };
        let item = at;
        let (major, info) = head::split(initial);
        // What the head adds to the present frame: an item, or nothing when it opens or ends a container.
        let step = if info == INDEFINITE {
            match major {
                BYTES | TEXT => {
                    at = chunks(source, item, major, tape, options)?;
                    1
                }
                ARRAY | MAP => {
                    at += 1;
                    open(tape, &mut stack, &mut frame, major, UNTIL_BREAK, depth, item, options)?;
                    0
                }
                SIMPLE => {
                    let halfway = matches!(frame.kind, Kind::Map(_)) && frame.done % 2 == 1;
                    if frame.total != UNTIL_BREAK || halfway || depth != frame.depth {
                        return Err(CodecError::new(ErrorKind::UnexpectedBreak, item));
                    }
                    at += 1;
                    frame.total = frame.done;
                    0
                }
                _ => return Err(CodecError::new(ErrorKind::InvalidHead, item)),
            }
        } else {
            let (argument, after) = head::argument(source, item, info)?;
            at = after;
            match major {
                UNSIGNED => scalar::integer(tape, options, false, argument, item)?,
                NEGATIVE => scalar::integer(tape, options, true, argument, item)?,
                BYTES => {
                    at = head::string_end(source, after, argument)?;
                    tape.str(after, at - after)?;
                }
                TEXT => {
                    at = head::string_end(source, after, argument)?;
                    check_utf8(&source[after..at], item, options)?;
                    tape.str(after, at - after)?;
                }
                TAG => {
                    if depth >= options.max_depth {
                        return Err(CodecError::new(ErrorKind::TooDeep, item));
                    }
                    depth += 1;
                    tape.tag(argument)?;
                    continue;
                }
                SIMPLE => {
                    let is_key = matches!(frame.kind, Kind::Map(_)) && frame.done % 2 == 0;
                    simple_or_float(tape, options, info, argument, is_key, item)?;
                }
                _ => {
                    let items = if major == ARRAY { array_items } else { map_items }(argument);
                    open(tape, &mut stack, &mut frame, major, items, depth, item, options)?;
                }
            }
            u64::from(major != ARRAY && major != MAP)
        };
        frame.done += step;
        while frame.done == frame.total {
            match frame.kind {
                Kind::Root => return Ok(at),
                // OK because no container has more items than a slice has bytes
                Kind::Array(open) => tape.close(open, frame.done as usize),
                Kind::Map(open) => tape.close(open, (frame.done / 2) as usize),
            }
            match stack.pop() {
                Some(outer) => frame = outer,
                None => return Ok(at), // OK because only the root has nothing around it
            }
            frame.done += 1;
        }
        depth = frame.depth;
    }
}

/// Make the container whose head is at `at` the present frame.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn open(
    tape: &mut Tape,
    stack: &mut Stack,
    frame: &mut Frame,
    major: u8,
    total: u64,
    depth: usize,
    at: usize,
    options: &ScanOptions,
) -> Result<(), CodecError> {
    if depth >= options.max_depth {
        return Err(CodecError::new(ErrorKind::TooDeep, at));
    }
    stack.push(*frame, at)?;
    *frame = Frame {
        kind: if major == ARRAY {
            Kind::Array(tape.open_array()?)
        } else {
            Kind::Map(tape.open_object()?)
        },
        total,
        done: 0,
        depth: depth + 1,
    };
    Ok(())
}

/// An indefinite-length string whose head is at `at`: its chunks one after the other in the scratch buffer.
#[cold]
fn chunks(source: &[u8], at: usize, major: u8, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
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
        if major == TEXT {
            check_utf8(bytes, chunk, options)?;
        }
        scalar::append(tape.scratch_mut(), bytes, chunk)?;
    }
}

#[inline]
fn check_utf8(bytes: &[u8], at: usize, options: &ScanOptions) -> Result<(), CodecError> {
    if options.utf8 && simdutf8::basic::from_utf8(bytes).is_err() {
        return Err(CodecError::new(ErrorKind::InvalidUtf8, at));
    }
    Ok(())
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
    match info {
        20 => tape.bool(false),
        21 => tape.bool(true),
        22 => tape.null(),
        24 if argument < 32 => Err(CodecError::new(ErrorKind::InvalidSimple, at)),
        25 => scalar::float(tape, options, float::from_half(argument as u16), is_key, at),
        26 => scalar::float(tape, options, f64::from(f32::from_bits(argument as u32)), is_key, at),
        27 => scalar::float(tape, options, f64::from_bits(argument), is_key, at),
        _ => tape.simple(argument as u8),
    }
}
