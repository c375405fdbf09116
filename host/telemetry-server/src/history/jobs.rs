//! Jobs as every answer shows them.

use serde_json::{Value, json};
use telemetry_store::{Snapshot, StoreError, StoredJob};

/// One job. Rows a second and the seconds that remain are there while it runs and has done some.
pub fn job_json(job: &StoredJob) -> Value {
    let seconds = (job.updated_at.0.saturating_sub(job.created_at.0)) as f64 / 1e9;
    let rate = (job.done > 0 && seconds > 0.0).then(|| job.done as f64 / seconds);
    let remaining = rate.filter(|_| job.state == "running").map(|rate| (job.total - job.done).max(0) as f64 / rate);
    json!({
        "id": job.id.to_string(),
        "plugin_id": job.plugin_id,
        "kind": job.kind,
        "source": job.relation.as_str(),
        "from_time": job.from,
        "to_time": job.to,
        "state": job.state,
        "reason": job.reason,
        "total": job.total,
        "done": job.done,
        "remaining": (job.total - job.done).max(0),
        "changed": job.changed,
        "unequal": job.unequal,
        "apart": job.apart,
        "failed": job.failed,
        "rate_per_s": rate,
        "remaining_s": remaining,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    })
}

/// [`job_json`], and the rows on which the plugin had not run well before, in `apart_rows`.
///
/// # Errors
/// When the database cannot be read.
pub fn whole_job(snapshot: &Snapshot, job: &StoredJob) -> Result<Value, StoreError> {
    let apart = snapshot.job_apart(job)?;
    let rows: Vec<Value> = apart.into_iter().map(|(row, outcome)| json!({ "row": row, "outcome": outcome })).collect();
    let mut whole = job_json(job);
    if let Some(members) = whole.as_object_mut() {
        members.insert("apart_rows".to_owned(), rows.into());
    }
    Ok(whole)
}
