//! A lookup table of the operator's: any bytes as CSV, JSON or TOML.

use telemetry_plugins::{FileTable, LookupTable};

/// The first byte says which format; the rest is read as that, and asked for every beginning of its own first line.
pub fn run(bytes: &[u8]) {
    let Some((format, bytes)) = bytes.split_first() else { return };
    let ending = ["csv", "json", "toml"][usize::from(format % 3)];
    let table = match FileTable::parse(bytes, ending, "k") {
        Ok(table) => table,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!table.digest().is_empty());
    let text = String::from_utf8_lossy(bytes);
    for asked in text.split(['\n', ',', '"', '[', ']']).take(8) {
        let asked = asked.get(..asked.floor_char_boundary(64)).unwrap_or_default();
        let beginnings = asked.char_indices().map(|(at, _)| at).chain([asked.len()]);
        let longest = beginnings.filter_map(|end| table.exact(asked.get(..end)?)).next_back();
        assert_eq!(table.longest_prefix(asked), longest, "{asked:?}");
        if let Some(row) = longest {
            let row: serde_json::Value = serde_json::from_str(&row).expect("a row is JSON");
            assert!(row.is_object());
        }
    }
}
