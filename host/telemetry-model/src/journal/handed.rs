//! What was handed over, as a list of rows or by their ids.

use std::sync::Arc;

use super::{IdRuns, JournalKeys, LookedUp, Marks, Subject};
use crate::digest::Digest;
use crate::outcome::RunOutcome;

/// That a plugin was handed one row of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedRow {
    /// Its place in the list.
    pub row: u32,
    /// How the plugin fared with it.
    pub outcome: RunOutcome,
    /// The hash of what was handed in.
    pub input: Digest,
    /// The hash of what came back and was used; `None` when that was nothing.
    pub output: Option<Digest>,
}

/// What one plugin was handed of a list of rows.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Who.
    pub subject: Arc<Subject>,
    /// The rows, each once, by their place.
    pub rows: Vec<HandedRow>,
    /// Bytes copied into its memory, those of rows that were run again too.
    pub bytes: u64,
    /// What it asked of tables meanwhile.
    pub lookups: Vec<LookedUp>,
}

/// Takes the rows of [`Handed`] from the front, part by part, and shares out the bytes.
#[derive(Debug, Default)]
pub struct HandedParts {
    left: Vec<Handed>,
    taken: Vec<usize>,
    start: u32,
}

impl HandedParts {
    /// Over lists that are in the order of their rows.
    pub fn new(left: Vec<Handed>) -> Self {
        let taken = vec![0; left.len()];
        HandedParts { left, taken, start: 0 }
    }

    /// What was handed over of the next `count` rows; places count from the first of these.
    pub fn take(&mut self, count: usize) -> Vec<Handed> {
        let start = self.start;
        let end = start.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.start = end;
        let mut parts = Vec::with_capacity(self.left.len());
        for (handed, taken) in self.left.iter_mut().zip(&mut self.taken) {
            let left = handed.rows.get(*taken..).unwrap_or_default();
            let part: Vec<_> =
                left.iter().take_while(|row| row.row < end).map(|row| HandedRow { row: row.row.saturating_sub(start), ..*row }).collect();
            if part.is_empty() {
                continue;
            }
            let bytes = handed.bytes.saturating_mul(part.len() as u64) / left.len() as u64;
            handed.bytes -= bytes;
            let lookups = LookedUp::share(&mut handed.lookups, part.len(), left.len());
            *taken += part.len();
            parts.push(Handed { subject: Arc::clone(&handed.subject), rows: part, bytes, lookups });
        }
        parts
    }
}

/// What a metric, or a plugin that runs on rows of a relation, was handed.
#[derive(Clone, Debug)]
pub struct RelationAccess {
    /// Who; its source is the relation.
    pub subject: Arc<Subject>,
    /// Ids of the rows in the order handed over.
    pub ids: IdRuns,
    /// Bytes copied in.
    pub bytes: u64,
    /// What it asked of tables meanwhile.
    pub lookups: Vec<LookedUp>,
    /// The hash over the row hashes, in order.
    pub input: Digest,
    /// The hash of what came back; `None` when nothing did.
    pub output: Option<Digest>,
    /// Marks of the rows.
    pub marks: Marks,
    /// How it ended.
    pub outcome: RunOutcome,
}

impl RelationAccess {
    /// What one plugin was handed of rows with these ids, places counting among them. `None` when that was nothing.
    pub fn of(handed: Handed, ids: &[i64], keys: &JournalKeys) -> Option<Self> {
        let (mut runs, mut marks) = (IdRuns::default(), Marks::default());
        let rows: Vec<_> = handed.rows.iter().filter_map(|row| Some((*ids.get(row.row as usize)?, row))).collect();
        for (id, row) in &rows {
            runs.push(*id);
            marks.push(row.input);
        }
        let failed = rows.iter().map(|(_, row)| row.outcome).find(|outcome| *outcome != RunOutcome::Ok);
        let outputs = rows.iter().map(|(_, row)| row.output);
        (!rows.is_empty()).then(|| RelationAccess {
            input: keys.over(rows.iter().map(|(_, row)| Some(row.input))),
            output: outputs.clone().any(|output| output.is_some()).then(|| keys.over(outputs)),
            outcome: failed.unwrap_or(RunOutcome::Ok),
            subject: handed.subject,
            ids: runs,
            bytes: handed.bytes,
            lookups: handed.lookups,
            marks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Relation;
    use crate::outcome::PluginVersion;

    #[test]
    fn parts_share_out_rows_and_bytes() {
        let version = PluginVersion { plugin_id: "p".into(), version: "1".into(), digest: "d".into(), derivation: "e".into() };
        let subject = Arc::new(Subject::new(Arc::new(version), "validator", Relation::Events, Vec::new(), "null"));
        let row = |row| HandedRow { row, outcome: RunOutcome::Ok, input: Digest([0; 16]), output: None };
        let handed = Handed { subject, rows: [0, 1, 3, 4].map(row).to_vec(), bytes: 10, lookups: Vec::new() };
        let mut parts = HandedParts::new(vec![handed]);
        let places = |parts: Vec<Handed>| parts.iter().flat_map(|p| p.rows.iter().map(|r| r.row).collect::<Vec<_>>()).collect::<Vec<_>>();
        assert_eq!(places(parts.take(1)), [0]);
        assert_eq!(places(parts.take(2)), [0]);
        assert_eq!(places(parts.take(1)), [0]);
        let last = parts.take(5);
        assert_eq!((last[0].bytes, places(last)), (3, vec![0]));
        assert!(parts.take(5).is_empty());
    }
}
