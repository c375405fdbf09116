-- Rows that a job came to on which its plugin had not run well before: `outcome` is how it had fared then, null when it had never run. Of
-- each of these two sorts the first 1,000 of a job are kept; `jobs.apart` counts all.
create table job_rows (
    job integer not null references jobs (id),
    row integer not null,
    outcome text,
    primary key (job, row)
) strict, without rowid;

-- Rows on which this very version had run well before and that have other values now: none, while it is a function of what it reads.
alter table jobs add column unequal integer not null default 0;
