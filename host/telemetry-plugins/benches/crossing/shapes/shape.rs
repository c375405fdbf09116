//! The shapes: how each is written, what it becomes, how its answer is read.

use wasmtime::component::{ComponentType, Lift, Lower};

use super::convert::{flat, flat_bytes, long, shared, short};
use super::layout::{self, Batch, Frame, STATE, has};
use super::wit;
use super::write::{Buffer, Flat, Shared, Writer};

/// A shape on both ways.
pub trait Shape {
    type Writer: Writer;
    type In: ComponentType + Lower + Send + Sync + 'static;
    type Out: ComponentType + Lift + Send + Sync + 'static;
    const INTERFACE: &str;
    const ENRICH: &str = "enrich";
    /// Whether the guest allocates from its static arena first.
    const ARENA: bool = true;
    /// A writer with room for `columns` of `rows` rows, `size` bytes in all.
    fn writer(columns: usize, rows: usize, size: usize) -> Self::Writer;
    fn finish(rows: usize, writer: Self::Writer) -> Self::In;
    fn view<T>(out: &Self::Out, read: impl Read<T>) -> T;
}

/// Something done with a batch of any shape.
pub trait Read<T> {
    fn read(self, batch: &impl Batch) -> T;
}

macro_rules! shapes {
    ($($name:ident: $interface:literal, $enrich:literal, $in:ty, $out:ty, $writer:ty, |$columns:ident, $count:ident, $size:ident| $new:expr,
        |$rows:ident, $written:ident| $finish:expr, |$answer:ident| $view:expr;)*) => {$(
        pub struct $name;

        impl Shape for $name {
            type Writer = $writer;
            type In = $in;
            type Out = $out;
            const INTERFACE: &str = $interface;
            const ENRICH: &str = $enrich;

            fn writer($columns: usize, $count: usize, $size: usize) -> $writer {
                let _ = ($count, $size);
                $new
            }

            fn finish($rows: usize, $written: $writer) -> $in {
                $finish
            }

            fn view<T>($answer: &$out, read: impl Read<T>) -> T {
                read.read($view)
            }
        }
    )*};
}

shapes! {
    A: "typed", "enrich", wit::typed::Batch, wit::typed::Answer, Typed, |columns, rows, size| Typed(Vec::with_capacity(columns)),
        |rows, typed| wit::typed::Batch { rows: rows as u32, columns: typed.0 }, |answer| answer;
    B: "flat", "enrich", wit::flat::Batch, wit::flat::Batch, Flat<u64, u32>, |columns, rows, size| Flat::new(columns),
        |rows, written| flat(rows as u32, written), |answer| answer;
    CheckedB: "flat", "enrich-checked", wit::flat::Batch, wit::flat::Batch, Flat<u64, u32>, |columns, rows, size| Flat::new(columns),
        |rows, written| flat(rows as u32, written), |answer| answer;
    C: "shared", "enrich", wit::shared::Batch, wit::shared::Batch, Shared, |columns, rows, size| Shared::new(columns, [rows * 2, rows * 7, size]),
        |rows, written| shared(rows as u32, written), |answer| answer;
    D: "long-frame", "enrich", Vec<u8>, Vec<u8>, Buffer, |columns, rows, size| Buffer::frame(false, columns, size),
        |rows, written| written.finish(rows), |answer| &Frame(answer, false);
    E: "flat-bytes", "enrich", wit::flat_bytes::Batch, wit::flat_bytes::Batch, Flat<[u8; 8], [u8; 4]>, |columns, rows, size| Flat::new(columns),
        |rows, written| flat_bytes(rows as u32, written), |answer| answer;
    F: "long", "enrich", wit::long::Batch, wit::long::Batch, Buffer, |columns, rows, size| Buffer::new(false, columns, size),
        |rows, written| long(rows as u32, written), |answer| answer;
    G: "short", "enrich", wit::short::Batch, wit::short::Batch, Buffer, |columns, rows, size| Buffer::new(true, columns, size),
        |rows, written| short(rows as u32, written), |answer| answer;
    CheckedG: "short", "enrich-checked", wit::short::Batch, wit::short::Batch, Buffer, |columns, rows, size| Buffer::new(true, columns, size),
        |rows, written| short(rows as u32, written), |answer| answer;
    H: "short-frame", "enrich", Vec<u8>, Vec<u8>, Buffer, |columns, rows, size| Buffer::frame(true, columns, size),
        |rows, written| written.finish(rows), |answer| &Frame(answer, true);
}

/// G whose guest has no arena.
pub struct PlainG;

impl Shape for PlainG {
    type Writer = Buffer;
    type In = <G as Shape>::In;
    type Out = <G as Shape>::Out;
    const INTERFACE: &str = G::INTERFACE;
    const ARENA: bool = false;

    fn writer(columns: usize, rows: usize, size: usize) -> Buffer {
        G::writer(columns, rows, size)
    }

    fn finish(rows: usize, writer: Buffer) -> Self::In {
        G::finish(rows, writer)
    }

    fn view<T>(out: &Self::Out, read: impl Read<T>) -> T {
        G::view(out, read)
    }
}

/// A, which no text is copied for.
pub struct Typed(Vec<wit::typed::Column>);

impl Typed {
    fn push(&mut self, present: &[u8], cells: wit::typed::Cells) {
        self.0.push(wit::typed::Column { present: present.to_vec(), cells });
    }
}

impl Writer for Typed {
    fn numbers(&mut self, kind: u16, present: &[u8], rows: usize, mut cell: impl FnMut(usize) -> u64) {
        let cells = match kind {
            layout::kind::REAL => wit::typed::Cells::Reals((0..rows).map(|row| f64::from_bits(cell(row))).collect()),
            _ => wit::typed::Cells::Integers((0..rows).map(|row| cell(row) as i64).collect()),
        };
        self.push(present, cells);
    }

    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, texts: Vec<&'static str>) {
        let cells = match codes {
            Some(codes) => wit::typed::Cells::Coded(wit::typed::Coded { codes, texts }),
            None => wit::typed::Cells::Texts(texts),
        };
        self.push(present, cells);
    }

    fn groups(&mut self, groups: Vec<u32>) {
        self.push(&[], wit::typed::Cells::Groups(groups));
    }

    fn states(&mut self, rows: usize, mut state: impl FnMut(usize) -> [u8; STATE]) {
        self.push(&[], wit::typed::Cells::Bytes((0..rows).map(|row| state(row).into()).collect()));
    }
}

impl Batch for wit::typed::Answer {
    type Column<'a> = &'a wit::typed::ColumnAnswer;

    fn rows(&self) -> usize {
        self.rows as usize
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn column(&self, at: usize) -> &wit::typed::ColumnAnswer {
        &self.columns[at]
    }
}

impl layout::Cells for &wit::typed::ColumnAnswer {
    fn present(&self) -> &[u8] {
        &self.present
    }

    fn number(&self, row: usize) -> Option<u64> {
        let number = || if let wit::typed::CellsAnswer::Integers(list) = &self.cells { Some(list[row] as u64) } else { None };
        has(&self.present, row).then(number).flatten()
    }

    fn bytes(&self, row: usize) -> Option<&[u8]> {
        let bytes = || match &self.cells {
            wit::typed::CellsAnswer::Coded(coded) => Some(coded.texts[coded.codes[row] as usize].as_bytes()),
            wit::typed::CellsAnswer::Bytes(list) => Some(&*list[row]),
            _ => None,
        };
        has(&self.present, row).then(bytes).flatten()
    }

    fn group(&self, _row: usize) -> u32 {
        0
    }

    fn check(&self, rows: usize) {
        let count = match &self.cells {
            wit::typed::CellsAnswer::Integers(list) => list.len(),
            wit::typed::CellsAnswer::Coded(coded) => {
                assert!(coded.codes.iter().all(|code| (*code as usize) < coded.texts.len()));
                coded.codes.len()
            }
            wit::typed::CellsAnswer::Bytes(list) => list.len(),
            _ => 0,
        };
        assert!(count == rows && (self.present.is_empty() || self.present.len() == rows.div_ceil(8)));
    }

    fn check_text(&self) {}
}
