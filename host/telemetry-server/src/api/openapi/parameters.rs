//! Parameters that several operations share.

/// One parameter.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) ty: &'static str,
    pub(super) choices: &'static [&'static str],
    pub(super) description: &'static str,
}

const fn query(name: &'static str, ty: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "query", ty, choices: &[], description }
}

const fn choice(name: &'static str, choices: &'static [&'static str], description: &'static str) -> Parameter {
    Parameter { name, place: "query", ty: "string", choices, description }
}

const fn path(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "path", ty: "string", choices: &[], description }
}

pub(super) const WINDOW: &[Parameter] = &[
    query("from_time", "string", "RFC 3339; the window begins here. Wins over time_range, usable alone"),
    query("to_time", "string", "RFC 3339; the window ends before this. Wins over time_range, usable alone"),
    query("time_range", "string", "The last 1h, 1d, 7d, 30d or any number of m, h or d"),
];

pub(super) const PAGE: &[Parameter] = &[query("page", "integer", "From 1"), query("page_size", "integer", "1 to 1000, 50 without")];

pub(super) const OFFSET: &[Parameter] = &[query("limit", "integer", "How many at most"), query("offset", "integer", "How many to skip")];

pub(super) const EVENT_ORDER: &[Parameter] =
    &[choice("order", &["desc", "asc"], "By the event's time"), query("cursor", "string", "The header x-next-cursor of the page before")];

pub(super) const EVENTS: &[Parameter] = &[
    query("agent_id", "string", "Events of this agent"),
    query("event_name", "string", "Events of this name; `name` is the same"),
    query("event_type", "string", "Events of this family: the first word of the name"),
    query("level", "string", "Events of this level, in any case"),
    query("trace_id", "string", "Events of this trace"),
    query("session_id", "string", "Events of this session"),
];

pub(super) const SORT_DIRECTION: &[Parameter] = &[choice("sort_dir", &["desc", "asc"], "Which way")];

pub(super) const AGENTS: &[Parameter] = &[
    choice("status", &["active", "inactive", "paused"], "Agents in this state"),
    choice("agent_type", &["assistant", "chatbot", "autonomous", "function", "other"], "Agents of this type"),
    choice("sort_by", &["created_at", "updated_at", "name", "agent_id"], "By what"),
    query("created_after", "string", "RFC 3339; first seen since"),
];

pub(super) const SESSIONS: &[Parameter] = &[
    query("agent_id", "string", "Sessions of this agent"),
    choice("status", &["active", "completed"], "Sessions in this state"),
    choice("sort_by", &["start_time", "end_time", "duration_seconds", "event_count"], "By what"),
];

pub(super) const ALERTS: &[Parameter] = &[
    query("agent_id", "string", "Alerts of this agent"),
    query("trace_id", "string", "Alerts of this trace"),
    query("span_id", "string", "Alerts of this span"),
    query("severity", "string", "Any of these; may be repeated"),
    query("category", "string", "Any of these; may be repeated"),
    query("category_exclude", "string", "None of these; may be repeated"),
    query("alert_level", "string", "Any of these; may be repeated"),
    query("llm_vendor", "string", "Any of these; may be repeated"),
    query("search", "string", "Words of the description"),
];

pub(super) const QUARANTINE: &[Parameter] =
    &[query("reason", "string", "Entries with this code"), query("agent_id", "string", "Entries that name this agent")];

pub(super) const REPORT: &[Parameter] = &[
    query("interval", "string", "One group for each such time, as in 1h; empty ones are filled"),
    query("group_by", "string", "Fields or attributes of the metric's source; several by commas or repeated"),
];

pub(super) const SERIES: &[Parameter] = &[
    query("interval", "string", "One point for each such time, 1d without"),
    query("dimensions", "string", "Fields that split the series, by commas"),
    query("agent_id", "string", "Only this agent's"),
];

pub(super) const TOKENS: &[Parameter] = &[query("agent_id", "string", "Only this agent's")];

pub(super) const STRICT: &[Parameter] = &[choice(
    "strict",
    &["1", "true", "0", "false"],
    "Refuse what is odd, unusable, too large or in an unknown encoding with 400 and all details instead of storing it. Any other value is taken as 0, and the \
     events are flagged parameter-unreadable: an event is not lost for it",
)];
pub(super) const PROVENANCE: &[Parameter] = &[choice("provenance", &["1"], "Also which plugins ran and who wrote what")];
pub(super) const ACCESS: &[Parameter] = &[
    query("event_id", "string", "Whether it was handed this event, or a row made of it"),
    query("session_id", "string", "Whether it was handed anything of this session that is still stored"),
];
pub(super) const ID: &[Parameter] = &[path("id", "Its id")];
pub(super) const JOB: &[Parameter] = &[path("job", "Its number")];
pub(super) const AGENT_ID: &[Parameter] = &[path("agent_id", "Its id")];
pub(super) const TRACE_ID: &[Parameter] = &[path("trace_id", "Its id")];
pub(super) const SESSION_ID: &[Parameter] = &[path("session_id", "Its id")];
pub(super) const METRIC: &[Parameter] = &[path("metric", "The plugin's id, as in token-usage")];
