//! How long work takes a thread.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the median of at least 15 runs in at least 300 ms.
pub fn median(mut work: impl FnMut()) -> f64 {
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 15 || begin.elapsed() < Duration::from_millis(300) {
        let start = used();
        work();
        times.push(used() - start);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// CPU time of this thread, nanoseconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
