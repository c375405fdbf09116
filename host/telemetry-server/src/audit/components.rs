//! Components: whether what is at hand is what served last.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use telemetry_plugins::{Form, SHIPPED, inspect_as};

use super::Why;
use super::check::Check;
use crate::config::PluginsConfig;

/// Compares the components at hand with the last catalog, and names those that are not at hand.
pub(super) fn check(check: &mut Check<'_>, plugins: &PluginsConfig) {
    let catalog: Value = check.catalog.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut at_hand = BTreeSet::new();
    let listed = catalog.get("plugins").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for plugin in listed {
        let text = |name: &str| plugin.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, digest) = (text("id"), text("digest"));
        let origin = plugin.get("origin").cloned().unwrap_or_default();
        let Some((name, form, bytes)) = bytes_of(&origin, id, plugins.path.as_deref()) else { continue };
        let found = inspect_as(form, &bytes).map(|inspected| inspected.digest);
        match found {
            Ok(found) if found == digest => {
                at_hand.insert((id.to_owned(), digest.to_owned()));
            }
            Ok(found) if !digest.is_empty() => {
                check.audit.wrong(name, format!("is not the component that served last: its digest is {found}, not {digest}"));
            }
            Err(error) if !digest.is_empty() => check.audit.wrong(name, format!("is not the component that served last: {error}")),
            _ => {}
        }
    }
    let absent: Vec<_> = check.components.difference(&at_hand).cloned().collect();
    for (id, digest) in absent {
        check.audit.unproven(Why::Component, 1, || format!("`{id}` {digest}"));
    }
}

fn bytes_of(origin: &Value, id: &str, folder: Option<&Path>) -> Option<(String, Form, Vec<u8>)> {
    if origin == "shipped" {
        let shipped = SHIPPED.iter().find(|shipped| shipped.id == id)?;
        return Some((format!("shipped component `{id}`"), Form::Component, shipped.wasm.to_vec()));
    }
    let file = origin.get("file")?.as_str()?;
    let bytes = std::fs::read(folder?.join(file)).ok()?;
    Some((format!("component `{file}`"), Form::of(Path::new(file)), bytes))
}
