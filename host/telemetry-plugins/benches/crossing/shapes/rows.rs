//! The rows of a workload, their way into columns, and the closure that does without a component.

use super::layout::{Batch, Cells, has, kind};
use super::write::Writer;

pub struct Workload {
    pub name: &'static str,
    pub batches: &'static [usize],
    pub width: usize,
    row: fn(usize) -> Row,
}

pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "1 metadata, dictionaries", batches: &[1, 10, 100, 1000], width: 5, row: metadata },
    Workload { name: "2 three unique ids of 32", batches: &[1, 10, 100, 1000], width: 3, row: ids },
    Workload { name: "3 content of 10 kB", batches: &[1, 10, 100], width: 1, row: content },
];

struct Row {
    texts: [&'static str; 3],
    number: i64,
    share: f64,
}

fn metadata(row: usize) -> Row {
    let texts = [["anthropic", "openai"][row % 2], ["claude-sonnet-4", "gpt-4o", "o3"][row % 3], ["ok", "error"][row % 2]];
    Row { texts, number: row as i64, share: (row % 100) as f64 / 100.0 }
}

fn ids(row: usize) -> Row {
    let id = |start: usize| &*format!("{:032x}", start + row).leak();
    Row { texts: [id(1 << 20), id(1 << 30), id(1 << 40)], number: 0, share: 0.0 }
}

/// Unlike any other row's: a dictionary would hand it over once.
fn content(row: usize) -> Row {
    let text = format!("{row} {}", "lorem ipsum dolor sit amet, a needle ".repeat(271));
    Row { texts: [&*text.leak(), "", ""], number: 0, share: 0.0 }
}

/// What came out, summed: scores, and rows of the high level.
pub type Sums = (u64, u64);

/// Rows in memory; with `sparse` every third cell is absent, which takes a bitmap a column.
pub struct Table {
    rows: Vec<Row>,
    pub width: usize,
    sparse: bool,
    /// Bytes that the columns need, about.
    pub size: usize,
}

impl Table {
    pub fn new(workload: &Workload, count: usize, sparse: bool) -> Self {
        let rows: Vec<Row> = (0..count).map(workload.row).collect();
        let text: usize = rows.iter().flat_map(|row| row.texts).map(str::len).sum();
        let size = if workload.width == 5 { 400 + count * 40 } else { 400 + count * 16 + text };
        Table { rows, width: workload.width, sparse, size }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    fn is_present(&self, row: usize, column: usize) -> bool {
        !self.sparse || !(row + column).is_multiple_of(3)
    }

    /// Each column handed to `out`.
    pub fn project(&self, out: &mut impl Writer) {
        let mut present = vec![0; if self.sparse { self.len().div_ceil(8) } else { 0 }];
        for column in 0..self.width {
            if self.sparse {
                present.fill(0);
                let there = (0..self.len()).filter(|row| self.is_present(*row, column));
                there.for_each(|row| present[row / 8] |= 1 << (row % 8));
            }
            match column {
                3 => out.numbers(kind::INTEGER, &present, self.len(), |row| self.rows[row].number as u64),
                4 => out.numbers(kind::REAL, &present, self.len(), |row| self.rows[row].share.to_bits()),
                _ => self.text(column, &present, out),
            }
        }
    }

    /// A dictionary when fewer than half of the rows differ, sought by comparing.
    fn text(&self, column: usize, present: &[u8], out: &mut impl Writer) {
        let limit = self.len() / 2;
        let mut entries: Vec<&'static str> = Vec::new();
        let mut codes = Vec::with_capacity(self.len());
        for (row, cells) in self.rows.iter().enumerate() {
            let text = cells.texts[column];
            if !has(present, row) {
                codes.push(0);
            } else if let Some(code) = entries.iter().position(|entry| *entry == text) {
                codes.push(code as u32);
            } else if entries.len() == limit.min(32) {
                let all = self.rows.iter().enumerate();
                let texts = all.map(|(row, cells)| if has(present, row) { cells.texts[column] } else { "" });
                return out.texts(present, None, texts.collect());
            } else {
                codes.push(entries.len() as u32);
                entries.push(text);
            }
        }
        out.texts(present, Some(codes), entries);
    }

    /// What the guest does, in the host.
    pub fn native(&self) -> Sums {
        let row = |(row, cells): (usize, &Row)| {
            let text = |at: usize| self.is_present(row, at).then(|| cells.texts[at]);
            if self.width == 1 {
                return (text(0).map_or(0, |text| text.matches("needle").count() as u64), 0);
            }
            let weight = |at: usize| text(at).map_or(0, |text| text.len() as u64 + u64::from(text.as_bytes()[text.len() - 1]));
            let number = if self.is_present(row, 3) { cells.number as u64 } else { 0 };
            (weight(0) + 2 * weight(1) + 3 * weight(2) + number, u64::from(self.is_present(row, 4) && cells.share > 0.5))
        };
        self.rows.iter().enumerate().map(row).fold((0, 0), |sums, (score, high)| (sums.0 + score, sums.1 + high))
    }

    /// Checks an answer and reads every value.
    pub fn read(&self, answer: &impl Batch) -> Sums {
        let (rows, scores) = (self.len(), answer.column(0));
        scores.check(rows);
        let score = |row| scores.number(row).expect("a score");
        let total = (0..rows).map(score).sum();
        if self.width != 5 {
            return (total, 0);
        }
        let levels = answer.column(1);
        levels.check(rows);
        levels.check_text();
        (total, (0..rows).filter(|row| levels.bytes(*row).is_some_and(|level| level == b"high")).count() as u64)
    }
}
