//! Hostile plugins, dropped one by one into the folder of a server that takes events all the while.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use serde_json::{Value, json};

use super::guest::{Guest, Raw, put, raw_component};
use super::live::until;
use super::{degraded, event, status};
use crate::harness::{Server, log_lines, start_log};

/// What becomes of it once it has met some events.
#[derive(Clone, Copy)]
enum End {
    /// Its breaker opens; part of how its last failure reads.
    LeftOut(&'static str),
    /// It is refused; part of why.
    Refused(&'static str),
    /// It serves, for whatever it does is within its limits.
    Serves,
}

/// Every hostile plugin: the file, and its end.
fn hostile() -> Vec<(String, Vec<u8>, End)> {
    let deep =
        "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1))))) (func $value";
    let configure = "(func (export \"INTERFACE#configure\") (param i32 i32) (result i32)";
    let busy =
        "(local $i i64) (loop $more (br_if $more (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (i64.const 100000000))))";
    let answered = "(i32.store (i32.const 532) (i32.mul (local.get $rows) (i32.const 8)))";
    let rows = "(i32.store (i32.const 516) (local.get $rows))";
    let line = "(call $log (i32.const 3) (i32.const 1024) (i32.const 39))";
    let guests = [
        (Guest::enricher("loop", "(loop $ever (br $ever)) (unreachable)"), End::LeftOut("CPU time")),
        (
            Guest::enricher("bomb", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"),
            End::LeftOut("was refused memory"),
        ),
        (
            Guest::enricher("recursion", "(i64.extend_i32_u (call $deep (local.get $row)))").with("(func $value", deep),
            End::LeftOut("call stack exhausted"),
        ),
        (Guest::enricher("trap-storm", "(unreachable)"), End::LeftOut("`unreachable` instruction executed")),
        (
            Guest::enricher("output-flood", "(if (i32.eqz (local.get $row)) (then (drop (memory.grow (i32.const 800))))) (i64.const 0)")
                .with(answered, "(i32.store (i32.const 532) (i32.const 50000000))"),
            End::LeftOut("returned more than 8 MiB"),
        ),
        (Guest::enricher("log-flood", &format!("(loop $ever {line} (br $ever)) (unreachable)")), End::LeftOut("CPU time")),
        (
            Guest::enricher(
                "chatter",
                &format!(
                    "(local $i i32) (loop $more {line}
                    (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50)))) (i64.const 1)"
                ),
            ),
            End::Serves,
        ),
        (Guest::enricher("slow-configure", "(i64.const 1)").with(configure, &format!("{configure} {busy}")), End::LeftOut("CPU time")),
        (
            Guest::enricher("alternating", "(if (i64.eqz (i64.and (local.get $n) (i64.const 1))) (then (unreachable))) (i64.const 1)"),
            End::LeftOut("`unreachable` instruction executed"),
        ),
        (
            Guest::enricher("liar", "(i64.const 1)").with(rows, "(i32.store (i32.const 516) (i32.add (local.get $rows) (i32.const 1)))"),
            End::LeftOut("broke the contract"),
        ),
        (Guest::answering("forger", &Raw::text(&[0, 4000], b"hello")), End::LeftOut("an offset is past the end of the data")),
        (Guest::validator("looping-validator", "(loop $ever (br $ever)) (unreachable)"), End::LeftOut("CPU time")),
    ];
    let import = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)) (instance $i)
        (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    let forbidden = raw_component(import, &Guest::enricher("forbidden-import", "").manifest);
    let mut files: Vec<_> = guests.into_iter().map(|(guest, end)| (guest.id.clone(), guest.bytes(), end)).collect();
    files.push(("forbidden-import".to_owned(), forbidden, End::Refused("imports `wasi:sockets/tcp@0.2.0`")));
    files
}

/// Components under 1 MB that their compiler finds hard: one function of many live values and branches, and very many functions.
fn exhausting() -> [Guest; 2] {
    let locals = "(local i64 i64 i64 i64 i64 i64 i64 i64) ".repeat(500);
    let step = |at: usize| {
        let (one, two, three) = (1 + at % 4000, 1 + (at * 7919) % 4000, 1 + (at * 104_729) % 4000);
        format!(
            "(local.set {one} (i64.add (i64.load (local.get 0)) (i64.mul (local.get {two}) (local.get {three})))) (br_if {} (i64.eqz (local.get {one})))",
            at % 50
        )
    };
    let steps: String = (0..36_000).map(step).collect();
    let giant = format!("(func $giant (param i32) {locals} {} {steps} {}) (func $value", "(block ".repeat(50), ")".repeat(50));
    let small = |at: usize| format!("(func (param i64) (result i64) (i64.mul (i64.add (local.get 0) (i64.const {at})) (local.get 0)))");
    let many = (0..40_000).map(small).collect::<String>() + "(func $value";
    [
        Guest::enricher("giant-function", "(call $giant (local.get $row)) (i64.const 1)").with("(func $value", &giant),
        Guest::enricher("many-functions", "(i64.const 1)").with("(func $value", &many),
    ]
}

/// Where the files are to be written for `tests/clients/hostile.py`, if that is asked for.
#[allow(clippy::disallowed_methods, reason = "asked for by hand")]
fn asked() -> Option<std::path::PathBuf> {
    std::env::var("HOSTILE_PLUGINS").ok().map(Into::into)
}

#[test]
fn files_are_written_when_asked() {
    let Some(folder) = asked() else { return };
    std::fs::create_dir_all(&folder).expect("a folder");
    let exhausting = exhausting().map(|guest| (guest.id.clone(), guest.bytes(), End::Serves));
    for (id, bytes, _) in hostile().into_iter().chain(exhausting) {
        std::fs::write(folder.join(format!("{id}.wasm")), bytes).expect("a file");
    }
}

/// Sends batches and single events until told to stop; counts them. Each must be accepted.
fn send(server: &Server, stop: &AtomicBool, sent: &AtomicI64) {
    while !stop.load(Relaxed) {
        let first = sent.load(Relaxed);
        server.accept_batch(&(first..first + 20).map(event).collect::<Vec<Value>>());
        sent.fetch_add(20, Relaxed);
        server.accept(&event(first));
        sent.fetch_add(1, Relaxed);
    }
}

/// Drops it in, waits for its end, and takes it away.
fn meets_its_end(server: &Server, id: &str, bytes: &[u8], end: End) {
    put(server.folder(), id, bytes);
    let known = |id: &str| server.get(&format!("/v1/plugins/{id}"));
    until(id, || match end {
        End::LeftOut(_) => known(id).json["state"] == "breaker-open",
        End::Refused(_) => known(id).json["state"] == "refused",
        End::Serves => known(id).json["counters"]["rows"].as_u64() > Some(100),
    });
    let plugin = status(server, id);
    match end {
        End::LeftOut(why) => {
            assert!(plugin["last_failure"].as_str().is_some_and(|last| last.contains(why)), "{plugin}");
            assert_eq!(
                (plugin["counters"]["breaker_opens"].as_u64(), plugin["log"].as_array().map(Vec::len) <= Some(200)),
                (Some(1), true)
            );
            assert!(degraded(server, id).is_some_and(|reason| reason.contains("its calls kept failing")), "{id}");
            let scraped = server.get("/metrics").text;
            let open = format!("cylestio_plugin_breaker_open{{plugin=\"{id}\"}} 1\n");
            assert!(scraped.contains(&open) && scraped.contains("cylestio_plugin_breaker_open{plugin=\"healthy\"} 0\n"), "{scraped}");
            until("rows that are left out", || status(server, id)["counters"]["skipped_rows"].as_u64() > Some(0));
        }
        End::Refused(why) => assert!(degraded(server, id).is_some_and(|reason| reason.contains(why)), "{plugin}"),
        End::Serves => assert_eq!((degraded(server, id), &plugin["counters"]["poison_rows"]), (None, &json!(0)), "{plugin}"),
    }
    std::fs::remove_file(server.folder().join(format!("plugins/{id}.wasm"))).expect("removed");
    until("its removal", || known(id).status == 404);
}

#[test]
fn each_harms_nobody_while_events_come_in() {
    start_log();
    let server = super::server(&[&Guest::enricher("healthy", "(i64.mul (local.get $n) (i64.const 2))")]);
    let (stop, sent) = (AtomicBool::new(false), AtomicI64::new(0));
    let hostile = hostile();
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2).map(|_| scope.spawn(|| send(&server, &stop, &sent))).collect();
        // Whatever happens, the threads end.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (id, bytes, end) in &hostile {
                meets_its_end(&server, id, bytes, *end);
                assert!(senders.iter().all(|sender| !sender.is_finished()), "a request failed beside {id}");
            }
        }));
        stop.store(true, Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let sent = sent.into_inner();
    println!("{sent} events beside {} hostile plugins", hostile.len());
    // No event is lost, and the others did their work on every one.
    assert_eq!(server.count("select count(*) from events"), sent);
    assert_eq!(server.count("select count(*) from quarantine"), 0);
    for key in ["event.category", "healthy.mark"] {
        assert_eq!(server.count(&format!("select count(*) from attributes where key = '{key}'")), sent, "{key}");
    }
    for plugin in server.get("/v1/plugins").json["items"].as_array().expect("a list") {
        for counter in ["traps", "deadlines", "memory_refusals", "declined", "host_failures", "poison_rows", "skipped_rows"] {
            assert!(plugin["state"] == "switched-off" || plugin["counters"][counter] == 0, "{counter}: {plugin}");
        }
    }
    assert_eq!(server.get("/v1/health").json["status"], "ok");
    // The log names each that was left out, by its id and nothing it said.
    let lines: Vec<Value> = log_lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for (id, _, end) in &hostile {
        let named = lines.iter().any(|line| line["message"] == "plugin left out: its calls kept failing" && line["plugin.id"] == **id);
        assert_eq!(named, matches!(end, End::LeftOut(_)), "{id}");
    }
}
