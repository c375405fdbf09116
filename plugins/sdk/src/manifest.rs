//! What a plugin reads and writes, taken from its `plugin.toml` at compile time.
//!
//! Only the tables `[[reads]]` and `[[writes]]` are looked at, one key a line, as the documentation writes them; the build step and the
//! server read the whole file as TOML and refuse what is wrong.

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// true or false.
    Boolean,
    /// 64 bits, signed.
    Integer,
    /// A double.
    Real,
    /// UTC nanoseconds.
    Time,
    /// UTF-8.
    Text,
    /// Any value as JSON text.
    Json,
    /// Any bytes.
    Bytes,
}

impl Type {
    const ALL: [(&'static str, Type); 7] = [
        ("boolean", Type::Boolean),
        ("integer", Type::Integer),
        ("real", Type::Real),
        ("time", Type::Time),
        ("text", Type::Text),
        ("json", Type::Json),
        ("bytes", Type::Bytes),
    ];

    /// The word in manifests.
    pub fn name(self) -> &'static str {
        Type::ALL.iter().find(|(_, ty)| *ty == self).map_or("", |(name, _)| name)
    }
}

/// One field read or key written.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// As quoted in the file, still escaped.
    raw: &'static str,
    escaped: bool,
    /// The declared type.
    pub ty: Type,
}

impl Declared {
    /// The name.
    pub fn name(&self) -> String {
        if self.escaped { self.raw.replace("\\\"", "\"").replace("\\\\", "\\") } else { self.raw.to_owned() }
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        if !self.escaped {
            return self.raw == name;
        }
        let mut raw = self.raw.bytes();
        let mut same =
            name.bytes().all(|wanted| raw.next().map(|byte| if byte == b'\\' { raw.next() } else { Some(byte) }) == Some(Some(wanted)));
        same &= raw.next().is_none();
        same
    }
}

/// The part of a manifest that a plugin needs while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    pub(crate) toml: &'static str,
    pub(crate) reads: &'static [Declared],
    pub(crate) writes: &'static [Declared],
}

impl Manifest {
    /// For the export macros.
    #[doc(hidden)]
    pub const fn new(toml: &'static str, reads: &'static [Declared], writes: &'static [Declared]) -> Self {
        Manifest { toml, reads, writes }
    }

    /// The whole text of `plugin.toml`.
    pub fn toml(&self) -> &'static str {
        self.toml
    }
}

/// A type with a manifest; the export macros implement it.
pub trait Plugin: Sized + Default + 'static {
    /// From `plugin.toml`.
    const MANIFEST: &'static Manifest;
}

/// How many tables `[[section]]` there are.
#[doc(hidden)]
pub const fn count(toml: &str, section: &str) -> usize {
    let bytes = toml.as_bytes();
    let (mut at, mut found) = (0, 0);
    while at < bytes.len() {
        if is_header(bytes, at, section) {
            found += 1;
        } else if starts(bytes, at, section) {
            let after = skip_spaces(bytes, at + section.len());
            assert!(after >= bytes.len() || bytes[after] != b'=', "plugin.toml: write reads and writes as [[reads]] and [[writes]] tables");
        }
        at = next_line(bytes, at);
    }
    found
}

/// The tables `[[section]]`, in order; `key` names the line with the field or key.
#[doc(hidden)]
pub const fn parse<const N: usize>(toml: &'static str, section: &str, key: &str) -> [Declared; N] {
    let bytes = toml.as_bytes();
    let mut out = [Declared { raw: "", escaped: false, ty: Type::Text }; N];
    let (mut at, mut index, mut inside) = (0, 0, false);
    let (mut named, mut typed) = (0, 0);
    while at < bytes.len() {
        let start = skip_spaces(bytes, at);
        if is_header(bytes, at, section) {
            inside = true;
            index += 1;
        } else if start < bytes.len() && bytes[start] == b'[' {
            inside = false;
        } else if inside {
            if let Some((raw, escaped)) = quoted(toml, start, key) {
                out[index - 1].raw = raw;
                out[index - 1].escaped = escaped;
                named += 1;
            } else if let Some((raw, _)) = quoted(toml, start, "type") {
                out[index - 1].ty = type_of(raw);
                typed += 1;
            }
        }
        at = next_line(bytes, at);
    }
    assert!(named == N, "plugin.toml: each [[reads]] needs a line `field = \"..\"`, each [[writes]] a line `key = \"..\"`");
    assert!(typed == N, "plugin.toml: each [[reads]] and [[writes]] needs a line `type = \"..\"`");
    out
}

const fn is_header(bytes: &[u8], at: usize, section: &str) -> bool {
    let start = skip_spaces(bytes, at);
    starts(bytes, start, "[[") && starts(bytes, start + 2, section) && starts(bytes, start + 2 + section.len(), "]]")
}

const fn type_of(word: &str) -> Type {
    let mut at = 0;
    while at < Type::ALL.len() {
        let (name, ty) = Type::ALL[at];
        if name.len() == word.len() && starts(word.as_bytes(), 0, name) {
            return ty;
        }
        at += 1;
    }
    panic!("plugin.toml: a type is one of boolean, integer, real, time, text, json, bytes")
}

/// The string of a line `key = "value"` or `key = 'value'`, and whether it may hold escapes.
const fn quoted(toml: &'static str, start: usize, key: &str) -> Option<(&'static str, bool)> {
    let bytes = toml.as_bytes();
    if !starts(bytes, start, key) {
        return None;
    }
    let equals = skip_spaces(bytes, start + key.len());
    if equals >= bytes.len() || bytes[equals] != b'=' {
        return None;
    }
    let open = skip_spaces(bytes, equals + 1);
    if open >= bytes.len() || (bytes[open] != b'"' && bytes[open] != b'\'') {
        return None;
    }
    let (quote, mut end, mut escaped) = (bytes[open], open + 1, false);
    while end < bytes.len() && bytes[end] != quote {
        if quote == b'"' && bytes[end] == b'\\' {
            escaped = true;
            end += 1;
        }
        end += 1;
    }
    let (_, rest) = toml.split_at(open + 1);
    let (value, _) = rest.split_at(end - open - 1);
    Some((value, escaped))
}

const fn starts(bytes: &[u8], at: usize, word: &str) -> bool {
    let word = word.as_bytes();
    let mut index = 0;
    while index < word.len() {
        if at + index >= bytes.len() || bytes[at + index] != word[index] {
            return false;
        }
        index += 1;
    }
    true
}

const fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && (bytes[at] == b' ' || bytes[at] == b'\t') {
        at += 1;
    }
    at
}

const fn next_line(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'\n' {
        at += 1;
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "id = \"x\"\n[[reads]]\nfield = \"attributes[\\\"llm.model\\\"]\"\ntype = \"text\"\n\n[[reads]]\nfield = 'attributes[\"a\"]'\ntype = \"integer\"\n[[writes]]\nkey = \"k\"\ntype = \"real\"\n";

    #[test]
    fn reads_names_and_types() {
        const READS: [Declared; count(TOML, "reads")] = parse(TOML, "reads", "field");
        const WRITES: [Declared; count(TOML, "writes")] = parse(TOML, "writes", "key");
        assert_eq!(
            READS.map(|read| (read.name(), read.ty)),
            [("attributes[\"llm.model\"]".to_owned(), Type::Text), ("attributes[\"a\"]".to_owned(), Type::Integer)]
        );
        assert_eq!(WRITES.map(|write| (write.name(), write.ty)), [("k".to_owned(), Type::Real)]);
        assert!(READS[0].is("attributes[\"llm.model\"]"));
        assert!(!READS[0].is("attributes[\"llm.model\""));
        assert!(!READS[0].is("attributes[\"llm.model\"]x"));
    }
}
