//! Where prices change. Between two such turns of time and two of size every question about a model has one answer.

use std::fmt;

use telemetry_model::Timestamp;

use super::bundled::{DATES, SIZES, TIMES};
use super::overrides::PriceOverrides;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Those of all models together, each list in rising order.
#[derive(Debug)]
pub(super) struct Turns {
    /// UTC nanoseconds.
    times: Vec<i64>,
    /// Nanoseconds from midnight, UTC.
    times_of_day: Vec<i64>,
    /// The least input tokens behind each turn.
    tokens: Vec<u64>,
}

/// From one turn to the next.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Which of each list is the next.
    pub(super) places: [usize; 3],
    valid_from: Option<i64>,
    valid_until: Option<i64>,
    pub(super) tokens_from: u64,
    tokens_until: Option<u64>,
}

impl Turns {
    /// Those of the bundled prices and of the operator's.
    pub(super) fn new(overrides: &PriceOverrides) -> Self {
        let time = |text: String| Timestamp::parse(&text).ok().map(|time| time.0);
        let dates = DATES.iter().filter_map(|date| time(format!("{date}T00:00:00Z")));
        let of_day = TIMES.iter().filter_map(|text| time(format!("1970-01-01T{text}")));
        Turns {
            times: sorted(dates.chain(overrides.times())),
            times_of_day: sorted(of_day),
            tokens: sorted(SIZES.into_iter().chain(overrides.sizes()).map(|size| size.saturating_add(1))),
        }
    }

    /// The stretch that `time`, UTC nanoseconds, and `tokens` lie in.
    pub(super) fn around(&self, time: i64, tokens: u64) -> Stretch {
        let of_day = time.rem_euclid(DAY);
        let midnight = time.checked_sub(of_day);
        let (date, [from, until]) = between(&self.times, time);
        let (hour, ends) = between(&self.times_of_day, of_day);
        // Before the first turn of a day and behind its last one stands midnight, which is as good as any.
        let day = |end: Option<i64>, else_at: i64| midnight.and_then(|midnight| midnight.checked_add(end.unwrap_or(else_at)));
        let (size, [tokens_from, tokens_until]) = between(&self.tokens, tokens);
        Stretch {
            places: [date, hour, size],
            valid_from: from.max(day(ends[0], 0)),
            valid_until: until.into_iter().chain(day(ends[1], DAY)).min(),
            tokens_from: tokens_from.unwrap_or(0),
            tokens_until,
        }
    }
}

fn sorted<T: Ord>(turns: impl Iterator<Item = T>) -> Vec<T> {
    let mut turns: Vec<T> = turns.collect();
    turns.sort_unstable();
    turns.dedup();
    turns
}

/// How many turns are at or before `at`, the last of them and the next.
fn between<T: Ord + Copy>(turns: &[T], at: T) -> (usize, [Option<T>; 2]) {
    let next = turns.partition_point(|turn| *turn <= at);
    (next, [next.checked_sub(1).and_then(|last| turns.get(last)).copied(), turns.get(next).copied()])
}

impl fmt::Display for Stretch {
    /// As further members of a JSON object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(time) = self.valid_from {
            write!(f, ",\"valid_from\":{time}")?;
        }
        if let Some(time) = self.valid_until {
            write!(f, ",\"valid_until\":{time}")?;
        }
        write!(f, ",\"tokens_from\":{}", self.tokens_from)?;
        self.tokens_until.map_or(Ok(()), |tokens| write!(f, ",\"tokens_until\":{tokens}"))
    }
}
