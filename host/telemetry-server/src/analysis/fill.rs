//! Empty buckets: groups that no row belongs to, so that the component evaluates its own empty state for them.

use telemetry_model::Timestamp;
use telemetry_model::query::{GroupKey, GroupValue, Interval, Window};

/// More groups than a report may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{groups} groups are more than {limit}: choose a longer interval, a shorter window or fewer groups")]
pub struct TooManyGroups {
    /// Found, at least.
    pub groups: usize,
    /// Allowed.
    pub limit: usize,
}

/// What a fill works with.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// As asked.
    pub window: Window,
    /// As asked.
    pub interval: Option<Interval>,
    /// Whether rows are grouped by anything but time.
    pub grouped: bool,
    /// The end of an open window.
    pub now: Timestamp,
    /// More groups than this are an error.
    pub limit: usize,
}

impl Fill {
    /// How many buckets the window has when both its ends are known; 0 when it has no interval or an open end.
    pub fn planned_buckets(&self) -> usize {
        match (self.interval, self.window.from, self.window.to) {
            (Some(interval), Some(from), Some(to)) => buckets(interval, from, to).map_or(0, |(_, count)| count),
            _ => 0,
        }
    }

    /// Appends to `seen` each missing (bucket, values) of the window for every combination of values seen; without `group_by` the
    /// one combination there is counts as seen. The ids of the groups in `seen` stay what they are.
    ///
    /// # Errors
    /// When that makes more groups than allowed.
    pub fn complete(&self, seen: &mut Vec<GroupKey>) -> Result<(), TooManyGroups> {
        let Some(interval) = self.interval else {
            if !self.grouped && seen.is_empty() {
                seen.push(GroupKey { bucket: None, values: Vec::new() });
            }
            return Ok(());
        };
        let mut combinations: Vec<Vec<Option<GroupValue>>> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for key in seen.iter() {
            if known.insert(&key.values) {
                combinations.push(key.values.clone());
            }
        }
        if combinations.is_empty() && !self.grouped {
            combinations.push(Vec::new());
        }
        let Some((first, count)) = self.span(interval, seen) else { return Ok(()) };
        let groups = count.saturating_mul(combinations.len());
        if groups > self.limit {
            return Err(TooManyGroups { groups, limit: self.limit });
        }
        let present: std::collections::HashSet<GroupKey> = seen.iter().cloned().collect();
        let starts = (0..count as i64).map(|index| first.saturating_add(index.saturating_mul(interval.nanoseconds)));
        for bucket in starts {
            for values in &combinations {
                let key = GroupKey { bucket: Some(bucket), values: values.clone() };
                if !present.contains(&key) {
                    seen.push(key);
                }
            }
        }
        Ok(())
    }

    /// The first bucket and how many there are; an open end is closed by what was seen, and by now.
    fn span(&self, interval: Interval, seen: &[GroupKey]) -> Option<(Timestamp, usize)> {
        let first_seen = seen.iter().filter_map(|key| key.bucket).min();
        let last_seen = seen.iter().filter_map(|key| key.bucket).max();
        let from = self.window.from.or(first_seen)?;
        let to = match (self.window.to, last_seen) {
            (Some(to), _) => to,
            (None, Some(last)) => self.now.max(last.saturating_add(1)),
            (None, None) => self.now,
        };
        buckets(interval, from, to)
    }
}

/// The first bucket of [from, to) and how many it has; `None` for an empty window.
fn buckets(interval: Interval, from: Timestamp, to: Timestamp) -> Option<(Timestamp, usize)> {
    if to <= from {
        return None;
    }
    let first = interval.bucket(from);
    let length = i128::from(to.0) - i128::from(first.0);
    let width = i128::from(interval.nanoseconds);
    let count = (length + width - 1) / width;
    Some((first, usize::try_from(count).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::window::{DAY, interval_of};

    const T0: i64 = 20_000 * DAY;

    fn key(day: i64, values: &[&str]) -> GroupKey {
        GroupKey { bucket: Some(Timestamp(T0 + day * DAY)), values: values.iter().map(|value| Some((*value).into())).collect() }
    }

    fn fill(from: Option<i64>, to: Option<i64>, grouped: bool, limit: usize) -> Fill {
        let at = |day: i64| Timestamp(T0 + day * DAY + 5);
        let window = Window { from: from.map(at), to: to.map(at) };
        Fill { window, interval: Some(interval_of(DAY)), grouped, now: at(3), limit }
    }

    #[test]
    fn every_group_seen_gets_every_bucket() {
        let mut seen = vec![key(1, &["b"]), key(0, &["a"])];
        fill(Some(0), Some(1), true, 4).complete(&mut seen).unwrap();
        assert_eq!(seen, [key(1, &["b"]), key(0, &["a"]), key(0, &["b"]), key(1, &["a"])]);
        assert!(fill(Some(0), Some(1), true, 3).complete(&mut seen).is_err());
    }

    #[test]
    fn a_window_without_rows_has_its_buckets() {
        let mut seen = Vec::new();
        fill(Some(0), Some(2), false, 10).complete(&mut seen).unwrap();
        assert_eq!(seen, [key(0, &[]), key(1, &[]), key(2, &[])]);
        seen.clear();
        fill(Some(0), Some(2), true, 10).complete(&mut seen).unwrap();
        assert!(seen.is_empty());
    }

    #[test]
    fn open_ends_are_closed_by_rows_and_now() {
        let mut seen = vec![key(1, &[])];
        fill(None, None, false, 10).complete(&mut seen).unwrap();
        assert_eq!(seen, [key(1, &[]), key(2, &[]), key(3, &[])]);
        let mut seen = vec![key(5, &[])];
        fill(None, None, false, 10).complete(&mut seen).unwrap();
        assert_eq!(seen, [key(5, &[])]);
    }

    #[test]
    fn without_interval_or_groups_there_is_one_group() {
        let mut seen = Vec::new();
        Fill { interval: None, ..fill(None, None, false, 10) }.complete(&mut seen).unwrap();
        assert_eq!(seen, [GroupKey { bucket: None, values: Vec::new() }]);
    }

    #[test]
    fn endless_windows_are_refused_not_built() {
        let all = Fill {
            window: Window { from: Some(Timestamp(i64::MIN)), to: Some(Timestamp(i64::MAX)) },
            interval: Some(interval_of(60_000_000_000)),
            ..fill(None, None, false, 10_000)
        };
        assert!(all.planned_buckets() > 10_000);
        assert!(all.complete(&mut Vec::new()).is_err());
    }
}
