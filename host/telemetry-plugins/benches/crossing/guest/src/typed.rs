//! A: each column a list of its own type.

use crate::bindings::exports::bench::shapes::typed::{Batch, Cells, Coded, Column, Guest};
use crate::layout::{self, STATE, has};
use crate::write::Writer;
use crate::{Shapes, work};

impl layout::Batch for Batch {
    type Column<'a> = &'a Column;

    fn rows(&self) -> usize {
        self.rows as usize
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn column(&self, at: usize) -> &Column {
        &self.columns[at]
    }
}

impl layout::Cells for &Column {
    fn present(&self) -> &[u8] {
        &self.present
    }

    #[inline]
    fn number(&self, row: usize) -> Option<u64> {
        let number = || match &self.cells {
            Cells::Integers(list) => Some(list[row] as u64),
            Cells::Reals(list) => Some(list[row].to_bits()),
            _ => None,
        };
        has(&self.present, row).then(number).flatten()
    }

    #[inline]
    fn bytes(&self, row: usize) -> Option<&[u8]> {
        let bytes = || match &self.cells {
            Cells::Texts(list) => Some(list[row].as_bytes()),
            Cells::Coded(coded) => Some(coded.texts[coded.codes[row] as usize].as_bytes()),
            Cells::Bytes(list) => Some(&*list[row]),
            _ => None,
        };
        has(&self.present, row).then(bytes).flatten()
    }

    #[inline]
    fn group(&self, row: usize) -> u32 {
        if let Cells::Groups(list) = &self.cells { list[row] } else { 0 }
    }

    fn check(&self, _rows: usize) {}

    fn check_text(&self) {}
}

#[derive(Default)]
struct Typed(Vec<Column>);

impl Typed {
    fn push(&mut self, present: &[u8], cells: Cells) {
        self.0.push(Column { present: present.to_vec(), cells });
    }
}

impl Writer for Typed {
    fn numbers(&mut self, _kind: u16, present: &[u8], rows: usize, mut cell: impl FnMut(usize) -> u64) {
        self.push(present, Cells::Integers((0..rows).map(|row| cell(row) as i64).collect()));
    }

    fn texts(&mut self, present: &[u8], codes: Option<Vec<u32>>, entries: Vec<&'static str>) {
        let texts = entries.into_iter().map(str::to_owned).collect();
        self.push(present, Cells::Coded(Coded { codes: codes.unwrap_or_default(), texts }));
    }

    fn groups(&mut self, groups: Vec<u32>) {
        self.push(&[], Cells::Groups(groups));
    }

    fn states(&mut self, rows: usize, mut state: impl FnMut(usize) -> [u8; STATE]) {
        self.push(&[], Cells::Bytes((0..rows).map(|row| state(row).to_vec()).collect()));
    }
}

impl Guest for Shapes {
    fn enrich(batch: Batch) -> Batch {
        let mut out = Typed::default();
        work::enrich(&batch, &mut out);
        Batch { rows: batch.rows, columns: out.0 }
    }

    fn state() -> Batch {
        let mut out = Typed::default();
        Batch { rows: work::state(&mut out), columns: out.0 }
    }

    fn merge(batch: Batch) {
        work::merge(&batch);
    }
}
