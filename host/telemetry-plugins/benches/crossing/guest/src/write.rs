//! Writing columns in each shape but the typed one; as [`super::layout`] for both sides.
#![allow(dead_code, reason = "each side uses a part")]

use super::layout::{Cell, Long, NONE, STATE, Short, kind};

/// Takes columns in, whatever the shape. An empty `present` says that all rows are there.
pub trait Writer {
    fn numbers(&mut self, kind: u16, present: &[u8], rows: usize, cell: impl FnMut(usize) -> u64);
    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, entries: Vec<&'static str>);
    fn groups(&mut self, groups: Vec<u32>);
    fn states(&mut self, rows: usize, state: impl FnMut(usize) -> [u8; STATE]);
}

fn len(entries: &[&str]) -> usize {
    entries.iter().map(|entry| entry.len()).sum()
}

/// B and, with bytes for cells, E.
pub struct FlatColumn<N, W> {
    pub kind: u16,
    pub present: Vec<u8>,
    pub numbers: Vec<N>,
    pub codes: Vec<W>,
    pub offsets: Vec<W>,
    pub bytes: Vec<u8>,
}

pub struct Flat<N, W>(pub Vec<FlatColumn<N, W>>);

impl<N: Cell<u64>, W: Cell<u32>> Flat<N, W> {
    pub fn new(columns: usize) -> Self {
        Flat(Vec::with_capacity(columns))
    }

    fn push(&mut self, kind: u16, present: &[u8]) -> &mut FlatColumn<N, W> {
        let column =
            FlatColumn { kind, present: present.to_vec(), numbers: Vec::new(), codes: Vec::new(), offsets: Vec::new(), bytes: Vec::new() };
        self.0.push(column);
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

impl<N: Cell<u64>, W: Cell<u32>> Writer for Flat<N, W> {
    fn numbers(&mut self, kind: u16, present: &[u8], rows: usize, mut cell: impl FnMut(usize) -> u64) {
        self.push(kind, present).numbers = (0..rows).map(|row| N::pack(cell(row))).collect();
    }

    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, entries: Vec<&'static str>) {
        let column = self.push(if codes.is_some() { kind::CODED } else { kind::TEXT }, present);
        column.codes = codes.unwrap_or_default().into_iter().map(W::pack).collect();
        column.bytes.reserve(len(&entries));
        column.offsets.reserve(entries.len() + 1);
        column.offsets.push(W::pack(0));
        for entry in entries {
            column.bytes.extend_from_slice(entry.as_bytes());
            column.offsets.push(W::pack(column.bytes.len() as u32));
        }
    }

    fn groups(&mut self, groups: Vec<u32>) {
        self.push(kind::GROUP, &[]).codes = groups.into_iter().map(W::pack).collect();
    }

    fn states(&mut self, rows: usize, mut state: impl FnMut(usize) -> [u8; STATE]) {
        let column = self.push(kind::BYTES, &[]);
        column.offsets = (0..=rows).map(|row| W::pack((row * STATE) as u32)).collect();
        column.bytes = (0..rows).map(&mut state).collect::<Vec<_>>().into_flattened();
    }
}

/// C.
#[derive(Default)]
pub struct Shared {
    pub headers: Vec<Long>,
    pub wide: Vec<u64>,
    pub words: Vec<u32>,
    pub bytes: Vec<u8>,
}

impl Shared {
    pub fn new(columns: usize, sizes: [usize; 3]) -> Self {
        let [wide, words, bytes] = sizes;
        Shared {
            headers: Vec::with_capacity(columns),
            wide: Vec::with_capacity(wide),
            words: Vec::with_capacity(words),
            bytes: Vec::with_capacity(bytes),
        }
    }

    fn present(&mut self, present: &[u8]) -> u32 {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(present);
        if present.is_empty() { NONE } else { at }
    }
}

impl Writer for Shared {
    fn numbers(&mut self, kind: u16, present: &[u8], rows: usize, cell: impl FnMut(usize) -> u64) {
        let present = self.present(present);
        self.headers.push([kind.into(), rows as u32, present, self.wide.len() as u32, NONE, NONE]);
        self.wide.extend((0..rows).map(cell));
    }

    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, entries: Vec<&'static str>) {
        let present = self.present(present);
        let cells = codes.as_ref().map_or(NONE, |_| self.words.len() as u32);
        let kind = if codes.is_some() { kind::CODED } else { kind::TEXT };
        self.words.extend_from_slice(&codes.unwrap_or_default());
        let (offsets, start) = (self.words.len() as u32, self.bytes.len());
        self.headers.push([kind.into(), entries.len() as u32, present, cells, offsets, start as u32]);
        self.bytes.reserve(len(&entries));
        self.words.reserve(entries.len() + 1);
        self.words.push(0);
        for entry in entries {
            self.bytes.extend_from_slice(entry.as_bytes());
            self.words.push((self.bytes.len() - start) as u32);
        }
    }

    fn groups(&mut self, groups: Vec<u32>) {
        self.headers.push([kind::GROUP.into(), groups.len() as u32, NONE, self.words.len() as u32, NONE, NONE]);
        self.words.extend_from_slice(&groups);
    }

    fn states(&mut self, rows: usize, mut state: impl FnMut(usize) -> [u8; STATE]) {
        let (offsets, start) = (self.words.len() as u32, self.bytes.len() as u32);
        self.headers.push([kind::BYTES.into(), rows as u32, NONE, NONE, offsets, start]);
        self.words.extend((0..=rows).map(|row| (row * STATE) as u32));
        states(&mut self.bytes, rows, &mut state);
    }
}

/// One buffer: F and G, and with the headers at its start D and H.
pub struct Buffer {
    pub longs: Vec<Long>,
    pub shorts: Vec<Short>,
    pub data: Vec<u8>,
    is_short: bool,
}

impl Buffer {
    /// For G (`is_short`) or F, with room for `size` bytes.
    pub fn new(is_short: bool, columns: usize, size: usize) -> Self {
        let (longs, shorts) = if is_short { (0, columns) } else { (columns, 0) };
        Buffer { longs: Vec::with_capacity(longs), shorts: Vec::with_capacity(shorts), data: Vec::with_capacity(size), is_short }
    }

    /// For H (`is_short`) or D.
    pub fn frame(is_short: bool, columns: usize, size: usize) -> Self {
        let mut buffer = Buffer::new(is_short, columns, size + 8 + 24 * columns);
        buffer.data.resize(8 + columns * if is_short { 12 } else { 24 }, 0);
        buffer.pad();
        buffer
    }

    /// The frame, headers in their place.
    pub fn finish(mut self, rows: usize) -> Vec<u8> {
        let columns = self.longs.len() + self.shorts.len();
        let short = |(kind, bitmaps, count, at): &Short| [u32::from(*kind) | u32::from(*bitmaps) << 16, *count, *at];
        let words = [rows as u32, columns as u32].into_iter();
        let words = words.chain(self.longs.iter().flatten().copied()).chain(self.shorts.iter().flat_map(short));
        self.data.as_chunks_mut::<4>().0.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        self.data
    }

    /// Notes a column: its kind, entries and which sections come.
    fn header(&mut self, kind: u16, present: &[u8], count: usize, sections: [Option<usize>; 3]) {
        let at = self.data.len() as u32;
        self.data.extend_from_slice(present);
        self.pad();
        if self.is_short {
            return self.shorts.push((kind, u16::from(!present.is_empty()), count as u32, at));
        }
        let mut next = self.data.len() as u32;
        let places = sections.map(|len| {
            let place = if len.is_some() { next } else { NONE };
            next += len.unwrap_or(0) as u32;
            place
        });
        self.longs.push([kind.into(), count as u32, if present.is_empty() { NONE } else { at }, places[0], places[1], places[2]]);
    }

    /// The short shapes pad every section to 8 bytes.
    fn pad(&mut self) {
        if self.is_short {
            self.data.resize(self.data.len().next_multiple_of(8), 0);
        }
    }

    fn section<const N: usize>(&mut self, count: usize, mut cell: impl FnMut(usize) -> [u8; N]) {
        let start = self.data.len();
        self.data.resize(start + count * N, 0);
        let cells = self.data[start..].as_chunks_mut().0;
        cells.iter_mut().enumerate().for_each(|(row, place)| *place = cell(row));
        self.pad();
    }

    fn words(&mut self, words: &[u32]) {
        self.section(words.len(), |at| words[at].to_le_bytes());
    }
}

impl Writer for Buffer {
    fn numbers(&mut self, kind: u16, present: &[u8], rows: usize, mut cell: impl FnMut(usize) -> u64) {
        self.header(kind, present, rows, [Some(rows * 8), None, None]);
        self.section(rows, |row| cell(row).to_le_bytes());
    }

    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, entries: Vec<&'static str>) {
        let kind = if codes.is_some() { kind::CODED } else { kind::TEXT };
        self.header(kind, present, entries.len(), [codes.as_ref().map(|codes| codes.len() * 4), Some((entries.len() + 1) * 4), Some(0)]);
        if let Some(codes) = codes {
            self.words(&codes);
        }
        let mut end = 0;
        self.section(entries.len() + 1, |at| {
            let before: u32 = end;
            end += entries.get(at).map_or(0, |entry| entry.len() as u32);
            before.to_le_bytes()
        });
        self.data.reserve(len(&entries) + 8);
        entries.iter().for_each(|entry| self.data.extend_from_slice(entry.as_bytes()));
        self.pad();
    }

    fn groups(&mut self, groups: Vec<u32>) {
        self.header(kind::GROUP, &[], groups.len(), [Some(groups.len() * 4), None, None]);
        self.words(&groups);
    }

    fn states(&mut self, rows: usize, mut state: impl FnMut(usize) -> [u8; STATE]) {
        self.data.reserve(rows * (STATE + 4) + 32);
        self.header(kind::BYTES, &[], rows, [None, Some((rows + 1) * 4), Some(0)]);
        self.section(rows + 1, |row| ((row * STATE) as u32).to_le_bytes());
        states(&mut self.data, rows, &mut state);
        self.pad();
    }
}

fn states(data: &mut Vec<u8>, rows: usize, state: &mut impl FnMut(usize) -> [u8; STATE]) {
    let start = data.len();
    data.resize(start + rows * STATE, 0);
    data[start..].as_chunks_mut().0.iter_mut().enumerate().for_each(|(row, place)| *place = state(row));
}
