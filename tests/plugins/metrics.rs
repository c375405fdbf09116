//! Metrics: a dropped-in one answers like a shipped one; one that fails costs its own report and no other.

use serde_json::json;

use super::guest::Guest;
use super::{event, goes_on, server, status};
use crate::harness::{Answer, Server};

fn bad() -> Vec<(Guest, u16, &'static str)> {
    let answered = "(i32.store (i32.const 532) (i32.mul (local.get $rows) (i32.const 8)))";
    let evaluate = "(call $answer (i32.const 2) (global.get $groups))";
    let take = "(local.get $n)";
    vec![
        (Guest::metric("trap", "(unreachable)"), 502, "`unreachable` instruction executed"),
        (Guest::metric("panic", "(call $panic) (unreachable)"), 502, "`unreachable` instruction executed"),
        (
            Guest::metric("memory-bomb", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"),
            502,
            "was refused memory beyond 256 MiB",
        ),
        (
            Guest::metric("output-bomb", "(drop (memory.grow (i32.const 3000))) (i64.const 0)")
                .with(answered, "(i32.store (i32.const 532) (i32.const 150000000))"),
            502,
            "returned more than 128 MiB",
        ),
        (
            Guest::metric("kind", take).with(evaluate, "(call $answer (i32.const 3) (global.get $groups))"),
            502,
            "does not fit the declared type",
        ),
        (Guest::metric("unknown", take).with(evaluate, "(call $answer (i32.const 77) (global.get $groups))"), 502, "unknown kind 77"),
        (Guest::metric("rows", take).with(evaluate, "(call $answer (i32.const 2) (i32.const 3))"), 502, "3 rows of 1 groups"),
        (
            Guest::metric("declines", take).with("(local.set $ids", "(return (call $decline)) (local.set $ids"),
            502,
            "declined: is too large",
        ),
        (limited("loop", "(loop $ever (br $ever)) (unreachable)"), 504, "used up its 50 ms of CPU time"),
        (limited("late-loop", take).with(evaluate, "(loop $ever (br $ever)) (unreachable)"), 504, "used up its 50 ms of CPU time"),
    ]
}

/// A metric that asks for little time.
fn limited(id: &str, take: &str) -> Guest {
    let guest = Guest::metric(id, take);
    let manifest = guest.manifest.clone() + "[limits]\ndeadline_ms = 50\n";
    guest.under(manifest)
}

fn report(server: &Server, id: &str) -> Answer {
    server.get(&format!("/v1/reports/{id}"))
}

/// The values of a column over all rows.
fn values(answer: &Answer, column: &str) -> Vec<serde_json::Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["rows"].as_array().expect("rows").iter().map(|row| row["values"][column].clone()).collect()
}

#[test]
fn a_dropped_in_metric_answers() {
    let server = server(&[&Guest::metric("sum-of-n", "(local.get $n)")]);
    goes_on(&server);
    let answer = report(&server, "sum-of-n");
    assert_eq!(values(&answer, "total"), [json!(100 + 101 + 102 + 103)]);
    assert_eq!(answer.json["plugin"]["id"], "sum-of-n");
    assert_eq!(answer.json["plugin"]["digest"], status(&server, "sum-of-n")["digest"]);
    let grouped = report(&server, "sum-of-n?group_by=agent");
    assert_eq!(values(&grouped, "total"), [json!(100), json!(101), json!(102), json!(103)]);
    let filtered = report(&server, "sum-of-n?agent=agent-102");
    assert_eq!(values(&filtered, "total"), [json!(102)]);
}

/// The counts of secrets were read from content and hold none of it: the operator's default says so.
#[test]
fn a_metric_without_a_grant_reads_how_many_secrets_were_found() {
    let secrets = Guest::metric("secrets", "(local.get $n)");
    let secrets = secrets.clone().under(secrets.manifest.replace("llm.usage.n", "secret.count"));
    let server = server(&[&secrets]);
    let mut told = event(7);
    told["attributes"]["tool.result"] = json!("AKIAIOSFODNN7EXAMPLE and 4111 1111 1111 1111");
    server.accept_batch(&[told, event(8)]);
    assert_eq!(values(&report(&server, "secrets"), "total"), [json!(2)]);
}

#[test]
fn a_failing_metric_costs_its_own_report() {
    let bad = bad();
    let mut guests: Vec<_> = bad.iter().map(|(guest, ..)| guest).collect();
    let good = Guest::metric("good", "(local.get $n)");
    guests.push(&good);
    let server = server(&guests);
    server.accept(&event(5));
    for (guest, code, says) in &bad {
        let answer = report(&server, &guest.id);
        assert_eq!(answer.status, *code, "{}: {}", guest.id, answer.text);
        let (error, name) = (&answer.json["error"], if *code == 504 { "PLUGIN_TIMEOUT" } else { "PLUGIN_FAILED" });
        assert_eq!(error["code"], name);
        assert!(answer.text.contains(&format!("`{}`", guest.id)), "{}", answer.text);
        let last = status(&server, &guest.id)["last_failure"].as_str().unwrap_or_default().to_owned();
        assert!(last.contains(says), "{}: `{last}` instead of `{says}`", guest.id);
        assert_eq!(values(&report(&server, "good"), "total"), [json!(5)], "after {}", guest.id);
    }
    assert_eq!(report(&server, "token-usage").status, 200);
    let after = server.count("select count(*) from events");
    assert_eq!(after, 1);
    goes_on(&server);
}

#[test]
fn a_refused_metric_is_not_found_and_says_why() {
    let content = Guest::metric("content", "(local.get $n)");
    let content = content.clone().under(content.manifest.replace("llm.usage.n", "user.id"));
    let server = server(&[&content]);
    let answer = report(&server, "content");
    assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &"NOT_FOUND".into()));
    assert!(answer.text.contains("`content` did not load") && answer.text.contains("user.id"), "{}", answer.text);
    assert_eq!(report(&server, "none-such").status, 404);
    goes_on(&server);
}

#[test]
fn a_metric_that_is_switched_off_is_not_found_and_named() {
    let server = Server::start_with(|config, folder| {
        config.plugins.disabled = vec!["token-usage".into(), "sum".into()];
        Guest::metric("sum", "(local.get $n)").drop_into(folder);
    });
    for (path, id) in [("/v1/reports/token-usage", "token-usage"), ("/v1/metrics/tokens", "token-usage"), ("/v1/reports/sum", "sum")] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &"NOT_FOUND".into()), "{path}");
        assert!(answer.text.contains(&format!("`{id}` is switched off")), "{}", answer.text);
    }
    assert_eq!(status(&server, "sum")["state"], "switched-off");
    goes_on(&server);
}

#[test]
fn a_report_that_takes_too_long_is_given_up() {
    let server = Server::start_with(|config, folder| {
        config.plugins.report_timeout_s = 1;
        Guest::metric("slow", "(loop $ever (br $ever)) (unreachable)").drop_into(folder);
    });
    server.accept(&event(1));
    // Its 5 s of CPU time are not over yet.
    let answer = report(&server, "slow");
    assert_eq!((answer.status, &answer.json["error"]["code"]), (504, &"PLUGIN_TIMEOUT".into()), "{}", answer.text);
    assert_eq!(answer.json["error"]["details"][0]["field"], "plugins.report_timeout_s");
    goes_on(&server);
}
