//! Medians of interleaved samples.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(3);

/// Medians of the calls' times, samples interleaved. Time is CPU time of this thread: what else runs does not count.
pub fn medians<const N: usize>(calls: [&mut dyn FnMut(); N]) -> [f64; N] {
    let list = medians_of(&mut calls.map(|call| Box::new(call) as Box<dyn FnMut() + '_>));
    std::array::from_fn(|at| list[at])
}

/// The same of any number of calls.
pub fn medians_of(calls: &mut [Box<dyn FnMut() + '_>]) -> Vec<f64> {
    let per_sample: Vec<u32> = calls.iter_mut().map(|call| calls_a_sample(call)).collect();
    let mut samples = vec![Vec::with_capacity(SAMPLES); calls.len()];
    for _ in 0..SAMPLES {
        for ((call, count), list) in calls.iter_mut().zip(&per_sample).zip(&mut samples) {
            let start = cpu();
            (0..*count).for_each(|_| call());
            list.push((cpu() - start).as_nanos() as f64 / f64::from(*count));
        }
    }
    let median = |mut list: Vec<f64>| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    };
    samples.into_iter().map(median).collect()
}

fn calls_a_sample(call: &mut dyn FnMut()) -> u32 {
    let (start, mut count) = (cpu(), 1);
    while cpu() - start < SAMPLE {
        call();
        count += 1;
    }
    count
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
