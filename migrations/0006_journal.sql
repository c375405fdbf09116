-- The access journal: what plugins were handed, by reference and hash, never a value. Append-only: each entry's `chain` is a keyed hash
-- over it, its accesses and the chain of the entry before; `cylestio-server audit verify` reads it.

-- Who was handed rows: `text` is JSON (plugin, version, digests, fields, grant), `digest` the keyed digest of it.
create table journal_subjects (
    id integer primary key,
    digest blob not null unique,
    plugin_id text not null,
    text text not null
) strict;
create index journal_subjects_plugin on journal_subjects (plugin_id);

-- `kind`: write (a transaction), query (a report), job, offline (a command without a server), catalog (what serves, under which grants).
-- The rows of a write are its events in order, then its quarantine, then `unstored` rows (duplicates, requests that were refused or
-- failed). `as_of`: the last event that a query could see. `marks`: for each row of a write four bytes that tell which row differs.
create table journal_entries (
    id integer primary key,
    time integer not null,
    kind text not null check (kind in ('write', 'query', 'job', 'offline', 'catalog')),
    first_event integer,
    last_event integer,
    first_quarantine integer,
    last_quarantine integer,
    unstored integer not null,
    as_of integer,
    detail text,
    marks blob,
    chain blob not null
) strict;
create index journal_entries_events on journal_entries (last_event) where last_event is not null;
create index journal_entries_quarantine on journal_entries (last_quarantine) where last_quarantine is not null;
create index journal_entries_kind on journal_entries (kind, id) where kind <> 'write';

-- `id` is journal_entries.id * 4096 + its place. `members`: of a write a bit for each row of the entry that was handed in, null for all;
-- else ids of the relation as runs. `outcomes`: [[place of the row, "trap"], ..] where it was not ok. `input` and `output`: one hash over
-- those of the rows. `marks`: of a relation's rows, how many to a mark, then the marks.
create table journal_accesses (
    id integer primary key,
    subject integer not null references journal_subjects (id),
    rows integer not null,
    bytes integer not null,
    members blob,
    outcomes text,
    input blob not null,
    output blob,
    marks blob
) strict;

-- Sums over journal_accesses, kept so that nobody has to add them up.
create table journal_totals (
    subject integer primary key references journal_subjects (id),
    entries integer not null,
    rows integer not null,
    bytes integer not null,
    first_time integer not null,
    last_time integer not null
) strict;
