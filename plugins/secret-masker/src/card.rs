//! Payment card numbers.

/// The end of the card number that begins at `start` with a digit: digits in groups of four or more, parted by single spaces or hyphens, of
/// a length and beginning that an issuer uses, with the right check digit (Luhn).
pub fn card(text: &[u8], start: usize) -> Option<usize> {
    let (mut digits, mut count) = ([0_u8; 20], 0);
    let (mut at, mut group) = (start, 0);
    loop {
        match text.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                group += 1;
                at += 1;
            }
            Some(b' ' | b'-') if group >= 4 && text.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                group = 0;
                at += 1;
            }
            _ => break,
        }
    }
    let digits = digits.get(..count)?;
    let follows = text.get(at).copied().unwrap_or(b' ');
    let part_of_more =
        follows.is_ascii_alphanumeric() || follows == b'_' || (follows == b'.' && text.get(at + 1).is_some_and(u8::is_ascii_digit));
    (!part_of_more && is_issued(digits) && luhn(digits)).then_some(at)
}

/// Beginnings and lengths: Visa, Mastercard, American Express, Discover, Diners Club, JCB.
fn is_issued(digits: &[u8]) -> bool {
    let first = |count: usize| digits.iter().take(count).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    let (two, three, four) = (first(2), first(3), first(4));
    match digits.len() {
        13 | 19 => first(1) == 4,
        14 => (300..=305).contains(&three) || two == 36 || two == 38,
        15 => two == 34 || two == 37,
        16 => {
            first(1) == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || two == 65
                || (644..=649).contains(&three)
                || (3528..=3589).contains(&four)
        }
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    let varied = digits.iter().any(|digit| digits.first() != Some(digit));
    varied && sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_cards_and_leaves_other_numbers() {
        for (text, is_card) in [
            ("4111111111111111", true),
            ("4111 1111 1111 1111", true),
            ("4111-1111-1111-1111.", true),
            ("5555555555554444", true),
            ("378282246310005", true),
            ("3782 822463 10005", true),
            ("6011111111111117", true),
            ("4111111111111112", false),
            ("4111111111111111a", false),
            ("4111111111111111.5", false),
            ("41111111111111111111111", false),
            ("4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1", false),
            ("1795420831183396", false),
            ("4444444444444444", false),
            ("2026-11-23", false),
        ] {
            assert_eq!(card(text.as_bytes(), 0).is_some(), is_card, "{text}");
        }
    }
}
