//! WASI: refused without a grant, empty but for what was granted, and no way to hold a thread.

mod parts;

use telemetry_model::Family;
use telemetry_model::outcome::RunOutcome;
use telemetry_plugins::{Catalog, Grants, Limits, MANIFEST_SECTION, PluginSettings, PluginState, Policy};

use crate::guest::{Table, append, component_of, doubler_manifest, doubler_with};
use crate::loading::{Folder, settings};

const KEY: &str = "llm.usage.n";
const GRANT: &str = "[sleeper]\nwasi = [\"clock\"]\n";

/// An enricher that sleeps as many milliseconds as its first row says.
fn sleeper(asks: &str) -> Vec<u8> {
    let io = "package wasi:io@0.2.0; interface poll { resource pollable { block: func(); } }";
    let clocks = "package wasi:clocks@0.2.0; interface monotonic-clock { use wasi:io/poll@0.2.0.{pollable}; subscribe-duration: func(when: u64) -> own<pollable>; }";
    let world = "package test:sleeper; world sleeper { import wasi:clocks/monotonic-clock@0.2.0; include agent-telemetry:enricher/enricher-plugin@0.1.0-rc; }";
    let imports = r#"
      (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
      (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
    let before = "(call $block (call $timer (i64.mul (i64.load (local.get $data)) (i64.const 1000000))))";
    let mut bytes = component_of("enricher", &[io, clocks, world], "sleeper", &doubler_with(imports, before));
    append(&mut bytes, MANIFEST_SECTION, (doubler_manifest("sleeper", KEY, "doubled") + asks).as_bytes());
    bytes
}

const ASKS: &str = "[capabilities]\nwasi = [\"clock\"]\n";

fn granted(folder: &Folder) -> PluginSettings {
    let limits = Limits { wasi_wall_ms: 200, ..Limits::default() };
    PluginSettings { grants: Grants::parse(GRANT).unwrap(), limits, ..settings(folder) }
}

#[test]
fn wasi_is_refused_unless_asked_for_and_granted() {
    let folder = Folder::new();
    folder.put("sleeper", &sleeper(""));
    let status = Catalog::open(granted(&folder)).unwrap().statuses().remove(0);
    let error = status.error.unwrap();
    assert!(error.contains("does not ask for it: capabilities.wasi = [\"clock\"]") || error.contains("asks for no part"), "{error}");
    folder.put("sleeper", &sleeper(ASKS));
    for policy in [Policy::Metadata, Policy::Open] {
        let status = Catalog::open(PluginSettings { policy, ..settings(&folder) }).unwrap().statuses().remove(0);
        assert_eq!(status.grant.as_deref(), Some(GRANT));
    }
    assert_eq!(Catalog::open(granted(&folder)).unwrap().statuses()[0].state, PluginState::Serving);
    folder.put("sleeper", &sleeper("[capabilities]\nwasi = [\"clock\", \"network\"]\n"));
    let error = Catalog::open(granted(&folder)).unwrap().statuses().remove(0).error.unwrap();
    assert!(error.contains("network") && error.contains("never links"), "{error}");
}

#[test]
fn a_plugin_that_waits_is_ended_by_wall_time_and_only_its_row_fails() {
    let folder = Folder::new();
    folder.put("sleeper", &sleeper(ASKS));
    let catalog = Catalog::open(granted(&folder)).unwrap();
    // The sleep goes by the first row: the batch fails, and alone only that row does.
    let mut table = Table::numbers(KEY, [3_600_000, 20, 30]);
    table.family = Some(Family::Other);
    let enrichment = catalog.enrich(&table);
    let outcomes: Vec<_> = enrichment.runs.iter().map(|runs| runs[0].outcome).collect();
    assert_eq!(outcomes, [RunOutcome::Deadline, RunOutcome::Ok, RunOutcome::Ok]);
    assert_eq!(enrichment.derived[1][0].value.as_str(), "40");
    assert_eq!(catalog.statuses()[0].counters.unwrap().deadlines, 2);
}
