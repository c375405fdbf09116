//! What a changed enricher does to reports: exactly what they would say, were the one or the other version served; and what cannot be told.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use telemetry_server::history::{Asked, Diff, Effect, Named, table};
use telemetry_server::offline;

use crate::harness::{Server, golden};

/// In the place of the shipped one.
const COST: &str = r#"
id = "llm-cost"
version = "2.0.0"
kind = "enricher"
source = "llm_calls"
[rule]
llm.cost.nano_usd = "input_tokens * 1000"
llm.cost.state = "'priced'"
"#;

const FAMILY: &str = r#"
id = "family"
version = "1.0.0"
kind = "enricher"
[rule]
model.family = "before(llm.model, '-')"
"#;

/// A stopped server that has stored the golden events, with files in its drop-in folder.
fn filled(files: &[(&str, &str)]) -> Server {
    let mut server = Server::start_with(|_, folder| {
        files.iter().for_each(|(name, text)| fs::write(folder.join("plugins").join(name), text).unwrap());
    });
    server.accept_batch(&golden());
    while server.count("select count(*) from row_queue") > 0 {
        std::thread::yield_now();
    }
    server.stop();
    server
}

fn diff(server: &Server, old: &str, new: &str, query: &[(&str, &str)]) -> Diff {
    let file = |name: &str, text: &str| {
        let path = server.folder().join(name);
        fs::write(&path, text).unwrap();
        Named::File(path)
    };
    let (old, new) = (file("old.toml", old), file("new.toml", new));
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let asked = Asked { limit: 10_000, query, ..Asked::default() };
    offline::diff(server.config(), &old, &new, &asked, &mut |_| true).expect("a diff")
}

fn metrics(diff: &Diff) -> Vec<&str> {
    diff.effects.as_ref().expect("an enricher's").metrics.iter().map(|effect| effect.id.as_str()).collect()
}

fn untold(diff: &Diff, id: &str) -> String {
    let untold = &diff.effects.as_ref().expect("an enricher's").untold;
    untold.iter().find(|untold| untold.id == id).map(|untold| format!("{:?} {}", untold.keys, untold.reason)).unwrap_or_default()
}

#[test]
fn a_changed_cost_changes_exactly_the_rows_of_the_cost_report_that_it_says() {
    let mut server = filled(&[]);
    let new = COST.replace("input_tokens * 1000", "starts_with(model ?? '', 'gpt') ? input_tokens * 2000 : input_tokens * 1000");
    let diff = diff(&server, COST, &new, &[("group_by", "model")]);
    // Only the key that changes counts, and only the metric that reads it.
    assert_eq!(metrics(&diff), ["cost"]);
    let effects = diff.effects.as_ref().unwrap();
    assert_eq!((&effects.metrics[0].keys, &effects.untold), (&vec!["llm.cost.nano_usd".to_owned()], &Vec::new()));
    let sql =
        "select model, sum(input_tokens) * 1000 from llm_calls where model like 'gpt%' group by 1 having sum(input_tokens) > 0 order by 1";
    let connection = server.sql();
    let mut statement = connection.prepare(sql).unwrap();
    let expected: Vec<(String, i64)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert!(!expected.is_empty());
    let groups = &effects.metrics[0].groups;
    let mut found: Vec<(String, Value)> =
        groups.items.iter().map(|change| (change.group["model"].as_str().unwrap().to_owned(), json!(change.values))).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let sides = |(model, old): &(String, i64)| (model.clone(), json!({ "cost_nano_usd": { "old": old, "new": 2 * old } }));
    assert_eq!(found, expected.iter().map(sides).collect::<Vec<_>>());
    let models = server.count("select count(distinct ifnull(model, '')) from llm_calls") as usize;
    assert_eq!((groups.total, groups.changed), (models, expected.len()));
    let text = table(&serde_json::to_value(&diff).unwrap());
    let head = format!("{} of {models} rows of `cost`, which takes llm.cost.nano_usd, change", expected.len());
    assert!(text.contains(&head) && text.contains(&format!("model=\"{}\"", expected[0].0)), "{text}");
    // Of nothing that changes, no report does.
    assert_eq!(metrics(&self::diff(&server, COST, COST, &[("group_by", "model")])), Vec::<&str>::new());
    // A running server says the same, and the journal tells rows that hold what is stored nowhere from those that were changed.
    server.restart();
    let asked = json!({ "old": { "toml": COST }, "new": { "toml": new }, "limit": 10_000, "query": [["group_by", "model"]] });
    let answer = server.post("/v1/plugins/diff", asked.to_string());
    assert_eq!(answer.json, serde_json::to_value(&diff).unwrap(), "{}", answer.text);
    let audit = server.get("/v1/audit/verify").json;
    assert_eq!(audit["holds"], true, "{audit}");
    let others = audit["not_rebuilt"].as_array().unwrap().iter().find(|unproven| unproven["why"] == "other-values").unwrap();
    assert_eq!(others["count"], 4 * server.count("select count(*) from llm_calls"), "two reports of each of two diffs: {others}");
}

/// What differs between two answers of one report: by group, by column, old and new.
type Differences = BTreeMap<String, Value>;

fn served(old: &Value, new: &Value) -> Differences {
    let rows = |report: &Value| -> BTreeMap<String, Value> {
        let rows = report["rows"].as_array().unwrap_or_else(|| panic!("{report}"));
        rows.iter().map(|row| (row["group"].to_string(), row["values"].clone())).collect()
    };
    let (old, new) = (rows(old), rows(new));
    let mut found = Differences::new();
    for group in old.keys().chain(new.keys()) {
        let column = |side: &BTreeMap<String, Value>, name: &str| side.get(group).map_or(Value::Null, |values| values[name].clone());
        let names = [&old, &new].into_iter().filter_map(|side| side.get(group)).flat_map(|values| values.as_object().unwrap().keys());
        let sides = names.map(|name| (name.clone(), json!({ "old": column(&old, name), "new": column(&new, name) })));
        let values: serde_json::Map<String, Value> = sides.filter(|(_, sides)| sides["old"] != sides["new"]).collect();
        if !values.is_empty() {
            found.insert(group.clone(), values.into());
        }
    }
    found
}

fn told(effect: &Effect) -> Differences {
    effect.groups.items.iter().map(|change| (json!(change.group).to_string(), json!(change.values))).collect()
}

#[test]
fn reports_grouped_or_filtered_by_what_changes_come_out_as_they_would_be_served() {
    let upper = FAMILY.replace("before(llm.model, '-')", "llm.model == 'gpt-4o' ? 'GPT' : before(llm.model, '-')");
    let (mut before, mut after) = (filled(&[("family.toml", FAMILY)]), filled(&[("family.toml", &upper)]));
    let elsewhere = filled(&[]);
    for query in [("group_by", "model.family"), ("model.family", "gpt")] {
        let here = diff(&before, FAMILY, &upper, &[query]);
        let there = diff(&elsewhere, FAMILY, &upper, &[query]);
        // What is stored of this enricher does not count.
        assert_eq!(here.effects, there.effects);
        let effects = &here.effects.as_ref().unwrap().metrics;
        before.restart();
        after.restart();
        let mut changed = 0;
        for effect in effects {
            let report = |server: &Server| server.get(&format!("/v1/reports/{}?{}={}", effect.id, query.0, query.1)).json;
            let expected = served(&report(&before), &report(&after));
            assert_eq!(told(effect), expected, "{}", effect.id);
            assert_eq!(effect.groups.changed, expected.len());
            changed += usize::from(!expected.is_empty());
        }
        before.stop();
        after.stop();
        let ids: Vec<&str> = effects.iter().map(|effect| effect.id.as_str()).collect();
        // Over events, calls and sessions alike.
        for id in ["error-count", "llm-calls", "session-count", "cost"] {
            assert!(ids.contains(&id), "{id} of {ids:?}");
        }
        assert!(changed >= 3, "{changed} of {ids:?}");
    }
}

#[test]
fn what_cannot_be_told_is_named_with_its_reason() {
    let head = |id: &str, kind: &str| format!("id = \"{id}\"\nversion = \"1.0.0\"\nkind = \"{kind}\"\n[rule]\n");
    let follower = head("follower", "enricher") + "model.length = \"size(model.family)\"\n";
    let whole = head("whole", "metric") + "events = \"count(event.attributes)\"\n";
    let families = head("families", "metric") + "families = \"count(model.family)\"\n";
    let server = filled(&[("follower.toml", &follower), ("whole.toml", &whole), ("families.toml", &families)]);
    let grants = "[whole]\nfields = [\"event.attributes\"]\n[family]\ndeclassify = [\"model.family\"]\n";
    fs::write(server.folder().join("grants.toml"), grants).unwrap();
    let upper = FAMILY.replace("before(llm.model, '-')", "upper(llm.model)");
    let told = diff(&server, FAMILY, &upper, &[]);
    assert_eq!(metrics(&told), ["families"], "and its report does not change: {:?}", told.effects);
    assert_eq!(told.effects.as_ref().unwrap().metrics[0].groups.changed, 0);
    assert!(untold(&told, "follower").starts_with(r#"["model.family"] it was not run"#), "{:?}", told.effects);
    assert!(untold(&told, "whole").contains("all attributes of an event"), "{:?}", told.effects);
    let text = table(&serde_json::to_value(&told).unwrap());
    assert!(text.contains("not told of the enricher `follower`, which takes model.family: it was not run"), "{text}");
    // Beside a version whose key may hold content, a metric that was not granted it would not serve.
    let other = upper.replace("\"family\"", "\"family-2\"");
    let refused = diff(&server, FAMILY, &other, &[]);
    assert!(untold(&refused, "families").contains("beside the new one: metric `families` did not load"), "{:?}", refused.effects);
    assert_eq!(metrics(&refused), Vec::<&str>::new());
    // Where the report cannot be asked so of one, it can of others.
    let grouped = diff(&server, FAMILY, &upper, &[("group_by", "call.model,model.family")]);
    assert!(untold(&grouped, "families").contains("is not a field of `events`"), "{:?}", grouped.effects);
    assert!(metrics(&grouped).contains(&"llm-calls"), "{:?}", metrics(&grouped));
}
