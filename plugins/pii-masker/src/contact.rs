//! Ways to reach somebody.

use std::ops::Range;

use crate::scan::{before, byte};

/// The address around the `@` at `at`; it begins behind `from`.
pub fn email(text: &[u8], at: usize, from: usize) -> Option<Range<usize>> {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let length = text.get(from..at)?.iter().rev().take(64).take_while(|byte| is_local(byte)).count();
    let mut start = at - length;
    // Behind an escape of JSON: `\nanna@..`
    if before(text, start) == b'\\' && matches!(byte(text, start), b'n' | b't' | b'r') {
        start += 1;
    }
    while matches!(byte(text, start), b'.' | b'-' | b'%') && start < at {
        start += 1;
    }
    let domain =
        text.get(at + 1..)?.iter().take(253).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let mut end = at + 1 + domain;
    while end > at + 1 && matches!(byte(text, end - 1), b'.' | b'-') {
        end -= 1;
    }
    let domain = text.get(at + 1..end)?;
    let last = domain.rsplit(|byte| *byte == b'.').next()?;
    let labels = domain.split(|byte| *byte == b'.').all(|label| !label.is_empty());
    let is_domain = labels && domain.contains(&b'.') && last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
    // `user:password@host` is no address of mail.
    let is_login = before(text, start) == b':' && text.get(..start)?.iter().rev().take(128).any(|byte| *byte == b'/');
    (start < at && is_domain && !is_login && byte(text, end) != b'@').then_some(start..end)
}

/// The end of the telephone number at `at`: `+` and 8 to 15 digits in groups, or ten digits as `(212) 555-0123` or `212-555-0123`.
pub fn phone(text: &[u8], at: usize) -> Option<usize> {
    let left = before(text, at);
    if left.is_ascii_alphanumeric() || matches!(left, b'.' | b'-' | b'_' | b'+' | b'/' | b'=' | b':') && byte(text, at) != b'+' {
        return None;
    }
    match byte(text, at) {
        b'+' => international(text, at),
        _ => american(text, at),
    }
}

fn international(text: &[u8], at: usize) -> Option<usize> {
    let (mut digits, mut groups, mut end, mut place) = (0, 1, at, at + 1);
    if !(b'1'..=b'9').contains(&byte(text, place)) {
        return None;
    }
    loop {
        match byte(text, place) {
            b'0'..=b'9' => {
                digits += 1;
                place += 1;
                end = place;
            }
            b' ' | b'-' | b'.' | b'(' | b')'
                if byte(text, place + 1).is_ascii_digit()
                    || matches!(byte(text, place + 1), b'(' | b' ') && byte(text, place + 2).is_ascii_digit() =>
            {
                groups += 1;
                place += 1;
            }
            _ => break,
        }
        if digits > 15 || groups > 8 {
            return None;
        }
    }
    let goes_on = byte(text, end).is_ascii_alphanumeric() || byte(text, end) == b'_';
    ((8..=15).contains(&digits) && !goes_on).then_some(end)
}

fn american(text: &[u8], at: usize) -> Option<usize> {
    let group = |from: usize, count: usize| text.get(from..from + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    let (area, mut place) = match byte(text, at) {
        b'(' if group(at + 1, 3) && byte(text, at + 4) == b')' => (at + 1, at + 5),
        b'0'..=b'9' if group(at, 3) && matches!(byte(text, at + 3), b'-' | b'.' | b' ') => (at, at + 3),
        _ => return None,
    };
    if matches!(byte(text, place), b' ' | b'-' | b'.') {
        place += 1;
    }
    let separator = byte(text, place + 3);
    let is_number = group(place, 3) && matches!(separator, b'-' | b'.' | b' ') && group(place + 4, 4);
    let end = place + 8;
    let next = byte(text, end);
    let goes_on = next.is_ascii_alphanumeric() || matches!(next, b'-' | b'_') || (next == b'.' && byte(text, end + 1).is_ascii_digit());
    // Area and exchange begin with 2 to 9.
    let assigned = (b'2'..=b'9').contains(&byte(text, area)) && (b'2'..=b'9').contains(&byte(text, place));
    (is_number && assigned && !goes_on).then_some(end)
}
