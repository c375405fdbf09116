//! What an event says of the call, execution or alert it belongs to: the input of correlation.

use crate::json::JsonText;
use crate::time::Timestamp;

/// Which end of a call or execution an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `llm.call.start`, `llm.request`; `tool.execution`, `tool.start`, `tool.call`.
    Begin,
    /// `llm.call.finish`, `llm.call.end`, `llm.response`; `tool.result`, `tool.end`.
    End,
    /// `llm.call.error`, `llm.error`; `tool.error`.
    Error,
}

/// What correlation takes from an event.
#[derive(Clone, Debug, Default)]
pub enum Facts {
    /// No derived row.
    #[default]
    None,
    /// A part of a model call.
    LlmCall(Box<LlmCallFacts>),
    /// A part of a tool execution.
    ToolExecution(Box<ToolExecutionFacts>),
    /// A security alert.
    SecurityAlert(Box<SecurityAlertFacts>),
    /// `monitoring.stop`: the trace and session are completed.
    Stop,
}

/// A part of a model call. Unknown is `None`.
#[derive(Clone, Debug)]
pub struct LlmCallFacts {
    /// Which end.
    pub role: Role,
    /// `llm.vendor`, else `llm.provider`.
    pub vendor: Option<Box<str>>,
    /// `llm.model`, else the model in `llm.request.data`.
    pub model: Option<Box<str>>,
    /// `llm.request.type`, else `llm.response.type`.
    pub request_type: Option<Box<str>>,
    /// `llm.request.timestamp`.
    pub request_timestamp: Option<Timestamp>,
    /// `llm.response.id`.
    pub response_id: Option<Box<str>>,
    /// `llm.response.timestamp`.
    pub response_timestamp: Option<Timestamp>,
    /// `llm.response.duration_ms`, milliseconds, not negative.
    pub duration_ms: Option<f64>,
    /// `llm.response.stop_reason`.
    pub stop_reason: Option<Box<str>>,
    /// `llm.usage.input_tokens` (or its older names), not negative.
    pub input_tokens: Option<i64>,
    /// `llm.usage.output_tokens` (or its older names), not negative.
    pub output_tokens: Option<i64>,
    /// `llm.usage.total_tokens` as sent.
    pub total_tokens: Option<i64>,
    /// The event itself reports an error (a status, or [`Role::Error`]).
    pub is_error: bool,
    /// `error.type`.
    pub error_type: Option<Box<str>>,
    /// Of a request: short keyed digests of its messages in order; `None` when it has no message list.
    pub messages: Option<Vec<u64>>,
}

/// A part of a tool execution. Unknown is `None`.
#[derive(Clone, Debug)]
pub struct ToolExecutionFacts {
    /// Which end.
    pub role: Role,
    /// `tool.name`.
    pub tool_name: Option<Box<str>>,
    /// `tool.id`.
    pub tool_id: Option<Box<str>>,
    /// `framework.name`.
    pub framework: Option<Box<str>>,
    /// `tool.result.type`.
    pub result_type: Option<Box<str>>,
    /// `tool.duration_ms`, milliseconds, not negative.
    pub duration_ms: Option<f64>,
    /// The event itself reports an error (`tool.status` = error, `tool.error`, or [`Role::Error`]).
    pub is_error: bool,
    /// `error.type`.
    pub error_type: Option<Box<str>>,
    /// The arguments as sent: `tool.params`, `tool.input`, `tool.args` with `tool.kwargs`, or `tool.call.inputs`.
    pub arguments: Option<JsonText>,
}

/// A security alert. Unknown is `None`.
#[derive(Clone, Debug)]
pub struct SecurityAlertFacts {
    /// `security.alert_level`.
    pub alert_level: Option<Box<str>>,
    /// `security.category`.
    pub category: Option<Box<str>>,
    /// `security.severity`.
    pub severity: Option<Box<str>>,
    /// `security.description`.
    pub description: Option<Box<str>>,
    /// `llm.vendor`.
    pub llm_vendor: Option<Box<str>>,
    /// `security.content_sample`.
    pub content_sample: Option<Box<str>>,
    /// `security.detection_time`.
    pub detection_time: Option<Timestamp>,
    /// `security.keywords`, a JSON array.
    pub keywords: Option<JsonText>,
}
