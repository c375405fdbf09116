-- Base tables are compact; people and plain SQL read the views of 0002. Times are UTC nanoseconds.
-- `strings` interns what repeats: agents, sessions, traces, models, attribute keys. Spans are rarely shared and stay in place.

create table store_keys (
    name text primary key,
    value blob not null
) strict, without rowid;

create table strings (
    id integer primary key,
    text text not null unique
) strict;

create table plugin_versions (
    id integer primary key,
    plugin_id text not null,
    version text not null,
    digest text not null,
    derivation text not null unique
) strict;

-- Which plugins ran with what outcome, as a set that many events share: [[plugin_versions.id, "ok"], ..].
create table run_sets (
    id integer primary key,
    runs text not null unique
) strict;

create table event_kinds (
    id integer primary key,
    name text not null,
    level text not null,
    schema_version text,
    channel text,
    family text not null,
    is_error integer not null
) strict;
create index event_kinds_name on event_kinds (name);

-- Pieces of JSON text, each kept once. depth 0: `body` is the text itself. depth 1 and 2: `body` is a document, an array of
-- pieces of text (strings) and of contents.id (integers) of a lower depth; its text is their concatenation.
create table contents (
    id integer primary key,
    digest blob not null unique,
    depth integer not null,
    body text not null
) strict;

-- The part of the context that tells of a machine and an installation: env.*, host.*, os.*, service.*, telemetry.sdk.*.
create table environments (
    id integer primary key,
    digest blob not null unique
) strict;

create table environment_members (
    environment integer not null references environments (id),
    ordinal integer not null,
    key text not null,
    key_json text not null,
    value_json text not null,
    primary key (environment, ordinal)
) strict, without rowid;

-- The context that events of one process and session share: `attributes` (session.id, process.*) and an environment.
create table contexts (
    id integer primary key,
    digest blob not null unique,
    environment integer references environments (id),
    attributes text not null
) strict;

-- One row an event. `attributes` is [[strings.id of the key, piece or contents.id, ..], ..] without the attributes of the context;
-- `derived` is [[plugin_versions.id, strings.id of the key, piece or contents.id, ..], ..]; `extra` is one document.
create table event_rows (
    id integer primary key,
    timestamp integer not null,
    received_at integer not null,
    kind integer not null references event_kinds (id),
    agent integer not null references strings (id),
    session integer references strings (id),
    trace integer references strings (id),
    span text,
    parent_span text,
    context integer references contexts (id),
    runs integer references run_sets (id),
    size integer not null,
    attribute_count integer not null,
    idempotency_key text,
    flags text,
    extra text,
    derived text,
    attributes text not null
) strict;
create index event_rows_timestamp on event_rows (timestamp);
create index event_rows_agent on event_rows (agent, timestamp);
create index event_rows_session on event_rows (session, timestamp) where session is not null;
create index event_rows_trace on event_rows (trace, timestamp) where trace is not null;
create unique index event_rows_idempotency on event_rows (agent, idempotency_key) where idempotency_key is not null;

create table agent_rows (
    agent integer primary key references strings (id),
    first_seen integer not null,
    last_seen integer not null,
    event_count integer not null
) strict;

create table agent_environments (
    agent integer not null references strings (id),
    environment integer not null references environments (id),
    last_seen integer not null,
    primary key (agent, environment)
) strict, without rowid;

-- `agent` is that of the earliest event. `stopped_at` is the time of the last monitoring.stop.
create table session_rows (
    session integer primary key references strings (id),
    agent integer not null references strings (id),
    start_time integer not null,
    end_time integer not null,
    event_count integer not null,
    stopped_at integer
) strict;
create index session_rows_start on session_rows (start_time);
create index session_rows_agent on session_rows (agent, start_time);

create table trace_rows (
    trace integer primary key references strings (id),
    agent integer not null references strings (id),
    start_time integer not null,
    end_time integer not null,
    event_count integer not null,
    stopped_at integer
) strict;
create index trace_rows_start on trace_rows (start_time);

-- The calls and executions of one (trace, session): where conversations live. The last_* tell whether an arrival is in order.
create table scopes (
    id integer primary key,
    trace integer not null references strings (id),
    session integer references strings (id),
    last_call integer,
    last_call_start integer,
    last_call_span text,
    last_execution_start integer,
    last_execution_span text
) strict;
create index scopes_trace on scopes (trace, session);

-- The message lists of a scope's requests as a tree: one node a message, its parent the message before. `hash` is over all messages
-- up to it; (`seen`, `seen_call`) is the first request that has it.
create table message_nodes (
    id integer primary key,
    scope integer not null references scopes (id),
    parent integer,
    digest integer not null,
    hash integer not null,
    seen integer not null,
    seen_call integer not null
) strict;
create unique index message_nodes_hash on message_nodes (scope, hash);
create index message_nodes_digest on message_nodes (scope, digest, seen);

-- `roles`: 1 it began, 2 it ended, 4 it failed. `sources`: two bits a merged field, which role gave it. `conversation` is the id of the
-- conversation's first call; `link`: 0 first, 1 messages continue, 2 history trimmed or compacted, 3 by time.
create table llm_call_rows (
    id integer primary key,
    event_id integer not null references event_rows (id),
    trace integer references strings (id),
    span text,
    scope integer references scopes (id),
    agent integer not null references strings (id),
    session integer references strings (id),
    roles integer not null,
    sources integer not null,
    start_time integer not null,
    end_time integer,
    vendor integer references strings (id),
    model integer references strings (id),
    request_type integer references strings (id),
    request_timestamp integer,
    response_id text,
    response_timestamp integer,
    duration_ms real,
    stop_reason integer references strings (id),
    error_type integer references strings (id),
    input_tokens integer,
    output_tokens integer,
    total_tokens integer,
    messages integer references message_nodes (id),
    conversation integer references llm_call_rows (id) deferrable initially deferred,
    turn integer,
    link integer
) strict;
create unique index llm_call_rows_span on llm_call_rows (trace, span) where span is not null;
-- Led by time, and wide enough for most reports to need no row (82 ns a row instead of 400 to 2,000).
create index llm_call_rows_start on llm_call_rows (
    start_time, agent, vendor, model, roles, end_time, duration_ms, input_tokens, output_tokens, total_tokens, error_type
);
create index llm_call_rows_agent on llm_call_rows (agent, start_time);
create index llm_call_rows_session on llm_call_rows (session, start_time) where session is not null;
create index llm_call_rows_scope on llm_call_rows (scope, start_time) where scope is not null;
create index llm_call_rows_conversation on llm_call_rows (conversation, turn) where conversation is not null;
create index llm_call_rows_messages on llm_call_rows (messages, start_time) where messages is not null;

create table tool_execution_rows (
    id integer primary key,
    event_id integer not null references event_rows (id),
    trace integer references strings (id),
    span text,
    scope integer references scopes (id),
    agent integer not null references strings (id),
    session integer references strings (id),
    roles integer not null,
    sources integer not null,
    start_time integer not null,
    end_time integer,
    tool_name integer references strings (id),
    tool_id text,
    framework integer references strings (id),
    result_type integer references strings (id),
    duration_ms real,
    error_type integer references strings (id),
    arguments_digest blob,
    conversation integer references llm_call_rows (id) deferrable initially deferred,
    repeat integer
) strict;
create unique index tool_execution_rows_span on tool_execution_rows (trace, span) where span is not null;
create index tool_execution_rows_start on tool_execution_rows (
    start_time, agent, tool_name, roles, end_time, duration_ms, result_type, error_type
);
create index tool_execution_rows_agent on tool_execution_rows (agent, start_time);
create index tool_execution_rows_session on tool_execution_rows (session, start_time) where session is not null;
create index tool_execution_rows_scope on tool_execution_rows (scope, start_time) where scope is not null;
create index tool_execution_rows_repeat on tool_execution_rows (conversation, tool_name, arguments_digest, repeat)
    where arguments_digest is not null and conversation is not null;

create table security_alert_rows (
    event_id integer primary key references event_rows (id),
    timestamp integer not null,
    trace integer references strings (id),
    span text,
    agent integer not null references strings (id),
    session integer references strings (id),
    kind integer not null references event_kinds (id),
    alert_level integer references strings (id),
    category integer references strings (id),
    severity integer references strings (id),
    llm_vendor integer references strings (id),
    description text,
    content_sample text,
    detection_time integer,
    keywords text
) strict;
create index security_alert_rows_timestamp on security_alert_rows (timestamp);
create index security_alert_rows_agent on security_alert_rows (agent, timestamp);
create index security_alert_rows_span on security_alert_rows (trace, span) where span is not null;

-- What was refused, with its reasons: [{"code", "field", "message", "plugin"}, ..]. `body_kind`: json (whole, can be retried), text
-- (does not decode), digest (not text, or too large: only `digest` and `size` are kept).
create table quarantine (
    id integer primary key,
    received_at integer not null,
    source text not null,
    name text,
    agent_id text,
    reasons text not null,
    body_kind text not null check (body_kind in ('json', 'text', 'digest')),
    body text,
    digest text,
    size integer not null
) strict;
create index quarantine_received_at on quarantine (received_at);
