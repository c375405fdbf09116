//! What is stored, listed: events, agents, sessions, alerts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ingest::event;
use crate::harness::{Answer, Server, golden};

fn filled() -> Server {
    let server = Server::start();
    server.accept_batch(&golden());
    server
}

fn list(server: &Server, path: &str) -> Vec<Value> {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json.as_array().unwrap_or_else(|| panic!("{path}: {}", answer.text)).clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn problems(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &json!("VALIDATION_ERROR")), "{}", answer.text);
    let details = answer.json["error"]["details"].as_array().unwrap().iter();
    details.map(|detail| format!("{}: {}", text(&detail["field"]), text(&detail["reason"]))).collect()
}

#[test]
fn events_come_newest_first_and_each_filter_works_alone() {
    let server = filled();
    let all = list(&server, "/v1/telemetry/events?limit=1000");
    assert_eq!(all.len(), 380);
    assert!(all.is_sorted_by(|a, b| text(&a["timestamp"]) >= text(&b["timestamp"])));
    assert!(all.iter().all(|event| text(&event["timestamp"]).ends_with('Z')));
    let (trace, session) = (
        text(&all.iter().find(|event| event["trace_id"].is_string()).unwrap()["trace_id"]).to_owned(),
        text(&all.iter().find(|event| event["session_id"].is_string()).unwrap()["session_id"]).to_owned(),
    );
    for (parameters, condition) in [
        ("agent_id=weather-agent".to_owned(), "agent_id = 'weather-agent'".to_owned()),
        ("event_name=llm.call.start".into(), "name = 'llm.call.start'".into()),
        ("name=llm.call.start".into(), "name = 'llm.call.start'".into()),
        ("event_type=llm".into(), "name like 'llm.%'".into()),
        ("level=error".into(), "level = 'ERROR'".into()),
        (format!("trace_id={trace}"), format!("trace_id = '{trace}'")),
        (format!("session_id={session}"), format!("session_id = '{session}'")),
        ("from_time=2026-11-23T08:01:00Z".into(), "timestamp >= 1795420860000000000".into()),
        ("to_time=2026-11-23T08:01:00Z".into(), "timestamp < 1795420860000000000".into()),
        ("time_range=1h".into(), "timestamp >= 1795420800000000000 and timestamp < 1795424400000000000".into()),
        ("agent_id=nobody".into(), "false".into()),
        ("event_type=security&agent_id=research-agent".into(), "name like 'security.%' and agent_id = 'research-agent'".into()),
    ] {
        let expected = server.count(&format!("select count(*) from events where {condition}"));
        assert_eq!(list(&server, &format!("/v1/telemetry/events?limit=1000&{parameters}")).len() as i64, expected, "{parameters}");
    }
}

#[test]
fn events_are_filtered_by_attributes_and_the_answer_says_how() {
    let server = filled();
    for (parameters, condition, sought) in [
        ("llm.request.type=chat_completion", "key = 'llm.request.type' and value = 'chat_completion'", true),
        ("llm.usage.output_tokens>=20", "key = 'llm.usage.output_tokens' and value >= 20", true),
        ("llm.usage.output_tokens%3E20&llm.usage.output_tokens<30", "key = 'llm.usage.output_tokens' and value > 20 and value < 30", true),
        ("attributes[\"tool.status\"]=error", "key = 'tool.status' and value = 'error'", true),
        ("llm.vendor=openai", "key = 'llm.vendor' and value = 'openai'", false),
    ] {
        let parameters = parameters.replace('"', "%22").replace('[', "%5B").replace(']', "%5D").replace('<', "%3C").replace(">=", "%3E=");
        let answer = server.get(&format!("/v1/telemetry/events?limit=1000&{parameters}"));
        assert_eq!(answer.status, 200, "{parameters}: {}", answer.text);
        let expected = server.count(&format!("select count(distinct event_id) from attributes where {condition}"));
        assert!(expected > 0, "{parameters}");
        assert_eq!(answer.json.as_array().unwrap().len() as i64, expected, "{parameters}");
        assert_eq!(answer.headers.contains_key("x-sought-by"), sought, "{parameters}");
        assert_eq!(!answer.headers.contains_key("x-unindexed-filters"), sought, "{parameters}");
    }
    let report = server.get("/v1/reports/llm-calls?llm.response.stop_reason=max_tokens&llm.vendor=openai").json;
    assert_eq!(report["sought_by"], "attributes[\"llm.response.stop_reason\"]");
    assert_eq!(report["unindexed_filters"], json!(["attributes[\"llm.vendor\"]"]));
    let problems = problems(&server.get("/v1/telemetry/events?event.size=3&nothing=1"));
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn pages_of_events_meet_without_gap_or_overlap() {
    let server = filled();
    let all: Vec<_> = list(&server, "/v1/telemetry/events?limit=1000").iter().map(|event| text(&event["id"]).to_owned()).collect();
    let mut walked = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = server.get(&format!("/v1/telemetry/events?limit=97&cursor={cursor}"));
        walked.extend(answer.json.as_array().unwrap().iter().map(|event| text(&event["id"]).to_owned()));
        let Some(next) = answer.headers.get("x-next-cursor") else { break };
        cursor = next.to_str().unwrap().to_owned();
    }
    assert_eq!(walked, all);
    let offset: Vec<_> =
        list(&server, "/v1/telemetry/events?limit=10&offset=370").iter().map(|event| text(&event["id"]).to_owned()).collect();
    assert_eq!(offset, all[370..]);
}

#[test]
fn an_event_comes_back_as_it_was_sent_and_says_what_was_added() {
    let server = Server::start();
    for sent in golden() {
        let id = server.accept(&sent);
        let found = server.get(&format!("/v1/telemetry/events/{id}?provenance=1")).json;
        for member in ["name", "trace_id", "span_id", "parent_span_id", "agent_id", "schema_version", "level"] {
            assert_eq!(found[member], sent.get(member).cloned().unwrap_or(Value::Null), "{member} of {sent}");
        }
        assert_eq!(found["id"], json!(id.to_string()));
        if let Some(attributes) = sent.get("attributes").filter(|attributes| attributes.is_object()) {
            assert_eq!(&found["attributes"], attributes);
        }
        assert!(found["derived"]["event.category"].is_string(), "{found}");
        assert!(found["flags"].is_array(), "{found}");
        let writers = found["provenance"]["attributes"].as_array().unwrap();
        assert_eq!(writers.len(), found["derived"].as_object().unwrap().len());
        assert!(writers.iter().any(|writer| writer["key"] == "event.category" && writer["plugin_id"] == "event-category"));
        assert!(found["provenance"]["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "ok"), "{found}");
    }
    assert_eq!(server.get("/v1/telemetry/events/1").json.get("provenance"), None);
}

#[test]
fn what_no_event_has_is_not_found() {
    let server = Server::start();
    for id in ["1", "abc", "-1", "1e3", "99999999999999999999", "%F0%9F%A6%80", "0x1"] {
        let answer = server.get(&format!("/v1/telemetry/events/{id}"));
        assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &json!("NOT_FOUND")), "{id}");
    }
    assert_eq!(list(&server, "/v1/telemetry/traces/nothing"), Vec::<Value>::new());
    assert_eq!(list(&server, "/v1/telemetry/sessions/nothing/events"), Vec::<Value>::new());
}

#[test]
fn traces_and_sessions_list_their_events_by_time() {
    let server = filled();
    let traces: BTreeSet<_> = golden().iter().filter_map(|event| event["trace_id"].as_str().map(str::to_owned)).collect();
    for trace in &traces {
        let events = list(&server, &format!("/v1/telemetry/traces/{trace}"));
        assert_eq!(events.len() as i64, server.count(&format!("select count(*) from events where trace_id = '{trace}'")));
        assert!(events.is_sorted_by(|a, b| text(&a["timestamp"]) <= text(&b["timestamp"])));
    }
    let sessions = server.get("/v1/sessions?page_size=1000").json;
    for session in sessions["items"].as_array().unwrap() {
        let id = text(&session["session_id"]);
        assert_eq!(list(&server, &format!("/v1/telemetry/sessions/{id}/events")).len() as u64, session["event_count"].as_u64().unwrap());
    }
}

#[test]
fn events_are_given_by_their_numbers_in_the_order_asked() {
    let server = filled();
    let answer = server.post("/v1/telemetry/events/by-ids", r#"["7","x","3","99999","7"]"#);
    let ids: Vec<_> = answer.json.as_array().unwrap().iter().map(|event| text(&event["id"])).collect();
    assert_eq!(ids, ["7", "3"]);
    assert_eq!(server.post("/v1/telemetry/events/by-ids", json!(vec!["1"; 101]).to_string()).status, 400);
    assert_eq!(server.post("/v1/telemetry/events/by-ids", "{}").status, 400);
}

#[test]
fn agents_are_counted_right() {
    let server = filled();
    let answer = server.get("/v1/agents?page=1&page_size=100&sort_by=updated_at&sort_dir=desc&time_range=30d").json;
    let items = answer["items"].as_array().unwrap();
    assert_eq!((items.len(), &answer["pagination"]), (6, &json!({"page": 1, "page_size": 100, "total": 6, "pages": 1})));
    assert!(items.is_sorted_by(|a, b| text(&a["updated_at"]) >= text(&b["updated_at"])));
    // No call of the ops-agent told its tokens: that is not zero.
    let silent: Vec<_> = items.iter().filter(|item| item["token_usage"].is_null()).map(|item| text(&item["agent_id"])).collect();
    assert_eq!(silent, ["ops-agent"]);
    let total = |key: &str| items.iter().filter_map(|item| item[key].as_i64()).sum::<i64>();
    assert_eq!((total("request_count"), total("token_usage")), (61, 3_103 + 759));
    assert_eq!(total("error_count"), server.count("select count(*) from events where is_error"));
    for item in items {
        let id = text(&item["agent_id"]);
        let detail = server.get(&format!("/v1/agents/{id}")).json;
        let of_agent = |sql: &str| server.count(&sql.replace("AGENT", id));
        let metrics = &detail["metrics"];
        assert_eq!(metrics["request_count"], of_agent("select count(*) from llm_calls where agent_id = 'AGENT'"));
        assert_eq!(metrics["tool_usage"], of_agent("select count(*) from tool_executions where agent_id = 'AGENT'"));
        assert_eq!(metrics["security_alerts_count"], of_agent("select count(*) from security_alerts where agent_id = 'AGENT'"));
        let violations = "select count(*) from security_alerts where agent_id = 'AGENT' and category = 'sensitive_data'";
        assert_eq!(metrics["policy_violations_count"], of_agent(violations));
        assert_eq!((&detail["name"], &detail["type"], &detail["status"]), (&json!(id), &json!("other"), &json!("active")));
    }
    assert_eq!(server.get("/v1/agents/nobody").status, 404);
}

#[test]
fn agents_are_paged_sorted_and_filtered() {
    let server = filled();
    let names = |parameters: &str| {
        let answer = server.get(&format!("/v1/agents?{parameters}")).json;
        let items = answer["items"].as_array().unwrap().clone();
        (items.iter().map(|item| text(&item["agent_id"]).to_owned()).collect::<Vec<_>>(), answer["pagination"]["total"].clone())
    };
    let (all, _) = names("sort_by=name&sort_dir=asc");
    assert!(all.is_sorted());
    let (second, total) = names("sort_by=name&sort_dir=asc&page=2&page_size=4");
    assert_eq!((second.as_slice(), total), (&all[4..], json!(6)));
    assert_eq!(names("status=inactive").0.len(), 0);
    assert_eq!(names("status=active").0.len(), 6);
    assert_eq!(names("agent_type=chatbot").0.len(), 0);
    assert_eq!(names("created_after=2026-11-23T23:00:00Z").0.len(), 0);
    assert_eq!(names("to_time=2026-11-20T00:00:00Z").0.len(), 0);
}

#[test]
fn sessions_are_counted_right() {
    let server = filled();
    let answer = server.get("/v1/sessions").json;
    let items = answer["items"].as_array().unwrap();
    assert_eq!((items.len(), &answer["pagination"]["total"]), (9, &json!(9)));
    assert!(items.is_sorted_by(|a, b| text(&a["start_time"]) >= text(&b["start_time"])));
    let total = |key: &str| items.iter().map(|item| item[key].as_i64().unwrap()).sum::<i64>();
    assert_eq!(total("event_count"), server.count("select count(*) from events where session_id is not null"));
    assert_eq!(total("llm_request_count"), server.count("select count(*) from llm_calls where session_id is not null"));
    assert_eq!(total("tool_execution_count"), server.count("select count(*) from tool_executions where session_id is not null"));
    assert_eq!(total("error_count"), server.count("select count(*) from events where session_id is not null and is_error"));
    let of = |parameters: &str| server.get(&format!("/v1/sessions?{parameters}")).json["items"].as_array().unwrap().len();
    assert_eq!(of("status=active") + of("status=completed"), 9);
    assert_eq!(of("min_duration=1") + of("max_duration=0"), 9);
    assert_eq!(of("from_time=2026-11-23T08:30:00Z") + of("to_time=2026-11-23T08:30:00Z"), 9);
    let agent = text(&items[0]["agent_id"]);
    assert!(of(&format!("agent_id={agent}&sort_by=duration_seconds&sort_dir=asc")) >= 1);
}

#[test]
fn alerts_have_the_shape_of_v1_and_right_counts() {
    let server = filled();
    let answer = server.get("/v1/alerts?page_size=1000").json;
    let alerts = answer["alerts"].as_array().unwrap();
    assert_eq!((alerts.len(), &answer["total_count"], &answer["metrics"]["total_count"]), (29, &json!(29), &json!(29)));
    assert_eq!(answer["time_range"]["description"], "Last 7d");
    for alert in alerts {
        assert_eq!(alert["id"], alert["event_id"]);
        assert!(text(&alert["event_name"]).starts_with("security."), "{alert}");
    }
    let of = |parameters: &str| server.get(&format!("/v1/alerts?page_size=1000&{parameters}")).json["total_count"].as_i64().unwrap();
    for (parameters, condition) in [
        ("severity=high", "severity = 'high'"),
        ("severity=high&severity=medium", "severity in ('high', 'medium')"),
        ("category=sensitive_data", "category = 'sensitive_data'"),
        ("category_exclude=sensitive_data", "ifnull(category, '') <> 'sensitive_data'"),
        ("alert_level=dangerous", "alert_level = 'dangerous'"),
        ("llm_vendor=openai", "llm_vendor = 'openai'"),
        ("agent_id=research-agent", "agent_id = 'research-agent'"),
        ("search=CREDIT", "lower(ifnull(description, '') || ifnull(content_sample, '') || ifnull(keywords, '')) like '%credit%'"),
        ("severity=nothing", "false"),
    ] {
        assert_eq!(of(parameters), server.count(&format!("select count(*) from security_alerts where {condition}")), "{parameters}");
    }
    let by_severity = answer["metrics"]["by_severity"].as_object().unwrap();
    assert_eq!(by_severity.values().map(|count| count.as_i64().unwrap()).sum::<i64>(), 29);
    assert_eq!(of("to_time=2026-11-20T00:00:00Z"), 0);
}

#[test]
fn every_problem_of_a_request_is_told_at_once() {
    let server = Server::start();
    assert_eq!(
        problems(&server.get("/v1/telemetry/events?limit=0&offset=-1&from_time=2026-11-24&to_time=2026-11-23&agentid=x")),
        [
            "from_time: 2026-11-24T00:00:00.000000Z is after to_time 2026-11-23T00:00:00.000000Z",
            "limit: `0` is not a whole number from 1 to 1000",
            "offset: `-1` is not a whole number of at least 0",
            "agentid: unknown parameter; did you mean `agent_id`?",
        ]
    );
    for path in ["/v1/agents?page=0", "/v1/sessions?page_size=0", "/v1/alerts?page=-1", "/v1/telemetry/traces/t?limit=x"] {
        assert_eq!(problems(&server.get(path)).len(), 1, "{path}");
    }
}

#[test]
fn reads_go_on_while_events_come_in() {
    let server = Server::start();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            for number in 0..50 {
                server.accept(&event("custom.metric", json!({ "number": number })));
            }
        });
        let mut seen = 0;
        while !writes.is_finished() {
            let events = list(&server, "/v1/telemetry/events?limit=1000").len();
            assert!(events >= seen);
            seen = events;
        }
    });
    assert_eq!(list(&server, "/v1/telemetry/events?limit=1000").len(), 50);
}

#[test]
fn absurd_counts_and_durations_spoil_no_answer() {
    let server = Server::start();
    let call = |span: &str, attributes: Value| {
        json!({"schema_version": "1.0", "timestamp": "2026-11-23T08:00:00Z", "trace_id": "t", "span_id": span, "agent_id": "a",
               "name": "llm.call.end", "level": "INFO", "attributes": attributes})
    };
    server.accept(&call("1", json!({"llm.usage.input_tokens": i64::MAX, "llm.usage.output_tokens": 1, "llm.response.duration_ms": 1e300})));
    server.accept(&call("2", json!({"llm.usage.input_tokens": i64::MAX, "llm.usage.output_tokens": i64::MAX})));
    let agents = server.get("/v1/agents");
    assert_eq!((agents.status, &agents.json["items"][0]["token_usage"]), (200, &Value::Null), "{}", agents.text);
    server.accept(&call("3", json!({"llm.usage.input_tokens": 7, "llm.usage.output_tokens": 3, "llm.response.duration_ms": 20})));
    assert_eq!(server.get("/v1/agents").json["items"][0]["token_usage"], 10);
    assert_eq!(server.get("/v1/agents/a").status, 200);
    let report = |id: &str| server.get(&format!("/v1/reports/{id}")).json["rows"][0]["values"].clone();
    assert_eq!(report("token-usage")["total_tokens"], 10);
    assert_eq!(report("latency")["mean_ms"], 20.0);
    let flags = server.get("/v1/telemetry/events/1").json["flags"].to_string();
    for code in ["count-out-of-range", "duration-out-of-range"] {
        assert!(flags.contains(code), "{flags}");
    }
}

#[test]
fn a_parameter_that_a_route_does_not_know_is_named() {
    let server = Server::start();
    for (path, reason) in [
        ("/v1/quarantine?page_sizes=1", "page_sizes: unknown parameter; did you mean `page_size`?"),
        ("/v1/quarantine?from_time=never", "from_time: `never` is not a readable ISO 8601 time"),
        ("/v1/quarantine/1?x=1", "x: unknown parameter; there are none here"),
        ("/v1/overview?limit=1", "limit: unknown parameter; there are none here"),
        ("/v1/plugins?state=on", "state: unknown parameter; there are none here"),
        ("/v1/plugins/secret-scan?log=1", "log: unknown parameter; there are none here"),
        ("/v1/reports?page=1", "page: unknown parameter; there are none here"),
        ("/v1/agents?time_rang=1d", "time_rang: unknown parameter; did you mean `time_range`?"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, problems(&answer)), (400, vec![reason.to_owned()]), "{path}");
    }
    assert_eq!(server.get("/v1/overview?limit=").status, 200);
    assert_eq!(server.get("/v1/health?x=1").status, 200);
}
