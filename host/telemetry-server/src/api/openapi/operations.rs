//! Every operation of the API.

use super::parameters::{
    ACCESS, AGENT_ID, AGENTS, ALERTS, EVENT_ORDER, EVENTS, ID, JOB, METRIC, OFFSET, PAGE, PROVENANCE, Parameter, QUARANTINE, REPORT,
    SERIES, SESSION_ID, SESSIONS, SORT_DIRECTION, STRICT, TOKENS, TRACE_ID, WINDOW,
};

/// One method of one route.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [&'static [Parameter]],
    /// What the body holds, for those that take one.
    pub(super) body: Option<&'static str>,
    /// The status of success and what it brings.
    pub(super) answer: (u16, &'static str),
    pub(super) errors: &'static [u16],
    /// Whether it never asks for the read token.
    pub(super) open: bool,
}

const fn get(
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: &'static [&'static [Parameter]],
    answer: &'static str,
    errors: &'static [u16],
) -> Operation {
    Operation { path, method: "get", id, tag, summary, parameters, body: None, answer: (200, answer), errors, open: false }
}

const fn ingest(path: &'static str, method: &'static str, id: &'static str, body: &'static str, answer: &'static str) -> Operation {
    Operation {
        path,
        method,
        id,
        tag: "ingest",
        summary: "Stores events; what cannot be stored stays in quarantine",
        parameters: &[STRICT],
        body: Some(body),
        answer: (201, answer),
        errors: &[400, 408, 413, 415, 500, 503],
        open: true,
    }
}

const EVENT: &str = "One event";
const BATCH: &str = "{\"events\": [..]}, or an array of events; of more than server.max_batch_events (1,000) nothing is stored: 400 \
                     VALIDATION_ERROR with a detail about `events`";
const ONE: &str = "success, event_id, error; success is false for an event in quarantine";
const MANY: &str = "success, total, processed, failed, details, and results with an outcome for each event in input order";
const READ: &[u16] = &[400, 401, 500, 503];
const READ_ONE: &[u16] = &[400, 401, 404, 500, 503];
const COMPUTE: &[u16] = &[400, 401, 404, 500, 502, 503, 504];

pub(super) const OPERATIONS: &[Operation] = &[
    ingest("/v1/telemetry", "post", "ingestEvent", EVENT, ONE),
    ingest("/v1/telemetry", "put", "putEvent", EVENT, ONE),
    ingest("/v1/telemetry/batch", "post", "ingestBatch", BATCH, MANY),
    ingest("/v1/telemetry/batch", "put", "putBatch", BATCH, MANY),
    get(
        "/v1/telemetry/events",
        "listEvents",
        "events",
        "Events, newest first; any attribute filters, as in tool.status=error or llm.usage.output_tokens>=1000",
        &[EVENTS, WINDOW, EVENT_ORDER, OFFSET],
        "An array of events",
        READ,
    ),
    Operation {
        method: "post",
        body: Some("An array of at most 100 ids as strings"),
        ..get(
            "/v1/telemetry/events/by-ids",
            "eventsByIds",
            "events",
            "Events by their ids",
            &[],
            "An array of events",
            &[400, 401, 413, 415],
        )
    },
    get("/v1/telemetry/events/{id}", "getEvent", "events", "One event", &[ID, PROVENANCE], "The event", READ_ONE),
    get(
        "/v1/telemetry/traces/{trace_id}",
        "listTraceEvents",
        "events",
        "Events of a trace by their time",
        &[TRACE_ID, EVENT_ORDER, OFFSET],
        "An array of events",
        READ,
    ),
    get(
        "/v1/telemetry/sessions/{session_id}/events",
        "listSessionEvents",
        "events",
        "Events of a session by their time",
        &[SESSION_ID, EVENT_ORDER, OFFSET],
        "An array of events",
        READ,
    ),
    get("/v1/agents", "listAgents", "agents", "Agents", &[AGENTS, SORT_DIRECTION, WINDOW, PAGE], "items and pagination", READ),
    get("/v1/agents/{agent_id}", "getAgent", "agents", "One agent", &[AGENT_ID, WINDOW], "The agent with its metrics", READ_ONE),
    get("/v1/sessions", "listSessions", "sessions", "Sessions", &[SESSIONS, SORT_DIRECTION, WINDOW, PAGE], "items and pagination", READ),
    get("/v1/alerts", "listAlerts", "alerts", "Security alerts, latest first", &[ALERTS, WINDOW, PAGE], "Alerts with counts", READ),
    get(
        "/v1/quarantine",
        "listQuarantine",
        "quarantine",
        "What was refused, without bodies",
        &[QUARANTINE, WINDOW, PAGE],
        "items, total, page, page_size",
        READ,
    ),
    get("/v1/quarantine/{id}", "getQuarantined", "quarantine", "One refused body", &[ID], "Reasons, body or digest, source", READ_ONE),
    get("/v1/reports", "listReports", "reports", "Metrics that can be asked", &[], "items", &[400, 401]),
    get(
        "/v1/reports/{metric}",
        "getReport",
        "reports",
        "What a metric component says; any field or attribute of its source filters (=, <, >, <=, >=)",
        &[METRIC, REPORT, WINDOW],
        "rows, columns, window, scanned_rows, plugin",
        COMPUTE,
    ),
    get(
        "/v1/metrics/llm/request_count",
        "llmRequestCount",
        "reports",
        "Model calls over time",
        &[SERIES, WINDOW],
        "metric, window, interval, data",
        COMPUTE,
    ),
    get(
        "/v1/metrics/tool/success_rate",
        "toolSuccessRate",
        "reports",
        "Success rate of tool executions over time",
        &[SERIES, WINDOW],
        "metric, window, interval, data",
        COMPUTE,
    ),
    get("/v1/metrics/tokens", "tokens", "reports", "Tokens by model and in time", &[TOKENS, WINDOW], "Sums and series", COMPUTE),
    get("/metrics", "exposition", "server", "Counters of plugins for Prometheus", &[], "Text of the exposition format", &[400, 401]),
    get("/v1/plugins", "listPlugins", "server", "Every plugin with its state", &[], "items, problem", &[400, 401]),
    get("/v1/plugins/{id}", "getPlugin", "server", "One plugin with its last log lines", &[ID], "The plugin", &[400, 401, 404]),
    get(
        "/v1/plugins/{id}/jobs",
        "listJobs",
        "server",
        "Jobs that run an enricher over what is stored, with progress",
        &[ID],
        "items",
        &[400, 401, 404, 500, 503],
    ),
    get(
        "/v1/plugins/{id}/jobs/{job}",
        "getJob",
        "server",
        "One job, with the rows on which its plugin had not run well before",
        &[ID, JOB],
        "The job and apart_rows",
        &[400, 401, 404, 500, 503],
    ),
    Operation {
        method: "post",
        body: Some("{\"from_time\", \"to_time\"}: the window by the rows' own time; absent ends are open"),
        ..get(
            "/v1/plugins/{id}/jobs",
            "createJob",
            "server",
            "Runs an enricher over the stored rows of its source",
            &[ID],
            "The job",
            &[400, 401, 403, 404, 409, 415, 500, 503],
        )
    },
    Operation {
        method: "delete",
        ..get(
            "/v1/plugins/{id}/jobs",
            "cancelJobs",
            "server",
            "Cancels the running jobs of a plugin; what they stored stays",
            &[ID],
            "items",
            &[400, 401, 403, 404, 415, 500, 503],
        )
    },
    Operation {
        method: "post",
        ..get(
            "/v1/plugins/reload",
            "reloadPlugins",
            "server",
            "Loads what the drop-in folder and the files of grants and switches say now",
            &[],
            "items, as they are then",
            &[401, 403, 409, 415],
        )
    },
    Operation {
        method: "post",
        body: Some(
            "{\"old\", \"new\"}: each {\"id\": of a plugin}, {\"toml\": the text of one} or {\"wasm\": a component as base64}; from_time, to_time, limit, \
             and query, a list of [name, value] of the reports of a metric, or of metrics that take what an enricher writes",
        ),
        ..get(
            "/v1/plugins/diff",
            "diffPlugins",
            "server",
            "Compares two versions of a plugin over what is stored; stores nothing but the journal's entry",
            &[],
            "Totals, and the values that differ by row and key; of a metric also the rows of its report (groups); of an enricher those of each \
             metric that takes keys that differ (metrics of id, keys, groups), and which plugins that take them are not told, and why (untold)",
            &[400, 401, 403, 408, 409, 413, 415, 500, 503],
        )
    },
    Operation {
        method: "post",
        body: Some("{\"toml\": the text of a plugin} or {\"wasm\": a component as base64}"),
        ..get(
            "/v1/plugins/preview",
            "previewPlugin",
            "server",
            "Tries a plugin that is not installed on the last 100 rows of its source; stores nothing but the journal's entry",
            &[],
            "plugin, kind, source, reads, writes, rows, outcomes, unreadable, items of row, outcome, values; a metric's report; last_failure, \
             cpu_us, log",
            &[400, 401, 403, 408, 409, 413, 415, 503],
        )
    },
    Operation {
        method: "put",
        body: Some("{\"enabled\": true or false}"),
        ..get(
            "/v1/plugins/{id}/enabled",
            "enablePlugin",
            "server",
            "Switches a plugin on or off, now and after each start",
            &[ID],
            "The plugin",
            &[400, 401, 403, 404, 409, 415],
        )
    },
    get(
        "/v1/plugins/{id}/access",
        "getPluginAccess",
        "server",
        "What each version of a plugin was ever handed, and whether it saw an event or a session",
        &[ID, ACCESS],
        "versions with fields, rows and bytes, and how often and how many bytes of which table; seen with how often and with what outcome",
        &[400, 401, 404, 500, 503],
    ),
    get(
        "/v1/audit/verify",
        "verifyJournal",
        "server",
        "Whether the access journal holds, and what of it cannot be made again",
        &[],
        "holds, entries, rows, findings, not_rebuilt, head",
        &[401, 500, 503],
    ),
    get(
        "/v1/overview",
        "getOverview",
        "server",
        "How much is stored, and the last model calls",
        &[],
        "counts, calls, pending_rows, indexed_attributes",
        READ,
    ),
    Operation {
        open: true,
        ..get(
            "/v1/health",
            "getHealth",
            "server",
            "Whether events can be stored and read",
            &[],
            "status (ok or degraded); with the read token, or without one set, also version, insecure_reads and what is degraded",
            &[503],
        )
    },
];
