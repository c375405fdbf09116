use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::rows::Value;

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Absent),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        (-1e300..1e300f64).prop_map(Value::Real),
        "[a-c\u{e9}\u{1f600}]{0,3}".prop_map(|text| Value::Text(Cow::Owned(text))),
        Just(Value::Json(Cow::Borrowed("[1, 2]"))),
    ]
}

fn build(ty: FieldType, rows: &[Value<'static>]) -> Batch {
    let mut builder = BatchBuilder::new(rows.len(), Vec::new());
    builder.values(ty, |row| rows[row].clone());
    builder.finish()
}

proptest! {
    #[test]
    fn what_fits_comes_back_and_the_rest_is_mismatched(
        rows in prop::collection::vec(value(), 0..70),
        ty in prop::sample::select(vec![FieldType::Boolean, FieldType::Integer, FieldType::Real, FieldType::Text, FieldType::Json]),
    ) {
        let batch = build(ty, &rows);
        let view = BatchView::check(&batch, &[ty]).unwrap();
        let column = &view.columns()[0];
        for (row, sent) in rows.iter().enumerate() {
            let expected = match (ty, sent) {
                (_, Value::Absent) => Value::Absent,
                (FieldType::Boolean, Value::Boolean(_)) | (FieldType::Integer, Value::Integer(_)) | (FieldType::Real, Value::Real(_))
                | (FieldType::Text, Value::Text(_)) => sent.clone(),
                (FieldType::Real, Value::Integer(integer)) => Value::Real(*integer as f64),
                (FieldType::Integer, Value::Real(real)) if real.fract() == 0.0 && real.abs() < 9_007_199_254_740_992.0 => {
                    Value::Integer(*real as i64)
                }
                (FieldType::Json, _) => {
                    prop_assert!(matches!(column.value(row), Value::Json(_)));
                    continue;
                }
                _ => Value::Absent,
            };
            prop_assert_eq!(column.is_mismatched(row), expected == Value::Absent && *sent != Value::Absent);
            prop_assert_eq!(column.value(row), expected);
        }
    }

    #[test]
    fn a_changed_byte_or_header_is_refused_or_read_without_harm(
        rows in prop::collection::vec(value(), 1..40),
        ty in prop::sample::select(FieldType::ALL.to_vec()),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        header in any::<(u16, u16, u32, u32)>(),
        which in 0..4u8,
    ) {
        let mut batch = build(ty, &rows);
        if !batch.data.is_empty() {
            let at = place.index(batch.data.len());
            batch.data[at] = byte;
        }
        match which {
            0 => batch.columns[0].kind = header.0 % 11,
            1 => batch.columns[0].bitmaps = header.1 % 5,
            2 => batch.columns[0].count = header.2 % 100,
            _ => batch.rows = header.3 % 100,
        }
        if let Ok(view) = BatchView::check(&batch, &[ty]) {
            for row in 0..view.rows() + 2 {
                view.columns()[0].value(row);
                view.columns()[0].bytes(row);
            }
        }
    }
}

#[test]
fn repeated_text_becomes_a_dictionary_and_unique_text_does_not() {
    let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
    let repeated = build(FieldType::Text, &[text("a"), text("b"), text("a"), Value::Absent, text("a")]);
    assert_eq!((repeated.columns[0].kind, repeated.columns[0].count), (Kind::TextDictionary.code(), 2));
    let unique = build(FieldType::Text, &[text("a"), text("b"), text("c")]);
    assert_eq!(unique.columns[0].kind, Kind::Text.code());
}

#[test]
fn groups_come_last_and_gaps_are_refused() {
    let mut builder = BatchBuilder::new(2, Vec::new());
    builder.values(FieldType::Integer, |row| Value::Integer(row as i64));
    builder.groups(&[3, 4]);
    let mut batch = builder.finish();
    let view = BatchView::check(&batch, &[FieldType::Integer]).unwrap();
    assert_eq!(view.groups().unwrap().collect::<Vec<_>>(), [3, 4]);
    batch.columns[1].at += 8;
    batch.data.extend_from_slice(&[0; 8]);
    assert!(matches!(BatchView::check(&batch, &[FieldType::Integer]), Err(BatchError::Column { column: 1, .. })));
}
