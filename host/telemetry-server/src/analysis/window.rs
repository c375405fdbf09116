//! The one window rule: [from, to); `from_time` and `to_time`, each usable alone, win over `time_range`.

use telemetry_model::Timestamp;
use telemetry_model::query::{Interval, Window};

use super::params::{Params, excerpt};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
/// A day in nanoseconds.
pub const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// 1970-01-05, a Monday.
const MONDAY: Timestamp = Timestamp(4 * DAY);

/// What a request without any of the three parameters covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultWindow {
    /// All that is stored.
    Everything,
    /// So many nanoseconds before now.
    Last(i64),
}

/// Reads `from_time`, `to_time` and `time_range`. Problems are noted in `params`.
pub fn read_window(params: &mut Params<'_>, now: Timestamp, default: DefaultWindow) -> Window {
    let from = params.time("from_time");
    let to = params.time("to_time");
    let range = params.one("time_range").and_then(|text| {
        let length = parse_length(text);
        if length.is_none() {
            params.problem("time_range", format!("`{}` is not a number followed by m, h or d, as in 30d", excerpt(text)));
        }
        length
    });
    if from.is_some() || to.is_some() {
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            params.problem("from_time", format!("{from} is after to_time {to}"));
        }
        return Window { from, to };
    }
    match (range, default) {
        (Some(length), _) | (None, DefaultWindow::Last(length)) => {
            Window { from: Some(now.saturating_add(length.saturating_neg())), to: Some(now) }
        }
        (None, DefaultWindow::Everything) => Window::default(),
    }
}

/// Reads `interval`, or `default`. Buckets of whole weeks begin on a Monday, all others are counted from 1970-01-01T00:00:00Z.
pub fn read_interval(params: &mut Params<'_>, default: Option<&str>) -> Option<(String, Interval)> {
    let text = params.one("interval").or(default)?;
    let Some(nanoseconds) = parse_length(text) else {
        params.problem("interval", format!("`{}` is not a number followed by m, h or d, as in 1h", excerpt(text)));
        return None;
    };
    Some((text.to_owned(), interval_of(nanoseconds)))
}

/// Buckets of `nanoseconds`, more than 0.
pub fn interval_of(nanoseconds: i64) -> Interval {
    let origin = if nanoseconds % WEEK == 0 { MONDAY } else { Timestamp(0) };
    Interval { nanoseconds, origin }
}

/// Nanoseconds of `90m`, `1h` or `30d`; `None` when it is not such a length, zero, or longer than time itself.
fn parse_length(text: &str) -> Option<i64> {
    let unit = match text.as_bytes().last()? {
        b'm' => MINUTE,
        b'h' => HOUR,
        b'd' => DAY,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit).filter(|length| *length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn read(pairs: &[(&str, &str)], default: DefaultWindow) -> (Window, usize) {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut params = Params::new(&pairs);
        let window = read_window(&mut params, at("2026-11-24T12:00:00Z"), default);
        (window, params.finish().err().map_or(0, |error| error.0.len()))
    }

    #[test]
    fn times_win_over_the_range_and_each_is_usable_alone() {
        let from = Some(at("2026-11-01"));
        let to = Some(at("2026-11-02"));
        let now = Some(at("2026-11-24T12:00:00Z"));
        let day_ago = Some(at("2026-11-23T12:00:00Z"));
        let all = DefaultWindow::Everything;
        for (pairs, default, window) in [
            (&[("from_time", "2026-11-01"), ("time_range", "1d")][..], all, Window { from, to: None }),
            (&[("to_time", "2026-11-02"), ("from_time", "")], all, Window { from: None, to }),
            (&[("from_time", "2026-11-01"), ("to_time", "2026-11-02")], all, Window { from, to }),
            (&[("time_range", "24h")], all, Window { from: day_ago, to: now }),
            (&[("time_range", "")], DefaultWindow::Last(DAY), Window { from: day_ago, to: now }),
            (&[], all, Window::default()),
        ] {
            assert_eq!(read(pairs, default), (window, 0), "{pairs:?}");
        }
    }

    #[test]
    fn refuses_windows_that_end_before_they_begin() {
        let (_, problems) = read(&[("from_time", "2026-11-02"), ("to_time", "2026-11-01")], DefaultWindow::Everything);
        assert_eq!(problems, 1);
        let (_, problems) = read(&[("from_time", "2026-11-02"), ("to_time", "2026-11-02")], DefaultWindow::Everything);
        assert_eq!(problems, 0);
    }

    #[test]
    fn refuses_lengths_that_are_none() {
        for text in ["0d", "d", "1y", "-1d", "+1d", "1.5h", "99999999999999d", "1 d", "week"] {
            assert_eq!(read(&[("time_range", text)], DefaultWindow::Everything).1, 1, "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        let week = interval_of(WEEK);
        assert_eq!(week.bucket(at("2026-11-24T12:00:00Z")), at("2026-11-23"));
        assert_eq!(week.bucket(at("2026-11-22T23:59:59Z")), at("2026-11-16"));
        assert_eq!(interval_of(DAY).bucket(at("2026-11-24T12:00:00Z")), at("2026-11-24"));
        assert_eq!(interval_of(DAY).bucket(at("1969-12-31T12:00:00Z")), at("1969-12-31"));
    }
}
