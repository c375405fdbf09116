//! What figment says of a value that does not fit, in words for people who know no Rust.

use figment::error::{Actual, Kind};

/// At least this similar (0 to 1) is what a mistyped name is taken for.
const SIMILAR: f64 = 0.7;

/// A sentence for one error; `choices` are the words that the key takes, if it is such a key.
pub(super) fn reason(kind: &Kind, choices: Option<&[&str]>) -> String {
    match (kind, choices) {
        (Kind::InvalidType(given, _) | Kind::InvalidValue(given, _), Some(choices)) => {
            format!("must be one of {}, not {}", choices.join(", "), shown(given))
        }
        (Kind::InvalidType(given, wanted) | Kind::InvalidValue(given, wanted), None) => {
            format!("must be {}, not {}", phrase(wanted), shown(given))
        }
        (Kind::UnknownVariant(given, choices), _) => match nearest(given, choices.iter().copied()) {
            Some(choice) => format!("must be one of {}, not {}; did you mean `{choice}`?", choices.join(", "), quoted(given)),
            None => format!("must be one of {}, not {}", choices.join(", "), quoted(given)),
        },
        (Kind::UnknownField(given, known), _) => match nearest(given, known.iter().copied()) {
            Some(name) => format!("unknown key `{given}`; did you mean `{name}`?"),
            None => format!("unknown key `{given}`; there are {}", known.join(", ")),
        },
        (Kind::MissingField(name), _) => format!("`{name}` is missing"),
        (Kind::Message(text), _) => text.clone(),
        (other, _) => other.to_string(),
    }
}

/// The words that a key takes, when `kind` lists them.
pub(super) fn choices(kind: &Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::UnknownVariant(_, choices) => Some(choices),
        _ => None,
    }
}

/// The name that `given` was probably meant to be.
pub(super) fn nearest<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = names.map(|name| (strsim::jaro_winkler(given, name), name));
    likeness.filter(|(likeness, _)| *likeness > SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// A Rust type as one would say it.
fn phrase(wanted: &str) -> String {
    let most = match wanted {
        "u8" => Some(u64::from(u8::MAX)),
        "u16" => Some(u64::from(u16::MAX)),
        "u32" => Some(u64::from(u32::MAX)),
        _ => None,
    };
    match (wanted, most) {
        (_, Some(most)) => format!("a whole number from 0 to {most}"),
        ("u64" | "usize", _) => "a whole number of at least 0".to_owned(),
        ("i8" | "i16" | "i32" | "i64" | "isize", _) => "a whole number".to_owned(),
        ("f32" | "f64", _) => "a number".to_owned(),
        ("a boolean" | "bool", _) => "true or false".to_owned(),
        ("a string" | "string" | "path string" | "str", _) => "text".to_owned(),
        ("a sequence", _) => "a list".to_owned(),
        (wanted, _) if wanted.contains("map") || wanted.starts_with("struct") => "a table".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn shown(given: &Actual) -> String {
    match given {
        Actual::Bool(given) => given.to_string(),
        Actual::Unsigned(given) => given.to_string(),
        Actual::Signed(given) => given.to_string(),
        Actual::Float(given) => given.to_string(),
        Actual::Char(given) => quoted(&given.to_string()),
        Actual::Str(given) => quoted(given),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn quoted(given: &str) -> String {
    if given.is_empty() { "empty".to_owned() } else { format!("`{}`", given.chars().take(64).collect::<String>()) }
}
