//! The lock file: which components may load under the policy `locked`.

use std::collections::BTreeMap;
use std::fmt;

/// SHA-256 in hex by plugin id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(pub BTreeMap<String, String>);

/// Why a lock file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct LockError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Lock {
    /// Reads a lock file: a line `id = "sha256"` for each component.
    ///
    /// # Errors
    /// Not TOML, a value that is no digest, with the line.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let line_at = |start: usize| text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        let read: BTreeMap<String, toml::Spanned<String>> = toml::from_str(text).map_err(|error| LockError {
            line: line_at(error.span().map_or(0, |span| span.start)),
            message: error.message().replace('\n', " "),
        })?;
        let checked = read.into_iter().map(|(id, digest)| {
            let line = line_at(digest.span().start);
            let digest = digest.into_inner();
            let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if is_digest { Ok((id, digest)) } else { Err(LockError { line, message: format!("`{id}` has no SHA-256 in lower-case hex") }) }
        });
        checked.collect::<Result<_, _>>().map(Lock)
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# What may load under plugins.policy = \"locked\": ids and SHA-256 of components.")?;
        writeln!(f, "# Written by: cylestio-server plugin lock")?;
        self.0.iter().try_for_each(|(id, digest)| writeln!(f, "{id} = \"{digest}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_the_rest_with_the_line() {
        let lock = Lock([("a-b".to_owned(), "0f".repeat(32)), ("c".to_owned(), "a1".repeat(32))].into());
        assert_eq!(Lock::parse(&lock.to_string()), Ok(lock));
        for (text, line) in [("a = \"0f\"", 1), ("\n\na = 7", 3), ("a = \"x\"\n[b]", 2), (&format!("\na = \"{}\"", "0F".repeat(32)), 2)] {
            assert_eq!(Lock::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
