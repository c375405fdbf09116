//! Golden events, and the calls, executions, sessions and alerts they tell of, as the host hands them over.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use telemetry_model::{BatchBuilder, Family, Field, Relation, Rows, Timestamp, Value};
use telemetry_plugins::Manifest;

/// Rows with the fields of one plugin only.
pub struct Table {
    fields: Vec<Field>,
    rows: Vec<(Family, Vec<Value<'static>>)>,
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn family(&self, row: usize) -> Family {
        self.rows[row].0
    }
    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        match self.fields.iter().position(|known| known == field).map(|at| &self.rows[row].1[at]) {
            Some(Value::Text(text)) => Value::Text(Cow::Borrowed(text)),
            Some(Value::Json(text)) => Value::Json(Cow::Borrowed(text)),
            Some(other) => other.clone(),
            None => Value::Absent,
        }
    }
    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}

impl Table {
    /// The first `count` rows of what these plugins read.
    pub fn of(manifests: &[&Manifest], count: usize) -> Self {
        let relation = manifests[0].source;
        let mut fields: Vec<Field> = Vec::new();
        for manifest in manifests {
            let writes = manifest.writes.iter().map(|write| Field::Attribute(write.key.clone()));
            let of_this = manifest.reads.iter().map(|read| read.field.clone()).chain(writes);
            of_this.for_each(|field| {
                if !fields.contains(&field) {
                    fields.push(field)
                }
            });
        }
        let golden = golden(relation);
        let rows = golden.iter().cycle().take(count).enumerate().map(|(number, event)| {
            let values = fields.iter().map(|field| value_of(event, number, field)).collect();
            (Family::of(event["name"].as_str().unwrap_or_default()), values)
        });
        Table { rows: rows.collect(), fields }
    }

    /// Each row alone.
    pub fn singles(&self) -> Vec<Table> {
        self.rows.iter().map(|row| Table { fields: self.fields.clone(), rows: vec![row.clone()] }).collect()
    }

    /// As a metric gets it, in ten groups.
    pub fn grouped(&self, manifest: &Manifest) -> telemetry_model::Batch {
        let mut batch = BatchBuilder::new(self.len(), Vec::new());
        manifest.reads.iter().for_each(|read| batch.values(read.ty, |row| self.value(row, &read.field)));
        let groups: Vec<u32> = (0..self.len() as u32).map(|row| row % GROUPS).collect();
        batch.groups(&groups);
        batch.finish()
    }
}

/// Groups of [`Table::grouped`].
pub const GROUPS: u32 = 10;

/// Events that a row of `relation` is made of.
fn golden(relation: Relation) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden/monitor-events.ndjson");
    let text = fs::read_to_string(path).unwrap();
    let events = text.lines().map(|line| {
        let mut event: Json = serde_json::from_str(line).unwrap();
        event["size"] = line.len().into();
        event
    });
    let begins = match relation {
        Relation::Events => "",
        Relation::LlmCalls => "llm.call.start",
        Relation::ToolExecutions => "tool.start",
        Relation::Sessions => "monitoring.start",
        Relation::SecurityAlerts => "security.",
    };
    events.filter(|event| event["name"].as_str().is_some_and(|name| name.starts_with(begins))).collect()
}

fn value_of(event: &Json, number: usize, field: &Field) -> Value<'static> {
    let attribute = |key: &str| value(&event["attributes"][key]);
    match field {
        Field::Attribute(key) => match &**key {
            "llm.cost.nano_usd" => Value::Integer(number as i64 * 1_000),
            "llm.cost.state" => Value::Text("priced".into()),
            key => attribute(key),
        },
        Field::Fixed(_, name @ ("timestamp" | "start_time" | "end_time" | "request_timestamp" | "response_timestamp")) => {
            let time = event["timestamp"].as_str().and_then(|text| Timestamp::parse(text).ok());
            time.map_or(Value::Absent, |time| Value::Time(time.0 + if *name == "end_time" { 1_500_000_000 } else { 0 }))
        }
        Field::Fixed(_, "attributes") => value(&event["attributes"]),
        Field::Fixed(_, "attribute_count") => Value::Integer(event["attributes"].as_object().map_or(0, |all| all.len() as i64)),
        Field::Fixed(_, "vendor" | "llm_vendor") => attribute("llm.vendor"),
        Field::Fixed(_, "model") => attribute("llm.model"),
        Field::Fixed(_, "request_type") => attribute("llm.request.type"),
        Field::Fixed(_, "tool_name") => attribute("tool.name"),
        Field::Fixed(_, "session_id") => attribute("session.id"),
        Field::Fixed(_, "status") => Value::Text(if number % 20 == 0 { "error" } else { "success" }.into()),
        Field::Fixed(_, "duration_ms") => Value::Real(40.0 + (number * 37 % 4_000) as f64),
        Field::Fixed(_, "input_tokens") => Value::Integer(100 + number as i64 * 13 % 5_000),
        Field::Fixed(_, "output_tokens") => Value::Integer(20 + number as i64 * 7 % 900),
        Field::Fixed(_, "total_tokens") => Value::Integer(120 + number as i64 * 20 % 5_900),
        Field::Fixed(_, "turn" | "repeat" | "event_count") => Value::Integer(1 + number as i64 % 7),
        Field::Fixed(_, name) => value(&event[*name]),
    }
}

fn value(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Absent,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or(0.0)), Value::Integer),
        Json::String(text) => Value::Text(Cow::Owned(text.clone())),
        other => Value::Json(Cow::Owned(other.to_string())),
    }
}

/// A table of one event's attributes, for how fast they are read.
pub fn of_attributes(text: String) -> Table {
    let fields = ["attributes", "name"].map(|name| Field::Fixed(Relation::Events, name));
    Table { fields: fields.into(), rows: vec![(Family::Llm, vec![Value::Json(text.into()), Value::Text("llm.call.start".into())])] }
}
