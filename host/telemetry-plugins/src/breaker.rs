//! When a plugin is left out for a while, and how fast it usually is.
//!
//! More than eight rows of a batch that fail alone count the batch against the plugin. Five such batches in a row, or more than a
//! quarter of its CPU time over ten seconds spent in calls that failed, open the breaker for thirty seconds (unless told otherwise).
//! Being busy never does: only time of failed calls counts, and less than [`FLOOR`] of it in ten seconds is no reason. A plugin that
//! comes back is on trial until a batch of it goes well: one bad batch, or [`TRIAL_FLOOR`], is enough then.

use std::time::{Duration, Instant};

const BAD_ROWS: usize = 8;
const BAD_BATCHES: u32 = 5;
const SLOTS: usize = 10;
/// One row that loops costs a few milliseconds; so little is no reason to leave the plugin out.
const FLOOR: Duration = Duration::from_millis(250);
/// The same while it is on trial: a lone row that loops costs less.
const TRIAL_FLOOR: Duration = Duration::from_millis(25);
const PACES: usize = 64;

/// The breaker of one plugin.
#[derive(Debug)]
pub(crate) struct Breaker {
    plugin_id: Box<str>,
    /// How long it stays open.
    open_for: Duration,
    start: Instant,
    bad_in_a_row: u32,
    open_until: Option<Instant>,
    /// It was open, and no batch has gone well since.
    on_trial: bool,
    opened: u64,
    /// CPU nanoseconds by second: the second, all, failed.
    seconds: [(u64, u64, u64); SLOTS],
    paces: [u32; PACES],
    calls: usize,
}

impl Breaker {
    pub(crate) fn new(plugin_id: &str, open_for: Duration, now: Instant) -> Self {
        Breaker {
            plugin_id: plugin_id.into(),
            open_for,
            start: now,
            bad_in_a_row: 0,
            open_until: None,
            on_trial: false,
            opened: 0,
            seconds: [(0, 0, 0); SLOTS],
            paces: [0; PACES],
            calls: 0,
        }
    }

    /// Whether calls are to be left out.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    /// How often it opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// One call ended after `cpu` nanoseconds over `bytes` of columns.
    pub(crate) fn call(&mut self, now: Instant, cpu: u64, bytes: usize, failed: bool) {
        self.close(now);
        let second = now.saturating_duration_since(self.start).as_secs();
        if let Some(slot) = self.seconds.get_mut(second as usize % SLOTS) {
            if slot.0 != second {
                *slot = (second, 0, 0);
            }
            slot.1 += cpu;
            slot.2 += if failed { cpu } else { 0 };
        }
        if failed {
            self.weigh(now, second);
        } else {
            if let Some(pace) = self.paces.get_mut(self.calls % PACES) {
                *pace = u32::try_from(cpu / bytes.max(1) as u64).unwrap_or(u32::MAX);
            }
            self.calls += 1;
        }
    }

    /// A batch of `rows` ended, of which so many failed alone. A few rows that all failed speak neither for nor against it.
    pub(crate) fn batch(&mut self, now: Instant, failed_rows: usize, rows: usize) {
        self.close(now);
        if failed_rows <= BAD_ROWS {
            if failed_rows < rows {
                self.bad_in_a_row = 0;
            }
            self.on_trial &= failed_rows > 0 || self.is_open(now);
            return;
        }
        self.bad_in_a_row += 1;
        if self.bad_in_a_row >= BAD_BATCHES || self.on_trial {
            self.open(now);
        }
    }

    /// The median of CPU nanoseconds a byte over the last good calls; 0 before there are any.
    pub(crate) fn pace(&self) -> u64 {
        let mut seen: Vec<u32> = self.paces.iter().take(self.calls.min(PACES)).copied().collect();
        seen.sort_unstable();
        seen.get(seen.len() / 2).copied().map_or(0, u64::from)
    }

    fn weigh(&mut self, now: Instant, second: u64) {
        let recent = self.seconds.iter().filter(|slot| slot.0 + SLOTS as u64 > second);
        let (all, failed) = recent.fold((0, 0), |(all, failed), slot| (all + slot.1, failed + slot.2));
        let floor = if self.on_trial { TRIAL_FLOOR } else { FLOOR };
        if failed * 4 > all && u128::from(failed) > floor.as_nanos() {
            self.open(now);
        }
    }

    /// Why stays out of the log: a plugin's own words may hold what it read.
    fn open(&mut self, now: Instant) {
        if !self.open_for.is_zero() && !self.is_open(now) {
            self.opened += 1;
            self.open_until = Some(now + self.open_for);
            self.on_trial = true;
            self.bad_in_a_row = 0;
            self.seconds = [(0, 0, 0); SLOTS];
            let (id, seconds) = (&*self.plugin_id, self.open_for.as_secs());
            tracing::warn!(
                plugin.id = id,
                breaker.opens = self.opened,
                breaker.seconds = seconds,
                "plugin left out: its calls kept failing"
            );
        }
    }

    /// Notes that it is tried again.
    fn close(&mut self, now: Instant) {
        if self.open_until.is_some_and(|until| now >= until) {
            self.open_until = None;
            tracing::info!(plugin.id = &*self.plugin_id, "plugin tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn breaker(now: Instant) -> Breaker {
        Breaker::new("fragile", Duration::from_secs(30), now)
    }

    #[test]
    fn five_bad_batches_in_a_row_open_it_for_thirty_seconds() {
        let start = Instant::now();
        let mut breaker = breaker(start);
        for _ in 0..4 {
            breaker.batch(start, 9, 1000);
            breaker.batch(start, 8, 8);
        }
        breaker.batch(start, 8, 9);
        for _ in 0..4 {
            breaker.batch(start, 1000, 1000);
        }
        assert!(!breaker.is_open(start));
        breaker.batch(start, 9, 1000);
        assert!(breaker.is_open(start + Duration::from_millis(29_999)));
        assert!(!breaker.is_open(start + Duration::from_secs(30)));
        assert_eq!(breaker.opened(), 1);
    }

    #[test]
    fn a_quarter_of_the_time_in_failed_calls_opens_it() {
        let start = Instant::now();
        let mut breaker = breaker(start);
        breaker.call(start, 900 * MS, 1, false);
        breaker.call(start, 290 * MS, 1, true);
        assert!(!breaker.is_open(start));
        breaker.call(start + Duration::from_secs(9), 20 * MS, 1, true);
        assert!(breaker.is_open(start + Duration::from_secs(9)));
    }

    #[test]
    fn being_busy_does_not_open_it_and_old_failures_are_forgotten() {
        let start = Instant::now();
        let mut breaker = breaker(start);
        breaker.call(start, 200 * MS, 1, true);
        for second in 0..40 {
            breaker.call(start + Duration::from_secs(second), 1000 * MS, 1, false);
        }
        breaker.call(start + Duration::from_secs(40), 200 * MS, 1, true);
        assert!(!breaker.is_open(start + Duration::from_secs(40)));
    }

    #[test]
    fn one_that_comes_back_is_left_out_again_by_its_first_bad_batch() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut breaker = breaker(start);
        (0..5).for_each(|_| breaker.batch(start, 9, 1000));
        assert!(breaker.is_open(after(29)) && !breaker.is_open(after(31)));
        breaker.batch(after(31), 9, 1000);
        assert!(breaker.is_open(after(60)) && !breaker.is_open(after(61)));
        // A lone bad row is none, and no end of the trial either; nor is what comes in late from before.
        breaker.batch(after(40), 0, 1000);
        breaker.call(after(62), 20 * MS, 1, true);
        breaker.batch(after(62), 1, 1000);
        assert!(!breaker.is_open(after(62)));
        breaker.call(after(63), 20 * MS, 1, true);
        assert!(breaker.is_open(after(92)) && !breaker.is_open(after(93)));
        breaker.batch(after(94), 0, 1000);
        breaker.batch(after(95), 1000, 1000);
        breaker.call(after(95), 200 * MS, 1, true);
        assert!(!breaker.is_open(after(95)), "it went well in between");
        assert_eq!(breaker.opened(), 3);
    }

    #[test]
    fn pace_is_the_median_a_byte() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        assert_eq!(breaker.pace(), 0);
        for cpu in [100, 300, 100_000] {
            breaker.call(now, cpu, 100, false);
        }
        assert_eq!(breaker.pace(), 3);
    }
}
