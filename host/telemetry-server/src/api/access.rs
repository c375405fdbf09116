//! `GET /v1/plugins/{id}/access`: what each version of a plugin was ever handed, and whether it saw an event or a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use telemetry_store::{SeenBy, Snapshot, StoreError, SubjectTotals};

use super::extract::{Path, Query};
use super::{ApiError, blocking};
use crate::analysis::params::Params;
use crate::app::App;

/// Rows and bytes by version, from the access journal; with `event_id` or `session_id` also whether it saw that.
///
/// # Errors
/// 404 for a plugin that neither is there nor ever was handed anything, 400 for wrong parameters.
pub async fn access(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::new(&pairs);
    let (event, session) = (params.one("event_id").map(str::to_owned), params.one("session_id").map(str::to_owned));
    params.finish()?;
    if event.is_some() && session.is_some() {
        return Err(ApiError::field("session_id", "either event_id or session_id, not both"));
    }
    let event = match event.as_deref().map(str::parse::<i64>) {
        Some(Err(_)) => return Err(ApiError::field("event_id", "is no event's number")),
        Some(Ok(event)) => Some(event),
        None => None,
    };
    let known = app.plugins.current().statuses().iter().any(|status| status.id == id);
    let named = id.clone();
    let answer = blocking(move || {
        let snapshot = app.store.snapshot()?;
        let totals = snapshot.journal_totals(&id)?;
        if totals.is_empty() && !known {
            return Ok::<_, StoreError>(None);
        }
        let mut answer = Map::new();
        answer.insert("plugin_id".to_owned(), json!(id));
        answer.insert("versions".to_owned(), totals.iter().map(version).collect());
        answer.extend(seen(&snapshot, &id, event, session)?.map(|seen| ("seen".to_owned(), seen)));
        Ok(Some(Value::Object(answer)))
    })
    .await?;
    answer.map(Json).ok_or_else(|| ApiError::not_found(format!("there is no plugin `{named}`, and none was handed anything")))
}

fn version(totals: &SubjectTotals) -> Value {
    let subject = &totals.subject;
    let fields = subject.fields.iter().map(|(field, ty)| {
        let class = match field.class() {
            telemetry_model::Class::Metadata => "metadata",
            telemetry_model::Class::Content => "content",
        };
        json!({ "field": field.to_string(), "type": ty.as_str(), "class": class })
    });
    json!({
        "digest": subject.plugin.digest,
        "version": subject.plugin.version,
        "derivation": subject.plugin.derivation,
        "kind": subject.kind,
        "source": subject.source.as_str(),
        "fields": fields.collect::<Value>(),
        "grant": serde_json::from_str::<Value>(&subject.grant).unwrap_or_default(),
        "rows": totals.rows,
        "bytes": totals.bytes,
        "lookups": subject.tables.iter().map(|(table, digest)| looked_up(totals, table, digest)).collect::<Value>(),
        "entries": totals.entries,
        "first_time": totals.first_time,
        "last_time": totals.last_time,
    })
}

fn looked_up(totals: &SubjectTotals, table: &str, digest: &str) -> Value {
    let sum = totals.lookups.iter().find(|sum| &*sum.table == table);
    json!({ "table": table, "digest": digest, "count": sum.map_or(0, |sum| sum.count), "bytes": sum.map_or(0, |sum| sum.bytes) })
}

fn seen(snapshot: &Snapshot, id: &str, event: Option<i64>, session: Option<String>) -> Result<Option<Value>, StoreError> {
    if let Some(event) = event {
        let by = snapshot.journal_saw_event(id, event)?;
        return Ok(Some(
            json!({ "event_id": event.to_string(), "answer": !by.is_empty(), "by": by.iter().map(seen_by).collect::<Value>() }),
        ));
    }
    let Some(session) = session else { return Ok(None) };
    let (by, events) = snapshot.journal_saw_session(id, &session)?;
    // Once its events are gone nobody knows which entries were about them.
    let answer = if events == 0 && by.is_empty() { Value::Null } else { Value::from(!by.is_empty()) };
    Ok(Some(json!({ "session_id": session, "stored_events": events, "answer": answer, "by": by.iter().map(seen_by).collect::<Value>() })))
}

fn seen_by(seen: &SeenBy) -> Value {
    json!({
        "digest": seen.digest,
        "version": seen.version,
        "in": seen.kind,
        "rows": seen.outcomes.values().sum::<u64>(),
        "outcomes": seen.outcomes,
        "entries": seen.entries,
        "first_entry": seen.first_entry,
        "last_entry": seen.last_entry,
    })
}
