//! Validators that misbehave: events are stored and flagged `unvalidated:<plugin>`, or go to quarantine where the operator says so.

use telemetry_server::config::ValidatorFailure;

use super::guest::Guest;
use super::{Fate, event, goes_on, server, status};
use crate::harness::Server;

/// What each does for every row, and what becomes of it.
fn bad() -> Vec<(Guest, Fate)> {
    let fine = "(i32.const 1)";
    let found = "(i32.store (i32.const 520) (local.get $found))";
    let row = "(i32.store (local.get $at) (local.get $row))";
    vec![
        (Guest::validator("loop", "(loop $ever (br $ever)) (unreachable)"), Fate::new("deadline", "deadlines", "CPU time")),
        (Guest::validator("trap", "(unreachable)"), Fate::new("trap", "traps", "`unreachable` instruction executed")),
        (Guest::validator("panic", "(call $panic) (unreachable)"), Fate::new("trap", "traps", "`unreachable` instruction executed")),
        (
            Guest::validator(
                "memory-bomb",
                "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
            ),
            Fate::new("memory", "memory_refusals", "was refused memory beyond 64 MiB"),
        ),
        (
            Guest::validator("declines", fine)
                .with("(local.set $cells (call $cells", "(return (call $decline)) (local.set $cells (call $cells"),
            Fate::new("declined", "declined", "declined: is too large"),
        ),
        (
            Guest::validator("far-row", fine).with(row, "(i32.store (local.get $at) (i32.const 7000))"),
            Fate::new("trap", "traps", "broke the contract: a violation of row 7000"),
        ),
        (
            Guest::validator("code", fine).with("\"too-large\"", "\"Too Large\""),
            Fate::new("trap", "traps", "a violation's code `Too Large` is not kebab-case"),
        ),
        (Guest::validator("field", fine).with("(i32.const 10))", "(i32.const 0))"), Fate::new("trap", "traps", "whose field has 0 bytes")),
        (Guest::validator("bytes", fine).with("\"is too large\"", "\"is \\ff large  \""), Fate::new("trap", "traps", "utf-8")),
        (
            Guest::validator("severity", fine).with("(i32.sub (local.get $said) (i32.const 1))", "(i32.const 9)"),
            Fate::new("trap", "traps", "discriminant"),
        ),
        // Row 0, a thousand times over: what memory holds is zero, and an empty text is a field of no length.
        (
            Guest::validator("many", fine).with(found, "(i32.store (i32.const 520) (i32.const 1000))"),
            Fate::new("trap", "traps", "1000 violations of 1 rows"),
        ),
        (
            Guest::validator("output-bomb", "(drop (memory.grow (i32.const 800))) (i32.const 1)")
                .with(found, "(i32.store (i32.const 520) (i32.const 1000000))"),
            Fate::new("trap", "traps", "returned more than 8 MiB"),
        ),
    ]
}

#[test]
fn each_leaves_events_stored_and_flagged() {
    let bad = bad();
    let server = server(&bad.iter().map(|(guest, _)| guest).collect::<Vec<_>>());
    goes_on(&server);
    for (guest, fate) in &bad {
        fate.hits(&server, &guest.id);
        let flagged = format!("select count(*) from events where instr(flags, '\"unvalidated:{}\"') > 0", guest.id);
        assert_eq!(server.count(&flagged), 4, "{}", guest.id);
    }
}

#[test]
fn quarantine_is_the_operators_choice() {
    let server = Server::start_with(|config, folder| {
        config.plugins.validator_failure = ValidatorFailure::Quarantine;
        Guest::validator("picky", "(if (i64.eq (local.get $n) (i64.const 13)) (then (call $panic))) (i32.const 0)").drop_into(folder);
    });
    goes_on(&server);
    let answer = server.post("/v1/telemetry", event(13).to_string());
    assert_eq!((answer.status, &answer.json["success"]), (201, &false.into()), "{}", answer.text);
    assert_eq!(server.count("select count(*) from events"), 4);
    let query = "select count(*) from quarantine, json_each(reasons) r
        where json_extract(r.value, '$.code') = 'unvalidated' and json_extract(r.value, '$.plugin') = 'picky'";
    assert_eq!(server.count(query), 1);
    let batch = [event(12), event(13), event(14)];
    let answer = server.post("/v1/telemetry/batch", serde_json::json!({ "events": batch }).to_string());
    let outcomes: Vec<_> = answer.json["results"].as_array().expect("results").iter().map(|result| result["outcome"].clone()).collect();
    assert_eq!(outcomes, ["accepted", "quarantined", "accepted"]);
    assert_eq!(status(&server, "picky")["counters"]["poison_rows"], 2);
}

#[test]
fn what_a_good_one_says_is_done() {
    let verdict = "(i32.add (i64.gt_s (local.get $n) (i64.const 1000)) (i64.gt_s (local.get $n) (i64.const 2000)))";
    let server = server(&[&Guest::validator("limits", verdict)]);
    goes_on(&server);
    let reject = server.post("/v1/telemetry", event(1500).to_string());
    assert_eq!((reject.status, &reject.json["success"]), (201, &false.into()), "{}", reject.text);
    server.accept(&event(2500));
    assert_eq!(server.count("select count(*) from quarantine where instr(reasons, '\"too-large\"') and instr(reasons, '\"limits\"')"), 1);
    assert_eq!(server.count("select count(*) from events where instr(flags, '\"too-large\"')"), 1);
}
