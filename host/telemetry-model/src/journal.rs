//! The vocabulary of the access journal: who was handed which rows. It holds hashes and references, never values.

mod lookups;

use std::sync::Arc;

use serde_json::json;

use crate::digest::{Digest, DigestKey, Memo};
use crate::field::{Field, FieldType, Relation};
use crate::outcome::{PluginVersion, RunOutcome};
pub use lookups::LookedUp;

/// The keys of the journal, derived from that of the database.
#[derive(Clone, Debug)]
pub struct JournalKeys {
    /// Of hashes over row hashes, and over those of outputs.
    pub aggregate: DigestKey,
    /// Of what a plugin wrote for a row.
    pub output: DigestKey,
    /// Of the chain of entries.
    pub chain: DigestKey,
    /// Of subjects.
    pub subject: DigestKey,
}

impl JournalKeys {
    /// Derives them.
    pub fn new(key: &DigestKey) -> Self {
        let derive = |purpose: &str| key.derive(&format!("journal {purpose}"));
        JournalKeys { aggregate: derive("aggregate"), output: derive("output"), chain: derive("chain"), subject: derive("subject") }
    }

    /// The hash over hashes in order; a row without one counts as zeros.
    pub fn over(&self, hashes: impl Iterator<Item = Option<Digest>>) -> Digest {
        let bytes: Vec<u8> = hashes.flat_map(|hash| hash.map_or([0; 16], |hash| hash.0)).collect();
        self.aggregate.digest(&bytes)
    }

    /// The hash of what a plugin wrote for one row, in parts (keys and values in its order). `None` for nothing.
    pub fn output<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Option<Digest> {
        self.output_of_many(parts, &mut Memo::default())
    }

    /// The same for one of many rows; `memo` is for outputs under these keys only.
    pub fn output_of_many<'a>(&self, parts: impl Iterator<Item = &'a str>, memo: &mut Memo) -> Option<Digest> {
        let mut text = Vec::new();
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        (!text.is_empty()).then(|| memo.digest(&self.output, &text))
    }
}

/// Who is handed rows: one version of one plugin, with the fields it reads under one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which plugin.
    pub plugin: Arc<PluginVersion>,
    /// `validator`, `enricher`, `masker` or `metric`.
    pub kind: Box<str>,
    /// Whose rows it takes.
    pub source: Relation,
    /// The columns it is handed, in order.
    pub fields: Vec<(Field, FieldType)>,
    /// Its grant as one line of JSON; `null` without one.
    pub grant: Box<str>,
    /// Name and digest of each table it may look rows up in.
    pub tables: Vec<(Box<str>, Box<str>)>,
    text: Box<str>,
}

impl Subject {
    /// Names a subject. `grant` is JSON text.
    pub fn new(plugin: Arc<PluginVersion>, kind: &str, source: Relation, fields: Vec<(Field, FieldType)>, grant: &str) -> Self {
        let names: Vec<_> = fields.iter().map(|(field, ty)| json!([field.to_string(), ty.as_str()])).collect();
        let text = json!({
            "plugin_id": plugin.plugin_id, "version": plugin.version, "digest": plugin.digest, "derivation": plugin.derivation,
            "kind": kind, "source": source.as_str(), "fields": names, "grant": grant,
        });
        Subject { plugin, kind: kind.into(), source, fields, grant: grant.into(), tables: Vec::new(), text: text.to_string().into() }
    }

    /// The same, with tables to look rows up in: name and digest of each.
    #[must_use]
    pub fn reading(mut self, tables: Vec<(Box<str>, Box<str>)>) -> Self {
        if let (false, Some(text)) = (tables.is_empty(), self.text.strip_suffix('}')) {
            self.text = format!("{text},\"tables\":{}}}", json!(tables)).into();
        }
        self.tables = tables;
        self
    }

    /// All of it as one line of JSON, always the same for the same subject: what its digest is taken of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads [`Subject::text`] back. `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
        let plugin = PluginVersion {
            plugin_id: member("plugin_id")?.into(),
            version: member("version")?.into(),
            digest: member("digest")?.into(),
            derivation: member("derivation")?.into(),
        };
        let source: Relation = member("source")?.parse().ok()?;
        let field = |pair: &serde_json::Value| {
            let field = Field::parse(pair.get(0)?.as_str()?, source).ok()?;
            Some((field, pair.get(1)?.as_str()?.parse().ok()?))
        };
        let fields = value.get("fields")?.as_array()?.iter().map(field).collect::<Option<Vec<_>>>()?;
        let table = |pair: &serde_json::Value| Some((pair.get(0)?.as_str()?.into(), pair.get(1)?.as_str()?.into()));
        let tables = value.get("tables").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
        let tables = tables.iter().map(table).collect::<Option<Vec<_>>>()?;
        Some(Subject::new(Arc::new(plugin), member("kind")?, source, fields, member("grant")?).reading(tables))
    }

    /// What the hash of a row depends on beside its values: the fields and their types, in order.
    pub fn field_set(fields: &[(Field, FieldType)]) -> String {
        fields.iter().map(|(field, ty)| format!("{field}\t{}\n", ty.as_str())).collect()
    }
}

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

/// Ids in order as runs of neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRuns {
    bytes: Vec<u8>,
    run: Option<(i64, u64)>,
    last: i64,
    rows: u64,
}

impl IdRuns {
    /// Adds the next id.
    pub fn push(&mut self, id: i64) {
        self.rows += 1;
        match &mut self.run {
            Some((start, count)) if i128::from(*start) + i128::from(*count) == i128::from(id) => *count += 1,
            _ => {
                self.end_run();
                self.run = Some((id, 1));
            }
        }
    }

    /// How many ids.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// For each run its start (zigzag, from the end of the one before) and its length as variable-length integers.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes
    }

    /// The runs behind [`IdRuns::into_bytes`]: first id and count. `None` when the bytes are not such.
    pub fn read(mut bytes: &[u8]) -> Option<Vec<(i64, u64)>> {
        let (mut runs, mut last) = (Vec::new(), 0i64);
        while !bytes.is_empty() {
            let delta = take_varint(&mut bytes)?;
            let count = take_varint(&mut bytes)?;
            let start = last.wrapping_add((delta >> 1) as i64 ^ -((delta & 1) as i64));
            last = start.checked_add(i64::try_from(count).ok()?)?;
            runs.push((start, count));
        }
        Some(runs)
    }

    fn end_run(&mut self) {
        let Some((start, count)) = self.run.take() else { return };
        let delta = start.wrapping_sub(self.last);
        put_varint(&mut self.bytes, ((delta << 1) ^ (delta >> 63)) as u64);
        put_varint(&mut self.bytes, count);
        self.last = start.wrapping_add(count as i64);
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// Short marks that tell which rows differ: the sum of the first four bytes of the hashes of `per` rows each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    per: u32,
    rows: u64,
    sums: Vec<u32>,
}

/// More marks than this are joined in pairs.
const MAX_MARKS: usize = 256;

impl Default for Marks {
    fn default() -> Self {
        Marks { per: 1, rows: 0, sums: Vec::new() }
    }
}

impl Marks {
    /// Adds the next row.
    pub fn push(&mut self, hash: Digest) {
        let place = (self.rows / u64::from(self.per)) as usize;
        if place >= MAX_MARKS {
            self.sums = self.sums.chunks(2).map(|pair| pair.iter().fold(0u32, |sum, mark| sum.wrapping_add(*mark))).collect();
            self.per = self.per.saturating_mul(2);
            return self.push(hash);
        }
        self.rows += 1;
        match self.sums.get_mut(place) {
            Some(sum) => *sum = sum.wrapping_add(mark(hash)),
            None => self.sums.push(mark(hash)),
        }
    }

    /// Rows of each mark, and the marks.
    pub fn parts(&self) -> (u32, &[u32]) {
        (self.per, &self.sums)
    }

    /// As bytes: rows of a mark, then the marks, little-endian.
    pub fn into_bytes(self) -> Vec<u8> {
        std::iter::once(self.per).chain(self.sums).flat_map(u32::to_le_bytes).collect()
    }

    /// What [`Marks::into_bytes`] gave: rows of a mark, and the marks.
    pub fn read(bytes: &[u8]) -> Option<(u32, Vec<u32>)> {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let per = words.next().filter(|per| *per > 0 && rest.is_empty())?;
        Some((per, words.collect()))
    }
}

/// The mark of one row hash.
pub fn mark(hash: Digest) -> u32 {
    let [a, b, c, d, ..] = hash.0;
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_read_back_as_pushed() {
        let ids = [5, 6, 7, 3, 4, -9, i64::MAX - 1, 100, 101];
        let mut runs = IdRuns::default();
        ids.iter().for_each(|id| runs.push(*id));
        assert_eq!(runs.rows(), 9);
        let read = IdRuns::read(&runs.into_bytes()).unwrap();
        assert_eq!(read, [(5, 3), (3, 2), (-9, 1), (i64::MAX - 1, 1), (100, 2)]);
        assert_eq!(IdRuns::read(&[0x80]), None);
        assert_eq!(IdRuns::read(&[]), Some(Vec::new()));
    }

    #[test]
    fn marks_stay_few_and_add_up() {
        let hash = |n: u32| {
            let mut bytes = [7; 16];
            bytes[..4].copy_from_slice(&n.to_le_bytes());
            Digest(bytes)
        };
        let mut marks = Marks::default();
        (0..1000).for_each(|n| marks.push(hash(n)));
        let (per, sums) = Marks::read(&marks.into_bytes()).unwrap();
        assert_eq!((per, sums.len()), (4, 250));
        assert_eq!((sums[0], sums[249]), (1 + 2 + 3, 996 + 997 + 998 + 999));
    }

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

    #[test]
    fn subjects_read_back_as_written() {
        let version = PluginVersion { plugin_id: "p".into(), version: "1".into(), digest: "d".into(), derivation: "e".into() };
        let fields = vec![(Field::Attribute("a\"b".into()), FieldType::Json), (Field::Fixed(Relation::Events, "name"), FieldType::Text)];
        let subject = Subject::new(Arc::new(version), "enricher", Relation::Events, fields, "{\"fields\":[]}");
        assert_eq!(Subject::parse(subject.text()).as_ref(), Some(&subject));
        let reading = subject.clone().reading(vec![("t".into(), "0a key".into())]);
        assert_ne!(reading.text(), subject.text());
        assert_eq!(Subject::parse(reading.text()), Some(reading));
        assert_eq!(Subject::parse("{}"), None);
    }
}
