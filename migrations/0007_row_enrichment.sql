-- Enrichers over calls and executions run after the commit. What is stored of each row is in the form of `event_rows.derived` and
-- `event_rows.runs`; `runs` is null until they ran.
alter table llm_call_rows add column derived text;
alter table llm_call_rows add column runs integer references run_sets (id);
alter table tool_execution_rows add column derived text;
alter table tool_execution_rows add column runs integer references run_sets (id);

-- Rows that are new or have changed since the enrichers of their relation saw them (1 llm_calls, 2 tool_executions). `generation` rises
-- with every change: only who saw the latest may take a row out.
create table row_queue (
    relation integer not null,
    row integer not null,
    generation integer not null,
    primary key (relation, row)
) strict, without rowid;

-- Keys that enrichers over rows have written. No index of events' attributes holds their values.
create table row_keys (
    key integer primary key references strings (id)
) strict;

-- Running plugins over what is stored. `state`: running, done, cancelled or failed. Rows are taken by (time, id) behind the cursor, up to
-- `last_row`; those that came later were seen live. `changed`: other values than before; `apart`: rows without an earlier outcome `ok`.
create table jobs (
    id integer primary key,
    plugin_id text not null,
    kind text not null,
    relation text not null,
    from_time integer,
    to_time integer,
    last_row integer not null,
    cursor_time integer,
    cursor_row integer,
    total integer not null,
    done integer not null,
    changed integer not null,
    apart integer not null,
    failed integer not null,
    state text not null,
    reason text,
    created_at integer not null,
    updated_at integer not null
) strict;
create index jobs_plugin on jobs (plugin_id, id);
create index jobs_running on jobs (id) where state = 'running';

create view row_attribute_documents (relation, row_id, event_id, ordinal, key_id, plugin_version_id, pieces) as
select 'llm_calls', c.id, c.event_id, m.key, (select j.value from json_each(m.value) j where j.key = 1),
       (select j.value from json_each(m.value) j where j.key = 0), m.value
from llm_call_rows c, json_each(c.derived) m
union all
select 'tool_executions', x.id, x.event_id, m.key, (select j.value from json_each(m.value) j where j.key = 1),
       (select j.value from json_each(m.value) j where j.key = 0), m.value
from tool_execution_rows x, json_each(x.derived) m;

-- What enrichers wrote of calls and executions; `value` and `value_type` as in `attributes`.
create view row_attributes (relation, row_id, event_id, key, value, value_type, value_json, plugin_version_id) as
select t.relation, t.row_id, t.event_id, t.key,
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
from (select d.relation, d.row_id, d.event_id, (select s.text from strings s where s.id = d.key_id) as key, d.plugin_version_id,
             (select group_concat(case f.type when 'integer' then (select c.text from content_texts c where c.id = f.value)
                                  else f.value end, '')
              from (select j.type, j.value from json_each(d.pieces) j where j.key >= 2 order by j.key) f) as value_json
      from row_attribute_documents d) t;

create view row_runs (relation, row_id, plugin_version_id, outcome) as
select 'llm_calls', c.id, (select j.value from json_each(m.value) j where j.key = 0), (select j.value from json_each(m.value) j where j.key = 1)
from llm_call_rows c join run_sets r on r.id = c.runs, json_each(r.runs) m
union all
select 'tool_executions', x.id, (select j.value from json_each(m.value) j where j.key = 0), (select j.value from json_each(m.value) j where j.key = 1)
from tool_execution_rows x join run_sets r on r.id = x.runs, json_each(r.runs) m;
