//! What answers and bodies hold. A test compares real answers with it: no member untold, none of another type.
//!
//! A type is `string`, `integer`, `number`, `boolean`, `time` (RFC 3339), `any`, the name of another schema, `[type]` for a list of it or
//! `{type}` for an object with any names; behind it `?` for "or null". A member whose name ends in `?` may be absent; one named
//! `*` stands for all others.

mod ingest;
mod listed;
mod operation;
mod reports;

use serde_json::{Map, Value, json};

/// A name and its members, `(name, type)`.
type Schema = (&'static str, &'static [(&'static str, &'static str)]);

/// `components/schemas`.
pub(super) fn all() -> Value {
    let all = [ingest::INGEST, listed::LISTED, reports::REPORTS, operation::OPERATION].concat();
    all.iter().map(|(name, members)| ((*name).to_owned(), object(members))).collect::<Map<_, _>>().into()
}

/// The schema of the answer of an operation.
pub(super) fn answer(operation: &str) -> Value {
    find(ANSWERS, operation)
}

/// The schema of the body of an operation.
pub(super) fn body(operation: &str) -> Value {
    find(BODIES, operation)
}

fn find(list: &[(&str, &str)], operation: &str) -> Value {
    list.iter().find(|(id, _)| *id == operation).map_or_else(|| json!({}), |(_, ty)| schema(ty))
}

fn object(members: &[(&str, &str)]) -> Value {
    let named = || members.iter().filter(|(name, _)| *name != "*");
    let required: Vec<_> = named().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<_, _> = named().map(|(name, ty)| (name.trim_end_matches('?').to_owned(), schema(ty))).collect();
    let mut object = json!({ "type": "object", "required": required, "properties": properties });
    let others = members.iter().find(|(name, _)| *name == "*");
    if let (Some((_, others)), Some(object)) = (others, object.as_object_mut()) {
        object.insert("additionalProperties".to_owned(), schema(others));
    }
    object
}

fn schema(ty: &str) -> Value {
    if let Some(ty) = ty.strip_suffix('?') {
        return json!({ "anyOf": [schema(ty), { "type": "null" }] });
    }
    if let Some(ty) = ty.strip_prefix('[').and_then(|ty| ty.strip_suffix(']')) {
        return json!({ "type": "array", "items": schema(ty) });
    }
    if let Some(ty) = ty.strip_prefix('{').and_then(|ty| ty.strip_suffix('}')) {
        return json!({ "type": "object", "additionalProperties": schema(ty) });
    }
    match ty {
        "any" => json!({}),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "string" | "integer" | "number" | "boolean" => json!({ "type": ty }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

/// What each operation answers.
const ANSWERS: &[(&str, &str)] = &[
    ("ingestEvent", "Ingested"),
    ("putEvent", "Ingested"),
    ("ingestBatch", "IngestedBatch"),
    ("putBatch", "IngestedBatch"),
    ("listEvents", "[Event]"),
    ("eventsByIds", "[Event]"),
    ("getEvent", "Event"),
    ("listTraceEvents", "[Event]"),
    ("listSessionEvents", "[Event]"),
    ("listAgents", "AgentPage"),
    ("getAgent", "AgentDetail"),
    ("listSessions", "SessionPage"),
    ("listAlerts", "AlertPage"),
    ("listQuarantine", "QuarantinePage"),
    ("getQuarantined", "Quarantined"),
    ("listReports", "MetricList"),
    ("getReport", "Report"),
    ("llmRequestCount", "Series"),
    ("toolSuccessRate", "Series"),
    ("tokens", "Tokens"),
    ("listPlugins", "PluginList"),
    ("reloadPlugins", "PluginList"),
    ("previewPlugin", "Preview"),
    ("getPlugin", "Plugin"),
    ("enablePlugin", "Plugin"),
    ("listJobs", "JobList"),
    ("createJob", "Job"),
    ("cancelJobs", "JobList"),
    ("getJob", "Job"),
    ("diffPlugins", "Diff"),
    ("getPluginAccess", "PluginAccess"),
    ("verifyJournal", "Audit"),
    ("getOverview", "Overview"),
    ("getHealth", "Health"),
];

/// What those that take a body are sent.
const BODIES: &[(&str, &str)] = &[
    ("ingestEvent", "NewEvent"),
    ("putEvent", "NewEvent"),
    ("ingestBatch", "NewBatch"),
    ("putBatch", "NewBatch"),
    ("eventsByIds", "[string]"),
    ("createJob", "NewJob"),
    ("diffPlugins", "NewDiff"),
    ("enablePlugin", "Enabled"),
    ("previewPlugin", "PluginText"),
];
