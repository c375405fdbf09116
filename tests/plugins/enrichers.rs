//! Enrichers that misbehave on every row: the events are stored without their columns, everything else goes on.

use serde_json::Value;

use super::guest::{Guest, PANIC};
use super::{Fate, event, goes_on, server, status};

/// What each does for every row, and what becomes of it.
fn bad() -> Vec<(Guest, Fate)> {
    let answered = "(i32.store (i32.const 532) (i32.mul (local.get $rows) (i32.const 8)))";
    let columns = "(i32.store (i32.const 524) (i32.const 1))";
    // The two bytes of the configuration come first: with them the plugin loads.
    let realloc = "(local.get $at))\n  (func $fine";
    vec![
        (Guest::enricher("loop", "(loop $ever (br $ever)) (unreachable)"), Fate::new("deadline", "deadlines", "CPU time")),
        (
            Guest::enricher("memory-bomb", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"),
            Fate::new("memory", "memory_refusals", "was refused memory beyond 64 MiB"),
        ),
        (
            Guest::enricher("output-bomb", "(drop (memory.grow (i32.const 800))) (i64.const 0)")
                .with(answered, "(i32.store (i32.const 532) (i32.const 50000000))"),
            Fate::new("trap", "traps", "returned more than 8 MiB"),
        ),
        (
            Guest::enricher("column-bomb", "(drop (memory.grow (i32.const 800))) (i64.const 0)")
                .with(columns, "(i32.store (i32.const 524) (i32.const 4000000))"),
            Fate::new("trap", "traps", "returned more than 8 MiB"),
        ),
        (
            Guest::enricher("recursion", "(i64.extend_i32_u (call $deep (local.get $row)))").with(
                "(func $value",
                "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
                 (func $value",
            ),
            Fate::new("trap", "traps", "call stack exhausted"),
        ),
        (Guest::enricher("trap", "(unreachable)"), Fate::new("trap", "traps", "`unreachable` instruction executed")),
        (Guest::enricher("division", "(i64.div_s (i64.const 1) (i64.const 0))"), Fate::new("trap", "traps", "divide by zero")),
        (Guest::enricher("wild-read", "(i64.load (i32.const 0xfffffff0))"), Fate::new("trap", "traps", "out of bounds")),
        (Guest::enricher("panic", "(call $panic) (unreachable)"), Fate::new("trap", "traps", "`unreachable` instruction executed")),
        (
            Guest::enricher("declines", "(unreachable)")
                .with("(local.set $cells (call $cells", "(return (call $decline)) (local.set $cells (call $cells"),
            Fate::new("declined", "declined", "declined: is too large"),
        ),
        (
            Guest::enricher("bad-memory", "(i64.const 0)").with(
                realloc,
                "(if (result i32) (i32.gt_u (local.get $size) (i32.const 2))
                (then (i32.const 0x7fffff00)) (else (local.get $at))))\n  (func $fine",
            ),
            Fate::new("trap", "traps", "realloc return"),
        ),
        (
            Guest::enricher("looping-memory", "(i64.const 0)").with(
                realloc,
                "(loop $ever (br_if $ever (i32.gt_u (local.get $size) (i32.const 2))))
                (local.get $at))\n  (func $fine",
            ),
            Fate::new("deadline", "deadlines", "CPU time"),
        ),
        (
            Guest::enricher("two-columns", "(i64.const 0)").with(columns, "(i32.store (i32.const 524) (i32.const 2))"),
            Fate::new("trap", "traps", "broke the contract: 2 columns instead of 1"),
        ),
    ]
}

#[test]
fn each_ends_in_its_outcome_and_harms_nobody() {
    for (guest, fate) in bad() {
        let server = server(&[&guest]);
        goes_on(&server);
        fate.hits(&server, &guest.id);
        assert_eq!(server.count(&format!("select count(*) from attributes where key = '{}.mark'", guest.id)), 0);
    }
}

#[test]
fn all_together_harm_nobody_either() {
    let bad = bad();
    let healthy = Guest::enricher("healthy", "(i64.mul (local.get $n) (i64.const 2))");
    let mut guests: Vec<_> = bad.iter().map(|(guest, _)| guest).collect();
    guests.push(&healthy);
    let server = server(&guests);
    goes_on(&server);
    goes_on(&server);
    bad.iter().for_each(|(guest, fate)| fate.hits(&server, &guest.id));
    let doubled = "select count(*) from attributes d join attributes n on n.event_id = d.event_id and n.key = 'llm.usage.n'
        where d.key = 'healthy.mark' and d.value = 2 * n.value";
    assert_eq!(server.count(doubled), 8);
    assert_eq!(status(&server, "healthy")["counters"]["poison_rows"], 0);
}

#[test]
fn the_text_of_a_panic_reaches_the_ring() {
    let server = server(&[&Guest::enricher("panic", "(call $panic) (unreachable)")]);
    server.accept(&event(1));
    let log = &status(&server, "panic")["log"];
    assert_eq!(log, &serde_json::json!([{ "number": 1, "level": "error", "message": PANIC }]));
}

#[test]
fn chatter_and_long_lines_are_cut() {
    let chatter = "(local $i i32) (loop $more (call $log (i32.const 1) (i32.const 1024) (i32.const 10))
        (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 500)))) (i64.const 1)";
    let long =
        "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 60000)) (call $log (i32.const 0) (i32.const 65536) (i32.const 60000))
        (i64.const 1)";
    let server = server(&[&Guest::enricher("chatter", chatter), &Guest::enricher("long", long)]);
    for n in 0..5 {
        server.accept(&event(n));
    }
    let lines = |id| status(&server, id)["log"].as_array().expect("lines").clone();
    assert_eq!(lines("chatter").len(), 200);
    // 64 lines of each call are kept, the others counted.
    assert_eq!(lines("chatter").last().expect("a line")["number"], 2064);
    assert!(lines("long").iter().all(|line| line["message"].as_str().is_some_and(|text| text.len() <= 2050)));
    goes_on(&server);
    for id in ["chatter", "long"] {
        assert_eq!(status(&server, id)["counters"]["poison_rows"], 0);
    }
}

#[test]
fn text_that_is_not_utf8_in_a_line_is_the_plugins_fault() {
    let value =
        "(i32.store (i32.const 65536) (i32.const 0xfffefdfc)) (call $log (i32.const 1) (i32.const 65536) (i32.const 4)) (i64.const 1)";
    let server = server(&[&Guest::enricher("bytes", value)]);
    goes_on(&server);
    Fate::new("trap", "traps", "utf-8").hits(&server, "bytes");
    assert_eq!(status(&server, "bytes")["log"], Value::Array(Vec::new()));
}

#[test]
fn a_refused_growth_that_it_lives_with_is_no_failure() {
    let value = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (i64.const 5)";
    let server = server(&[&Guest::enricher("greedy", value)]);
    goes_on(&server);
    assert_eq!(server.count("select count(*) from attributes where key = 'greedy.mark' and value = 5"), 4);
    assert_eq!(status(&server, "greedy")["counters"]["poison_rows"], 0);
}
