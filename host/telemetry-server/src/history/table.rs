//! A diff for people.

use std::fmt;

use serde_json::Value;
use telemetry_model::Relation;
use telemetry_store::RowReference;

use super::diff::{Change, Diff, Sides};
use super::groups::{GroupChange, Groups};
use super::opened::Version;

/// A value on a line has at most so many characters.
const WIDE: usize = 48;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_deref().and_then(|digest| digest.get(..8)).unwrap_or("no digest");
        write!(f, "{} {} ({digest})", self.id, self.version.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} -> {}: {} over {}", self.old, self.new, self.kind, self.source)?;
        write!(f, "{} of {} rows change, {} values", self.changed_rows, self.rows, self.changes)?;
        for (count, what) in [
            (self.failed.old, "rows failed with the old one"),
            (self.failed.new, "rows failed with the new one"),
            (self.unreadable, "rows cannot be made again and were left out"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        writeln!(f)?;
        self.totals(f)?;
        self.changes(f)?;
        match &self.groups {
            Some(groups) => groups.fmt(f),
            None => Ok(()),
        }
    }
}

impl Diff {
    fn totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            return Ok(());
        }
        let mut lines = vec![["key", "changed", "added", "removed"].map(str::to_owned).to_vec()];
        for (key, totals) in &self.keys {
            lines.push(vec![key.clone(), totals.changed.to_string(), totals.added.to_string(), totals.removed.to_string()]);
        }
        writeln!(f)?;
        print(f, &lines)
    }

    fn changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.items.is_empty() {
            return Ok(());
        }
        let mut lines = vec![["row", "event", "time", "key", "old", "new"].map(str::to_owned).to_vec()];
        lines.extend(self.items.iter().map(line));
        writeln!(f)?;
        print(f, &lines)?;
        more(f, self.changes, self.items.len())
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (which, failure) in [("old", &self.failed.old), ("new", &self.failed.new)] {
            if let Some(failure) = failure {
                writeln!(f, "\nno report with the {which} one: {failure}")?;
            }
        }
        if self.failed != Sides::default() {
            return Ok(());
        }
        writeln!(f, "\n{} of {} rows of the report change", self.changed, self.total)?;
        if self.items.is_empty() {
            return Ok(());
        }
        let mut lines = vec![["time", "group", "column", "old", "new"].map(str::to_owned).to_vec()];
        lines.extend(self.items.iter().flat_map(group_lines));
        writeln!(f)?;
        print(f, &lines)?;
        more(f, self.changed as u64, self.items.len())
    }
}

fn line(change: &Change) -> Vec<String> {
    let RowReference { relation, id, event_id, session_id, time } = &change.row;
    let row = match (relation, session_id) {
        (Relation::Sessions, Some(session)) => format!("session {session}"),
        (Relation::Events, _) => format!("event {id}"),
        (Relation::LlmCalls, _) => format!("call {id}"),
        (Relation::ToolExecutions, _) => format!("execution {id}"),
        (Relation::SecurityAlerts, _) => format!("alert {id}"),
        (Relation::Sessions, None) => format!("session {id}"),
    };
    let event = event_id.map_or_else(String::new, |id| id.to_string());
    let time = time.map_or_else(String::new, |time| time.to_string());
    let key = change.key.clone().unwrap_or_else(|| "(outcome)".to_owned());
    vec![row, event, time, key, short(&change.old), short(&change.new)]
}

fn group_lines(change: &GroupChange) -> Vec<Vec<String>> {
    let time = change.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let named = change.group.iter().map(|(name, value)| format!("{name}={}", short(value)));
    let group = if change.group.is_empty() { "(all)".to_owned() } else { named.collect::<Vec<_>>().join(" ") };
    let values = change.values.iter();
    values.map(|(name, Sides { old, new })| vec![time.clone(), group.clone(), name.clone(), short(old), short(new)]).collect()
}

fn short(value: &Value) -> String {
    let text = if value.is_null() { "-".to_owned() } else { value.to_string() };
    match text.char_indices().nth(WIDE) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn more(f: &mut fmt::Formatter<'_>, all: u64, listed: usize) -> fmt::Result {
    match all.saturating_sub(listed as u64) {
        0 => Ok(()),
        more => writeln!(f, ".. and {more} more (--limit)"),
    }
}

/// Columns with two spaces between them.
fn print(f: &mut fmt::Formatter<'_>, lines: &[Vec<String>]) -> fmt::Result {
    let count = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
