//! Time as UTC nanoseconds in 64 bits (1677-09-21 to 2262-04-11), and the clock as a parameter.

mod clock;

use std::fmt;

use jiff::{civil, tz::TimeZone};

/// UTC nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Why a text is not a usable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not ISO 8601.
    #[error("not a readable ISO 8601 time")]
    Unreadable,
    /// A real time that 64 bits of nanoseconds cannot hold.
    #[error("outside 1677-09-21 to 2262-04-11")]
    OutOfRange,
}

impl Timestamp {
    /// Reads ISO 8601 as Python's `datetime.fromisoformat` and RFC 3339 spell it: a date, or a date and a time with `T`, `t` or a
    /// space between, basic or extended, up to nine digits of a second, an offset or `Z`. An offset is converted, a time without
    /// one is taken as UTC, a leap second (23:59:60 UTC) as the second before it, `24:00:00` as the end of its day.
    ///
    /// # Errors
    /// [`TimeError::Unreadable`] or [`TimeError::OutOfRange`].
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        let cut;
        let text = match beyond_nanoseconds(text) {
            Some(digits) => {
                cut = [text.get(..digits.start).unwrap_or_default(), text.get(digits.end..).unwrap_or_default()].concat();
                cut.as_str()
            }
            None => text,
        };
        let Some(clock) = clock::split(text) else { return Self::read(text) };
        if clock.is_offset_beyond_a_day() {
            return Err(TimeError::Unreadable);
        }
        if let Some(midnight) = clock.end_of_day() {
            const DAY: i64 = 86_400_000_000_000;
            return Self::read(&midnight)?.0.checked_add(DAY).map(Timestamp).ok_or(TimeError::OutOfRange);
        }
        let time = Self::read(text)?;
        if clock.is_second_60() && !time.is_last_second_of_a_day() {
            return Err(TimeError::Unreadable);
        }
        Ok(time)
    }

    fn is_last_second_of_a_day(self) -> bool {
        self.0.div_euclid(1_000_000_000).rem_euclid(86_400) == 86_399
    }

    fn read(text: &str) -> Result<Self, TimeError> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Self::from_nanoseconds(time.as_nanosecond());
        }
        let compact;
        let text = match text.strip_suffix([' ', 'Z', 'z']) {
            Some(_) => {
                compact = text.trim_end_matches(['Z', 'z']).trim_end();
                compact
            }
            None => text,
        };
        let local = text
            .parse::<civil::DateTime>()
            .or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)))
            .or_else(|_| iso_week(text).ok_or(TimeError::Unreadable))
            .map_err(|_| TimeError::Unreadable)?;
        let time = local.to_zoned(TimeZone::UTC).map_err(|_| TimeError::OutOfRange)?;
        Self::from_nanoseconds(time.timestamp().as_nanosecond())
    }

    fn from_nanoseconds(nanoseconds: i128) -> Result<Self, TimeError> {
        i64::try_from(nanoseconds).map(Timestamp).map_err(|_| TimeError::OutOfRange)
    }

    /// `self` plus `nanoseconds`, held at the ends of the range.
    pub fn saturating_add(self, nanoseconds: i64) -> Self {
        Timestamp(self.0.saturating_add(nanoseconds))
    }
}

/// Where the digits of a second behind the ninth stand: they are cut, as 64 bits hold no more.
fn beyond_nanoseconds(text: &str) -> Option<std::ops::Range<usize>> {
    let digits = text.find(['.', ','])? + 1;
    let count = text.get(digits..)?.bytes().take_while(u8::is_ascii_digit).count();
    (count > 9).then_some(digits + 9..digits + count)
}

/// `2026-W48-1`.
fn iso_week(text: &str) -> Option<civil::DateTime> {
    let (year, rest) = text.split_once("-W")?;
    let (week, day) = rest.split_once('-')?;
    let weekday = civil::Weekday::from_monday_one_offset(day.parse().ok()?).ok()?;
    let date = civil::ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, weekday).ok()?;
    Some(date.date().at(0, 0, 0, 0))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with `Z`, with as many digits of a second as are in use in groups of three, at least six: `2026-11-23T08:00:30.842371Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        let precision = if self.0 % 1000 == 0 { 6 } else { 9 };
        write!(f, "{time:.precision$}")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the time of day comes from; tests give their own.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_senders_write() {
        let at = Timestamp::parse("2026-11-23T08:00:31.183396Z").unwrap();
        assert_eq!(at, Timestamp(1_795_420_831_183_396_000));
        assert_eq!(at.to_string(), "2026-11-23T08:00:31.183396Z");
        for (text, same) in [
            ("2026-11-23T13:00:31.183396+05:00", "2026-11-23T08:00:31.183396Z"),
            ("2026-11-23T08:00:31", "2026-11-23T08:00:31.000000Z"),
            ("2026-11-23 08:00:31.5", "2026-11-23T08:00:31.500000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
            ("20261123T080000Z", "2026-11-23T08:00:00.000000Z"),
            ("2026-W48-1", "2026-11-23T00:00:00.000000Z"),
            ("2026-11-23T08:00:00 Z", "2026-11-23T08:00:00.000000Z"),
            ("2026-11-23t08:00:00z", "2026-11-23T08:00:00.000000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
            ("2016-12-31T23:59:60.25Z", "2016-12-31T23:59:59.250000Z"),
            ("2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59.000000Z"),
            ("20161231T235960", "2016-12-31T23:59:59.000000Z"),
            ("2026-11-22T24:00:00Z", "2026-11-23T00:00:00.000000Z"),
            ("2026-12-31 24:00", "2027-01-01T00:00:00.000000Z"),
            ("20261122T240000.000+01:00", "2026-11-22T23:00:00.000000Z"),
            ("2026-11-23T23:59:59+23:59", "2026-11-23T00:00:59.000000Z"),
            ("2026-11-23T08:00:00-2359", "2026-11-24T07:59:00.000000Z"),
            ("2026-11-23T08:00:31.123456789Z", "2026-11-23T08:00:31.123456789Z"),
            ("2026-11-23T08:00:31.1234567891234+01:00", "2026-11-23T07:00:31.123456789Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), Ok(same), "{text}");
        }
        assert_eq!(Timestamp::parse("0001-01-01T00:00:00Z"), Err(TimeError::OutOfRange));
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59Z"), Err(TimeError::OutOfRange));
        for text in [
            "",
            "yesterday",
            "1795420831",
            "2026-13-01",
            "2026-11-23T25:00:00Z",
            "2026-11-23T08:00:60Z",
            "2026-11-23T23:59:60+01:00",
            "2026-11-23T23:58:60Z",
            "2026-11-23T23:59:61Z",
            "20261123T080060",
            "2026-11-23T24:00:01Z",
            "2026-11-23T24:01:00Z",
            "2026-11-23T24:00:00.001Z",
            "2026-11-23T24:00:60Z",
            "2026-11-23T08:00:00+24:00",
            "2026-11-23T08:00:00+25:00",
            "2026-11-23T08:00:00-2500",
            "2026-11-23T08:00:00+05:60",
        ] {
            assert_eq!(Timestamp::parse(text), Err(TimeError::Unreadable), "{text}");
        }
    }
}
