//! What calls cost: from the price list to the report.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use telemetry_devkit::{CompileCache, Setup, Trial};

use super::live::until;
use super::status;
use crate::harness::{Server, golden};

/// Waits until no row waits.
fn settle(server: &Server) {
    until("the row queue's end", || server.count("select count(*) from row_queue") == 0);
}

/// A call of `model` with counts of tokens, and other attributes.
fn call(span: &str, model: &str, input: u64, output: u64, more: Value) -> Value {
    let mut attributes =
        json!({ "llm.vendor": "openai", "llm.model": model, "llm.usage.input_tokens": input, "llm.usage.output_tokens": output });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "timestamp": "2026-11-23T08:00:00Z", "name": "llm.call.finish", "level": "INFO", "agent_id": "a", "trace_id": "t",
        "span_id": span, "attributes": attributes,
    })
}

fn values(server: &Server, report: &str) -> BTreeMap<String, Value> {
    let answer = server.get(&format!("/v1/reports/{report}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let rows = answer.json["rows"].as_array().expect("rows").clone();
    let name = |row: &Value| row["group"].as_object().and_then(|group| group.values().next().cloned()).unwrap_or_default();
    rows.iter().map(|row| (name(row).as_str().unwrap_or_default().to_owned(), row["values"].clone())).collect()
}

#[test]
fn golden_events_cost_what_genai_prices_says() {
    let expected: Value = serde_json::from_str(include_str!("../fixtures/prices/golden.json")).unwrap();
    let server = Server::start();
    for part in golden().chunks(100) {
        server.accept_batch(part);
    }
    settle(&server);
    let found = values(&server, "cost?group_by=model");
    for (model, nano_usd) in expected["by_model"].as_object().unwrap() {
        assert_eq!(&found[model]["cost_nano_usd"], nano_usd, "{model}");
    }
    let whole = &values(&server, "cost")[""];
    assert_eq!((&whole["cost_nano_usd"], &whole["costed_calls"]), (&expected["nano_usd"], &expected["calls"]), "{whole}");
    assert_eq!((&whole["calls"], &whole["unpriced_calls"], &whole["partial_calls"]), (&json!(61), &json!(0), &json!(0)), "{whole}");
    let alerts = &values(&server, "alerts")[""];
    assert_eq!(*alerts, json!({ "alerts": 29, "dangerous": 21, "suspicious": 8, "policy_violations": 9, "linked": alerts["linked"] }));
    let agents = server.count("select count(distinct agent_id) from events");
    assert_eq!(values(&server, "active-agents")[""]["agents"], json!(agents));
}

#[test]
fn what_has_no_price_is_named_and_counted() {
    let server = Server::start();
    server.accept(&call("1", "gpt-4o", 1000, 100, json!({ "gen_ai.usage.cache_read.input_tokens": 400 })));
    server.accept(&call("2", "house-model", 30, 4, json!({})));
    server.accept(&call("3", "gpt-4o", 1, 1, json!({ "llm.cost.total": 0.25 })));
    server.accept(&call("4", "gpt-4o", 1, 1, json!({ "llm.cost.nano_usd": 77 })));
    settle(&server);
    let found = values(&server, "cost?group_by=model");
    assert_eq!(found["gpt-4o"]["cost_nano_usd"], json!(600 * 2_500 + 400 * 1_250 + 100 * 10_000 + 250_000_000 + 77));
    let expected = json!({
        "cost_nano_usd": null, "calls": 1, "costed_calls": 0, "partial_calls": 0, "unpriced_calls": 1, "unmeasured_calls": 0, "unpriced_tokens": 34,
    });
    assert_eq!(found["house-model"], expected);
    let unpriced = values(&server, "unpriced-tokens?group_by=llm.cost.unpriced");
    assert_eq!(unpriced["openai/house-model"], json!({ "unpriced_tokens": 34, "unpriced_calls": 1, "partial_calls": 0, "calls": 1 }));
    let sent = "select count(*) from attributes where key = 'llm.cost.total' and value = 0.25";
    assert_eq!(server.count(sent), 1);
    let access = server.get("/v1/plugins/llm-cost/access").json;
    let lookup = &access["versions"][0]["lookups"][0];
    assert_eq!((&lookup["table"], &lookup["count"]), (&json!("model-prices"), &json!(3)), "{access}");
}

#[test]
fn prices_of_the_operator_win_and_are_read_when_they_change() {
    let server = Server::start_with(|config, folder| {
        let path = folder.join("prices.toml");
        std::fs::write(&path, "[[prices]]\nmodel = \"house-*\"\ninput = 1\n").expect("prices");
        config.plugins.prices = Some(path);
    });
    server.accept(&call("1", "house-model", 30, 4, json!({})));
    settle(&server);
    let found = &values(&server, "cost")[""];
    assert_eq!(
        (&found["cost_nano_usd"], &found["partial_calls"], &found["unpriced_tokens"]),
        (&json!(30_000), &json!(1), &json!(4)),
        "{found}"
    );
    let first = status(&server, "llm-cost")["derivation"].clone();
    std::fs::write(server.folder().join("prices.toml"), "[[prices]]\nmodel = \"house-*\"\ninput = 1\noutput = 2\n").expect("prices");
    until("the new prices", || status(&server, "llm-cost")["derivation"] != first);
    server.accept(&call("2", "house-model", 30, 4, json!({})));
    settle(&server);
    let found = &values(&server, "cost")[""];
    assert_eq!((&found["cost_nano_usd"], &found["partial_calls"]), (&json!(68_000), &json!(1)), "{found}");
}

#[test]
fn costs_equal_those_of_genai_prices() {
    let triples: Vec<Value> = serde_json::from_str(include_str!("../fixtures/prices/triples.json")).unwrap();
    assert!(triples.len() >= 200, "{}", triples.len());
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/llm-cost/llm-cost.wasm");
    let trial = Trial::load(&component, &Setup::default(), &CompileCache::default()).expect("it loads");
    let row = |triple: &Value| {
        let mut row = json!({
            "call.vendor": triple["provider"], "call.model": triple["model"], "call.start_time": triple["time"],
            "call.input_tokens": triple["input"], "call.output_tokens": triple["output"],
        });
        for (key, count) in triple["attributes"].as_object().unwrap() {
            row[format!("attributes[\"{key}\"]")] = count.clone();
        }
        row
    };
    let rows: Vec<Value> = triples.iter().map(row).collect();
    let answers = trial.answer(&trial.rows(&rows).unwrap()).unwrap();
    let mut differing = Vec::new();
    for (triple, answer) in triples.iter().zip(&answers) {
        // Where nothing that was used has a price there is no sum; theirs is 0.
        let is_same = match &answer["llm.cost.nano_usd"] {
            Value::Null => triple["nano_usd"] == 0 && answer["llm.cost.state"] == "partial",
            cost => *cost == triple["nano_usd"],
        };
        if !is_same || answer["llm.cost.price_model"] != triple["priced_as"] {
            differing.push(format!("{triple}\n  {answer}"));
        }
    }
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), triples.len(), differing.join("\n"));
}
