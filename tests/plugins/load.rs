//! A machine with far more to do than it can: deadlines count what a plugin uses, not what it waits for.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::guest::Guest;
use super::{event, server};

/// Busy threads for each core.
const LOAD: usize = 8;

/// How long the machine is kept busy: 5 s, or what the environment says.
#[allow(clippy::disallowed_methods, reason = "the longer run is asked for by hand")]
fn duration() -> Duration {
    let seconds = std::env::var("PLUGIN_LOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

#[test]
fn a_machine_loaded_eight_times_over_fails_no_healthy_plugin() {
    let works =
        "(local $i i32) (loop $more (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000))))
        (local.get $n)";
    let server = server(&[&Guest::enricher("works", works), &Guest::metric("sums", "(local.get $n)")]);
    let stop = AtomicBool::new(false);
    let mut sent = 0;
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..LOAD * cores {
            scope.spawn(|| {
                let mut state = 1_u64;
                while !stop.load(Relaxed) {
                    (0..10_000).for_each(|_| state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
                }
            });
        }
        let end = Instant::now() + duration();
        // Whatever happens, the threads end.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while Instant::now() < end {
                let events: Vec<Value> = (0..500).map(event).collect();
                server.accept_batch(&events);
                server.accept(&event(7));
                sent += 501;
                assert_eq!(server.get("/v1/reports/sums").status, 200);
            }
        }));
        stop.store(true, Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_eq!(server.count("select count(*) from events"), sent);
    for plugin in server.get("/v1/plugins").json["items"].as_array().expect("a list") {
        if plugin["state"] == "switched-off" {
            continue;
        }
        assert_eq!(plugin["state"], "serving", "{plugin}");
        for counter in
            ["traps", "deadlines", "memory_refusals", "declined", "host_failures", "poison_rows", "skipped_rows", "breaker_opens"]
        {
            assert_eq!(plugin["counters"][counter], json!(0), "{counter}: {plugin}");
        }
    }
    assert_eq!(server.count("select count(*) from attributes where key = 'works.mark'"), sent);
    println!("{sent} events in {:?} beside {LOAD} busy threads a core", duration());
}
