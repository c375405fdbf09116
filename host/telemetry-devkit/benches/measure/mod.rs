//! How long work takes a thread.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the median of at least 15 runs in at least 300 ms.
pub fn median(mut work: impl FnMut()) -> f64 {
    let [time, _] = medians(|| (), |()| work(), |()| ());
    time
}

/// The same of two, in turn, each on what `make` gives it.
pub fn medians<T>(mut make: impl FnMut() -> T, mut first: impl FnMut(T), mut second: impl FnMut(T)) -> [f64; 2] {
    let (begin, mut times) = (Instant::now(), [Vec::new(), Vec::new()]);
    while times[0].len() < 15 || begin.elapsed() < Duration::from_millis(300) {
        let [one, two] = [make(), make()];
        let start = used();
        first(one);
        let between = used();
        second(two);
        times[1].push(used() - between);
        times[0].push(between - start);
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// CPU time of this thread, nanoseconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
