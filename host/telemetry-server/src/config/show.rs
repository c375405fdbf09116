//! `config show`: what is in force, with its origin, secrets masked.

use std::fmt::Write;

use figment::value::{Dict, Value};

use super::load::{Loaded, SECRETS, origin_of};
use super::secret::Secret;

impl Loaded {
    /// One line a value: `server.port = 8000  # default`.
    pub fn show(&self) -> String {
        let mut out = String::new();
        let dict = self.figment.extract::<Dict>().unwrap_or_default();
        self.lines("", &dict, &mut out);
        out
    }

    fn lines(&self, path: &str, dict: &Dict, out: &mut String) {
        for (key, value) in dict {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                Value::Dict(_, inner) if !inner.is_empty() => self.lines(&full, inner, out),
                value => {
                    let shown =
                        if SECRETS.contains(&&*full) && !matches!(value, Value::Empty(..)) { Secret::MASK.to_owned() } else { text(value) };
                    let _ = writeln!(out, "{full} = {shown}  # {}", origin_of(&self.figment, &full));
                }
            }
        }
    }
}

/// A value as JSON, which is TOML too for all but what is not set.
fn text(value: &Value) -> String {
    match value {
        Value::Empty(..) => "(not set)".to_owned(),
        value => serde_json::to_string(value).unwrap_or_default(),
    }
}
