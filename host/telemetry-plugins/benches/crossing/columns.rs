//! Building and checking columns.

use std::borrow::Cow;
use std::hint::black_box;

use telemetry_model::{BatchBuilder, BatchView, FieldType, Value};

use crate::NAMES;
use crate::measure::medians;

/// Building and checking columns, with and without bitmaps.
pub fn columns() {
    println!("\ncolumns of 100 rows, ns a row: build, check and read");
    let text = |row: usize| Value::Text(Cow::Owned(format!("{row:032}")));
    let texts: Vec<_> = (0..100).map(text).collect();
    let some = |row: usize, value: Value<'static>| if row.is_multiple_of(3) { Value::Absent } else { value };
    let odd = |row: usize, value: Value<'static>| if row.is_multiple_of(5) { Value::Boolean(true) } else { value };
    type Cell<'a> = Box<dyn Fn(usize) -> Value<'static> + 'a>;
    let shapes: [(&str, FieldType, Cell<'_>); 8] = [
        ("integer", FieldType::Integer, Box::new(|row| Value::Integer(row as i64))),
        ("integer, a third absent", FieldType::Integer, Box::new(move |row| some(row, Value::Integer(row as i64)))),
        ("integer, a fifth mismatched", FieldType::Integer, Box::new(move |row| odd(row, Value::Integer(row as i64)))),
        ("real", FieldType::Real, Box::new(|row| Value::Real(row as f64))),
        ("boolean", FieldType::Boolean, Box::new(|row| Value::Boolean(row % 2 == 0))),
        ("text of 4 kinds", FieldType::Text, Box::new(|row| Value::Text(Cow::Borrowed(NAMES[row % 4])))),
        ("text, unique, 32 bytes", FieldType::Text, Box::new(|row| texts[row].clone())),
        ("json, 32 bytes", FieldType::Json, Box::new(|_| Value::Json(Cow::Borrowed("{\"a\":[1,2,3],\"b\":\"twenty-two\"}")))),
    ];
    for (name, ty, cell) in &shapes {
        let build = || {
            let mut batch = BatchBuilder::new(100, Vec::with_capacity(8192));
            batch.values(*ty, cell);
            batch.finish()
        };
        let batch = build();
        let [built, checked] = medians([&mut || drop(black_box(build())), &mut || {
            let view = BatchView::check(&batch, &[*ty]).unwrap();
            (0..100).for_each(|row| drop(black_box(view.columns()[0].value(row))));
        }]);
        println!("{name:>28} {:>7.1} {:>7.1}", built / 100.0, checked / 100.0);
    }
}
