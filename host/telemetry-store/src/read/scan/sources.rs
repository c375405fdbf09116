//! Where each field of each relation stands in the base tables: constant fragments of SQL, and how their values are read.

use telemetry_model::{FieldType, Relation};

/// What turns the integer of a column into text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// `strings.id`.
    String,
    /// `event_kinds.id`: one of its members.
    KindName,
    /// `event_kinds.id`: one of its members.
    KindLevel,
    /// `event_kinds.id`: one of its members.
    KindSchemaVersion,
    /// `event_kinds.id`: one of its members.
    KindChannel,
    /// `event_kinds.id`: one of its members.
    KindFamily,
    /// `llm_call_rows.id`: the call's span.
    CallSpan,
    /// `roles` of a call or execution: its status.
    Status,
}

/// How a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As it is, as a value of this type.
    Plain(FieldType),
    /// An integer that stands for a text.
    Lookup(Lookup),
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// An expression over the relation's table.
    pub sql: &'static str,
    /// How its values are read.
    pub reading: Reading,
}

/// The table of a relation and what a scan must know of it.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// `from` clause.
    pub from: &'static str,
    /// The row's own time.
    pub time: &'static str,
    /// The event whose attributes are the row's first.
    pub event: Option<&'static str>,
    /// The row's other events are those of this family with its trace and span, from its begin to its end.
    pub family: Option<&'static str>,
}

/// The table of `relation`.
pub fn table(relation: Relation) -> Table {
    let table = |from, time, event, family| Table { from, time, event, family };
    match relation {
        Relation::Events => table("event_rows r", "r.timestamp", Some("r.id"), None),
        Relation::LlmCalls => table("llm_call_rows r", "r.start_time", Some("r.event_id"), Some("llm")),
        Relation::ToolExecutions => table("tool_execution_rows r", "r.start_time", Some("r.event_id"), Some("tool")),
        Relation::Sessions => table("session_rows r", "r.start_time", None, None),
        Relation::SecurityAlerts => table("security_alert_rows r", "r.timestamp", Some("r.event_id"), None),
    }
}

const DURATION: &str = "coalesce(r.duration_ms, case when r.roles & 1 and r.end_time >= r.start_time \
     then (r.end_time - r.start_time) / 1e6 end)";
const TOTAL_TOKENS: &str = "coalesce(r.total_tokens, case when r.input_tokens < 4611686018427387904 \
     and r.output_tokens < 4611686018427387904 then r.input_tokens + r.output_tokens end)";
const LINKED: &str = "exists (select 1 from llm_call_rows c where c.trace = r.trace and c.span = r.span and c.span is not null)";

/// The column of a fixed field; `None` for `event.attributes`, which is a document.
pub fn source(relation: Relation, name: &str) -> Option<Source> {
    use FieldType::{Boolean, Integer, Real, Text, Time};
    let plain = |sql, ty| Some(Source { sql, reading: Reading::Plain(ty) });
    let string = |sql| Some(Source { sql, reading: Reading::Lookup(Lookup::String) });
    let lookup = |sql, lookup| Some(Source { sql, reading: Reading::Lookup(lookup) });
    match (relation, name) {
        (Relation::Sessions, "session_id") => string("r.session"),
        (_, "agent_id") => string("r.agent"),
        (_, "session_id") => string("r.session"),
        (_, "trace_id") => string("r.trace"),
        (_, "span_id") => plain("r.span", Text),
        (_, "timestamp") => plain("r.timestamp", Time),
        (_, "start_time") => plain("r.start_time", Time),
        (_, "end_time") => plain("r.end_time", Time),
        (Relation::Events | Relation::SecurityAlerts, "name") => lookup("r.kind", Lookup::KindName),
        (Relation::Events | Relation::SecurityAlerts, "level") => lookup("r.kind", Lookup::KindLevel),
        (Relation::Events, "schema_version") => lookup("r.kind", Lookup::KindSchemaVersion),
        (Relation::Events, "channel") => lookup("r.kind", Lookup::KindChannel),
        (Relation::Events, "family") => lookup("r.kind", Lookup::KindFamily),
        (Relation::Events, "parent_span_id") => plain("r.parent_span", Text),
        (Relation::Events, "size") => plain("r.size", Integer),
        (Relation::Events, "attribute_count") => plain("r.attribute_count", Integer),
        (Relation::Sessions, "event_count") => plain("r.event_count", Integer),
        (Relation::LlmCalls | Relation::ToolExecutions, "status") => lookup("r.roles", Lookup::Status),
        (Relation::LlmCalls | Relation::ToolExecutions, "duration_ms") => plain(DURATION, Real),
        (Relation::LlmCalls | Relation::ToolExecutions, "error_type") => string("r.error_type"),
        (Relation::LlmCalls, "vendor") => string("r.vendor"),
        (Relation::LlmCalls, "model") => string("r.model"),
        (Relation::LlmCalls, "request_type") => string("r.request_type"),
        (Relation::LlmCalls, "stop_reason") => string("r.stop_reason"),
        (Relation::LlmCalls, "request_timestamp") => plain("r.request_timestamp", Time),
        (Relation::LlmCalls, "response_timestamp") => plain("r.response_timestamp", Time),
        (Relation::LlmCalls, "response_id") => plain("r.response_id", Text),
        (Relation::LlmCalls, "input_tokens") => plain("r.input_tokens", Integer),
        (Relation::LlmCalls, "output_tokens") => plain("r.output_tokens", Integer),
        (Relation::LlmCalls, "total_tokens") => plain(TOTAL_TOKENS, Integer),
        (Relation::LlmCalls, "turn") => plain("r.turn", Integer),
        (Relation::LlmCalls, "conversation_id") => lookup("r.conversation", Lookup::CallSpan),
        (Relation::ToolExecutions, "tool_name") => string("r.tool_name"),
        (Relation::ToolExecutions, "tool_id") => plain("r.tool_id", Text),
        (Relation::ToolExecutions, "framework") => string("r.framework"),
        (Relation::ToolExecutions, "result_type") => string("r.result_type"),
        (Relation::ToolExecutions, "repeat") => plain("r.repeat", Integer),
        (Relation::ToolExecutions, "arguments_digest") => plain("lower(hex(r.arguments_digest))", Text),
        (Relation::SecurityAlerts, "alert_level") => string("r.alert_level"),
        (Relation::SecurityAlerts, "category") => string("r.category"),
        (Relation::SecurityAlerts, "severity") => string("r.severity"),
        (Relation::SecurityAlerts, "llm_vendor") => string("r.llm_vendor"),
        (Relation::SecurityAlerts, "linked") => plain(LINKED, Boolean),
        (Relation::SecurityAlerts, "description") => plain("r.description", Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_field_has_a_column() {
        for relation in Relation::ALL {
            for (name, ty, _) in relation.fields() {
                let found = source(relation, name);
                if *ty == FieldType::Json {
                    assert_eq!(found, None, "{relation}.{name}");
                    continue;
                }
                match found.unwrap_or_else(|| panic!("{relation}.{name}")).reading {
                    Reading::Plain(read) => assert_eq!(read, *ty, "{relation}.{name}"),
                    Reading::Lookup(_) => assert_eq!(*ty, FieldType::Text, "{relation}.{name}"),
                }
            }
        }
    }
}
