//! Columns in every shape but the typed one: how they are written and how they are read. The bench and its guest share this file, so
//! that shapes differ in nothing but their lists.
#![allow(dead_code, reason = "each side uses a part")]

pub mod kind {
    pub const INTEGER: u16 = 2;
    pub const REAL: u16 = 3;
    pub const TEXT: u16 = 5;
    pub const BYTES: u16 = 7;
    pub const CODED: u16 = 8;
    pub const GROUP: u16 = 9;
}

/// No such section.
pub const NONE: u32 = u32::MAX;

/// Bytes of a metric's state.
pub const STATE: usize = 24;

/// A number, or its bytes.
pub trait Cell<T>: Copy {
    fn pack(value: T) -> Self;
    fn unpack(self) -> T;
}

macro_rules! cells {
    ($($ty:ty, $width:literal;)*) => {$(
        impl Cell<$ty> for $ty {
            fn pack(value: $ty) -> Self { value }
            fn unpack(self) -> $ty { self }
        }
        impl Cell<$ty> for [u8; $width] {
            fn pack(value: $ty) -> Self { value.to_le_bytes() }
            fn unpack(self) -> $ty { <$ty>::from_le_bytes(self) }
        }
    )*};
}
cells! { u64, 8; u32, 4; }

/// A batch, whatever its shape.
pub trait Batch {
    type Column<'a>: Cells
    where
        Self: 'a;
    fn rows(&self) -> usize;
    fn width(&self) -> usize;
    fn column(&self, at: usize) -> Self::Column<'_>;
}

/// A column, whatever its shape.
pub trait Cells {
    fn present(&self) -> &[u8];
    fn number(&self, row: usize) -> Option<u64>;
    fn bytes(&self, row: usize) -> Option<&[u8]>;
    fn group(&self, row: usize) -> u32;
    /// Panics unless every row can be read: what a host does with an answer.
    fn check(&self, rows: usize);
    /// Panics unless the bytes are UTF-8 that the offsets cut between characters.
    fn check_text(&self);
}

/// A column of any shape but the typed one.
#[derive(Clone, Copy)]
pub struct Column<'a, N, W> {
    pub present: &'a [u8],
    pub numbers: &'a [N],
    pub codes: Option<&'a [W]>,
    pub offsets: &'a [W],
    pub bytes: &'a [u8],
}

/// Whether `row` is there; no bitmap says that all are.
#[inline]
pub fn has(present: &[u8], row: usize) -> bool {
    present.is_empty() || present[row / 8] >> (row % 8) & 1 == 1
}

impl<N: Cell<u64>, W: Cell<u32>> Cells for Column<'_, N, W> {
    fn present(&self) -> &[u8] {
        self.present
    }

    #[inline]
    fn number(&self, row: usize) -> Option<u64> {
        has(self.present, row).then(|| self.numbers[row].unpack())
    }

    #[inline]
    fn bytes(&self, row: usize) -> Option<&[u8]> {
        let entry = || self.codes.map_or(row, |codes| codes[row].unpack() as usize);
        has(self.present, row).then(|| {
            let entry = entry();
            &self.bytes[self.offsets[entry].unpack() as usize..self.offsets[entry + 1].unpack() as usize]
        })
    }

    #[inline]
    fn group(&self, row: usize) -> u32 {
        self.codes.map_or(0, |codes| codes[row].unpack())
    }

    fn check(&self, rows: usize) {
        assert!(self.present.is_empty() || self.present.len() == rows.div_ceil(8));
        let Some(entries) = self.offsets.len().checked_sub(1) else {
            return assert_eq!(self.numbers.len(), rows);
        };
        let last = self.offsets.iter().fold(0, |last, offset| {
            assert!(last <= offset.unpack());
            offset.unpack()
        });
        assert!(self.offsets[0].unpack() == 0 && last as usize == self.bytes.len());
        if let Some(codes) = self.codes {
            assert!(
                codes.len() == rows
                    && codes.iter().enumerate().all(|(row, code)| (code.unpack() as usize) < entries || !has(self.present, row))
            );
        } else {
            assert_eq!(entries, rows);
        }
    }

    fn check_text(&self) {
        let text = std::str::from_utf8(self.bytes).expect("UTF-8");
        assert!(self.offsets.iter().all(|offset| text.is_char_boundary(offset.unpack() as usize)));
    }
}

impl<'a, N: Cell<u64>, W: Cell<u32>> Column<'a, N, W> {
    /// A column that has `bytes` only; what it lacks is empty.
    fn of(present: &'a [u8], bytes: &'a [u8]) -> Self {
        Column { present, numbers: &[], codes: None, offsets: &[], bytes }
    }
}

/// A column of B or E.
pub fn flat<'a, N: Cell<u64>, W: Cell<u32>>(
    kind: u16,
    present: &'a [u8],
    lists: (&'a [N], &'a [W], &'a [W]),
    bytes: &'a [u8],
) -> Column<'a, N, W> {
    let codes = matches!(kind, kind::CODED | kind::GROUP).then_some(lists.1);
    Column { present, numbers: lists.0, codes, offsets: lists.2, bytes }
}

/// A header of C, D and F: kind, count, then where `present`, the cells, the offsets and the bytes begin.
pub type Long = [u32; 6];

/// The sections of a column in C; each place counts entries of its own buffer.
pub fn shared<'a>(header: Long, rows: usize, wide: &'a [u64], words: &'a [u32], bytes: &'a [u8]) -> Column<'a, u64, u32> {
    let [kind, count, present, cells, offsets, start] = header;
    let mut column = Column::of(if present == NONE { &[] } else { &bytes[present as usize..][..rows.div_ceil(8)] }, &[]);
    match kind as u16 {
        kind::INTEGER | kind::REAL => column.numbers = &wide[cells as usize..][..rows],
        kind::GROUP => column.codes = Some(&words[cells as usize..][..rows]),
        _ => {
            column.codes = (cells != NONE).then(|| &words[cells as usize..][..rows]);
            column.offsets = &words[offsets as usize..][..count as usize + 1];
            column.bytes = &bytes[start as usize..][..column.offsets[count as usize] as usize];
        }
    }
    column
}

/// A column over bytes.
pub type Bytes<'a> = Column<'a, [u8; 8], [u8; 4]>;

fn chunks<const N: usize>(data: &[u8], at: u32, count: usize) -> &[[u8; N]] {
    data[at as usize..][..count * N].as_chunks().0
}

/// The sections of a column in D and F.
pub fn long(header: Long, rows: usize, data: &[u8]) -> Bytes<'_> {
    let [kind, count, present, cells, offsets, start] = header;
    let mut column = Column::of(if present == NONE { &[] } else { &data[present as usize..][..rows.div_ceil(8)] }, &[]);
    match kind as u16 {
        kind::INTEGER | kind::REAL => column.numbers = chunks(data, cells, rows),
        kind::GROUP => column.codes = Some(chunks(data, cells, rows)),
        _ => {
            column.codes = (cells != NONE).then(|| chunks(data, cells, rows));
            column.offsets = chunks(data, offsets, count as usize + 1);
            column.bytes = &data[start as usize..][..column.offsets[count as usize].unpack() as usize];
        }
    }
    column
}

/// A header of G and H: kind, bitmaps, count, at.
pub type Short = (u16, u16, u32, u32);

/// The sections of a column in G and H, one behind the other.
pub fn short(header: Short, rows: usize, data: &[u8]) -> Bytes<'_> {
    let (kind, bitmaps, count, mut at) = header;
    let mut next = |len: usize| {
        let start = at;
        at += len.next_multiple_of(8) as u32;
        start
    };
    let present = if bitmaps & 1 == 0 { &[][..] } else { &data[next(rows.div_ceil(8)) as usize..][..rows.div_ceil(8)] };
    let mut column = Column::of(present, &[]);
    match kind {
        kind::INTEGER | kind::REAL => column.numbers = chunks(data, next(rows * 8), rows),
        kind::GROUP => column.codes = Some(chunks(data, next(rows * 4), rows)),
        _ => {
            column.codes = (kind == kind::CODED).then(|| chunks(data, next(rows * 4), rows));
            column.offsets = chunks(data, next((count as usize + 1) * 4), count as usize + 1);
            let len = column.offsets[count as usize].unpack() as usize;
            column.bytes = &data[next(len) as usize..][..len];
        }
    }
    column
}

/// Headers and columns of a frame: D and H.
pub struct Frame<'a>(pub &'a [u8], pub bool);

impl Frame<'_> {
    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at * 4..][..4].try_into().expect("four bytes"))
    }
}

impl Batch for Frame<'_> {
    type Column<'a>
        = Bytes<'a>
    where
        Self: 'a;

    fn rows(&self) -> usize {
        self.word(0) as usize
    }

    fn width(&self) -> usize {
        self.word(1) as usize
    }

    fn column(&self, at: usize) -> Bytes<'_> {
        let Frame(data, is_short) = self;
        if *is_short {
            let first = 2 + at * 3;
            let kinds = self.word(first);
            return short((kinds as u16, (kinds >> 16) as u16, self.word(first + 1), self.word(first + 2)), self.rows(), data);
        }
        long(std::array::from_fn(|field| self.word(2 + at * 6 + field)), self.rows(), data)
    }
}
