//! Events for tests and benchmarks: a small reader of the monitor's bodies. The server has the real one; this knows the common forms.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use telemetry_model::facts::{Facts, LlmCallFacts, Role, SecurityAlertFacts, ToolExecutionFacts};
use telemetry_model::{Attributes, DigestKey, Event, JsonText, Level, Timestamp};

struct Pairs(Vec<(Box<str>, JsonText)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    pairs.push((key.into(), JsonText::from(value)));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Attributes of a JSON object's text.
pub fn attributes(text: &str) -> Attributes {
    Attributes::from_unique(serde_json::from_str::<Pairs>(text).unwrap().0)
}

/// An event with nothing in it.
pub fn event(name: &str, time: i64) -> Event {
    Event {
        schema_version: Some("1.0".into()),
        timestamp: Timestamp(time),
        trace_id: None,
        span_id: None,
        parent_span_id: None,
        name: name.into(),
        level: Level::new("INFO"),
        agent_id: "agent".into(),
        session_id: None,
        channel: None,
        idempotency_key: None,
        attributes: Attributes::default(),
        extra: Attributes::default(),
        flags: Vec::new(),
        size: 1_000,
    }
}

/// The event of one body, and what it says of its call or execution.
pub fn read(line: &str, key: &DigestKey) -> (Event, Facts) {
    let members: HashMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
    let member = |name: &str| members.get(name).and_then(|raw| serde_json::from_str::<Option<String>>(raw.get()).ok().flatten());
    let mut event = event(&member("name").unwrap(), Timestamp::parse(&member("timestamp").unwrap()).unwrap().0);
    event.schema_version = member("schema_version").map(Into::into);
    event.trace_id = member("trace_id").map(Into::into);
    event.span_id = member("span_id").map(Into::into);
    event.parent_span_id = member("parent_span_id").map(Into::into);
    event.level = Level::new(&member("level").unwrap_or("INFO".into()));
    event.agent_id = member("agent_id").unwrap_or("unknown-agent".into()).into();
    event.channel = member("channel").map(Into::into);
    event.attributes = members.get("attributes").map(|raw| attributes(raw.get())).unwrap_or_default();
    event.session_id = event.attributes.get("session.id").and_then(JsonText::as_text).map(|id| (*id).into());
    event.size = line.len() as u32;
    let facts = facts(&event, key);
    (event, facts)
}

/// What correlation takes from an event.
pub fn facts(event: &Event, key: &DigestKey) -> Facts {
    let role = match &*event.name {
        "monitoring.stop" => return Facts::Stop,
        "llm.call.start" | "llm.request" | "tool.execution" | "tool.start" | "tool.call" => Role::Begin,
        "llm.call.finish" | "llm.call.end" | "llm.response" | "tool.result" | "tool.end" => Role::End,
        "llm.call.error" | "llm.error" | "tool.error" => Role::Error,
        name if name.starts_with("security.content") => return alert(event),
        _ => return Facts::None,
    };
    if event.name.starts_with("llm") { call(event, role, key) } else { execution(event, role) }
}

fn call(event: &Event, role: Role, key: &DigestKey) -> Facts {
    let data = event.attributes.get("llm.request.data").map(|json| json.as_str());
    let messages = data.and_then(|data| serde_json::from_str::<HashMap<String, Box<RawValue>>>(data).ok()).and_then(|data| {
        let list: Vec<Box<RawValue>> = serde_json::from_str(data.get("messages")?.get()).ok()?;
        Some(list.iter().map(|message| key.digest(message.get().as_bytes()).short()).collect())
    });
    Facts::LlmCall(Box::new(LlmCallFacts {
        role,
        vendor: text(event, "llm.vendor").or_else(|| text(event, "llm.provider")),
        model: text(event, "llm.model"),
        request_type: text(event, "llm.request.type").or_else(|| text(event, "llm.response.type")),
        request_timestamp: time(event, "llm.request.timestamp"),
        response_id: text(event, "llm.response.id"),
        response_timestamp: time(event, "llm.response.timestamp"),
        duration_ms: event.attributes.get("llm.response.duration_ms").and_then(JsonText::as_real),
        stop_reason: text(event, "llm.response.stop_reason"),
        input_tokens: event.attributes.get("llm.usage.input_tokens").and_then(JsonText::as_integer),
        output_tokens: event.attributes.get("llm.usage.output_tokens").and_then(JsonText::as_integer),
        total_tokens: event.attributes.get("llm.usage.total_tokens").and_then(JsonText::as_integer),
        is_error: role == Role::Error,
        error_type: text(event, "error.type"),
        messages,
    }))
}

fn execution(event: &Event, role: Role) -> Facts {
    let arguments = ["tool.params", "tool.input", "tool.args", "tool.call.inputs"];
    let status = event.attributes.get("tool.status").map(JsonText::to_value);
    Facts::ToolExecution(Box::new(ToolExecutionFacts {
        role,
        tool_name: text(event, "tool.name"),
        tool_id: text(event, "tool.id"),
        framework: text(event, "framework.name"),
        result_type: text(event, "tool.result.type"),
        duration_ms: event.attributes.get("tool.duration_ms").and_then(JsonText::as_real),
        is_error: role == Role::Error || status == Some(Value::from("error")) || event.attributes.get("tool.error").is_some(),
        error_type: text(event, "error.type"),
        arguments: arguments.iter().find_map(|key| event.attributes.get(key)).cloned(),
    }))
}

fn alert(event: &Event) -> Facts {
    Facts::SecurityAlert(Box::new(SecurityAlertFacts {
        alert_level: text(event, "security.alert_level"),
        category: text(event, "security.category"),
        severity: text(event, "security.severity"),
        description: text(event, "security.description"),
        llm_vendor: text(event, "llm.vendor"),
        content_sample: text(event, "security.content_sample"),
        detection_time: time(event, "security.detection_time"),
        keywords: event.attributes.get("security.keywords").cloned(),
    }))
}

fn text(event: &Event, key: &str) -> Option<Box<str>> {
    event.attributes.get(key).and_then(JsonText::as_text).map(|text| (*text).into())
}

fn time(event: &Event, key: &str) -> Option<Timestamp> {
    text(event, key).and_then(|text| Timestamp::parse(&text).ok())
}
