//! Between the shapes and the types that cross, which have the same names on both sides.

use super::layout::{self, Batch, Bytes, Column};
use super::wit;
use super::write::{Buffer, Flat, FlatColumn, Shared};

/// A shape's batch, read by `$read`.
macro_rules! batch {
    ($shape:ident, $column:ty, |$batch:ident, $header:ident| $read:expr) => {
        impl Batch for wit::$shape::Batch {
            type Column<'a> = $column;

            fn rows(&self) -> usize {
                self.rows as usize
            }

            fn width(&self) -> usize {
                self.columns.len()
            }

            fn column(&self, at: usize) -> Self::Column<'_> {
                let ($batch, $header) = (self, &self.columns[at]);
                $read
            }
        }
    };
}

batch!(flat, Column<'a, u64, u32>, |_batch, c| layout::flat(c.kind, &c.present, (&c.numbers, &c.codes, &c.offsets), &c.bytes));
batch!(flat_bytes, Bytes<'a>, |_batch, c| {
    let lists = (c.numbers.as_chunks().0, c.codes.as_chunks().0, c.offsets.as_chunks().0);
    layout::flat(c.kind, &c.present, lists, &c.bytes)
});
batch!(shared, Column<'a, u64, u32>, |batch, c| {
    let header = [c.kind.into(), c.count, c.present, c.cells, c.offsets, c.bytes];
    layout::shared(header, batch.rows(), &batch.wide, &batch.words, &batch.bytes)
});
batch!(long, Bytes<'a>, |batch, c| {
    layout::long([c.kind.into(), c.count, c.present, c.cells, c.offsets, c.bytes], batch.rows(), &batch.data)
});
batch!(short, Bytes<'a>, |batch, c| layout::short((c.kind, c.bitmaps, c.count, c.at), batch.rows(), &batch.data));

pub fn flat(rows: u32, out: Flat<u64, u32>) -> wit::flat::Batch {
    let column = |c: FlatColumn<u64, u32>| wit::flat::Column {
        kind: c.kind,
        present: c.present,
        numbers: c.numbers,
        codes: c.codes,
        offsets: c.offsets,
        bytes: c.bytes,
    };
    wit::flat::Batch { rows, columns: out.0.into_iter().map(column).collect() }
}

pub fn flat_bytes(rows: u32, out: Flat<[u8; 8], [u8; 4]>) -> wit::flat_bytes::Batch {
    let column = |c: FlatColumn<[u8; 8], [u8; 4]>| wit::flat_bytes::Column {
        kind: c.kind,
        present: c.present,
        numbers: c.numbers.into_flattened(),
        codes: c.codes.into_flattened(),
        offsets: c.offsets.into_flattened(),
        bytes: c.bytes,
    };
    wit::flat_bytes::Batch { rows, columns: out.0.into_iter().map(column).collect() }
}

pub fn header([kind, count, present, cells, offsets, bytes]: layout::Long) -> wit::shared::Column {
    wit::shared::Column { kind: kind as u16, count, present, cells, offsets, bytes }
}

pub fn shared(rows: u32, out: Shared) -> wit::shared::Batch {
    let columns = out.headers.into_iter().map(header).collect();
    wit::shared::Batch { rows, columns, wide: out.wide, words: out.words, bytes: out.bytes }
}

pub fn long(rows: u32, out: Buffer) -> wit::long::Batch {
    wit::long::Batch { rows, columns: out.longs.into_iter().map(header).collect(), data: out.data }
}

pub fn short(rows: u32, out: Buffer) -> wit::short::Batch {
    let column = |(kind, bitmaps, count, at)| wit::short::Column { kind, bitmaps, count, at };
    wit::short::Batch { rows, columns: out.shorts.into_iter().map(column).collect(), data: out.data }
}
