//! One bad row among many: only that row pays. A plugin that keeps failing is left out for a while.

use serde_json::json;

use super::guest::Guest;
use super::live::until;
use super::{degraded, event, outcomes, server, status};
use crate::harness::Server;

/// Loops at 13, else doubles.
const LOOPS_AT_13: &str = "(loop $ever (br_if $ever (i64.eq (local.get $n) (i64.const 13)))) (i64.mul (local.get $n) (i64.const 2))";

/// Posts 1,000 events as 20 clients of 50, in batches and alone.
fn post_a_thousand(server: &Server, poison: usize) {
    std::thread::scope(|scope| {
        for client in 0..20 {
            scope.spawn(move || {
                let numbers = (client * 50..(client + 1) * 50).map(|at| if at == poison { 13 } else { 1000 + at as i64 });
                let events: Vec<_> = numbers.map(event).collect();
                if client % 2 == 0 {
                    server.accept_batch(&events);
                } else {
                    for event in &events {
                        server.accept(event);
                    }
                }
            });
        }
    });
}

#[test]
fn one_looping_row_among_a_thousand_of_many_clients_pays_alone() {
    for poison in [20, 70] {
        let server = server(&[&Guest::enricher("doubles", LOOPS_AT_13)]);
        post_a_thousand(&server, poison);
        assert_eq!(server.count("select count(*) from events"), 1000);
        assert_eq!(outcomes(&server, "doubles"), [("deadline".to_owned(), 1), ("ok".to_owned(), 999)]);
        let doubled = "select count(*) from attributes d join attributes n on n.event_id = d.event_id and n.key = 'llm.usage.n'
            where d.key = 'doubles.mark' and d.value = 2 * n.value";
        assert_eq!(server.count(doubled), 999);
        assert_eq!(server.count("select count(*) from attributes where key = 'event.category'"), 1000);
        let plugin = status(&server, "doubles");
        assert_eq!((&plugin["state"], &plugin["counters"]["poison_rows"]), (&json!("serving"), &json!(1)));
    }
}

#[test]
fn one_looping_row_of_a_validator_is_flagged_alone() {
    let server = server(&[&Guest::validator("checks", "(loop $ever (br_if $ever (i64.eq (local.get $n) (i64.const 13)))) (i32.const 0)")]);
    post_a_thousand(&server, 20);
    assert_eq!(outcomes(&server, "checks"), [("deadline".to_owned(), 1), ("ok".to_owned(), 999)]);
    assert_eq!(server.count("select count(*) from events where instr(flags, '\"unvalidated:checks\"')"), 1);
    assert_eq!(server.count("select count(*) from quarantine"), 0);
}

/// Batches of which nine rows trap.
fn nine_bad_rows(server: &Server, batches: usize) {
    for _ in 0..batches {
        let events: Vec<_> = (0..9).map(|_| event(13)).chain([event(1000)]).collect();
        server.accept_batch(&events);
    }
}

#[test]
fn five_bad_batches_in_a_row_open_the_breaker() {
    let trap = "(if (i64.eq (local.get $n) (i64.const 13)) (then (unreachable))) (i64.const 1)";
    let brittle = Guest::validator("brittle", &trap.replace("(i64.const 1)", "(i32.const 0)"));
    let server = server(&[&Guest::enricher("fragile", trap), &brittle]);
    nine_bad_rows(&server, 4);
    assert_eq!((status(&server, "fragile")["state"].clone(), degraded(&server, "fragile")), (json!("serving"), None));
    nine_bad_rows(&server, 1);
    for id in ["fragile", "brittle"] {
        let plugin = status(&server, id);
        assert_eq!((&plugin["state"], &plugin["counters"]["breaker_opens"]), (&json!("breaker-open"), &json!(1)));
        assert!(degraded(&server, id).is_some_and(|reason| !reason.is_empty()));
    }
    // Rows that are not tried are stored, and say so.
    server.accept(&event(1000));
    assert_eq!(outcomes(&server, "fragile"), [("breaker-open".to_owned(), 1), ("ok".to_owned(), 5), ("trap".to_owned(), 45)]);
    assert_eq!(server.count("select count(*) from events where instr(flags, '\"unvalidated:brittle\"')"), 46);
    assert_eq!(status(&server, "fragile")["counters"]["skipped_rows"], 1);
    assert_eq!(server.count("select count(*) from attributes where key = 'event.category'"), 51);
}

#[test]
fn a_good_batch_in_between_keeps_it_closed() {
    let trap = "(if (i64.eq (local.get $n) (i64.const 13)) (then (unreachable))) (i64.const 1)";
    let server = server(&[&Guest::enricher("fragile", trap)]);
    for _ in 0..3 {
        nine_bad_rows(&server, 4);
        server.accept(&event(1000));
    }
    assert_eq!(status(&server, "fragile")["state"], "serving");
    assert_eq!(server.count("select count(*) from attributes where key = 'fragile.mark'"), 12 + 3);
}

#[test]
fn a_thousand_looping_rows_are_not_all_waited_for() {
    let server = server(&[&Guest::enricher("doubles", LOOPS_AT_13)]);
    server.accept_batch(&vec![event(13); 1000]);
    let plugin = status(&server, "doubles");
    assert_eq!(plugin["state"], "breaker-open");
    let ended = outcomes(&server, "doubles");
    let [(left_out, skipped), (tried, looped)] = &*ended else { panic!("{ended:?}") };
    assert_eq!((&**left_out, &**tried, skipped + looped), ("breaker-open", "deadline", 1000));
    // A quarter of a second's CPU time at two milliseconds a row.
    assert!(*looped < 200, "{ended:?}");
    assert_eq!(server.count("select count(*) from attributes where key = 'event.category'"), 1000);
}

#[test]
fn one_that_is_left_out_is_tried_again_and_on_trial_then() {
    let trap = "(if (i64.eq (local.get $n) (i64.const 13)) (then (unreachable))) (i64.const 1)";
    let server = Server::start_with(|config, folder| {
        config.plugins.breaker_open_s = 1;
        Guest::enricher("fragile", trap).drop_into(folder);
    });
    let is = |state: &'static str| status(&server, "fragile")["state"] == state;
    nine_bad_rows(&server, 5);
    until("its return", || is("serving"));
    // On trial one bad batch is enough.
    nine_bad_rows(&server, 1);
    until("its second return", || status(&server, "fragile")["counters"]["breaker_opens"] == 2 && is("serving"));
    server.accept(&event(1000));
    assert_eq!(outcomes(&server, "fragile").into_iter().find(|(outcome, _)| outcome == "ok"), Some(("ok".to_owned(), 7)));
    // A good batch ends the trial: four bad ones are borne again.
    nine_bad_rows(&server, 4);
    assert_eq!((status(&server, "fragile")["counters"]["breaker_opens"].clone(), degraded(&server, "fragile")), (json!(2), None));
    assert_eq!(server.count("select count(*) from attributes where key = 'event.category'"), 101);
}
