//! A few bytes in one register, and marks for the bytes that matter.
//!
//! Two versions with the same functions: SSE2, which every x86_64 has, and a portable one. They refuse to know where a
//! slice ends: the loads and stores are `unsafe`, and [`super`] alone calls them.
#![allow(unsafe_code)]

/// Sixteen bytes at a time.
#[cfg(all(target_arch = "x86_64", any(test, not(feature = "portable"))))]
#[allow(dead_code)] // in a test of the other version only the marks are compared
pub mod sse2 {
    use std::arch::x86_64::*;

    /// Bytes in a chunk.
    pub const LANES: usize = 16;
    /// Bits of a mask that belong to one byte.
    pub const LANE_BITS: u32 = 1;

    /// A chunk of bytes. A mask has one bit per byte, the first byte's lowest.
    #[derive(Clone, Copy)]
    pub struct Chunk(__m128i);

    impl Chunk {
        /// # Safety
        /// `LANES` bytes from `from` on must be readable.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Self {
            // SAFETY: as above; the load needs no alignment.
            Self(unsafe { _mm_loadu_si128(from.cast()) })
        }

        /// The chunk whose bytes are those of `low`, then those of `high`, both little-endian.
        #[inline(always)]
        pub fn from_words(low: u64, high: u64) -> Self {
            // SAFETY: SSE2 is part of x86_64.
            #[allow(unused_unsafe)]
            Self(unsafe { _mm_set_epi64x(high as i64, low as i64) }) // OK because only the bits count
        }

        /// # Safety
        /// `LANES` bytes from `to` on must be writable.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut u8) {
            // SAFETY: as above; the store needs no alignment.
            unsafe { _mm_storeu_si128(to.cast(), self.0) }
        }

        /// Marks `"`, `\` and bytes below 0x20.
        #[inline(always)]
        pub fn special(self) -> u64 {
            // SAFETY: SSE2 is part of x86_64.
            #[allow(unused_unsafe)]
            unsafe {
                let quote = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'"' as i8));
                let backslash = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\\' as i8));
                let control = _mm_cmpeq_epi8(_mm_min_epu8(self.0, _mm_set1_epi8(0x1f)), self.0);
                mask(_mm_or_si128(_mm_or_si128(quote, backslash), control))
            }
        }

        /// Marks bytes of 0x80 and above.
        #[inline(always)]
        pub fn high(self) -> u64 {
            mask(self.0)
        }

        /// Marks line feeds.
        #[inline(always)]
        pub fn line_feed(self) -> u64 {
            // SAFETY: SSE2 is part of x86_64.
            #[allow(unused_unsafe)]
            unsafe {
                mask(_mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\n' as i8)))
            }
        }

        /// Marks bytes other than space, tab, line feed and carriage return.
        #[inline(always)]
        pub fn not_space(self) -> u64 {
            // SAFETY: SSE2 is part of x86_64.
            #[allow(unused_unsafe)]
            unsafe {
                let space = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b' ' as i8));
                let tab = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\t' as i8));
                let feed = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\n' as i8));
                let back = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\r' as i8));
                mask(_mm_or_si128(_mm_or_si128(space, tab), _mm_or_si128(feed, back))) ^ 0xffff
            }
        }
    }

    #[inline(always)]
    fn mask(lanes: __m128i) -> u64 {
        // SAFETY: SSE2 is part of x86_64.
        #[allow(unused_unsafe)]
        let bits = unsafe { _mm_movemask_epi8(lanes) };
        u64::from(bits as u32) // OK because only the low 16 bits can be set
    }
}

/// Eight bytes at a time in an ordinary register.
#[cfg(any(test, not(target_arch = "x86_64"), feature = "portable"))]
#[allow(dead_code)] // in a test of the other version only the marks are compared
pub mod swar {
    /// Bytes in a chunk.
    pub const LANES: usize = 8;
    /// Bits of a mask that belong to one byte.
    pub const LANE_BITS: u32 = 8;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

    /// A chunk of bytes, the first one lowest. A mask has bit 7 of each byte's place.
    #[derive(Clone, Copy)]
    pub struct Chunk(u64);

    impl Chunk {
        /// # Safety
        /// `LANES` bytes from `from` on must be readable.
        #[inline(always)]
        pub unsafe fn load(from: *const u8) -> Self {
            // SAFETY: as above.
            Self(u64::from_le(unsafe { from.cast::<u64>().read_unaligned() }))
        }

        /// The chunk whose bytes are those of `low`, little-endian; there is no room for a second word.
        #[inline(always)]
        pub fn from_words(low: u64, _: u64) -> Self {
            Self(low)
        }

        /// # Safety
        /// `LANES` bytes from `to` on must be writable.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut u8) {
            // SAFETY: as above.
            unsafe { to.cast::<u64>().write_unaligned(self.0.to_le()) }
        }

        /// Marks bytes equal to `byte`; exact in every byte, as no carry leaves one.
        #[inline(always)]
        fn equal(self, byte: u8) -> u64 {
            let differ = self.0 ^ (ONES * u64::from(byte));
            !(((differ & LOW) + LOW) | differ | LOW)
        }

        /// Marks `"`, `\` and bytes below 0x20.
        #[inline(always)]
        pub fn special(self) -> u64 {
            let control = !(((self.0 & LOW) + ONES * 0x60) | self.0 | LOW);
            control | self.equal(b'"') | self.equal(b'\\')
        }

        /// Marks bytes of 0x80 and above.
        #[inline(always)]
        pub fn high(self) -> u64 {
            self.0 & !LOW
        }

        /// Marks line feeds.
        #[inline(always)]
        pub fn line_feed(self) -> u64 {
            self.equal(b'\n')
        }

        /// Marks bytes other than space, tab, line feed and carriage return.
        #[inline(always)]
        pub fn not_space(self) -> u64 {
            let space = self.equal(b' ') | self.equal(b'\t') | self.equal(b'\n') | self.equal(b'\r');
            space ^ !LOW
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{sse2, swar};

    #[test]
    fn both_versions_mark_every_byte_alike_whatever_stands_beside_it() {
        for byte in 0..=255u8 {
            for beside in [0u8, 0x1f, 0x20, b'"', b'#', b'\\', 0x7f, 0x80, 0xff] {
                let mut text = [beside; 16];
                text[5] = byte;
                // SAFETY: `text` holds 16 bytes, more than both loads need.
                let (wide, narrow) = unsafe { (sse2::Chunk::load(text.as_ptr()), swar::Chunk::load(text.as_ptr())) };
                for (wide, narrow) in [
                    (wide.special(), narrow.special()),
                    (wide.high(), narrow.high()),
                    (wide.not_space(), narrow.not_space()),
                ] {
                    for lane in 0..8 {
                        assert_eq!(
                            wide >> lane & 1,
                            narrow >> (8 * lane + 7) & 1,
                            "{byte:#x} in {beside:#x}"
                        );
                    }
                }
            }
        }
    }
}
