//! One pass over the bytes of a text. Each shape is noticed at a byte that is rare in prose, then checked around it; nothing is copied.
//!
//! A text may itself hold JSON, so a letter may be half of an escape: `\nsk-..` begins at a word's edge.

use std::ops::Range;

use crate::card::card;
use crate::keys;
use crate::kind::Kind;
use crate::many::Hooks;
use crate::pem::Headers;
use crate::set::Set;
use crate::token::{Run, edge};

/// A shorter text has no secret.
pub const MIN_BYTES: usize = 12;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub kind: Kind,
    /// Bytes of the text, between characters.
    pub place: Range<usize>,
    /// Whether its last four bytes may be told: it has many more.
    pub is_long: bool,
}

impl Secret {
    pub fn new(kind: Kind, place: Range<usize>) -> Self {
        Secret { kind, place, is_long: true }
    }
}

/// What a byte may be part of.
pub const PLAIN: u8 = 0;
const HYPHEN: u8 = 1;
const UNDERSCORE: u8 = 2;
const CAPITAL_I: u8 = 3;
const CAPITAL_J: u8 = 4;
const CAPITAL_G: u8 = 5;
const CAPITAL_K: u8 = 6;
const CAPITAL_B: u8 = 7;
const COLON: u8 = 8;
const BRACKET: u8 = 9;
const DIGIT: u8 = 10;

pub static HOOKS: [u8; 256] = hooks(false);
pub static COUNTED_HOOKS: [u8; 256] = hooks(true);

const fn hooks(counted: bool) -> [u8; 256] {
    let mut hooks = [PLAIN; 256];
    hooks[b'-' as usize] = HYPHEN;
    hooks[b'_' as usize] = UNDERSCORE;
    hooks[b'I' as usize] = CAPITAL_I;
    hooks[b'J' as usize] = CAPITAL_J;
    hooks[b'G' as usize] = CAPITAL_G;
    hooks[b'K' as usize] = CAPITAL_K;
    hooks[b'B' as usize] = CAPITAL_B;
    hooks[b':' as usize] = COLON;
    if counted {
        hooks[b'[' as usize] = BRACKET;
        let mut digit = b'2';
        while digit <= b'6' {
            hooks[digit as usize] = DIGIT;
            digit += 1;
        }
    }
    hooks
}

/// Calls `found` for each secret in `text` of a kind that has no bit in `left`, in order and apart. `COUNTED`: for card numbers too, and
/// for marks that maskers left. The work is linear in the text: each look ahead is bounded, or goes over a byte but a few times.
pub fn scan<const COUNTED: bool>(text: &[u8], left: u64, found: impl FnMut(Secret)) {
    if text.len() < MIN_BYTES {
        return;
    }
    let kinds = if COUNTED { &COUNTED_HOOKS } else { &HOOKS };
    let mut hooks = Hooks::<COUNTED>::new(text);
    let mut finds = Finds { found, left, last: None, count: 0 };
    let (mut run, mut headers) = (Run::default(), Headers::default());
    let mut at = 0;
    // Begins further on: what stands before it is looked at first.
    let mut ahead: Option<Secret> = None;
    loop {
        at = hooks.next(at);
        if ahead.as_ref().is_some_and(|secret| secret.place.start <= at)
            && let Some(secret) = ahead.take()
        {
            at = secret.place.end.max(at);
            finds.push(secret);
            continue;
        }
        let Some(byte) = text.get(at) else { break };
        let mut next = at + 1;
        let hit = match kinds[*byte as usize] {
            HYPHEN => {
                // A key's word or header ends or begins at the first of several.
                if text.get(next) == Some(&b'-') {
                    next = HYPHENS.end(text, next);
                }
                keys::hyphen(text, at, &mut headers)
            }
            UNDERSCORE => keys::underscore(text, at),
            CAPITAL_I => keys::capital_i(text, at),
            CAPITAL_J => keys::jwt(text, at),
            CAPITAL_G => keys::sendgrid(text, at),
            CAPITAL_K => keys::capital_k(text, at, &mut run),
            CAPITAL_B => keys::bearer(text, at),
            COLON => keys::colon(text, at),
            BRACKET => mark(text, at),
            _ => match digits(text, at) {
                Digits::Card(end) => Some(Secret::new(Kind::CreditCard, at..end)),
                Digits::Other(end) => {
                    next = end;
                    None
                }
            },
        };
        at = match hit {
            None => next,
            Some(secret) if secret.place.start > at => {
                ahead.get_or_insert(secret);
                next
            }
            Some(secret) => {
                let end = secret.place.end;
                ahead = ahead.filter(|other| other.place.start >= end);
                finds.push(secret);
                end
            }
        };
    }
    finds.finish();
}

/// Passwords of addresses with fewer bytes between them are one find: no two addresses stand so close, and their marks would be much
/// longer than they are.
const CLOSE: usize = 10;
/// So many finds are told of a text; the last is all that were found from there on, with what stands between, so that what is said is
/// bounded.
pub const MOST: usize = 1 << 16;

static HYPHENS: Set = Set::of(&[(b'-', b'-')]);

/// Tells of finds; the last waits for those that are one with it.
struct Finds<F> {
    found: F,
    left: u64,
    last: Option<Secret>,
    count: usize,
}

impl<F: FnMut(Secret)> Finds<F> {
    #[inline(always)]
    fn push(&mut self, secret: Secret) {
        if self.left & (1 << secret.kind as u8) != 0 {
            return;
        }
        if let Some(last) = &mut self.last {
            let both = last.kind == Kind::UrlPassword && secret.kind == Kind::UrlPassword;
            if both && secret.place.start - last.place.end < CLOSE || self.count >= MOST {
                last.place.end = secret.place.end;
                last.is_long = false;
                return;
            }
        }
        self.count += 1;
        if let Some(last) = self.last.replace(secret) {
            (self.found)(last);
        }
    }

    fn finish(mut self) {
        if let Some(last) = self.last {
            (self.found)(last);
        }
    }
}

/// `[secret:kind:last4]` or `[pii:card:last4]`.
fn mark(text: &[u8], at: usize) -> Option<Secret> {
    let rest = text.get(at..text.len().min(at + 48))?;
    let end = at + 1 + rest.iter().position(|byte| *byte == b']')?;
    if rest.starts_with(b"[pii:card:") {
        return Some(Secret::new(Kind::CreditCard, at..end));
    }
    let inner = rest.strip_prefix(b"[secret:")?;
    let is_kind = |kind: &&Kind| inner.strip_prefix(kind.name().as_bytes()).is_some_and(|rest| rest.first() == Some(&b':'));
    Some(Secret::new(*Kind::ALL.iter().find(is_kind)?, at..end))
}

static DIGITS: Set = Set::of(&[(b'0', b'9')]);

enum Digits {
    Card(usize),
    Other(usize),
}

/// A run of digits whose first is one that cards begin with.
fn digits(text: &[u8], at: usize) -> Digits {
    let group = |digits: &[u8; 4]| digits.iter().all(u8::is_ascii_digit);
    let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
    if !text[at..].first_chunk().is_some_and(group) || matches!(before, b'.' | b'+') || !edge(text, at) {
        return Digits::Other(at + 1);
    }
    card(text, at).map_or_else(|| Digits::Other(DIGITS.end(text, at)), Digits::Card)
}
