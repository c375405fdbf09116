-- Attributes that filters seek: the keys of the setting `database.indexed_attributes`.

-- `attribute_values` holds the events up to `filled` and those beyond `target`: the ones between are being filled in, and until then
-- filters on the key scan. `dropped`: the key is no longer set, its values are being taken away.
create table attribute_keys (
    key integer primary key references strings (id),
    filled integer not null,
    target integer not null,
    dropped integer not null
) strict;

-- `value`: an integer, a real, the text of a string, else a blob with the JSON text; cut to 120 bytes. `time` is the event's.
create table attribute_values (
    key integer not null,
    value any not null,
    time integer not null,
    event integer not null,
    primary key (key, value, time, event)
) strict, without rowid;

-- Calls and executions that pair with nothing are found by their only event.
create index llm_call_rows_event on llm_call_rows (event_id) where span is null;
create index tool_execution_rows_event on tool_execution_rows (event_id) where span is null;
