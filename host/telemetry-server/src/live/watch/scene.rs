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
    stamps: BTreeMap<PathBuf, Stamp>,
}

impl Scene {
    /// The drop-in folder and the operator's files, as they are now.
    pub(in crate::live) fn of(config: &PluginsConfig) -> Self {
        let files = [&config.grants_file, &config.switches_file].into_iter().flatten().cloned().collect();
        let mut scene = Scene { folder: config.path.clone(), files, stamps: BTreeMap::new() };
        scene.stamps = scene.look();
        scene
    }

    /// The same places as they are now.
    pub(super) fn now(&self) -> Self {
        Scene { stamps: self.look(), ..self.clone() }
    }

    /// Whether nothing changed between the two.
    pub(super) fn is_same(&self, other: &Scene) -> bool {
        self.stamps == other.stamps
    }

    /// The places to be told of.
    pub(super) fn places(&self) -> impl Iterator<Item = &Path> {
        self.folder.iter().chain(&self.files).map(PathBuf::as_path)
    }

    fn look(&self) -> BTreeMap<PathBuf, Stamp> {
        let dropped = self.folder.as_deref().and_then(|folder| plugin_files(folder).ok()).unwrap_or_default();
        let paths = dropped.into_iter().chain(self.files.iter().cloned());
        paths.filter_map(|path| Some((path.clone(), Stamp::of(&path)?))).collect()
    }
}
