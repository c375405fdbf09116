//! Flags of an event: few, short, each once.

use telemetry_model::Flag;

/// An event has no more flags than this; one that would have is flagged `more-flags` last.
pub(crate) const MAX_FLAGS: usize = 32;
/// A field's name is cut here, bytes.
const MAX_FIELD: usize = 128;

/// Adds a flag about a field unless it is there.
pub(crate) fn push(flags: &mut Vec<Flag>, code: &'static str, field: impl Into<Box<str>>) {
    push_flag(flags, Flag::new(code, Some(cut(field.into()))));
}

/// Adds a flag unless one of the same code and field is there, within the limit.
pub(crate) fn push_flag(flags: &mut Vec<Flag>, flag: Flag) {
    let is_known = |known: &Flag| known.code == flag.code && known.field == flag.field;
    if flags.len() > MAX_FLAGS || flags.iter().any(is_known) {
        return;
    }
    flags.push(if flags.len() == MAX_FLAGS { Flag::new("more-flags", None) } else { flag });
}

/// `attributes["key"]`.
pub(crate) fn attribute(key: &str) -> String {
    format!("attributes[{}]", serde_json::Value::from(&*cut(key.into())))
}

fn cut(field: Box<str>) -> Box<str> {
    match field.len() {
        0..=MAX_FIELD => field,
        _ => {
            let mut end = MAX_FIELD;
            while !field.is_char_boundary(end) {
                end -= 1;
            }
            field.get(..end).unwrap_or_default().into()
        }
    }
}
