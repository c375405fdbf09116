//! A secret in every field that was not granted turns up nowhere a plugin could put it; what was granted stays out of the server's log.

use serde_json::{Value, json};

use super::event;
use super::grants::{LOOK_AROUND, canaries};
use super::guest::{Guest, manifest, mark};
use super::{degraded, server, status};
use crate::harness::{Server, log_lines, start_log};

/// Stands in what is granted, and in no other test: twelve bytes.
const TOLD: &str = "CANARY-TOLD-";

/// Answers the one row with all that its memory holds of what it was handed, unprintable bytes as dots.
const TELL_ALL: &str = "(memory.copy (i32.const 65544) (i32.const 131072) (i32.const 32768))
    (local.set $row (i32.const 65544))
    (loop $clean
      (if (i32.or (i32.lt_u (i32.load8_u (local.get $row)) (i32.const 32)) (i32.gt_u (i32.load8_u (local.get $row)) (i32.const 126))) (then
        (i32.store8 (local.get $row) (i32.const 46))))
      (br_if $clean (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (i32.const 98312))))
    (i64.store (i32.const 65536) (i64.shl (i64.const 32768) (i64.const 32)))
    (drop (call $answer (i32.const 5) (i32.const 1)))
    (i32.store (i32.const 532) (i32.const 32776))
    (i32.const 512)";

/// The guest under a manifest that reads `field`, a text.
fn reading(guest: Guest, field: &str) -> Guest {
    let manifest = guest.manifest.replace("attributes[\"llm.usage.n\"]'\ntype = \"integer\"", &format!("{field}'\ntype = \"text\""));
    guest.under(manifest)
}

/// An enricher, a validator and a metric that read the level and look for the canary in all their memory.
fn lookers() -> [Guest; 3] {
    let answer = "(call $answer (i32.const 2) (local.get $rows))";
    let teller = Guest::enricher("teller", LOOK_AROUND).with(answer, TELL_ALL);
    let teller = teller.under(manifest("teller", "enricher", &[("event.level", "text")], &[(&mark("teller"), "text")]));
    let found = "(i32.shl (i64.ne (local.get $found) (i64.const 0)) (i32.const 1))";
    let verdict = LOOK_AROUND
        .replace("(local.get $found)", "FOUND")
        .replacen("(i64.add FOUND", "(i64.add (local.get $found)", 1)
        .replace("FOUND", found);
    let finder = reading(Guest::validator("finder", &verdict), "event.level");
    // The metric has more than one row, which are not to be cleaned while it is at them.
    let (search, _) = LOOK_AROUND.split_once("(local.set $at (i32.const 131072))").expect("the search comes first");
    [teller, finder, reading(Guest::metric("seeker", &format!("{search} (local.get $found)")), "event.level")]
}

/// The text that the teller wrote for `event`.
fn told(server: &Server, event: i64) -> String {
    let query = "select value from attributes where event_id = ?1 and key = 'teller.mark'";
    server.sql().query_row(query, [event], |row| row.get(0)).expect("a text")
}

#[test]
fn a_secret_that_was_not_granted_turns_up_nowhere() {
    start_log();
    let server = server(&lookers().each_ref());
    let mut secret = canaries();
    secret["attributes"]["llm.model"] = "CANARY-7".into();
    secret["name"] = "llm.CANARY-7".into();
    let event = server.accept(&secret);
    let text = told(&server, event);
    assert!(text.contains("INFO") && !text.contains("CANARY"), "{text}");
    let flagged = "select count(*) from events where instr(flags, '\"too-large\"')";
    assert_eq!(server.count(flagged), 0, "the finder's memory");
    let report = server.get("/v1/reports/seeker");
    assert_eq!((report.status, &report.json["rows"][0]["values"]["total"]), (200, &json!(0)), "{}", report.text);
    for id in ["teller", "finder", "seeker"] {
        let plugin = status(&server, id).to_string();
        assert!((id == "seeker" || plugin.contains("INFO")) && !plugin.contains("CANARY"), "{plugin}");
    }
    // They do find it where they may look.
    secret["level"] = "CANARY-7".into();
    let event = server.accept(&secret);
    assert!(told(&server, event).contains("CANARY-7"));
    assert_eq!(server.count(flagged), 1);
    // It looks once a row.
    assert_eq!(server.get("/v1/reports/seeker").json["rows"][0]["values"]["total"], 2);
    let leaks: Vec<_> = log_lines().into_iter().filter(|line| line.contains("CANARY-7")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// Plugins that say what they read in every way they have: a line, an error, a finding, a failed report.
fn gossips() -> Vec<Guest> {
    // What was handed in begins at 131072; a text of one row stands somewhere in the first bytes of it.
    let repeat = "(local $at i32) (local.set $at (i32.const 131072))
        (loop $next
          (if (i64.eq (i64.load (local.get $at)) (i64.const 0x542d5952414e4143)) (then
            (memory.copy (i32.const 1140) (local.get $at) (i32.const 12))
            (memory.copy (i32.const 1100) (local.get $at) (i32.const 10))))
          (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 131500))))
        (call $log (i32.const 3) (i32.const 1140) (i32.const 12))";
    let model = "attributes[\"llm.model\"]";
    let answer = "(call $answer (i32.const 2) (local.get $rows))";
    let update = "(call $fine))\n  (func (export \"INTERFACE#[method]accumulator.merge\")";
    vec![
        reading(Guest::enricher("decliner", &format!("{repeat} (i64.const 1)")).with(answer, "(call $decline)"), model),
        reading(Guest::enricher("trapper", &format!("{repeat} (unreachable)")), model),
        reading(Guest::validator("flagger", &format!("{repeat} (i32.const 2)")), model),
        reading(
            Guest::validator("miscoder", &format!("{repeat} (i32.const 2)"))
                .with("(i32.store offset=12 (local.get $at) (i32.const 1120))", "(i32.store offset=12 (local.get $at) (i32.const 1140))"),
            model,
        ),
        reading(
            Guest::metric("denier", &format!("{repeat} (i64.const 1)")).with(update, &update.replace("(call $fine)", "(call $decline)")),
            model,
        ),
    ]
}

#[test]
fn what_a_plugin_says_of_what_it_read_stays_out_of_the_log() {
    start_log();
    let guests = gossips();
    let server = server(&guests.iter().collect::<Vec<_>>());
    let mut secret = event(1);
    secret["attributes"]["llm.model"] = TOLD.into();
    server.accept(&secret);
    // Enough of them for the breakers.
    for _ in 0..5 {
        server.accept_batch(&vec![secret.clone(); 9]);
    }
    let report = server.get("/v1/reports/denier");
    assert_eq!(report.status, 502, "{}", report.text);
    for guest in &guests {
        let plugin = status(&server, &guest.id);
        assert!(plugin["log"].to_string().contains(TOLD), "{plugin}");
        let failed = ["decliner", "miscoder", "denier"].contains(&&*guest.id);
        assert_eq!(plugin["last_failure"].to_string().contains("CANARY-TO"), failed, "{plugin}");
    }
    assert_eq!(server.count("select count(*) from events where instr(flags, 'CANARY-TOLD-')"), 46);
    for id in ["decliner", "trapper", "miscoder"] {
        assert_eq!((&status(&server, id)["state"], degraded(&server, id).is_some()), (&json!("breaker-open"), true), "{id}");
    }
    let log = log_lines();
    let says = |message: &str, id: &str| {
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message && line["plugin.id"] == id).count()
    };
    assert_eq!((says("plugin loaded", "decliner"), says("plugin left out: its calls kept failing", "decliner")), (1, 1), "{log:#?}");
    let leaks: Vec<_> = log.iter().filter(|line| line.contains("CANARY-TO")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
