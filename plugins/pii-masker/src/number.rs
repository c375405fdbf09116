//! Numbers that a checksum or a fixed form gives away.

use std::ops::Range;

use crate::scan::{before, byte};

/// The end of `1.2.3.4` that begins at `at`, no part of a longer dotted number: versions and object ids are none.
pub fn ipv4(text: &[u8], at: usize) -> Option<usize> {
    if before(text, at).is_ascii_alphanumeric() || matches!(before(text, at), b'.' | b'-' | b'_') {
        return None;
    }
    let mut end = at;
    for part in 0..4 {
        if part > 0 {
            (byte(text, end) == b'.').then_some(())?;
            end += 1;
        }
        let length = text.get(end..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let digits = text.get(end..end + length)?;
        let value = digits.iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
        if !(1..=3).contains(&length) || value > 255 || (length > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        end += length;
    }
    let next = byte(text, end);
    let goes_on = next.is_ascii_alphanumeric() || matches!(next, b'_' | b'-') || (next == b'.' && byte(text, end + 1).is_ascii_digit());
    (!goes_on).then_some(end)
}

/// The address of version 6 around the colon at `at`: eight groups, or fewer with `::`.
pub fn ipv6(text: &[u8], at: usize, from: usize) -> Option<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let start = at - text.get(from..at)?.iter().rev().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let left = before(text, start);
    if left.is_ascii_alphanumeric() || matches!(left, b':' | b'_' | b'.') {
        return None;
    }
    let length = text.get(start..)?.iter().take(48).take_while(|byte| is_part(byte)).count();
    let address = text.get(start..start + length)?;
    let address = if address.ends_with(b":") && !address.ends_with(b"::") { address.get(..length - 1)? } else { address };
    let right = byte(text, start + address.len());
    if right.is_ascii_alphanumeric() || right == b'_' {
        return None;
    }
    let text = std::str::from_utf8(address).ok()?;
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let parsed: std::net::Ipv6Addr = text.parse().ok()?;
    // `::` and `::1` are nobody's; `a::b` may be a path of a program.
    let is_somebody = groups >= 3 && !parsed.is_loopback() && text.bytes().any(|byte| byte.is_ascii_digit());
    is_somebody.then(|| start..start + address.len())
}

/// The end of `123-45-6789`.
pub fn ssn(text: &[u8], at: usize) -> Option<usize> {
    let number = text.get(at..at + 11)?;
    let shape = number.iter().enumerate().all(|(place, byte)| if place == 3 || place == 6 { *byte == b'-' } else { byte.is_ascii_digit() });
    let left = before(text, at);
    let right = byte(text, at + 11);
    let is_part =
        left.is_ascii_alphanumeric() || matches!(left, b'-' | b'.' | b'_') || right.is_ascii_alphanumeric() || matches!(right, b'-' | b'_');
    let issued = !number.starts_with(b"000") && !number.starts_with(b"666") && number.first() != Some(&b'9');
    let parts = number.get(4..6) != Some(b"00") && number.get(7..) != Some(b"0000");
    (shape && !is_part && issued && parts).then_some(at + 11)
}

/// The end of the bank account number at `at`: two capitals, two digits, 11 to 30 letters and digits, in groups of four if parted.
pub fn iban(text: &[u8], at: usize) -> Option<usize> {
    let [first, second, third, fourth] = *text.get(at..)?.first_chunk::<4>()?;
    let begins = first.is_ascii_uppercase() && second.is_ascii_uppercase() && third.is_ascii_digit() && fourth.is_ascii_digit();
    if !begins || before(text, at).is_ascii_alphanumeric() || matches!(before(text, at), b'_' | b'-') {
        return None;
    }
    let (mut symbols, mut count, mut end, mut place) = ([0_u8; 34], 0, at, at);
    loop {
        let symbol = byte(text, place);
        if symbol == b' ' && count % 4 == 0 && byte(text, place + 1).is_ascii_alphanumeric() {
            place += 1;
            continue;
        }
        if !(symbol.is_ascii_uppercase() || symbol.is_ascii_digit()) || count == 34 {
            break;
        }
        symbols[count] = symbol;
        count += 1;
        place += 1;
        end = place;
        // Words in capitals may follow: the country says how long it is.
        if Some(count) == length([first, second]) {
            break;
        }
    }
    if byte(text, end).is_ascii_alphanumeric() || length([first, second]).is_none_or(|length| length != count) {
        return None;
    }
    let digits = symbols.get(4..count)?.iter().chain(symbols.get(..4)?);
    let rest = digits.fold(0_u32, |rest, symbol| match symbol {
        b'0'..=b'9' => (rest * 10 + u32::from(symbol - b'0')) % 97,
        _ => (rest * 100 + u32::from(symbol - b'A' + 10)) % 97,
    });
    (rest == 1).then_some(end)
}

/// How many characters a country's have (SWIFT's registry).
fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FO" | b"GL" | b"NL" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"FR" | b"GR" | b"IT" | b"MC" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HU" | b"LB" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        _ => return None,
    })
}
