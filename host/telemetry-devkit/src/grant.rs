//! Lines of a grant put into `grants.toml`, which keeps everything else that stands there, comments too.

use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// Why the lines cannot be put there.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The file, or the lines, are not TOML.
    #[error("not TOML: {0}")]
    Toml(#[from] toml_edit::TomlError),
    /// Something else stands where a grant does.
    #[error("`{0}` is not a table of grants")]
    Shape(String),
}

/// `text` with what `lines` grant, a table of each plugin. Lists grow by what they lack, a switch is set.
///
/// # Errors
/// [`GrantError`].
pub fn with_grant(text: &str, lines: &str) -> Result<String, GrantError> {
    let mut document: DocumentMut = text.parse()?;
    let granted: DocumentMut = lines.parse()?;
    for (id, grant) in granted.iter() {
        let shape = || GrantError::Shape(id.to_owned());
        let grant = grant.as_table().ok_or_else(shape)?;
        let place = document.entry(id).or_insert_with(|| Item::Table(Table::new()));
        let place = place.as_table_like_mut().ok_or_else(shape)?;
        for (key, given) in grant.iter() {
            match (place.get_mut(key).and_then(Item::as_array_mut), given.as_array()) {
                (Some(known), Some(given)) => extend(known, given),
                _ => drop(place.insert(key, given.clone())),
            }
        }
    }
    Ok(document.to_string())
}

fn extend(known: &mut Array, given: &Array) {
    let plain = |value: &Value| value.as_str().map(str::to_owned);
    for value in given {
        if !known.iter().any(|old| plain(old) == plain(value)) {
            known.push(value.clone().decorated(if known.is_empty() { "" } else { " " }, ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_stands_there() {
        let text = "# ours\n[other]\nwarm = true # since May\n\n[x] # the x\nfields = [\"event.session_id\"] # asked by Ann\n";
        let lines = "[x]\nfields = [\"event.session_id\", 'attributes[\"a\"]']\nlookup = [\"prices\"]\nmask = true\n";
        let expected = "# ours\n[other]\nwarm = true # since May\n\n[x] # the x\n\
                        fields = [\"event.session_id\", 'attributes[\"a\"]'] # asked by Ann\nlookup = [\"prices\"]\nmask = true\n";
        assert_eq!(with_grant(text, lines).unwrap(), expected);
        assert_eq!(with_grant(expected, lines).unwrap(), expected, "the same once more changes nothing");
        assert_eq!(with_grant("", lines).unwrap(), lines);
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        assert!(with_grant("[x", "[x]\nmask = true\n").is_err());
        assert!(with_grant("x = 1", "[x]\nmask = true\n").is_err());
    }
}
