//! The relations that queries and plugins name, and their fixed fields.

use std::fmt;
use std::str::FromStr;

use super::{Class, FieldError, FieldType};

/// What a query or a plugin's manifest calls its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// One row an event.
    Events,
    /// One row a model call.
    LlmCalls,
    /// One row a call of a tool.
    ToolExecutions,
    /// One row a session.
    Sessions,
    /// One row a security alert.
    SecurityAlerts,
}

impl Relation {
    /// All relations.
    pub const ALL: [Relation; 5] =
        [Relation::Events, Relation::LlmCalls, Relation::ToolExecutions, Relation::Sessions, Relation::SecurityAlerts];

    /// The name in SQL and in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Events => "events",
            Relation::LlmCalls => "llm_calls",
            Relation::ToolExecutions => "tool_executions",
            Relation::Sessions => "sessions",
            Relation::SecurityAlerts => "security_alerts",
        }
    }

    /// The prefix of the relation's fields: `event`, `call`, `execution`, `session`, `alert`.
    pub fn prefix(self) -> &'static str {
        match self {
            Relation::Events => "event",
            Relation::LlmCalls => "call",
            Relation::ToolExecutions => "execution",
            Relation::Sessions => "session",
            Relation::SecurityAlerts => "alert",
        }
    }

    /// The fixed fields of the relation: name behind the prefix, type, class.
    pub fn fields(self) -> &'static [(&'static str, FieldType, Class)] {
        use Class::{Content, Metadata};
        use FieldType::{Boolean, Integer, Json, Real, Text, Time};
        match self {
            Relation::Events => &[
                ("timestamp", Time, Metadata),
                ("name", Text, Metadata),
                ("level", Text, Metadata),
                ("schema_version", Text, Metadata),
                ("trace_id", Text, Metadata),
                ("span_id", Text, Metadata),
                ("parent_span_id", Text, Metadata),
                ("agent_id", Text, Metadata),
                ("channel", Text, Metadata),
                ("family", Text, Metadata),
                ("size", Integer, Metadata),
                ("attribute_count", Integer, Metadata),
                ("session_id", Text, Content),
                ("attributes", Json, Content),
            ],
            Relation::LlmCalls => &[
                ("trace_id", Text, Metadata),
                ("span_id", Text, Metadata),
                ("agent_id", Text, Metadata),
                ("vendor", Text, Metadata),
                ("model", Text, Metadata),
                ("request_type", Text, Metadata),
                ("start_time", Time, Metadata),
                ("end_time", Time, Metadata),
                ("request_timestamp", Time, Metadata),
                ("response_timestamp", Time, Metadata),
                ("response_id", Text, Metadata),
                ("duration_ms", Real, Metadata),
                ("stop_reason", Text, Metadata),
                ("status", Text, Metadata),
                ("error_type", Text, Metadata),
                ("input_tokens", Integer, Metadata),
                ("output_tokens", Integer, Metadata),
                ("total_tokens", Integer, Metadata),
                ("turn", Integer, Metadata),
                ("conversation_id", Text, Metadata),
                ("session_id", Text, Content),
            ],
            Relation::ToolExecutions => &[
                ("trace_id", Text, Metadata),
                ("span_id", Text, Metadata),
                ("agent_id", Text, Metadata),
                ("tool_name", Text, Metadata),
                ("tool_id", Text, Metadata),
                ("framework", Text, Metadata),
                ("start_time", Time, Metadata),
                ("end_time", Time, Metadata),
                ("duration_ms", Real, Metadata),
                ("status", Text, Metadata),
                ("result_type", Text, Metadata),
                ("error_type", Text, Metadata),
                ("repeat", Integer, Metadata),
                ("arguments_digest", Text, Metadata),
                ("session_id", Text, Content),
            ],
            Relation::Sessions => &[
                ("agent_id", Text, Metadata),
                ("start_time", Time, Metadata),
                ("end_time", Time, Metadata),
                ("event_count", Integer, Metadata),
                ("session_id", Text, Content),
            ],
            Relation::SecurityAlerts => &[
                ("timestamp", Time, Metadata),
                ("trace_id", Text, Metadata),
                ("span_id", Text, Metadata),
                ("agent_id", Text, Metadata),
                ("name", Text, Metadata),
                ("level", Text, Metadata),
                ("alert_level", Text, Metadata),
                ("category", Text, Metadata),
                ("severity", Text, Metadata),
                ("llm_vendor", Text, Metadata),
                ("linked", Boolean, Metadata),
                ("description", Text, Content),
                ("session_id", Text, Content),
            ],
        }
    }
}

impl FromStr for Relation {
    type Err = FieldError;
    fn from_str(text: &str) -> Result<Self, FieldError> {
        Relation::ALL.into_iter().find(|relation| relation.as_str() == text).ok_or_else(|| {
            FieldError(format!("`{text}` is not a relation (events, llm_calls, tool_executions, sessions, security_alerts)"))
        })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
