-- What plugins asked of tables while they were handed rows: [["table", keys asked for, bytes handed over], ..], null when nothing. The
-- digests of the tables stand in the subject.
alter table journal_accesses add column lookups text;

-- Sums over journal_accesses.lookups.
create table journal_lookup_totals (
    subject integer not null references journal_subjects (id),
    table_name text not null,
    lookups integer not null,
    bytes integer not null,
    primary key (subject, table_name)
) strict, without rowid;
