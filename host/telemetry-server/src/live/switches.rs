//! The file that keeps what was switched on and off over HTTP.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

const HEAD: &str = "# Plugins that were switched by PUT /v1/plugins/{id}/enabled. `plugins.disabled` of the configuration wins.\n";

/// Ids of plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Those that are off.
    pub off: BTreeSet<String>,
    /// Those that are on although they are off unless told.
    pub on: BTreeSet<String>,
}

/// What the file says; nothing when it is not there.
pub fn read(path: &Path) -> Result<Switches, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => match toml::from_str::<Switches>(&text) {
            Ok(switches) => Ok(switches),
            Err(error) => Err(format!("`{}`: {}", path.display(), error.message().replace('\n', " "))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Switches::default()),
        Err(error) => Err(format!("`{}` cannot be read: {error}", path.display())),
    }
}

/// Notes that `id` is on or off, in one step.
pub(super) fn switch(path: &Path, id: &str, on: bool) -> Result<(), String> {
    let mut switches = read(path)?;
    let (from, to) = if on { (&mut switches.off, &mut switches.on) } else { (&mut switches.on, &mut switches.off) };
    from.remove(id);
    if !to.insert(id.to_owned()) {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| format!("`{}` cannot be written: {error}", path.display());
    let text = toml::to_string(&switches).map_err(|error| failed(&error))?;
    let draft = path.with_extension("toml.new");
    let written = std::fs::write(&draft, format!("{HEAD}{text}")).and_then(|()| std::fs::rename(&draft, path));
    written.map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_switched_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.toml");
        for (id, on) in [("a", false), ("b", false), ("a", true)] {
            switch(&path, id, on).unwrap();
        }
        let set = |id: &str| BTreeSet::from([id.to_owned()]);
        assert_eq!(read(&path), Ok(Switches { off: set("b"), on: set("a") }));
        std::fs::write(&path, "off = 1").unwrap();
        assert!(read(&path).unwrap_err().contains("switches.toml"));
    }
}
