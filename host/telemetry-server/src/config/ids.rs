//! Ids of plugins in the configuration that name none: what they were meant to do does not happen, and nobody would notice.

use std::collections::BTreeSet;

use telemetry_plugins::{Form, SHIPPED, inspect_as, plugin_files, read_component};

use super::PluginsConfig;
use super::words::nearest;

impl PluginsConfig {
    /// Key and reason for each id that is not among `known`.
    pub fn unknown_ids(&self, known: &BTreeSet<String>) -> Vec<(String, String)> {
        let lists = [("plugins.disabled", &self.disabled), ("plugins.enabled", &self.enabled), ("plugins.replaced", &self.replaced)];
        let mut named: Vec<(String, String)> =
            lists.into_iter().flat_map(|(key, ids)| ids.iter().map(move |id| (key.to_owned(), id.clone()))).collect();
        let tables = [("plugins.config", self.config.keys().collect::<Vec<_>>()), ("plugins.grants", self.grants.keys().collect())];
        named.extend(tables.into_iter().flat_map(|(key, ids)| ids.into_iter().map(move |id| (format!("{key}.{id}"), id.clone()))));
        // What is wrong with the file itself is told elsewhere.
        let operators = self.operators_grants().unwrap_or_default();
        named.extend(operators.0.into_keys().map(|id| (format!("plugins.grants_file: {id}"), id)));
        named.retain(|(_, id)| !known.contains(id));
        named.into_iter().map(|(key, id)| (key, unknown(&id, known))).collect()
    }

    /// Ids of the plugins that there are: shipped ones, and those of the drop-in folder by their manifests, else by their files' names.
    pub fn ids(&self) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).collect();
        let Some(paths) = self.path.as_deref().and_then(|path| plugin_files(path).ok()) else { return ids };
        for path in paths {
            let bytes = read_component(&path, u64::from(self.max_file_mib) << 20).ok();
            let manifest = bytes.and_then(|bytes| Some(inspect_as(Form::of(&path), &bytes).ok()?.manifest));
            let name = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            ids.insert(manifest.map_or_else(name, |manifest| manifest.id.to_string()));
        }
        ids
    }
}

fn unknown(id: &str, known: &BTreeSet<String>) -> String {
    match nearest(id, known.iter().map(String::as_str)) {
        Some(name) => format!("there is no plugin `{id}`; did you mean `{name}`?"),
        None => format!("there is no plugin `{id}`"),
    }
}
