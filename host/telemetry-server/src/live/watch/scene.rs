//! What the operator's files look like from outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use telemetry_plugins::{Stamp, plugin_files};

use crate::config::PluginsConfig;

/// The stamps of all files that plugins are loaded from.
#[derive(Clone, Debug)]
pub(in crate::live) struct Scene {
    folder: Option<PathBuf>,
    files: Vec<PathBuf>,
    listed: Listed,
    stamps: BTreeMap<PathBuf, Stamp>,
}

/// What is in the drop-in folder. Listing it would wake the system's watcher, so that is not done while it stays as it is.
#[derive(Clone, Debug, Default)]
struct Listed {
    files: Vec<PathBuf>,
    folder: Option<Stamp>,
    /// How often it was listed with this stamp: a file may come within the grain of the folder's time.
    times: u8,
}

impl Listed {
    fn again(&self, path: &Path) -> Self {
        let folder = Stamp::of(path);
        let is_same = folder == self.folder;
        if is_same && self.times >= 2 {
            return self.clone();
        }
        let files = plugin_files(path).unwrap_or_default();
        Listed { files, folder, times: if is_same { self.times + 1 } else { 0 } }
    }
}

impl Scene {
    /// The drop-in folder and the operator's files, as they are now.
    pub(in crate::live) fn of(config: &PluginsConfig) -> Self {
        let files = [&config.grants_file, &config.switches_file, &config.lock_file, &config.prices].into_iter().flatten();
        let files = files.chain(config.tables.values().map(|table| &table.path)).cloned().collect();
        Scene { folder: config.path.clone(), files, listed: Listed::default(), stamps: BTreeMap::new() }.now()
    }

    /// The same places as they are now.
    pub(super) fn now(&self) -> Self {
        let listed = self.folder.as_deref().map(|folder| self.listed.again(folder)).unwrap_or_default();
        let stamped = listed.files.iter().chain(&self.files).filter_map(|path| Some((path.clone(), Stamp::of(path)?)));
        Scene { folder: self.folder.clone(), files: self.files.clone(), stamps: stamped.collect(), listed }
    }

    /// Whether nothing changed between the two.
    pub(super) fn is_same(&self, other: &Scene) -> bool {
        self.stamps == other.stamps
    }

    /// The places to be told of.
    pub(super) fn places(&self) -> impl Iterator<Item = &Path> {
        self.folder.iter().chain(&self.files).map(PathBuf::as_path)
    }
}
