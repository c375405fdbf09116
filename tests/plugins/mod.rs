//! Plugins over the whole server: what bad ones do, what good ones may.
//!
//! Whatever a plugin is or does, [`goes_on`] holds: the server is healthy, takes and keeps every event, and the shipped
//! enricher writes on each.

mod backfill;
mod canary;
mod contract;
mod effects;
mod enrichers;
mod flow;
mod grants;
mod guest;
mod history;
mod hostile;
mod journal;
mod labelled;
mod live;
mod load;
mod maskers;
mod metrics;
mod money;
mod poison;
mod preview;
mod refused;
mod rows;
mod rules;
mod swaps;
mod tables;
mod validators;
mod waiting;

use serde_json::{Value, json};

use crate::harness::Server;
use guest::Guest;

/// A server with guests in its drop-in folder.
fn server(guests: &[&Guest]) -> Server {
    Server::start_with(|_, folder| guests.iter().for_each(|guest| guest.drop_into(folder)))
}

/// A model call's event; `n` is the attribute that guests read.
fn event(n: i64) -> Value {
    json!({
        "schema_version": "1.0",
        "timestamp": "2026-11-23T08:00:30.842371Z",
        "trace_id": "0e5d46f893f8491ba55ab2613e5586a8",
        "span_id": null,
        "name": "llm.call.start",
        "level": "INFO",
        "agent_id": format!("agent-{n}"),
        "attributes": { "llm.usage.n": n, "llm.model": "m-1", "session.id": "s-1" }
    })
}

/// What `GET /v1/plugins/{id}` says.
fn status(server: &Server, id: &str) -> Value {
    let answer = server.get(&format!("/v1/plugins/{id}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

/// The reason that health gives for a plugin; absent while it serves.
fn degraded(server: &Server, id: &str) -> Option<String> {
    let health = server.get("/v1/health");
    assert_eq!(health.status, 200, "{}", health.text);
    let parts = health.json["degraded"].as_array().expect("a list");
    let part = parts.iter().find(|part| part["part"] == format!("plugin {id}"))?;
    Some(part["reason"].as_str().expect("a reason").to_owned())
}

/// The server takes events one by one and in a batch, keeps all, and its own enricher writes on all.
fn goes_on(server: &Server) {
    let before = server.count("select count(*) from events");
    server.accept(&event(100));
    server.accept_batch(&[event(101), event(102), event(103)]);
    assert_eq!(server.get("/v1/health").status, 200);
    let after = server.count("select count(*) from events");
    assert_eq!(after, before + 4);
    assert_eq!(server.count("select count(*) from attributes where key = 'event.category' and value = 'llm'"), after);
    assert_eq!(server.count("select count(*) from quarantine"), 0);
    assert_eq!(status(server, "event-category")["counters"]["poison_rows"], 0);
}

/// What becomes of a plugin that fails on every row.
struct Fate {
    /// Stored with each event.
    outcome: &'static str,
    /// The counter that counts it.
    counter: &'static str,
    /// Part of what its status says.
    says: &'static str,
}

impl Fate {
    fn new(outcome: &'static str, counter: &'static str, says: &'static str) -> Self {
        Fate { outcome, counter, says }
    }

    /// Every event says that the plugin ended so on it, and the plugin's status says how and why.
    fn hits(&self, server: &Server, id: &str) {
        let plugin = status(server, id);
        assert_eq!(plugin["state"], "serving", "{plugin}");
        let last = plugin["last_failure"].as_str().unwrap_or_default();
        assert!(last.to_lowercase().contains(&self.says.to_lowercase()), "{id}: `{last}` instead of `{}`", self.says);
        let counted = |counter: &str| plugin["counters"][counter].as_u64().expect("a counter");
        let events = server.count("select count(*) from events");
        assert!(counted(self.counter) >= 1 && counted("poison_rows") == events as u64, "{plugin}");
        assert_eq!(outcomes(server, id), [(self.outcome.to_owned(), events)], "{id}");
    }
}

/// How often a plugin ended how, by what is stored.
fn outcomes(server: &Server, id: &str) -> Vec<(String, i64)> {
    let sql = server.sql();
    let query = "select r.outcome, count(*) from event_runs r join plugin_versions v on v.id = r.plugin_version_id
        where v.plugin_id = ?1 group by r.outcome order by r.outcome";
    let mut statement = sql.prepare(query).expect("SQL");
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}
