//! Replacing a file in one step, so that whoever reads it sees the old or the new.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `text` to `path`; what was there keeps its permissions.
///
/// # Errors
/// When it cannot be written; then the old file is as it was.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut draft = path.file_name().unwrap_or_default().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = path.with_file_name(draft);
    let write = || {
        let mut file = fs::File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        if let Ok(before) = fs::metadata(path) {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&draft)))
}
