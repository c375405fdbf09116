-- The relations that people and plain SQL read. No function of ours, no scalar JSON function: they answer in any sqlite3 since 3.40,
-- -safe too.

create view events (
    id, schema_version, timestamp, trace_id, span_id, parent_span_id, name, level, agent_id, session_id, channel, family, is_error,
    size, attribute_count, idempotency_key, flags, extra, received_at
) as
select e.id, k.schema_version, e.timestamp, t.text, e.span, e.parent_span, k.name, k.level, a.text, s.text, k.channel, k.family,
       k.is_error, e.size, e.attribute_count, e.idempotency_key, e.flags,
       (select group_concat(case f.type when 'integer' then (select c.text from content_texts c where c.id = f.value) else f.value end, '')
        from (select j.type, j.value from json_each(e.extra) j order by j.key) f),
       e.received_at
from event_rows e
join event_kinds k on k.id = e.kind
join strings a on a.id = e.agent
left join strings s on s.id = e.session
left join strings t on t.id = e.trace;

-- The exact text of each of `contents`.
create view content_texts (id, text) as
select c.id,
       case c.depth when 0 then c.body else (
           select group_concat(case f.type when 'integer' then (
               select case d.depth when 0 then d.body else (
                   select group_concat(case g.type when 'integer' then (select b.body from contents b where b.id = g.value) else g.value end, '')
                   from (select j.type, j.value from json_each(d.body) j order by j.key) g) end
               from contents d where d.id = f.value)
               else f.value end, '')
           from (select j.type, j.value from json_each(c.body) j order by j.key) f) end
from contents c;

-- Attributes that are kept as documents; `first` is the index of the first piece in `pieces`.
create view attribute_documents (event_id, ordinal, key_id, plugin_version_id, first, pieces) as
select e.id, m.key, (select j.value from json_each(m.value) j where j.key = 0), null, 1, m.value
from event_rows e, json_each(e.attributes) m
union all
select e.id, 8388608 + m.key, (select j.value from json_each(m.value) j where j.key = 0), null, 1, m.value
from event_rows e join contexts c on c.id = e.context, json_each(c.attributes) m
union all
select e.id, 12582912 + m.key, (select j.value from json_each(m.value) j where j.key = 1),
       (select j.value from json_each(m.value) j where j.key = 0), 2, m.value
from event_rows e, json_each(e.derived) m;

-- Every attribute as its exact JSON text.
create view attribute_texts (id, event_id, key, plugin_version_id, value_json) as
select d.event_id * 16777216 + d.ordinal, d.event_id, (select s.text from strings s where s.id = d.key_id), d.plugin_version_id,
       (select group_concat(case f.type when 'integer' then (select c.text from content_texts c where c.id = f.value) else f.value end, '')
        from (select j.type, j.value from json_each(d.pieces) j where j.key >= d.first order by j.key) f)
from attribute_documents d
union all
select e.id * 16777216 + 10485760 + m.ordinal, e.id, m.key, null, m.value_json
from event_rows e
join contexts c on c.id = e.context
join environment_members m on m.environment = c.environment;

-- `value` is for people: the text of a string (to its first NUL), a number, else JSON text. `value_json` is exact.
-- `plugin_version_id` is null for what the client sent.
create view attributes (id, event_id, key, value, value_type, value_json, plugin_version_id) as
select t.id, t.event_id, t.key,
       case when t.value_json like '"%' then (select j.value from json_each('[' || t.value_json || ']') j)
            when t.value_json = 'null' then null
            when t.value_json glob '[-0-9]*' and length(t.value_json) < 19 and t.value_json not glob '*[.eE]*' then cast(t.value_json as integer)
            when t.value_json glob '[-0-9]*' and abs(cast(t.value_json as real)) < 1.7e308 and t.value_json glob '*[.eE]*'
                then cast(t.value_json as real)
            else t.value_json end,
       case substr(t.value_json, 1, 1)
            when '"' then 'string' when '{' then 'object' when '[' then 'array' when 't' then 'boolean' when 'f' then 'boolean'
            when 'n' then 'null'
            else case when t.value_json glob '*[.eE]*' then 'real' else 'integer' end end,
       t.value_json, t.plugin_version_id
from attribute_texts t;

create view event_runs (event_id, plugin_version_id, outcome) as
select e.id, (select j.value from json_each(m.value) j where j.key = 0), (select j.value from json_each(m.value) j where j.key = 1)
from event_rows e join run_sets r on r.id = e.runs, json_each(r.runs) m;

create view agents (id, first_seen, last_seen, event_count, environment) as
select s.text, a.first_seen, a.last_seen, a.event_count,
       (select '{' || group_concat(m.key_json || ':' || m.value_json, ',') || '}'
        from (select v.key_json, v.value_json
              from (select m.key, m.key_json, m.value_json,
                           row_number() over (partition by m.key order by e.last_seen desc, m.value_json desc) as place
                    from agent_environments e
                    join environment_members m on m.environment = e.environment
                    where e.agent = a.agent and (m.key glob 'env.*' or m.key glob 'os.*' or m.key = 'host.name')) v
              where v.place = 1 order by v.key) m)
from agent_rows a join strings s on s.id = a.agent;

create view sessions (id, session_id, agent_id, start_time, end_time, event_count, stopped_at) as
select i.text, i.text, a.text, s.start_time, s.end_time, s.event_count, s.stopped_at
from session_rows s
join strings i on i.id = s.session
join strings a on a.id = s.agent;

create view traces (id, trace_id, agent_id, start_time, end_time, event_count, stopped_at) as
select i.text, i.text, a.text, t.start_time, t.end_time, t.event_count, t.stopped_at
from trace_rows t
join strings i on i.id = t.trace
join strings a on a.id = t.agent;

create view llm_calls (
    id, event_id, vendor, model, request_type, request_timestamp, response_id, response_timestamp, duration_ms, stop_reason,
    input_tokens, output_tokens, total_tokens, status, error_type, start_time, end_time, trace_id, span_id, agent_id, session_id,
    conversation_id, turn, conversation_link
) as
select c.id, c.event_id, v.text, m.text, r.text, c.request_timestamp, c.response_id, c.response_timestamp,
       coalesce(c.duration_ms, case when c.roles & 1 and c.end_time >= c.start_time then (c.end_time - c.start_time) / 1e6 end),
       p.text, c.input_tokens, c.output_tokens,
       coalesce(c.total_tokens, case when c.input_tokens < 4611686018427387904 and c.output_tokens < 4611686018427387904
                                     then c.input_tokens + c.output_tokens end),
       case when c.roles & 4 then 'error' when c.roles & 2 then 'success' else 'open' end,
       x.text, c.start_time, c.end_time, t.text, c.span, a.text, s.text, f.span, c.turn,
       case c.link when 0 then 'first' when 1 then 'messages' when 2 then 'trimmed' when 3 then 'time' end
from llm_call_rows c
join strings a on a.id = c.agent
left join strings s on s.id = c.session
left join strings t on t.id = c.trace
left join strings v on v.id = c.vendor
left join strings m on m.id = c.model
left join strings r on r.id = c.request_type
left join strings p on p.id = c.stop_reason
left join strings x on x.id = c.error_type
left join llm_call_rows f on f.id = c.conversation;

create view tool_executions (
    id, event_id, tool_name, tool_id, status, result_type, framework, duration_ms, error_type, start_time, end_time, trace_id, span_id,
    agent_id, session_id, arguments_digest, repeat, conversation_id
) as
select e.id, e.event_id, n.text, e.tool_id,
       case when e.roles & 4 then 'error' when e.roles & 2 then 'success' else 'open' end,
       r.text, w.text,
       coalesce(e.duration_ms, case when e.roles & 1 and e.end_time >= e.start_time then (e.end_time - e.start_time) / 1e6 end),
       x.text, e.start_time, e.end_time, t.text, e.span, a.text, s.text, lower(hex(e.arguments_digest)), e.repeat, f.span
from tool_execution_rows e
join strings a on a.id = e.agent
left join strings s on s.id = e.session
left join strings t on t.id = e.trace
left join strings n on n.id = e.tool_name
left join strings w on w.id = e.framework
left join strings r on r.id = e.result_type
left join strings x on x.id = e.error_type
left join llm_call_rows f on f.id = e.conversation;

-- `llm_call_id` and `tool_execution_id` are of the same trace and span, whichever came first; `linked` tells of the call.
create view security_alerts (
    id, event_id, timestamp, trace_id, span_id, agent_id, session_id, name, level, alert_level, category, severity, description,
    llm_vendor, content_sample, detection_time, keywords, llm_call_id, tool_execution_id, linked
) as
select r.event_id, r.event_id, r.timestamp, t.text, r.span, a.text, s.text, k.name, k.level, l.text, g.text, y.text, r.description,
       v.text, r.content_sample, r.detection_time, r.keywords, c.id, x.id, c.id is not null
from security_alert_rows r
join event_kinds k on k.id = r.kind
join strings a on a.id = r.agent
left join strings s on s.id = r.session
left join strings t on t.id = r.trace
left join strings l on l.id = r.alert_level
left join strings g on g.id = r.category
left join strings y on y.id = r.severity
left join strings v on v.id = r.llm_vendor
left join llm_call_rows c on c.trace = r.trace and c.span = r.span and c.span is not null
left join tool_execution_rows x on x.trace = r.trace and x.span = r.span and x.span is not null;
