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

/// Calls `found` for each find of the categories `on` (a bit each), in order and apart.
pub fn scan(text: &[u8], on: u8, mut found: impl FnMut(Category, Range<usize>)) {
    let mut at = 0;
    let mut done = 0;
    while let Some(byte) = text.get(at) {
        let place = match byte {
            b'0'..=b'9' if !before(text, at).is_ascii_digit() => number(text, at, on),
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
            _ => at += 1,
        }
    }
}

fn has(on: u8, category: Category) -> bool {
    on & (1 << category as u8) != 0
}

/// What begins with a digit at `at`.
fn number(text: &[u8], at: usize, on: u8) -> Option<(Category, Range<usize>)> {
    let tries: [(Category, fn(&[u8], usize) -> Option<usize>); 4] =
        [(Category::Ip, ipv4), (Category::Ssn, ssn), (Category::Card, whole_card), (Category::Phone, phone)];
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
