//! The time of day within the text of a time: what a calendar alone cannot judge.

/// The text of a time in three parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock<'a> {
    /// The date and what stands before the hour.
    date: &'a str,
    /// Digits and colons: `08:00:31` or `080031`.
    digits: &'a str,
    /// Fraction, offset, zone.
    rest: &'a str,
}

/// The parts of `text`; `None` when it has no time of day.
pub(super) fn split(text: &str) -> Option<Clock<'_>> {
    let at = text.find(['T', 't', ' '])? + 1;
    let (date, time) = text.split_at_checked(at)?;
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(time.len());
    let (digits, rest) = time.split_at_checked(end)?;
    digits.starts_with(|c: char| c.is_ascii_digit()).then_some(Clock { date, digits, rest })
}

impl Clock<'_> {
    /// An offset has fewer than 24 hours.
    pub(super) fn is_offset_beyond_a_day(self) -> bool {
        let Some(at) = self.rest.find(['+', '-']) else { return false };
        let hours = self.rest.get(at + 1..at + 3).and_then(|hours| hours.parse::<u8>().ok());
        hours.is_some_and(|hours| hours > 23)
    }

    /// `24:00:00`, as the text of the midnight that its day begins with.
    pub(super) fn end_of_day(self) -> Option<String> {
        let minutes = self.digits.strip_prefix("24")?;
        let fraction = self.rest.split(|c: char| !matches!(c, '.' | ',') && !c.is_ascii_digit()).next().unwrap_or_default();
        let is_zero = |text: &str| text.chars().all(|c| matches!(c, '0' | ':' | '.' | ','));
        (is_zero(minutes) && is_zero(fraction)).then(|| [self.date, "00", minutes, self.rest].concat())
    }

    /// Whether the second is the 61st of its minute.
    pub(super) fn is_second_60(self) -> bool {
        self.digits.bytes().filter(u8::is_ascii_digit).skip(4).eq(*b"60")
    }
}
