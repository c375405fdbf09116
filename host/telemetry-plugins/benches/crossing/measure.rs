//! Medians of interleaved samples.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(3);

/// Medians of the calls' times, samples interleaved. Time is CPU time of this thread: what else runs does not count.
pub fn medians<const N: usize>(mut calls: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut per_sample = [1u32; N];
    for (call, count) in calls.iter_mut().zip(&mut per_sample) {
        let start = cpu();
        while cpu() - start < SAMPLE {
            call();
            *count += 1;
        }
    }
    let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..SAMPLES {
        for (at, call) in calls.iter_mut().enumerate() {
            let start = cpu();
            (0..per_sample[at]).for_each(|_| call());
            samples[at].push((cpu() - start).as_nanos() as f64 / f64::from(per_sample[at]));
        }
    }
    samples.map(|mut list| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    })
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
