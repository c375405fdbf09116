//! Leaves as columns: `field` and `part` by dictionary, `pointer` if asked for, `text`.

use std::cell::RefCell;
use std::collections::HashMap;

use telemetry_model::Batch;
use telemetry_model::batch::{Column, Kind};
use telemetry_model::json::unescape_into;

use super::{Leaf, LeafField, LeafPart};

/// Buffers larger than this are given back to the system.
const KEEP: usize = 2 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A batch of leaves, and where their texts begin in its buffer.
pub(super) struct LeafBatch {
    pub(super) batch: Batch,
    texts: usize,
    offsets: usize,
}

impl LeafBatch {
    /// Columns of the leaves at `places` of `leaves`.
    pub(super) fn new(leaves: &[Leaf<'_>], places: impl ExactSizeIterator<Item = usize> + Clone, pointers: bool) -> Self {
        let mut data = BUFFER.take();
        data.clear();
        let mut writer = Writer { batch: Batch { rows: places.len() as u32, columns: Vec::with_capacity(4), data } };
        let chosen = || places.clone().filter_map(|place| leaves.get(place));
        writer.fields(chosen());
        writer.parts(chosen());
        if pointers {
            writer.texts(chosen(), |leaf, out| out.extend_from_slice(leaf.pointer.as_deref().unwrap_or_default().as_bytes()));
        }
        let (offsets, texts) = writer.texts(chosen(), |leaf, out| match leaf.is_escaped {
            true => unescape_into(leaf.raw, out),
            false => out.extend_from_slice(leaf.raw.as_bytes()),
        });
        LeafBatch { batch: writer.batch, texts, offsets }
    }

    /// The text of a leaf by its row.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        let offset = |row: usize| {
            let at = self.offsets + row * 4;
            self.batch.data.get(at..at + 4)?.try_into().ok().map(|bytes| u32::from_le_bytes(bytes) as usize)
        };
        std::str::from_utf8(self.batch.data.get(self.texts + offset(row)?..self.texts + offset(row + 1)?)?).ok()
    }

    /// Gives the buffer back for the next batch of this thread.
    pub(super) fn recycle(self) {
        if self.batch.data.capacity() <= KEEP {
            BUFFER.replace(self.batch.data);
        }
    }
}

struct Writer {
    batch: Batch,
}

impl Writer {
    fn fields<'l>(&mut self, leaves: impl Iterator<Item = &'l Leaf<'l>>) {
        let mut codes: HashMap<LeafField<'_>, u32> = HashMap::new();
        let mut names: Vec<LeafField<'_>> = Vec::new();
        let mut last: Option<(LeafField<'_>, u32)> = None;
        let header = self.header(Kind::TextDictionary);
        for leaf in leaves {
            let code = match last {
                Some((field, code)) if field == leaf.field => code,
                _ => *codes.entry(leaf.field).or_insert_with(|| {
                    names.push(leaf.field);
                    names.len() as u32 - 1
                }),
            };
            last = Some((leaf.field, code));
            self.word(code);
        }
        self.dictionary(header, names.iter().map(LeafField::name));
    }

    fn parts<'l>(&mut self, leaves: impl Iterator<Item = &'l Leaf<'l>>) {
        let header = self.header(Kind::TextDictionary);
        leaves.for_each(|leaf| self.word(leaf.part as u32));
        self.dictionary(header, LeafPart::ALL.iter().map(|part| part.as_str()));
    }

    /// Ends a column of codes.
    fn dictionary(&mut self, header: usize, entries: impl ExactSizeIterator<Item = impl AsRef<str>>) {
        self.pad();
        if let Some(column) = self.batch.columns.get_mut(header) {
            column.count = entries.len() as u32;
        }
        let mut bytes = Vec::new();
        self.word(0);
        for entry in entries {
            bytes.extend_from_slice(entry.as_ref().as_bytes());
            self.word(bytes.len() as u32);
        }
        self.pad();
        self.batch.data.extend_from_slice(&bytes);
        self.pad();
    }

    /// A column of texts; gives the places of its offsets and its bytes.
    fn texts<'l>(&mut self, leaves: impl Iterator<Item = &'l Leaf<'l>>, write: impl Fn(&Leaf<'_>, &mut Vec<u8>)) -> (usize, usize) {
        self.header(Kind::Text);
        let offsets = self.batch.data.len();
        self.batch.data.resize(offsets + (self.batch.rows as usize + 1) * 4, 0);
        self.pad();
        let start = self.batch.data.len();
        for (row, leaf) in leaves.enumerate() {
            write(leaf, &mut self.batch.data);
            let end = (self.batch.data.len() - start) as u32;
            if let Some(place) = self.batch.data.get_mut(offsets + (row + 1) * 4..offsets + (row + 2) * 4) {
                place.copy_from_slice(&end.to_le_bytes());
            }
        }
        self.pad();
        (offsets, start)
    }

    fn header(&mut self, kind: Kind) -> usize {
        let at = self.batch.data.len() as u32;
        self.batch.columns.push(Column { kind: kind.code(), bitmaps: 0, count: self.batch.rows, at });
        self.batch.columns.len() - 1
    }

    fn word(&mut self, word: u32) {
        self.batch.data.extend_from_slice(&word.to_le_bytes());
    }

    fn pad(&mut self) {
        let len = self.batch.data.len().next_multiple_of(8);
        self.batch.data.resize(len, 0);
    }
}

#[cfg(test)]
mod tests {
    use telemetry_model::{BatchView, FieldType};

    use super::*;

    #[test]
    fn the_columns_obey_the_law_of_the_format() {
        let leaf = |field, part, raw| Leaf { row: 0, field, part, raw, is_escaped: raw.contains('\\'), pointer: Some("/a".into()) };
        let leaves = [
            leaf(LeafField::Fixed("event.name"), LeafPart::Name, "llm"),
            leaf(LeafField::Attribute("k"), LeafPart::Value, "a\\u00e9\\n"),
            leaf(LeafField::Attribute("k"), LeafPart::Key, ""),
        ];
        for (pointers, columns) in [(false, 3), (true, 4)] {
            let built = LeafBatch::new(&leaves, 0..3, pointers);
            let view = BatchView::check(&built.batch, &vec![FieldType::Text; columns]).unwrap();
            let row = |row: usize| {
                view.columns().iter().map(|column| String::from_utf8_lossy(column.bytes(row).unwrap()).into_owned()).collect::<Vec<_>>()
            };
            assert_eq!(row(0).first().unwrap(), "event.name");
            assert_eq!(row(1)[..2], ["attributes[\"k\"]", "value"]);
            assert_eq!((row(1).last().unwrap().as_str(), built.text(1), built.text(2)), ("a\u{e9}\n", Some("a\u{e9}\n"), Some("")));
        }
    }
}
