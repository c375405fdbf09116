//! B to H: bindings to what `layout` and `write` do.

use crate::convert::{flat, flat_bytes, long, shared, short};
use crate::layout::{Batch, Cells as _, Frame};
use crate::write::{Buffer, Flat, Shared};
use crate::{Shapes, wit, work};

/// Bytes that an answer of `rows` rows with at most two columns needs, about.
fn room(rows: usize) -> usize {
    96 + rows * 13
}

/// Text checked before it is read: once a buffer.
struct Checked<'a, B>(&'a B);

impl<B: Batch> Batch for Checked<'_, B> {
    type Column<'a>
        = B::Column<'a>
    where
        Self: 'a;

    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn column(&self, at: usize) -> B::Column<'_> {
        let column = self.0.column(at);
        column.check_text();
        column
    }
}

/// A shape's exports: a writer and what becomes of it.
macro_rules! exports {
    ($shape:ident, $new:expr, $finish:expr, {$($extra:tt)*}) => {
        impl wit::$shape::Guest for Shapes {
            fn enrich(batch: wit::$shape::Batch) -> wit::$shape::Batch {
                let mut out = $new(batch.rows());
                work::enrich(&batch, &mut out);
                $finish(batch.rows, out)
            }

            fn state() -> wit::$shape::Batch {
                let mut out = $new(0);
                let rows = work::state(&mut out);
                $finish(rows, out)
            }

            fn merge(batch: wit::$shape::Batch) {
                work::merge(&batch);
            }

            $($extra)*
        }
    };
}

macro_rules! checked {
    ($shape:ident, $new:expr, $finish:expr) => {
        fn enrich_checked(batch: wit::$shape::Batch) -> wit::$shape::Batch {
            let mut out = $new(batch.rows());
            work::enrich(&Checked(&batch), &mut out);
            $finish(batch.rows, out)
        }
    };
}

exports!(flat, |_| Flat::new(2), flat, {
    checked!(flat, |_| Flat::new(2), flat);
});
exports!(flat_bytes, |_| Flat::new(2), flat_bytes, {});
exports!(shared, |rows| Shared::new(2, [rows, rows + 3, 32]), shared, {});
exports!(long, |rows| Buffer::new(false, 2, room(rows)), long, {});
exports!(short, |rows| Buffer::new(true, 2, room(rows)), short, {
    checked!(short, |rows| Buffer::new(true, 2, room(rows)), short);
});

/// A shape that is one buffer.
macro_rules! frame {
    ($shape:ident, $is_short:literal) => {
        impl wit::$shape::Guest for Shapes {
            fn enrich(frame: Vec<u8>) -> Vec<u8> {
                let batch = Frame(&frame, $is_short);
                let mut out = Buffer::frame($is_short, if batch.width() == 5 { 2 } else { 1 }, room(batch.rows()));
                work::enrich(&batch, &mut out);
                out.finish(batch.rows())
            }

            fn state() -> Vec<u8> {
                let mut out = Buffer::frame($is_short, 1, 0);
                let rows = work::state(&mut out) as usize;
                out.finish(rows)
            }

            fn merge(frame: Vec<u8>) {
                work::merge(&Frame(&frame, $is_short));
            }
        }
    };
}

frame!(long_frame, false);
frame!(short_frame, true);
