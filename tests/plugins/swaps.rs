//! A plugin that is replaced again and again while events and reports come in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use super::guest::Guest;
use super::live::until;
use super::{event, outcomes, server, status};

/// 12 swaps, or what the environment says.
#[allow(clippy::disallowed_methods, reason = "the longer run is asked for by hand")]
fn swaps() -> usize {
    std::env::var("PLUGIN_SWAPS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// The guest `marks` in a version of its own, with code of its own.
fn version(number: usize) -> Guest {
    let guest = Guest::enricher("marks", &format!("(i64.const {number})"));
    let manifest = guest.manifest.replace("0.1.0", &format!("1.{number}.0"));
    guest.under(manifest)
}

#[test]
fn swaps_under_load_fail_no_request_and_leave_no_event_without_an_outcome() {
    let server = server(&[&version(0), &Guest::metric("sums", "(local.get $n)")]);
    let (stop, sent, asked) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let events: Vec<Value> = (0..50).map(event).collect();
                    server.accept_batch(&events);
                    server.accept(&event(7));
                    sent.fetch_add(51, Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let answer = server.get("/v1/reports/sums");
                assert_eq!(answer.status, 200, "{}", answer.text);
                asked.fetch_add(1, Relaxed);
            }
        });
        // Whatever happens, the threads end.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for number in 1..=swaps() {
                version(number).drop_into(server.folder());
                let expected = json!(format!("1.{number}.0"));
                until("the next version", || status(&server, "marks")["version"] == expected);
                // Each version sees events.
                let before = sent.load(Relaxed);
                until("more events", || sent.load(Relaxed) > before + 51);
            }
        }));
        stop.store(true, Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let sent = i64::try_from(sent.into_inner()).expect("few");
    assert_eq!(server.count("select count(*) from events"), sent);
    assert_eq!(outcomes(&server, "marks"), [("ok".to_owned(), sent)]);
    assert_eq!(server.count("select count(*) from attributes where key = 'marks.mark'"), sent);
    let versions = server.count("select count(distinct version) from plugin_versions where plugin_id = 'marks'");
    assert_eq!(versions, swaps() as i64 + 1);
    println!("{} swaps, {sent} events, {} reports", swaps(), asked.into_inner());
}

#[test]
fn fifty_plugins_load_from_a_warm_cache() {
    let guests: Vec<Guest> = (0..50).map(|number| Guest::enricher(&format!("guest-{number}"), "(local.get $n)")).collect();
    let mut server = server(&guests.iter().collect::<Vec<_>>());
    let began = std::time::Instant::now();
    server.restart();
    println!("restart with 50 guests: {:?}", began.elapsed());
    let plugins = server.get("/v1/plugins").json;
    let serving = plugins["items"].as_array().expect("a list").iter().filter(|plugin| plugin["state"] == "serving");
    assert!(serving.count() >= 60, "{plugins}");
    server.accept(&event(1));
    assert_eq!(server.count("select count(*) from attributes where key like 'guest-%.mark'"), 50);
}
