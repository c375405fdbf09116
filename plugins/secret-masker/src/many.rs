//! Bytes by the many: where none of them is a hook of [`crate::scan`], they are passed over together. In a component sixteen at a time
//! (fixed-width SIMD), elsewhere eight.

use crate::scan::{COUNTED_HOOKS, HOOKS, PLAIN};

/// The first byte from `at` on that is a hook, or the end.
pub fn next_hook<const COUNTED: bool>(text: &[u8], at: usize) -> usize {
    #[cfg(target_arch = "wasm32")]
    if text.len() >= 16 {
        return sixteen::<COUNTED>(text, at);
    }
    eight::<COUNTED>(text, at)
}

fn eight<const COUNTED: bool>(text: &[u8], mut at: usize) -> usize {
    let hooks = if COUNTED { &COUNTED_HOOKS } else { &HOOKS };
    while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if COUNTED || may_hook(u64::from_le_bytes(*eight)) {
            if let Some(found) = eight.iter().position(|byte| hooks[*byte as usize] != PLAIN) {
                return at + found;
            }
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| hooks[*byte as usize] != PLAIN).unwrap_or(rest.len())
}

/// Whether one of eight bytes may be a hook: a capital or its neighbour `_`, a hyphen, a colon. Most words of prose have none.
#[inline(always)]
fn may_hook(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let capitals = (eight >> 1) & !eight & (ONES << 5);
    capitals | is_zero(eight ^ (ONES * b'-' as u64)) | is_zero(eight ^ (ONES * b':' as u64)) != 0
}

/// The same over a text of at least sixteen bytes; the last sixteen are looked at together, whatever was seen of them before.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn sixteen<const COUNTED: bool>(text: &[u8], mut at: usize) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let found = found::<COUNTED>(*bytes);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    let Some(last) = text.last_chunk::<16>().filter(|_| at < text.len()) else { return text.len() };
    let start = text.len() - 16;
    let found = found::<COUNTED>(*last) >> (at - start);
    if found == 0 { text.len() } else { at + found.trailing_zeros() as usize }
}

/// A bit for each of sixteen bytes that is a hook.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn found<const COUNTED: bool>(bytes: [u8; 16]) -> u32 {
    use core::arch::wasm32::{i8x16_swizzle, u8x16, u8x16_bitmask, u8x16_ne, u8x16_shr, u8x16_splat, u64x2, v128, v128_and};

    const fn vector(bytes: [u8; 16]) -> v128 {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        u8x16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
    }
    let (lower, upper) = const {
        let (lower, upper) = halves(COUNTED);
        (vector(lower), vector(upper))
    };
    let both = u128::from_le_bytes(bytes);
    let bytes = u64x2(both as u64, (both >> 64) as u64);
    let low = i8x16_swizzle(lower, v128_and(bytes, u8x16_splat(15)));
    let high = i8x16_swizzle(upper, u8x16_shr(bytes, 4));
    u32::from(u8x16_bitmask(u8x16_ne(v128_and(low, high), u8x16_splat(0))))
}

/// Hooks by the halves of their bytes: a byte is one when the bits of its lower half and of its upper half meet. A bit for each upper
/// half that there is.
#[cfg(any(target_arch = "wasm32", test))]
const fn halves(counted: bool) -> ([u8; 16], [u8; 16]) {
    let hooks = if counted { &COUNTED_HOOKS } else { &HOOKS };
    let (mut lower, mut upper, mut bits) = ([0; 16], [0; 16], 0);
    let mut half = 0;
    while half < 16 {
        let mut byte = 0;
        while byte < 16 {
            if hooks[half * 16 + byte] != PLAIN {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_tell_every_hook() {
        for (counted, hooks) in [(false, &HOOKS), (true, &COUNTED_HOOKS)] {
            let (lower, upper) = halves(counted);
            for byte in 0..=255_u8 {
                let is_hook = lower[byte as usize % 16] & upper[byte as usize / 16] != 0;
                assert_eq!(is_hook, hooks[byte as usize] != PLAIN, "{byte}");
            }
        }
    }
}
