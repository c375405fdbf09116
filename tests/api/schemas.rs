//! What is told of answers is what they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ingest::event;
use super::raw::Raw;
use crate::harness::{Answer, Server, golden};

/// The document at `/openapi.json`.
struct Told(Value);

impl Told {
    /// The operation of a request: `{..}` in a path stands for one segment.
    fn operation(&self, method: &str, path: &str) -> (&str, &Value) {
        let path = path.split('?').next().unwrap_or_default();
        let is_path = |known: &str| {
            let (known, path): (Vec<_>, Vec<_>) = (known.split('/').collect(), path.split('/').collect());
            known.len() == path.len() && known.iter().zip(&path).all(|(known, path)| known == path || known.starts_with('{'))
        };
        let mut fits: Vec<_> = self.0["paths"].as_object().unwrap().iter().filter(|(known, _)| is_path(known)).collect();
        fits.sort_by_key(|(known, _)| known.matches('{').count());
        let (_, methods) = fits.first().unwrap_or_else(|| panic!("{path} is not told"));
        (methods[method]["operationId"].as_str().unwrap(), &methods[method])
    }

    /// What of `value` is not as `schema` says. A member that the schema does not name is a problem too.
    fn problems(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap();
            let schema = &self.0["components"]["schemas"][name];
            assert!(schema.is_object(), "{name} is not told");
            return self.problems(schema, value, place, found);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            // Something or null.
            let is_null = value.is_null() && choices[1]["type"] == "null";
            return if !is_null {
                self.problems(&choices[0], value, place, found)
            };
        }
        let is_of_type = match schema["type"].as_str() {
            None => return,
            Some("null") => value.is_null(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            Some(other) => panic!("{other} is no type"),
        };
        if !is_of_type {
            found.push(format!("{place}: {value} is no {}", schema["type"]));
            return;
        }
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            self.problems(&schema["items"], item, &format!("{place}[{at}]"), found);
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.get(name).is_none() {
                found.push(format!("{place}.{name} is absent"));
            }
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(schema), _) | (None, Some(schema)) => self.problems(schema, member, &place, found),
                (None, None) => found.push(format!("{place} is not told")),
            }
        }
    }

    /// Holds an answer to what is told of it; gives the operation.
    fn hold(&self, method: &str, path: &str, status: u16, body: &Value) -> String {
        let (id, operation) = self.operation(method, path);
        let mut response = &operation["responses"][status.to_string()];
        if response["$ref"] == "#/components/responses/Error" {
            response = &self.0["components"]["responses"]["Error"];
        }
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.as_object().is_some_and(|schema| !schema.is_empty()), "{method} {path}: {status} is not told");
        let mut found = Vec::new();
        self.problems(schema, body, "", &mut found);
        assert!(found.is_empty(), "{method} {path}: {found:#?}");
        id.to_owned()
    }
}

/// A server with something of everything: golden events, an odd one, refused ones, a plugin that is refused, a job.
fn filled() -> Server {
    let server = Server::start_with(|_, folder| {
        std::fs::write(folder.join("plugins/broken.wasm"), b"not a component").expect("a file");
    });
    server.accept_batch(&golden());
    let mut odd = event("llm.call.start", json!({"llm.usage.input_tokens": "many", "deep": [1e300]}));
    odd["beyond"] = json!({"a": [1]});
    server.accept(&odd);
    assert_eq!(server.post("/v1/telemetry", "not json").status, 400);
    server
}

const READS: &[&str] = &[
    "/v1/telemetry/events",
    "/v1/telemetry/events/3",
    "/v1/telemetry/events/381?provenance=1",
    "/v1/agents",
    "/v1/agents/weather-agent",
    "/v1/sessions",
    "/v1/alerts?severity=high&page_size=10",
    "/v1/quarantine",
    "/v1/quarantine/1",
    "/v1/quarantine/2",
    "/v1/reports",
    "/v1/reports/token-usage?group_by=model&interval=1d&vendor=openai",
    "/v1/reports/latency",
    "/v1/reports/error-count?group_by=level,llm.vendor",
    "/v1/metrics/llm/request_count?dimensions=agent_id&interval=1d",
    "/v1/metrics/tool/success_rate",
    "/v1/metrics/tokens?group_by=agent_id&interval=1d",
    "/v1/plugins",
    "/v1/plugins/broken",
    "/v1/plugins/tool-loop",
    "/v1/plugins/tool-loop/jobs",
    "/v1/plugins/tool-loop/jobs/1",
    "/v1/plugins/secret-scan/access",
    "/v1/plugins/secret-scan/access?event_id=3",
    "/v1/plugins/secret-scan/access?session_id=none",
    "/v1/audit/verify",
    "/v1/overview",
    "/v1/health",
    // Refusals have one schema.
    "/v1/telemetry/events/none",
    "/v1/agents/none",
    "/v1/reports/none",
    "/v1/reports/token-usage?nonsense=1",
    "/v1/sessions?page=none",
];

#[test]
fn answers_are_of_their_schemas() {
    let server = filled();
    let told = Told(server.get("/openapi.json").json);
    let mut held = BTreeSet::new();
    let mut hold = |method: &str, path: &str, answer: Answer| held.insert(told.hold(method, path, answer.status, &answer.json));
    let one = golden().swap_remove(0).to_string();
    let batch = json!([golden()[1], {"name": ""}, 7]).to_string();
    hold("post", "/v1/telemetry", server.post("/v1/telemetry", &one));
    hold("post", "/v1/telemetry", server.post("/v1/telemetry", "{}"));
    hold("post", "/v1/telemetry", server.post("/v1/telemetry?strict=1", "{}"));
    hold("put", "/v1/telemetry", server.put("/v1/telemetry", &one));
    hold("post", "/v1/telemetry/batch", server.post("/v1/telemetry/batch", &batch));
    hold("put", "/v1/telemetry/batch", server.put("/v1/telemetry/batch", &batch));
    hold("post", "/v1/telemetry/events/by-ids", server.post("/v1/telemetry/events/by-ids", r#"["1","2","381"]"#));
    hold("post", "/v1/plugins/tool-loop/jobs", server.post("/v1/plugins/tool-loop/jobs", "{}"));
    let sides = r#"{"old": {"id": "latency"}, "new": {"id": "latency"}}"#;
    hold("post", "/v1/plugins/diff", server.post("/v1/plugins/diff", sides));
    hold("put", "/v1/plugins/tool-loop/enabled", server.put("/v1/plugins/tool-loop/enabled", r#"{"enabled": true}"#));
    hold("post", "/v1/plugins/reload", server.post("/v1/plugins/reload", "{}"));
    for rule in ["kind = \"enricher\"\n[rule]\na = \"event.size > 900\"", "kind = \"metric\"\n[rule]\na = \"count()\""] {
        let body = json!({ "toml": format!("id = \"tried\"\nversion = \"1\"\n{rule}") }).to_string();
        hold("post", "/v1/plugins/preview", server.post("/v1/plugins/preview", body));
    }
    for path in READS {
        hold("get", path, server.get(path));
    }
    let event = server.get("/v1/telemetry/events/3").json;
    for (plural, key) in [("traces", "trace_id"), ("sessions", "session_id")] {
        let end = if plural == "sessions" { "/events" } else { "" };
        let path = format!("/v1/telemetry/{plural}/{}{end}", event[key].as_str().unwrap());
        hold("get", &path, server.get(&path));
    }
    let cancelled = Raw::connect(&server)
        .send(format!(
            "DELETE /v1/plugins/tool-loop/jobs HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
            server.addr()
        ))
        .rest();
    let (head, body) = cancelled.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{cancelled}");
    held.insert(told.hold("delete", "/v1/plugins/tool-loop/jobs", 200, &serde_json::from_str(body).unwrap()));
    let all = told.0["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values());
    let all: BTreeSet<_> = all.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    // Whoever adds a route asks it here; what is told to Prometheus is no JSON.
    held.insert("exposition".to_owned());
    assert_eq!(held, all);
}

#[test]
fn bodies_that_are_told_are_taken() {
    let server = Server::start();
    let told = Told(server.get("/openapi.json").json);
    let schema = |method, path: &str| told.operation(method, path).1["requestBody"]["content"]["application/json"]["schema"].clone();
    for event in golden() {
        let mut found = Vec::new();
        told.problems(&schema("post", "/v1/telemetry"), &event, "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
    for (path, methods) in told.0["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(_, operation)| operation["requestBody"].is_object()) {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(schema.as_object().is_some_and(|schema| !schema.is_empty()), "{method} {path}: its body is not told");
        }
    }
}
