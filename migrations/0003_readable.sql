-- The same relations with times as RFC 3339 text: six digits of a second, nine where the last three are in use.

create view events_readable as
select id,
       schema_version,
       strftime('%Y-%m-%dT%H:%M:%S', timestamp / 1000000000 - (timestamp % 1000000000 < 0), 'unixepoch') || '.'
        || case when timestamp % 1000 = 0 then printf('%06d', ((timestamp % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((timestamp % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as timestamp,
       trace_id,
       span_id,
       parent_span_id,
       name,
       level,
       agent_id,
       session_id,
       channel,
       family,
       is_error,
       size,
       attribute_count,
       idempotency_key,
       flags,
       extra,
       strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000000 - (received_at % 1000000000 < 0), 'unixepoch') || '.'
        || case when received_at % 1000 = 0 then printf('%06d', ((received_at % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((received_at % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as received_at
from events;

create view agents_readable as
select id,
       strftime('%Y-%m-%dT%H:%M:%S', first_seen / 1000000000 - (first_seen % 1000000000 < 0), 'unixepoch') || '.'
        || case when first_seen % 1000 = 0 then printf('%06d', ((first_seen % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((first_seen % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as first_seen,
       strftime('%Y-%m-%dT%H:%M:%S', last_seen / 1000000000 - (last_seen % 1000000000 < 0), 'unixepoch') || '.'
        || case when last_seen % 1000 = 0 then printf('%06d', ((last_seen % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((last_seen % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as last_seen,
       event_count,
       environment
from agents;

create view sessions_readable as
select id,
       session_id,
       agent_id,
       strftime('%Y-%m-%dT%H:%M:%S', start_time / 1000000000 - (start_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when start_time % 1000 = 0 then printf('%06d', ((start_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((start_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as start_time,
       strftime('%Y-%m-%dT%H:%M:%S', end_time / 1000000000 - (end_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when end_time % 1000 = 0 then printf('%06d', ((end_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((end_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as end_time,
       event_count,
       strftime('%Y-%m-%dT%H:%M:%S', stopped_at / 1000000000 - (stopped_at % 1000000000 < 0), 'unixepoch') || '.'
        || case when stopped_at % 1000 = 0 then printf('%06d', ((stopped_at % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((stopped_at % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as stopped_at
from sessions;

create view traces_readable as
select id,
       trace_id,
       agent_id,
       strftime('%Y-%m-%dT%H:%M:%S', start_time / 1000000000 - (start_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when start_time % 1000 = 0 then printf('%06d', ((start_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((start_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as start_time,
       strftime('%Y-%m-%dT%H:%M:%S', end_time / 1000000000 - (end_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when end_time % 1000 = 0 then printf('%06d', ((end_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((end_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as end_time,
       event_count,
       strftime('%Y-%m-%dT%H:%M:%S', stopped_at / 1000000000 - (stopped_at % 1000000000 < 0), 'unixepoch') || '.'
        || case when stopped_at % 1000 = 0 then printf('%06d', ((stopped_at % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((stopped_at % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as stopped_at
from traces;

create view llm_calls_readable as
select id,
       event_id,
       vendor,
       model,
       request_type,
       strftime('%Y-%m-%dT%H:%M:%S', request_timestamp / 1000000000 - (request_timestamp % 1000000000 < 0), 'unixepoch') || '.'
        || case when request_timestamp % 1000 = 0 then printf('%06d', ((request_timestamp % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((request_timestamp % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as request_timestamp,
       response_id,
       strftime('%Y-%m-%dT%H:%M:%S', response_timestamp / 1000000000 - (response_timestamp % 1000000000 < 0), 'unixepoch') || '.'
        || case when response_timestamp % 1000 = 0 then printf('%06d', ((response_timestamp % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((response_timestamp % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as response_timestamp,
       duration_ms,
       stop_reason,
       input_tokens,
       output_tokens,
       total_tokens,
       status,
       error_type,
       strftime('%Y-%m-%dT%H:%M:%S', start_time / 1000000000 - (start_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when start_time % 1000 = 0 then printf('%06d', ((start_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((start_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as start_time,
       strftime('%Y-%m-%dT%H:%M:%S', end_time / 1000000000 - (end_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when end_time % 1000 = 0 then printf('%06d', ((end_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((end_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as end_time,
       trace_id,
       span_id,
       agent_id,
       session_id,
       conversation_id,
       turn,
       conversation_link
from llm_calls;

create view tool_executions_readable as
select id,
       event_id,
       tool_name,
       tool_id,
       status,
       result_type,
       framework,
       duration_ms,
       error_type,
       strftime('%Y-%m-%dT%H:%M:%S', start_time / 1000000000 - (start_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when start_time % 1000 = 0 then printf('%06d', ((start_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((start_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as start_time,
       strftime('%Y-%m-%dT%H:%M:%S', end_time / 1000000000 - (end_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when end_time % 1000 = 0 then printf('%06d', ((end_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((end_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as end_time,
       trace_id,
       span_id,
       agent_id,
       session_id,
       arguments_digest,
       repeat,
       conversation_id
from tool_executions;

create view security_alerts_readable as
select id,
       event_id,
       strftime('%Y-%m-%dT%H:%M:%S', timestamp / 1000000000 - (timestamp % 1000000000 < 0), 'unixepoch') || '.'
        || case when timestamp % 1000 = 0 then printf('%06d', ((timestamp % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((timestamp % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as timestamp,
       trace_id,
       span_id,
       agent_id,
       session_id,
       name,
       level,
       alert_level,
       category,
       severity,
       description,
       llm_vendor,
       content_sample,
       strftime('%Y-%m-%dT%H:%M:%S', detection_time / 1000000000 - (detection_time % 1000000000 < 0), 'unixepoch') || '.'
        || case when detection_time % 1000 = 0 then printf('%06d', ((detection_time % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((detection_time % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as detection_time,
       keywords,
       llm_call_id,
       tool_execution_id,
       linked
from security_alerts;

create view quarantine_readable as
select id,
       strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000000 - (received_at % 1000000000 < 0), 'unixepoch') || '.'
        || case when received_at % 1000 = 0 then printf('%06d', ((received_at % 1000000000 + 1000000000) % 1000000000) / 1000) else printf('%09d', ((received_at % 1000000000 + 1000000000) % 1000000000)) end || 'Z' as received_at,
       source,
       name,
       agent_id,
       reasons,
       body_kind,
       body,
       digest,
       size
from quarantine;

