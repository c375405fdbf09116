//! Memory of a host whose plugin is replaced again and again; alone in its process, since it looks at the whole of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host/guest.rs"]
mod guest;

use guest::{Table, doubler, doubler_manifest, plugin};
use telemetry_plugins::{PluginSettings, Registry};

/// Pages of the process that are in memory, and places in its address space.
fn memory() -> (usize, usize) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    (statm.split(' ').nth(1).unwrap().parse().unwrap(), maps)
}

#[test]
fn memory_is_given_back_after_two_hundred_swaps() {
    let folder = tempfile::tempdir().unwrap();
    let settings = PluginSettings {
        path: Some(folder.path().join("plugins")),
        cache_path: Some(folder.path().join("cache")),
        without_shipped: true,
        ..PluginSettings::default()
    };
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let put = |version: usize| {
        let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled").replace("0.1.0", &version.to_string());
        std::fs::write(folder.path().join("plugins/doubler.wasm"), plugin("enricher", &doubler(), &manifest)).unwrap();
    };
    put(0);
    let registry = Registry::open(&settings, || ()).unwrap();
    let swap = |version: usize| {
        put(version % 10);
        let catalog = registry.reload(&settings);
        let derived = catalog.enrich(&Table::numbers("llm.usage.n", [30])).derived;
        assert_eq!(&*derived[0][0].plugin.version, (version % 10).to_string());
    };
    // By then everything was compiled once, and every slot of the pool was used.
    (1..=60).for_each(swap);
    let before = memory();
    (61..=260).for_each(swap);
    let after = memory();
    println!("pages and maps: {before:?} before, {after:?} after 200 swaps");
    assert!(after.0 < before.0 + 512, "{before:?} {after:?}");
    assert!(after.1 < before.1 + 8, "{before:?} {after:?}");
}
