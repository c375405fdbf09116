//! Tables of the operator's: granted by name, counted, part of what makes a plugin the same.

use std::sync::Arc;

use telemetry_plugins::{FileTable, Grants, LookupTable, PluginSettings, PluginState, Registry, Tables};

use crate::guest::{Table, doubler_manifest, doubler_with, plugin};
use crate::loading::{Folder, settings};

const KEY: &str = "llm.usage.n";

/// Wants the row `k` of the table `t` before each batch, and that a table which it was not granted has none.
fn asker() -> Vec<u8> {
    let imports = r#"
      (import "agent-telemetry:host/lookup@0.1.0-rc" "exact" (func $exact (param i32 i32 i32 i32 i32)))
      (import "agent-telemetry:host/lookup@0.1.0-rc" "longest-prefix" (func $prefix (param i32 i32 i32 i32 i32)))"#;
    let before = r#"
      (i32.store8 (i32.const 2000) (i32.const 116)) (i32.store8 (i32.const 2001) (i32.const 107))
      (call $exact (i32.const 2000) (i32.const 1) (i32.const 2001) (i32.const 1) (i32.const 2004))
      (if (i32.eqz (i32.load8_u (i32.const 2004))) (then (unreachable)))
      (call $prefix (i32.const 2001) (i32.const 1) (i32.const 2001) (i32.const 1) (i32.const 2004))
      (if (i32.load8_u (i32.const 2004)) (then (unreachable)))"#;
    let manifest = doubler_manifest("asker", KEY, "doubled") + "[capabilities]\nlookup = [\"t\"]\n";
    plugin("enricher", &doubler_with(imports, before), &manifest)
}

/// Settings with the table `t`, and `k` that nobody asks for.
fn with(folder: &Folder, grants: &str, text: &str) -> PluginSettings {
    let path = folder.path().join("t.json");
    std::fs::write(&path, text).unwrap();
    let table = || Arc::new(FileTable::read(&path, "key").unwrap()) as Arc<dyn LookupTable>;
    let tables = Tables([("t".to_owned(), table()), ("k".to_owned(), table())].into());
    PluginSettings { tables, grants: Grants::parse(grants).unwrap(), ..settings(folder) }
}

#[test]
fn a_granted_table_answers_and_is_counted_and_another_one_is_not_there() {
    let folder = Folder::new();
    folder.put("asker", &asker());
    let row = r#"{"n":1}"#;
    let text = format!("{{\"k\":{row}}}");
    let refused = Registry::open(&with(&folder, "", &text), || ()).unwrap().current().statuses();
    assert_eq!(refused[0].state, PluginState::Refused);
    let registry = Registry::open(&with(&folder, refused[0].grant.as_ref().unwrap(), &text), || ()).unwrap();
    let catalog = registry.current();
    assert_eq!(catalog.enrich(&Table::numbers(KEY, [30])).derived[0].len(), 1);
    let counters = catalog.statuses()[0].counters.unwrap();
    assert_eq!((counters.lookups, counters.lookup_bytes, counters.traps), (1, row.len() as u64, 0));
}

#[test]
fn a_table_that_changed_makes_another_plugin_of_those_that_read_it() {
    let folder = Folder::new();
    folder.put("asker", &asker());
    let grant = "[asker]\nlookup = [\"t\"]\n";
    let first = r#"{"k":{"n":1}}"#;
    let registry = Registry::open(&with(&folder, grant, first), || ()).unwrap();
    let derivation = || registry.current().statuses()[0].derivation.clone().unwrap();
    let before = derivation();
    registry.reload(&with(&folder, grant, first));
    assert_eq!(derivation(), before);
    registry.reload(&with(&folder, grant, r#"{"k":{"n":2}}"#));
    assert_ne!(derivation(), before);
}
