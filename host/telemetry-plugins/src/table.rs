//! The operator's read-only tables: one CSV, JSON or TOML file each, read whole when plugins are loaded.

mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Bound;
use std::path::Path;

use crate::load::read::digest;
use crate::settings::LookupTable;

/// Bytes of a file at most.
const MAX_FILE: u64 = 16 << 20;
/// Bytes of all rows as JSON at most: names of columns are in each of them.
const MAX_ROWS: usize = 64 << 20;
/// Bytes of a key at most.
const MAX_KEY: usize = 1024;

/// A table from a file. Its digest covers the file's bytes and the name of the key.
#[derive(Debug)]
pub struct FileTable {
    /// Rows as JSON objects.
    rows: BTreeMap<Box<str>, Box<str>>,
    digest: String,
}

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is too large.
    #[error("has more than {} MiB", MAX_FILE >> 20)]
    FileSize,
    /// Its rows are too large.
    #[error("has more than {} MiB of rows", MAX_ROWS >> 20)]
    RowsSize,
    /// Its name does not say what it is.
    #[error("ends in none of `.csv`, `.json`, `.toml`")]
    Format,
    /// It is not what its name says.
    #[error("is no table: {0}")]
    Syntax(String),
    /// A key stands twice.
    #[error("has the key `{0}` twice")]
    Twice(String),
    /// A key is too long.
    #[error("has a key of more than {MAX_KEY} bytes, which begins with `{0}`")]
    Key(String),
}

impl FileTable {
    /// Reads the file at `path`; what it is, its ending says. In rows without a key of their own, the field `key` is the key.
    ///
    /// # Errors
    /// [`TableError`]; nothing is left out silently.
    pub fn read(path: &Path, key: &str) -> Result<Self, TableError> {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(TableError::FileSize);
        }
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase()).unwrap_or_default();
        Self::parse(&bytes, ending.to_str().unwrap_or_default(), key)
    }

    /// The same of a file's bytes and the ending of its name in lower case.
    ///
    /// # Errors
    /// [`TableError`], but `Read` and `FileSize`.
    pub fn parse(bytes: &[u8], ending: &str, key: &str) -> Result<Self, TableError> {
        let mut table = FileTable { rows: BTreeMap::new(), digest: format!("{} {key}", digest(bytes)) };
        let mut size = 0;
        let mut add = |key: String, row: serde_json::Map<String, serde_json::Value>| {
            let row = serde_json::Value::Object(row).to_string();
            size += row.len();
            table.add(key, row, size)
        };
        match ending {
            "csv" => rows::csv(bytes, key, &mut add)?,
            "json" => rows::json(bytes, key, &mut add)?,
            "toml" => rows::toml(bytes, key, &mut add)?,
            _ => return Err(TableError::Format),
        }
        Ok(table)
    }

    fn add(&mut self, key: String, row: String, size: usize) -> Result<(), TableError> {
        if key.len() > MAX_KEY {
            return Err(TableError::Key(key.chars().take(32).collect()));
        }
        if size > MAX_ROWS {
            return Err(TableError::RowsSize);
        }
        match self.rows.entry(key.into()) {
            std::collections::btree_map::Entry::Occupied(entry) => Err(TableError::Twice(entry.key().to_string())),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(row.into());
                Ok(())
            }
        }
    }
}

impl LookupTable for FileTable {
    fn exact(&self, key: &str) -> Option<String> {
        self.rows.get(key).map(|row| row.to_string())
    }

    fn longest_prefix(&self, key: &str) -> Option<String> {
        let mut rest = key.get(..key.floor_char_boundary(MAX_KEY))?;
        loop {
            let (known, row) = self.rows.range::<str, _>((Bound::Unbounded, Bound::Included(rest))).next_back()?;
            if rest.starts_with(&**known) {
                return Some(row.to_string());
            }
            // A prefix of `rest` stands before `known`, and so is a prefix of `known` too.
            let shared: usize =
                rest.chars().zip(known.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
            rest = rest.get(..shared)?;
        }
    }

    fn digest(&self) -> &str {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, text: &str) -> Result<FileTable, TableError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        FileTable::read(&path, "model")
    }

    #[test]
    fn reads_the_same_typed_rows_of_all_three_formats() {
        let files = [
            ("a.csv", "model,price:integer,new:boolean,note\ngpt,5,true,\"a, b\"\nold,,false,\n"),
            ("a.JSON", r#"[{"model":"gpt","price":5,"new":true,"note":"a, b"},{"model":"old","price":null,"new":false,"note":null}]"#),
            ("a.json", r#"{"gpt":{"price":5,"new":true,"note":"a, b"},"old":{"price":null,"new":false,"note":null}}"#),
            ("a.toml", "[gpt]\nprice = 5\nnew = true\nnote = \"a, b\"\n[old]\nnew = false\n"),
            ("a.toml", "[[rows]]\nmodel = \"gpt\"\nprice = 5\nnew = true\nnote = \"a, b\"\n[[rows]]\nmodel = \"old\"\nnew = false\n"),
        ];
        for (name, text) in files {
            let table = table(name, text).unwrap();
            let row = |key| serde_json::from_str::<serde_json::Value>(&table.exact(key).unwrap()).unwrap();
            let gpt = row("gpt");
            assert_eq!((&gpt["price"], &gpt["new"], &gpt["note"]), (&5.into(), &true.into(), &"a, b".into()), "{text}");
            assert_eq!((&row("old")["price"], &row("old")["new"]), (&serde_json::Value::Null, &false.into()), "{text}");
            assert_eq!(table.exact("g"), None);
        }
    }

    #[test]
    fn finds_the_longest_key_that_begins_what_is_asked() {
        let table = table("a.json", r#"{"gpt":{"n":1},"gpt-4":{"n":2},"gpt-4o":{"n":3},"gpt-4\u00e9":{"n":4}}"#).unwrap();
        let cases = [("gpt-4o-mini", 3), ("gpt-4-turbo", 2), ("gpt-4\u{e8}", 2), ("gpt-5", 1), ("gpt", 1), ("gpt-4\u{e9}", 4)];
        for (asked, n) in cases {
            assert_eq!(table.longest_prefix(asked), Some(format!("{{\"n\":{n}}}")), "{asked}");
        }
        assert_eq!([table.longest_prefix("gp"), table.longest_prefix("claude"), table.longest_prefix("")], [None, None, None]);
        let long = format!("gpt-4{}", "\u{e9}".repeat(1_000_000));
        assert_eq!(table.longest_prefix(&long), Some("{\"n\":4}".to_owned()));
    }

    #[test]
    fn names_what_is_wrong_with_a_file() {
        let cases = [
            ("a.txt", "", "ends in none"),
            ("a.csv", "name\nx\n", "no column `model`"),
            ("a.csv", "model,n:integer\nx,1\ny,many\n", "line 3: `n` is not of type integer"),
            ("a.csv", "model,n:number\n", "`number` is no type"),
            ("a.csv", "model,n,n\n", "the column `n` stands twice"),
            ("a.csv", "model\nx\nx\n", "`x` twice"),
            ("a.json", "[1]", "row 1 is no object"),
            ("a.json", "[{\"model\":true}]", "row 1 has no key `model`"),
            ("a.json", "3", "neither an object"),
            ("a.json", "{", "EOF"),
            ("a.toml", "x = 1", "`x` is no table"),
        ];
        for (name, text, expected) in cases {
            let error = table(name, text).unwrap_err().to_string();
            assert!(error.contains(expected), "{name} {text}: {error}");
        }
        let key = "k".repeat(1025);
        assert!(matches!(table("a.csv", &format!("model\n{key}\n")), Err(TableError::Key(_))));
    }

    #[test]
    fn bounds_a_file_and_what_its_rows_become() {
        assert!(matches!(table("a.csv", &" ".repeat(MAX_FILE as usize + 1)), Err(TableError::FileSize)));
        let bomb = format!("model,{}\n{}", "c".repeat(1 << 20), (0..100).map(|n| format!("{n},\n")).collect::<String>());
        assert!(matches!(table("a.csv", &bomb), Err(TableError::RowsSize)));
    }
}
