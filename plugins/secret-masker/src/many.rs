//! The hooks of a text, one after the other. In a component the bits of sixteen bytes are kept until the last of them is passed.

use crate::scan::{COUNTED_HOOKS, HOOKS, PLAIN};
use crate::set::Set;

/// All hooks, without and with those that are only counted.
pub static HOOKED: Set = Set::new(hooked(&HOOKS));
pub static COUNTED: Set = Set::new(hooked(&COUNTED_HOOKS));

const fn hooked(hooks: &[u8; 256]) -> [bool; 256] {
    let mut holds = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        holds[byte] = hooks[byte] != PLAIN;
        byte += 1;
    }
    holds
}

/// For each way in which a byte may be a hook a bit: whether this byte is one, may stand before one, may stand behind one. Most hooks of
/// a text that is none of ours fall here, for the price of three look-ups.
#[derive(Clone, Copy)]
struct Near {
    here: u16,
    before: u16,
    behind: u16,
}

static NEAR: [Near; 256] = {
    let mut near = [Near { here: 0, before: 0, behind: 0 }; 256];
    let mut byte = 0;
    while byte < 256 {
        let at = byte as u8;
        let (letter, digit) = (at.is_ascii_alphabetic(), at.is_ascii_digit());
        let token = letter || digit || at == b'_' || at == b'-';
        // A hook, what may stand before it, what may stand behind it.
        let ways = [
            (at == b'-', letter, token),
            (at == b'-', at != b'-', at == b'-'),
            (at == b'_', letter || digit, token),
            (at == b'I', matches!(at, b'A' | b'K' | b'S'), matches!(at, b'A' | b'z')),
            (at == b'J', at == b'y', token),
            (at == b'G', at == b'S', at == b'.'),
            (at == b'K', matches!(at, b's' | b't'), at == b'e'),
            (at == b'B', true, at == b'e'),
            (at == b':', true, at == b'/'),
            (at == b':', digit, at == b'A'),
            (at == b'[', true, matches!(at, b'p' | b's')),
            (b'2' <= at && at <= b'6', true, digit),
        ];
        let mut way = 0;
        while way < ways.len() {
            near[byte].here |= (ways[way].0 as u16) << way;
            near[byte].before |= (ways[way].1 as u16) << way;
            near[byte].behind |= (ways[way].2 as u16) << way;
            way += 1;
        }
        byte += 1;
    }
    near
};

/// Finds hooks from rising places on.
pub struct Hooks<'a, const WITH_COUNTED: bool> {
    text: &'a [u8],
    /// Of the bytes from `from` to `until` the hooks, a bit each.
    #[cfg(target_arch = "wasm32")]
    seen: (usize, usize, u32),
}

impl<'a, const WITH_COUNTED: bool> Hooks<'a, WITH_COUNTED> {
    pub fn new(text: &'a [u8]) -> Self {
        Hooks {
            text,
            #[cfg(target_arch = "wasm32")]
            seen: (0, 0, 0),
        }
    }

    /// The first byte from `at` on that is a hook and stands between bytes that it may stand between, or the end. `at` never falls.
    #[inline(always)]
    pub fn next(&mut self, mut at: usize) -> usize {
        loop {
            at = self.any(at);
            let Some(byte) = self.text.get(at) else { return at };
            let before = at.checked_sub(1).and_then(|before| self.text.get(before)).unwrap_or(&b' ');
            let behind = self.text.get(at + 1).unwrap_or(&b' ');
            if NEAR[*byte as usize].here & NEAR[*before as usize].before & NEAR[*behind as usize].behind != 0 {
                return at;
            }
            at += 1;
        }
    }

    /// The first byte from `at` on that is a hook, or the end.
    #[inline(always)]
    fn any(&mut self, at: usize) -> usize {
        let hooks = if WITH_COUNTED { &COUNTED } else { &HOOKED };
        if self.text.get(at).is_some_and(|byte| hooks.holds(*byte)) {
            return at;
        }
        #[cfg(target_arch = "wasm32")]
        {
            let (from, until, bits) = self.seen;
            if at < until {
                let bits = bits >> (at - from);
                if bits != 0 {
                    return at + bits.trailing_zeros() as usize;
                }
                return self.sixteen(until);
            }
            self.sixteen(at)
        }
        #[cfg(not(target_arch = "wasm32"))]
        self.eight(at)
    }

    #[cfg(target_arch = "wasm32")]
    #[target_feature(enable = "simd128")]
    fn sixteen(&mut self, mut at: usize) -> usize {
        let hooks = if WITH_COUNTED { &COUNTED } else { &HOOKED };
        while let Some(bytes) = self.text.get(at..).and_then(<[u8]>::first_chunk::<16>) {
            let bits = hooks.bits(*bytes);
            if bits != 0 {
                self.seen = (at, at + 16, bits);
                return at + bits.trailing_zeros() as usize;
            }
            at += 16;
        }
        // The last sixteen are looked at together, whatever was seen of them before.
        let end = self.text.len();
        let Some(last) = self.text.last_chunk::<16>().filter(|_| at < end) else { return hooks.first(self.text, at) };
        let bits = hooks.bits(*last) >> (at + 16 - end);
        self.seen = (at, end, bits);
        if bits == 0 { end } else { at + bits.trailing_zeros() as usize }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn eight(&self, mut at: usize) -> usize {
        let hooks = if WITH_COUNTED { &COUNTED } else { &HOOKED };
        while let Some(eight) = self.text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            if (WITH_COUNTED || may_hook(u64::from_le_bytes(*eight)))
                && let Some(found) = eight.iter().position(|byte| hooks.holds(*byte))
            {
                return at + found;
            }
            at += 8;
        }
        hooks.first(self.text, at)
    }
}

/// Whether one of eight bytes may be a hook: a capital or its neighbour `_`, a hyphen, a colon. Most words of prose have none.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn may_hook(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let capitals = (eight >> 1) & !eight & (ONES << 5);
    capitals | is_zero(eight ^ (ONES * b'-' as u64)) | is_zero(eight ^ (ONES * b':' as u64)) != 0
}
