//! A diff for people, made of the JSON that a server or a command gives.

use std::fmt::Write as _;

use serde_json::Value;

/// A value on a line has at most so many characters.
const WIDE: usize = 48;

/// The diff as text: totals by key, the values that differ, the rows of a metric's report, or of those of metrics that an enricher reaches.
pub fn table(diff: &Value) -> String {
    let mut out = format!("{} -> {}: {} over {}\n", version(diff, "old"), version(diff, "new"), text(diff, "kind"), text(diff, "source"));
    let number = |place: &str| diff.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let _ = write!(out, "{} of {} rows change, {} values", number("/changed_rows"), number("/rows"), number("/changes"));
    for (place, what) in [
        ("/failed/old", "rows failed with the old one"),
        ("/failed/new", "rows failed with the new one"),
        ("/unreadable", "rows cannot be made again and were left out"),
    ] {
        if number(place) > 0 {
            let _ = write!(out, "; {} {what}", number(place));
        }
    }
    out.push('\n');
    let totals = diff.get("keys").and_then(Value::as_object).into_iter().flatten();
    let line = |(key, totals): (&String, &Value)| {
        let count = |name: &str| totals.get(name).map(Value::to_string).unwrap_or_default();
        vec![key.clone(), count("changed"), count("added"), count("removed")]
    };
    print(&mut out, &["key", "changed", "added", "removed"], totals.map(line).collect());
    let items = list(diff, "items");
    print(&mut out, &["row", "event", "time", "key", "old", "new"], items.iter().map(change).collect());
    more(&mut out, number("/changes"), items.len());
    if let Some(report) = diff.get("groups") {
        groups(&mut out, report, "the report");
    }
    if diff.get("metrics").is_some() {
        effects(&mut out, diff);
    }
    out
}

/// What an enricher's other values do to the reports of metrics.
fn effects(out: &mut String, diff: &Value) {
    let (metrics, untold) = (list(diff, "metrics"), list(diff, "untold"));
    for effect in metrics {
        groups(out, effect.get("groups").unwrap_or(&Value::Null), &format!("`{}`, which takes {},", text(effect, "id"), keys(effect)));
    }
    if metrics.is_empty() && untold.is_empty() && diff.get("changes").and_then(Value::as_u64) > Some(0) {
        out.push_str("\nno metric or enricher that serves takes what changes\n");
    }
    for other in untold {
        let (kind, id) = (text(other, "kind"), text(other, "id"));
        let _ = writeln!(out, "\nnot told of the {kind} `{id}`, which takes {}: {}", keys(other), text(other, "reason"));
    }
}

fn keys(value: &Value) -> String {
    list(value, "keys").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn groups(out: &mut String, report: &Value, of: &str) {
    let mut has_failed = false;
    for which in ["old", "new"] {
        if let Some(failure) = report.get("failed").and_then(|failed| failed.get(which)).and_then(Value::as_str) {
            has_failed = true;
            let _ = writeln!(out, "\nwith the {which} one {of} fails: {failure}");
        }
    }
    if has_failed {
        return;
    }
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let _ = writeln!(out, "\n{} of {} rows of {of} change", number("changed"), number("total"));
    let items = list(report, "items");
    print(out, &["time", "group", "column", "old", "new"], items.iter().flat_map(group).collect());
    more(out, number("changed"), items.len());
}

fn version(diff: &Value, side: &str) -> String {
    let version = diff.get(side).cloned().unwrap_or_default();
    let digest = text(&version, "digest");
    format!("{} {} ({})", text(&version, "id"), text(&version, "version"), digest.get(..8).unwrap_or("no digest"))
}

fn change(change: &Value) -> Vec<String> {
    let row = change.get("row").cloned().unwrap_or_default();
    let relation = text(&row, "relation");
    let name = match relation.as_str() {
        "events" => "event",
        "llm_calls" => "call",
        "tool_executions" => "execution",
        "sessions" => "session",
        "security_alerts" => "alert",
        other => other,
    };
    let id = if relation == "sessions" { text(&row, "session_id") } else { text(&row, "id") };
    let key = change.get("key").and_then(Value::as_str).unwrap_or("(outcome)").to_owned();
    vec![format!("{name} {id}"), text(&row, "event_id"), text(&row, "time"), key, side(change, "old"), side(change, "new")]
}

fn group(change: &Value) -> Vec<Vec<String>> {
    let time = change.get("time").and_then(Value::as_str).unwrap_or("-").to_owned();
    let members = change.get("group").and_then(Value::as_object);
    let named = members.into_iter().flatten().map(|(name, value)| format!("{name}={}", short(value)));
    let group = if members.is_none_or(serde_json::Map::is_empty) { "(all)".to_owned() } else { named.collect::<Vec<_>>().join(" ") };
    let values = change.get("values").and_then(Value::as_object).into_iter().flatten();
    values.map(|(name, sides)| vec![time.clone(), group.clone(), name.clone(), side(sides, "old"), side(sides, "new")]).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn side(value: &Value, name: &str) -> String {
    short(value.get(name).unwrap_or(&Value::Null))
}

fn short(value: &Value) -> String {
    let text = if value.is_null() { "-".to_owned() } else { value.to_string() };
    match text.char_indices().nth(WIDE) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn more(out: &mut String, all: u64, listed: usize) {
    let left = all.saturating_sub(listed as u64);
    if left > 0 {
        let _ = writeln!(out, ".. and {left} more (--limit)");
    }
}

/// Columns with two spaces between them; nothing without a line.
fn print(out: &mut String, head: &[&str], mut lines: Vec<Vec<String>>) {
    if lines.is_empty() {
        return;
    }
    lines.insert(0, head.iter().map(|name| (*name).to_owned()).collect());
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    out.push('\n');
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
