//! Jobs: made, carried on, ended.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, Result, params};
use telemetry_model::Relation;
use telemetry_model::query::Window;

use super::rowqueue::Tally;
use crate::rowqueue::{JobChange, JobStep};

/// Makes or ends a job.
pub(crate) fn change(connection: &Connection, change: &JobChange) -> Result<()> {
    match change {
        JobChange::Create { plugin_id, relation, window, now, id } => {
            let (last, total) = measure(connection, *relation, *window)?;
            connection
                .prepare_cached(
                    "insert into jobs (plugin_id, kind, relation, from_time, to_time, last_row, total, done, changed, apart, failed, state,
                                       created_at, updated_at)
                     values (?1, 'backfill', ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0, 'running', ?7, ?7)",
                )?
                .execute(params![
                    plugin_id,
                    relation.as_str(),
                    window.from.map(|from| from.0),
                    window.to.map(|to| to.0),
                    last,
                    total,
                    now.0
                ])?;
            id.store(connection.last_insert_rowid(), Ordering::Release);
        }
        JobChange::End { job, failure, now } => {
            let state = if failure.is_some() { "failed" } else { "cancelled" };
            connection
                .prepare_cached("update jobs set state = ?2, reason = ?3, updated_at = ?4 where id = ?1 and state = 'running'")?
                .execute(params![job, state, failure, now.0])?;
        }
    }
    Ok(())
}

/// Whether the job goes on, so that what its step found may be stored.
pub(crate) fn is_running(connection: &Connection, step: &JobStep) -> Result<bool> {
    connection
        .prepare_cached("select exists (select 1 from jobs where id = ? and state = 'running')")?
        .query_row([step.job], |row| row.get(0))
}

/// Rows apart that are kept of each sort.
const MOST_APART: i64 = 1_000;

/// Moves the job on.
pub(crate) fn advance(connection: &Connection, step: &JobStep, tally: &Tally) -> Result<()> {
    keep_apart(connection, step.job, &tally.apart)?;
    connection
        .prepare_cached(
            "update jobs set cursor_time = coalesce(?2, cursor_time), cursor_row = coalesce(?3, cursor_row), done = done + ?4,
                             changed = changed + ?5, apart = apart + ?6, failed = failed + ?7, updated_at = ?8, unequal = unequal + ?9,
                             state = case when ?2 is null then 'done' else state end
             where id = ?1",
        )?
        .execute(params![
            step.job,
            step.cursor.map(|(time, _)| time.0),
            step.cursor.map(|(_, row)| row),
            step.rows as i64,
            tally.changed,
            tally.apart.len() as i64,
            tally.failed,
            step.now.0,
            tally.unequal
        ])?;
    Ok(())
}

/// Keeps which rows the plugin had not run well on, the first of those it had failed on and of those it had never seen.
fn keep_apart(connection: &Connection, job: i64, rows: &[(i64, Option<String>)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let counted = "select count(outcome), count(*) - count(outcome) from job_rows where job = ?";
    let (mut failed, mut never): (i64, i64) = connection.prepare_cached(counted)?.query_row([job], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut insert = connection.prepare_cached("insert into job_rows (job, row, outcome) values (?, ?, ?) on conflict do nothing")?;
    for (row, outcome) in rows {
        let kept = if outcome.is_some() { &mut failed } else { &mut never };
        if *kept < MOST_APART {
            *kept += 1;
            insert.execute(params![job, row, outcome])?;
        }
    }
    Ok(())
}

/// The last row there is, and how many lie in the window.
fn measure(connection: &Connection, relation: Relation, window: Window) -> Result<(i64, i64)> {
    let (last, count) = match relation {
        Relation::LlmCalls => (
            "select coalesce(max(id), 0) from llm_call_rows",
            "select count(*) from llm_call_rows where start_time >= ? and start_time < ?",
        ),
        Relation::ToolExecutions => (
            "select coalesce(max(id), 0) from tool_execution_rows",
            "select count(*) from tool_execution_rows where start_time >= ? and start_time < ?",
        ),
        _ => ("select coalesce(max(id), 0) from event_rows", "select count(*) from event_rows where timestamp >= ? and timestamp < ?"),
    };
    let last = connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
    let bounds = (window.from.map_or(i64::MIN, |from| from.0), window.to.map_or(i64::MAX, |to| to.0));
    Ok((last, connection.prepare_cached(count)?.query_row(bounds, |row| row.get(0))?))
}
