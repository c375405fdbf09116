//! One pass: a digit, an `@`, a capital or a colon is looked around; nothing is copied.

use std::ops::Range;

use crate::card::card;
use crate::contact::{email, phone};
use crate::number::{iban, ipv4, ipv6, ssn};

/// What may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Category {
    /// Addresses of mail.
    Email,
    /// Numbers with `+` and a country, or written as in North America.
    Phone,
    /// Payment cards, by Luhn.
    Card,
    /// Bank accounts, by their checksum.
    Iban,
    /// United States social security numbers, with hyphens.
    Ssn,
    /// Addresses of the internet, versions 4 and 6.
    Ip,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 6] = [Category::Email, Category::Phone, Category::Card, Category::Iban, Category::Ssn, Category::Ip];

    /// The word in marks and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Category::Email => "email",
            Category::Phone => "phone",
            Category::Card => "card",
            Category::Iban => "iban",
            Category::Ssn => "ssn",
            Category::Ip => "ip",
        }
    }
}

/// Bytes that something may begin or be noticed at.
static HOOKS: [bool; 256] = hooks();

const fn hooks() -> [bool; 256] {
    let mut hooks = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let at = byte as u8;
        hooks[byte] = at.is_ascii_digit() || at.is_ascii_uppercase() || matches!(at, b'+' | b'(' | b'@' | b':');
        byte += 1;
    }
    hooks
}

/// Calls `found` for each find of the categories `on` (a bit each), in order and apart.
pub fn scan(text: &[u8], on: u8, mut found: impl FnMut(Category, Range<usize>)) {
    let mut at = 0;
    let mut done = 0;
    while let Some(byte) = text.get(at) {
        let mut next = at + 1;
        let place = match byte {
            b'0'..=b'9' => {
                let digits = text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
                next = at + digits;
                // Within a word no number begins.
                if before(text, at).is_ascii_alphanumeric() { None } else { number(text, at, digits, on) }
            }
            b'+' | b'(' if has(on, Category::Phone) => phone(text, at).map(|end| (Category::Phone, at..end)),
            b'@' if has(on, Category::Email) => email(text, at, done).map(|place| (Category::Email, place)),
            b'A'..=b'Z' if has(on, Category::Iban) => iban(text, at).map(|end| (Category::Iban, at..end)),
            b':' if has(on, Category::Ip) => ipv6(text, at, done).map(|place| (Category::Ip, place)),
            _ => None,
        };
        match place {
            Some((category, place)) if place.start >= done => {
                done = place.end;
                at = place.end;
                found(category, place);
            }
            _ => at = next_hook(text, next),
        }
    }
}

/// The first byte from `at` on that is a hook, or the end; eight bytes at a time while there is none.
fn next_hook(text: &[u8], mut at: usize) -> usize {
    while let Some([a, b, c, d, e, f, g, h]) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let hook = |byte: &u8| HOOKS[*byte as usize];
        if hook(a) | hook(b) | hook(c) | hook(d) | hook(e) | hook(f) | hook(g) | hook(h) {
            break;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| HOOKS[*byte as usize]).unwrap_or(rest.len())
}

fn has(on: u8, category: Category) -> bool {
    on & (1 << category as u8) != 0
}

/// What begins at `at` with so many digits: an address has three at most before its dot, a social security number and a telephone
/// number three, a card four or more.
fn number(text: &[u8], at: usize, digits: usize, on: u8) -> Option<(Category, Range<usize>)> {
    type Find = fn(&[u8], usize) -> Option<usize>;
    let tries: &[(Category, Find)] = match (digits, byte(text, at + digits)) {
        (1..=3, b'.') => &[(Category::Ip, ipv4), (Category::Phone, phone)],
        (3, b'-' | b' ') => &[(Category::Ssn, ssn), (Category::Phone, phone)],
        (4.., _) => &[(Category::Card, whole_card)],
        _ => &[],
    };
    tries.iter().filter(|(category, _)| has(on, *category)).find_map(|(category, find)| Some((*category, at..find(text, at)?)))
}

/// A card that is no part of a longer number or word.
fn whole_card(text: &[u8], at: usize) -> Option<usize> {
    let before = before(text, at);
    let is_part = before.is_ascii_alphanumeric() || matches!(before, b'.' | b'+' | b'-' | b'_');
    if is_part { None } else { card(text, at) }
}

/// The byte before `at`, or a space.
pub fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ')
}

/// The byte at `at`, or a space.
pub fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}
