//! Sets of bytes, and where the bytes of one begin or end in a text. In a component sixteen bytes are looked at together (fixed-width
//! SIMD).

#[cfg(test)]
thread_local! {
    /// Bytes that were looked at, in this thread.
    pub static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A set of bytes that have at most eight different upper halves.
pub struct Set {
    holds: [bool; 256],
    /// A byte is in the set when the bits of its lower half and of its upper half meet.
    #[cfg(any(target_arch = "wasm32", test))]
    halves: ([u8; 16], [u8; 16]),
}

impl Set {
    /// The bytes of the ranges, both ends included.
    pub const fn of(ranges: &[(u8, u8)]) -> Self {
        let mut holds = [false; 256];
        let mut place = 0;
        while place < ranges.len() {
            let mut byte = ranges[place].0 as usize;
            while byte <= ranges[place].1 as usize {
                holds[byte] = true;
                byte += 1;
            }
            place += 1;
        }
        Self::new(holds)
    }

    /// The bytes that are held.
    pub const fn new(holds: [bool; 256]) -> Self {
        Set {
            holds,
            #[cfg(any(target_arch = "wasm32", test))]
            halves: halves(&holds),
        }
    }

    /// Whether `byte` is one.
    #[inline(always)]
    pub fn holds(&self, byte: u8) -> bool {
        self.holds[byte as usize]
    }

    /// The first byte from `at` on that is in the set, or the end.
    #[inline(always)]
    pub fn first(&self, text: &[u8], at: usize) -> usize {
        self.seek::<true>(text, at)
    }

    /// The first byte from `at` on that is not, or the end.
    #[inline(always)]
    pub fn end(&self, text: &[u8], at: usize) -> usize {
        self.seek::<false>(text, at)
    }

    #[inline(always)]
    fn seek<const HELD: bool>(&self, text: &[u8], at: usize) -> usize {
        #[cfg(target_arch = "wasm32")]
        let at = match simd::seek::<HELD>(self, text, at) {
            Ok(found) => return found,
            Err(rest) => rest,
        };
        let rest = text.get(at..).unwrap_or_default();
        let run = rest.iter().position(|byte| self.holds(*byte) == HELD).unwrap_or(rest.len());
        #[cfg(test)]
        LOOKED_AT.set(LOOKED_AT.get() + run + 1);
        at.min(text.len()) + run
    }

    /// A bit for each of sixteen bytes that is in the set.
    #[cfg(target_arch = "wasm32")]
    #[target_feature(enable = "simd128")]
    #[inline]
    pub fn bits(&self, bytes: [u8; 16]) -> u32 {
        simd::bits(self, bytes)
    }
}

/// A bit for each upper half that there is.
#[cfg(any(target_arch = "wasm32", test))]
const fn halves(holds: &[bool; 256]) -> ([u8; 16], [u8; 16]) {
    let (mut lower, mut upper, mut bits) = ([0; 16], [0; 16], 0);
    let mut half = 0;
    while half < 16 {
        let mut byte = 0;
        while byte < 16 {
            if holds[half * 16 + byte] {
                if upper[half] == 0 {
                    upper[half] = 1 << bits;
                    bits += 1;
                }
                lower[byte] |= upper[half];
            }
            byte += 1;
        }
        half += 1;
    }
    (lower, upper)
}

#[cfg(target_arch = "wasm32")]
mod simd {
    use core::arch::wasm32::{i8x16_swizzle, u8x16, u8x16_bitmask, u8x16_ne, u8x16_shr, u8x16_splat, u64x2, v128, v128_and};

    use super::Set;

    /// The place, or where fewer than sixteen bytes are left.
    #[target_feature(enable = "simd128")]
    #[inline]
    pub fn seek<const HELD: bool>(set: &Set, text: &[u8], mut at: usize) -> Result<usize, usize> {
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<16>) {
            let bits = bits(set, *bytes);
            let bits = if HELD { bits } else { bits ^ 0xffff };
            if bits != 0 {
                return Ok(at + bits.trailing_zeros() as usize);
            }
            at += 16;
        }
        Err(at)
    }

    #[target_feature(enable = "simd128")]
    #[inline]
    pub fn bits(set: &Set, bytes: [u8; 16]) -> u32 {
        let (lower, upper) = (vector(set.halves.0), vector(set.halves.1));
        let both = u128::from_le_bytes(bytes);
        let bytes = u64x2(both as u64, (both >> 64) as u64);
        let low = i8x16_swizzle(lower, v128_and(bytes, u8x16_splat(15)));
        let high = i8x16_swizzle(upper, u8x16_shr(bytes, 4));
        u32::from(u8x16_bitmask(u8x16_ne(v128_and(low, high), u8x16_splat(0))))
    }

    #[target_feature(enable = "simd128")]
    #[inline]
    fn vector(bytes: [u8; 16]) -> v128 {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        u8x16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_halves_tell_every_byte() {
        use crate::{many, pem, token, url};

        let sets = [&many::HOOKED, &many::COUNTED, &token::TOKEN, &token::BASE64, &token::BEARER, &url::ENDS, &pem::LINE];
        for set in sets {
            for byte in 0..=255_u8 {
                let (lower, upper) = set.halves;
                assert_eq!(lower[byte as usize % 16] & upper[byte as usize / 16] != 0, set.holds(byte), "{byte}");
            }
        }
    }

    #[test]
    fn runs_begin_and_end_where_they_do() {
        let text = b"ab-cd efghijklmnopqrstuvwxyz0123456789\n";
        let token = &crate::token::TOKEN;
        assert_eq!((token.end(text, 0), token.first(text, 5), token.end(text, 6), token.end(text, 99)), (5, 6, 38, 39));
    }
}
