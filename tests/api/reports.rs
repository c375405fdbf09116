//! What metric components say, and how they are asked.

use serde_json::{Value, json};

use super::ingest::event;
use crate::harness::{Server, golden};

fn filled() -> Server {
    let server = Server::start();
    server.accept_batch(&golden());
    server
}

fn report(server: &Server, path: &str) -> Value {
    let answer = server.get(&format!("/v1/reports/{path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json
}

fn values<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    report["rows"].as_array().unwrap().iter().map(|row| &row["values"][name]).collect()
}

fn sum(report: &Value, name: &str) -> i64 {
    values(report, name).into_iter().map(|value| value.as_i64().unwrap_or(0)).sum()
}

fn refusal(server: &Server, path: &str) -> (u16, String) {
    let answer = server.get(path);
    let details = answer.json["error"]["details"].as_array().unwrap_or_else(|| panic!("{path}: {}", answer.text));
    let details = details.iter().map(|detail| format!("{}: {}", detail["field"].as_str().unwrap(), detail["reason"].as_str().unwrap()));
    (
        answer.status,
        std::iter::once(answer.json["error"]["message"].as_str().unwrap().to_owned()).chain(details).collect::<Vec<_>>().join("; "),
    )
}

#[test]
fn tokens_by_model_are_the_sums_of_the_events() {
    let server = filled();
    let by_model = report(&server, "token-usage?group_by=model");
    assert_eq!((sum(&by_model, "input_tokens"), sum(&by_model, "output_tokens")), (3_103, 759));
    for row in by_model["rows"].as_array().unwrap() {
        let model = row["group"]["model"].as_str().map_or("is null".to_owned(), |model| format!("= '{model}'"));
        let expected = server.count(&format!("select ifnull(sum(input_tokens), 0) from llm_calls where model {model}"));
        assert_eq!(row["values"]["input_tokens"].as_i64().unwrap_or(0), expected, "{model}");
    }
    let plugin = &by_model["plugin"];
    assert_eq!((&plugin["id"], &plugin["version"]), (&json!("token-usage"), &json!("0.1.0")));
    assert_eq!(plugin["digest"].as_str().unwrap().len(), 64);
    assert_eq!((&by_model["scanned_rows"], &by_model["matched_rows"]), (&json!(61), &json!(61)));
    assert_eq!(by_model["window"], json!({"from": null, "to": null}));
}

#[test]
fn every_shipped_metric_tells_the_golden_counts() {
    let server = filled();
    let one = |id: &str| report(&server, id)["rows"][0]["values"].clone();
    let calls = one("llm-calls");
    assert_eq!((&calls["calls"], &calls["success"], &calls["error"], &calls["open"]), (&json!(61), &json!(46), &json!(6), &json!(9)));
    let tools = one("tool-calls");
    assert_eq!((&tools["calls"], &tools["success"], &tools["error"], &tools["open"]), (&json!(76), &json!(73), &json!(2), &json!(1)));
    assert_eq!(one("session-count")["sessions"], json!(9));
    assert_eq!(one("error-count")["errors"], server.count("select count(*) from events where is_error"));
    assert_eq!(one("latency")["count"], server.count("select count(*) from llm_calls where duration_ms is not null"));
}

#[test]
fn events_are_counted_by_the_kinds_of_secrets_in_them() {
    let server = Server::start();
    let said = |text: &str| event("tool.error", json!({"tool.result": text}));
    let texts = ["nothing", "my card is 4111 1111 1111 1111", "4111 1111 1111 1111 again", "use AKIAIOSFODNN7EXAMPLE and 4111111111111111"];
    server.accept_batch(&texts.map(said));
    for report in
        [report(&server, "error-count?group_by=secret.kinds"), report(&server, "error-count?group_by=attributes%5B%22secret.kinds%22%5D")]
    {
        let rows = report["rows"].as_array().unwrap().iter();
        let rows: Vec<_> =
            rows.map(|row| (row["group"].as_object().unwrap().values().next().unwrap().clone(), row["values"]["errors"].clone())).collect();
        let expected = [("aws-access-key,credit-card", 1), ("credit-card", 2)].map(|(kinds, count)| (json!(kinds), json!(count)));
        assert_eq!(rows, [expected.to_vec(), vec![(Value::Null, json!(1))]].concat());
    }
}

#[test]
fn an_empty_database_gives_the_empty_state_not_an_error() {
    let server = Server::start();
    let calls = report(&server, "llm-calls");
    assert_eq!(values(&calls, "calls"), [&json!(0)]);
    assert_eq!(values(&calls, "success_rate"), [&Value::Null]);
    assert_eq!(report(&server, "llm-calls?group_by=model")["rows"], json!([]));
    assert_eq!(report(&server, "llm-calls?interval=1d")["rows"].as_array().unwrap().len(), 31);
}

#[test]
fn empty_buckets_are_filled_for_every_group() {
    let server = filled();
    let window = "from_time=2026-11-23T07:00:00Z&to_time=2026-11-23T10:00:00Z";
    let by_hour = report(&server, &format!("llm-calls?interval=1h&{window}"));
    let times: Vec<_> = by_hour["rows"].as_array().unwrap().iter().map(|row| row["time"].as_str().unwrap()).collect();
    assert_eq!(times, ["2026-11-23T07:00:00.000000Z", "2026-11-23T08:00:00.000000Z", "2026-11-23T09:00:00.000000Z"]);
    assert_eq!(values(&by_hour, "calls"), [&json!(0), &json!(61), &json!(0)]);
    assert_eq!(values(&by_hour, "success_rate")[0], &Value::Null);
    let grouped = report(&server, &format!("llm-calls?interval=30m&group_by=status,agent&{window}"));
    let groups: std::collections::BTreeSet<_> = grouped["rows"].as_array().unwrap().iter().map(|row| row["group"].to_string()).collect();
    assert_eq!(grouped["rows"].as_array().unwrap().len(), groups.len() * 6);
    assert_eq!(sum(&grouped, "calls"), 61);
}

#[test]
fn rows_are_filtered_and_grouped_by_fields_and_attributes() {
    let server = filled();
    let calls = |parameters: &str| sum(&report(&server, &format!("llm-calls?{parameters}")), "calls");
    for (parameters, condition) in [
        ("agent_id=weather-agent", "agent_id = 'weather-agent'"),
        ("agent=weather-agent", "agent_id = 'weather-agent'"),
        ("call.status=error&call.status=open", "status in ('error', 'open')"),
        ("vendor=openai", "vendor = 'openai'"),
        ("input_tokens=9", "input_tokens = 9"),
        ("model=nothing", "false"),
        ("from_time=2026-11-23T08:01:00Z", "start_time >= 1795420860000000000"),
        ("to_time=2026-11-23T08:01:00Z", "start_time < 1795420860000000000"),
        ("llm.vendor=openai", "vendor = 'openai'"),
    ] {
        assert_eq!(calls(parameters), server.count(&format!("select count(*) from llm_calls where {condition}")), "{parameters}");
    }
    let by_category = report(&server, "error-count?group_by=event.category,level");
    assert_eq!(sum(&by_category, "events"), 380);
    let security = by_category["rows"].as_array().unwrap().iter().filter(|row| row["group"]["event.category"] == "security");
    assert_eq!(security.map(|row| row["values"]["events"].as_i64().unwrap()).sum::<i64>(), 29);
    assert_eq!(sum(&report(&server, "error-count?event.category=security"), "events"), 29);
    let host = report(&server, r#"llm-calls?group_by=attributes%5B%22env.os.type%22%5D"#);
    assert_eq!(sum(&host, "calls"), 61);
}

#[test]
fn wrong_requests_are_told_all_that_is_wrong() {
    let server = filled();
    assert_eq!(
        refusal(&server, "/v1/reports/token-usage?modle=x&group_by=nonsense&interval=1y&time_range=soon"),
        (
            400,
            "invalid request parameters; interval: `1y` is not a number followed by m, h or d, as in 1h; time_range: `soon` is not a \
             number followed by m, h or d, as in 30d; group_by: `nonsense` is not a field of `llm_calls`; there are trace_id, span_id, \
             agent_id, vendor, model, request_type, start_time, end_time, request_timestamp, response_timestamp, response_id, duration_ms, \
             stop_reason, status, error_type, input_tokens, output_tokens, total_tokens, turn, conversation_id, session_id, and \
             attributes[\"key\"]; modle: unknown parameter; did you mean `model`?"
                .to_owned()
        )
    );
    let (status, problem) = refusal(&server, "/v1/reports/token-usage?interval=1m&time_range=30d");
    assert_eq!(status, 400);
    assert!(problem.contains("43200 buckets"), "{problem}");
    let (status, problem) = refusal(&server, "/v1/reports/nothing");
    assert_eq!((status, problem.as_str()), (404, "there is no metric `nothing`"));
    let (status, problem) = refusal(&server, "/v1/reports/event-category");
    assert_eq!(status, 404, "{problem}");
    for (name, value) in [("from_time", "2026-11-24"), ("model", "'; drop table event_rows; --"), ("group_by", "attributes[\"\\u0000\"]")] {
        let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(server.get(&format!("/v1/reports/token-usage?{name}={value}")).status, 200, "{name}");
    }
    assert_eq!(server.count("select count(*) from events"), 380);
}

#[test]
fn too_many_groups_are_an_explicit_error() {
    let server = Server::start();
    let events: Vec<Value> = (0..10_001)
        .map(|number| {
            let mut event = event("custom.metric", json!({}));
            event["span_id"] = json!(format!("{number:016x}"));
            event
        })
        .collect();
    events.chunks(1_000).for_each(|chunk| server.accept_batch(chunk));
    let (status, problem) = refusal(&server, "/v1/reports/error-count?group_by=span_id");
    assert_eq!(status, 400);
    assert!(problem.contains("10001 groups are more than 10000"), "{problem}");
    assert_eq!(sum(&report(&server, "error-count"), "events"), 10_001);
}

#[test]
fn a_metric_that_is_off_is_not_found_by_its_name_on_every_route() {
    let server = Server::start_with(|config, _| {
        config.plugins.disabled = vec!["llm-calls".into(), "token-usage".into(), "tool-calls".into()];
    });
    server.accept_batch(&golden());
    for (path, id) in [
        ("/v1/reports/llm-calls", "llm-calls"),
        ("/v1/reports/token-usage", "token-usage"),
        ("/v1/metrics/llm/request_count", "llm-calls"),
        ("/v1/metrics/tokens", "token-usage"),
        ("/v1/metrics/tool/success_rate", "tool-calls"),
    ] {
        let (status, problem) = refusal(&server, path);
        assert_eq!((status, problem), (404, format!("metric `{id}` is switched off")), "{path}");
    }
    let listed = server.get("/v1/reports").json;
    assert!(listed["items"].as_array().unwrap().iter().all(|item| item["id"] != "llm-calls"), "{listed}");
}

#[test]
fn reports_are_listed_with_what_can_be_asked_of_them() {
    let server = Server::start();
    let listed = server.get("/v1/reports").json;
    let items = listed["items"].as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "active-agents",
            "alerts",
            "cost",
            "error-count",
            "latency",
            "llm-calls",
            "session-count",
            "token-usage",
            "tool-calls",
            "tool-loop-count",
            "unpriced-tokens"
        ]
    );
    let tokens = &items[7];
    assert_eq!((&tokens["source"], &tokens["path"]), (&json!("llm_calls"), &json!("/v1/reports/token-usage")));
    assert_eq!((&tokens["columns"][0]["name"], &tokens["columns"][0]["unit"]), (&json!("input_tokens"), &json!("{token}")));
    assert!(tokens["group_by"].as_array().unwrap().contains(&json!({"name": "call.model", "type": "text", "class": "metadata"})));
}

#[test]
fn v1_series_have_their_shape_and_right_values() {
    let server = filled();
    let requests = server.get("/v1/metrics/llm/request_count").json;
    assert_eq!((&requests["metric"], &requests["interval"]), (&json!("llm_request_count"), &Value::Null));
    assert_eq!(requests["from_time"], "2026-10-24T09:00:00.000000Z");
    assert_eq!(requests["to_time"], "2026-11-23T09:00:00.000000Z");
    let data = requests["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[30]), (31, &json!({"timestamp": "2026-11-23T00:00:00.000000Z", "value": 61, "dimensions": {}})));
    assert_eq!(data[0]["value"], 0);
    let by_model = server.get("/v1/metrics/llm/request_count?interval=7d&dimensions=model,agent_id&time_range=1d").json;
    let total: i64 = by_model["data"].as_array().unwrap().iter().map(|point| point["value"].as_i64().unwrap()).sum();
    assert_eq!((total, &by_model["data"][0]["timestamp"]), (61, &json!("2026-11-16T00:00:00.000000Z")));
    assert!(by_model["data"][0]["dimensions"]["agent_id"].is_string());
    let rate = server.get("/v1/metrics/tool/success_rate?interval=1h&time_range=1d").json;
    let data = rate["data"].as_array().unwrap();
    let known: Vec<_> = data.iter().filter(|point| !point["value"].is_null()).collect();
    assert_eq!(known.len(), 1);
    assert!((known[0]["value"].as_f64().unwrap() - 73.0 / 75.0).abs() < 1e-12, "{rate}");
    assert_eq!(server.get("/v1/metrics/tool/success_rate").status, 200);
}

#[test]
fn v1_tokens_honour_their_parameters() {
    let server = filled();
    let tokens = server.get("/v1/metrics/tokens").json;
    assert_eq!((&tokens["input_tokens"], &tokens["output_tokens"]), (&json!(3_103), &json!(759)));
    let models = tokens["models"].as_array().unwrap();
    assert_eq!(models.iter().filter_map(|model| model["input_tokens"].as_i64()).sum::<i64>(), 3_103);
    // The call of an old sender names no model: that is not a model named "unknown".
    assert_eq!(models.iter().filter(|model| model["name"].is_null()).count(), 1);
    assert!(models.iter().all(|model| model["name"].is_null() || model["name"].is_string()));
    assert_eq!(server.get("/v1/metrics/tokens?to_time=2026-11-20T00:00:00Z").json["input_tokens"], Value::Null);
    let more = server.get("/v1/metrics/tokens?interval=1h&time_range=1d&group_by=agent").json;
    let sum = |list: &Value| list.as_array().unwrap().iter().filter_map(|row| row["input_tokens"].as_i64()).sum::<i64>();
    assert_eq!((sum(&more["breakdown"]), sum(&more["time_series"])), (3_103, 3_103));
}

#[test]
fn groups_keep_the_type_of_their_values_and_differ_by_it() {
    let server = Server::start();
    let tiers =
        [json!(1), json!("1"), json!(10), json!(2), json!(1), json!(true), json!("true"), json!(0.5), json!(5e-1), json!([1]), json!(null)];
    for (index, value) in tiers.iter().enumerate() {
        let attributes = json!({ "llm.vendor": "v", "tier": value });
        server.accept(&json!({
            "name": "llm.call.start", "level": "ERROR", "timestamp": "2026-11-23T08:00:00Z", "agent_id": "a",
            "trace_id": "t", "span_id": format!("s{index}"), "attributes": attributes
        }));
    }
    let report = report(&server, "llm-calls?group_by=attributes[%22tier%22]");
    let groups: Vec<&Value> = report["rows"].as_array().unwrap().iter().map(|row| &row["group"]["attributes[\"tier\"]"]).collect();
    let expected = [json!(true), json!(0.5), json!(1), json!(2), json!(10), json!("1"), json!("true"), json!([1]), json!(null)];
    assert_eq!(groups, expected.iter().collect::<Vec<_>>());
    assert_eq!(values(&report, "calls"), [1, 2, 2, 1, 1, 1, 1, 1, 1].map(Value::from).iter().collect::<Vec<_>>());
}

#[test]
fn a_level_is_found_in_any_case() {
    let server = filled();
    let upper = report(&server, "error-count?level=ERROR");
    assert!(sum(&upper, "errors") > 0);
    assert_eq!(upper["rows"], report(&server, "error-count?level=error")["rows"]);
}

#[test]
fn groups_with_texts_too_long_to_answer_are_refused() {
    let server = Server::start();
    for index in 0..5 {
        let attributes = json!({ "text": format!("{index}{}", "x".repeat(4 << 20)) });
        server.accept(&json!({ "name": "llm.call.start", "timestamp": "2026-11-23T08:00:00Z", "agent_id": "a", "attributes": attributes }));
    }
    let (status, reason) = refusal(&server, "/v1/reports/llm-calls?group_by=attributes[%22text%22]");
    assert!(status == 400 && reason.contains("16777216 bytes"), "{status} {reason}");
}
