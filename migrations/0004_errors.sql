-- Errors of an agent and of a session are counted in an index that holds errors only. `is_error` is null for every other event.
alter table event_rows add column is_error integer;
update event_rows set is_error = 1 where kind in (select id from event_kinds where is_error);
create index event_rows_agent_errors on event_rows (agent, timestamp) where is_error is not null;
create index event_rows_session_errors on event_rows (session) where is_error is not null and session is not null;
