//! Who sends what a masker fails on.
//!
//! A masker that is left out withholds everybody's content, so one client must not be able to bring that about: failures count against
//! the masker only when they come from three sources, or when it fails on texts of ours as well. A single source that keeps sending such
//! events is left out alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sources that must agree.
const AGREE: usize = 3;
/// Failures are remembered so long.
const WINDOW: Duration = Duration::from_secs(10);
/// A source with so many failed rows within the window is left out for so long.
const MANY: u32 = 16;
const OUT: Duration = Duration::from_secs(30);
/// Sources remembered at most.
const REMEMBERED: usize = 1024;
/// The masker is tried on texts of ours at most so often.
const PROBES: Duration = Duration::from_secs(1);

/// The failures of one masker by source.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_source: HashMap<u64, Failures>,
    probed: Option<(Instant, bool)>,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
    out_until: Option<Instant>,
}

impl Sources {
    /// Whether rows of `source` are left out.
    pub(crate) fn is_out(&self, source: u64, now: Instant) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_source.get(&source).and_then(|failures| failures.out_until).is_some_and(|until| now < until)
    }

    /// A row of `source` failed alone.
    pub(crate) fn failed(&self, source: u64, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_source.len() >= REMEMBERED {
            known.by_source.retain(|_, failures| failures.is_fresh(now));
        }
        if known.by_source.len() >= REMEMBERED && !known.by_source.contains_key(&source) {
            return;
        }
        let failures = known.by_source.entry(source).or_insert(Failures { since: now, count: 0, out_until: None });
        if !failures.is_fresh(now) {
            *failures = Failures { since: now, count: 0, out_until: None };
        }
        failures.count += 1;
        if failures.count >= MANY {
            *failures = Failures { since: now, count: 0, out_until: Some(now + OUT) };
        }
    }

    /// Whether what failed counts against the masker: three sources agree, or `probe` (whether it does well on texts of ours) says no.
    pub(crate) fn agree(&self, now: Instant, probe: impl FnOnce() -> bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_source.values().filter(|failures| failures.is_fresh(now)).count() >= AGREE {
            return true;
        }
        match known.probed {
            Some((at, well)) if now.saturating_duration_since(at) < PROBES => !well,
            _ => {
                let well = probe();
                known.probed = Some((now, well));
                !well
            }
        }
    }
}

impl Failures {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < WINDOW || self.out_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_left_out_alone_and_three_agree() {
        let (sources, now) = (Sources::default(), Instant::now());
        (0..15).for_each(|_| sources.failed(1, now));
        assert!(!sources.is_out(1, now));
        sources.failed(1, now);
        assert!(sources.is_out(1, now) && !sources.is_out(2, now));
        assert!(!sources.is_out(1, now + Duration::from_secs(30)));
        sources.failed(2, now);
        assert!(!sources.agree(now, || true));
        sources.failed(3, now);
        assert!(sources.agree(now, || true));
        assert!(!sources.agree(now + Duration::from_secs(40), || true));
        assert!(sources.agree(now + Duration::from_secs(50), || false));
    }
}
