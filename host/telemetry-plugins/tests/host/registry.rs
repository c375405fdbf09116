//! Loading while the host runs: what changes, what stays, who goes on.

use telemetry_plugins::{Catalog, Grants, PluginSettings, PluginState, PluginStatus, Policy, Registry};

use crate::guest::{Table, doubler, doubler_manifest, plugin};
use crate::loading::{Folder, settings};

const KEY: &str = "llm.usage.n";

/// A plugin whose version tells it from others of its id.
fn versioned(id: &str, version: &str, reads: &str, writes: &str) -> Vec<u8> {
    let manifest = doubler_manifest(id, reads, writes).replace("0.1.0", version);
    plugin("enricher", &doubler(), &manifest)
}

fn good(version: &str) -> Vec<u8> {
    versioned("doubler", version, KEY, "doubled")
}

fn registry(folder: &Folder) -> Registry {
    Registry::open(&settings(folder), || ()).unwrap()
}

fn status(catalog: &Catalog, id: &str) -> PluginStatus {
    catalog.statuses().into_iter().find(|status| status.id == id).unwrap()
}

/// State, version and calls.
fn brief(catalog: &Catalog, id: &str) -> (PluginState, String, u64) {
    let status = status(catalog, id);
    (status.state, status.version.unwrap(), status.counters.map_or(0, |counters| counters.calls))
}

#[test]
fn what_did_not_change_keeps_its_counters_and_what_did_is_new() {
    let folder = Folder::new();
    folder.put("doubler", &good("1"));
    folder.put("other", &versioned("other", "1", KEY, "other.n"));
    let registry = registry(&folder);
    registry.current().enrich(&Table::numbers(KEY, [30]));
    folder.put("doubler", &good("2"));
    let catalog = registry.reload(&settings(&folder));
    assert_eq!(brief(&catalog, "other"), (PluginState::Serving, "1".into(), 1));
    assert_eq!(brief(&catalog, "doubler"), (PluginState::Serving, "2".into(), 0));
}

#[test]
fn a_unit_of_work_finishes_on_the_version_it_began_with() {
    let folder = Folder::new();
    folder.put("doubler", &good("1"));
    let registry = registry(&folder);
    let begun = registry.current();
    std::fs::remove_file(folder.path().join("plugins/doubler.wasm")).unwrap();
    assert!(registry.reload(&settings(&folder)).statuses().is_empty());
    let enrichment = begun.enrich(&Table::numbers(KEY, [30]));
    assert_eq!(&*enrichment.derived[0][0].plugin.version, "1");
    assert!(registry.current().enrich(&Table::numbers(KEY, [30])).derived[0].is_empty());
}

#[test]
fn a_broken_file_leaves_the_version_before_serving_and_shows_why() {
    let folder = Folder::new();
    folder.put("doubler", &good("1"));
    let registry = registry(&folder);
    let asks_too_much = good("2").len();
    let too_much = plugin("enricher", &doubler(), &(doubler_manifest("doubler", KEY, "doubled") + "[limits]\nmemory_mib = 9999\n"));
    let ungranted = versioned("doubler", "3", "my.secret", "doubled");
    for (bytes, says) in [
        (&b"nonsense"[..], "parse"),
        (&good("2")[..asks_too_much - 1], "parse"),
        (&too_much, "ceiling"),
        (&ungranted, "my.secret"),
        (&[], "parse"),
    ] {
        folder.put("doubler", bytes);
        let catalog = registry.reload(&settings(&folder));
        let status = status(&catalog, "doubler");
        assert_eq!((status.state, status.version.as_deref()), (PluginState::Serving, Some("1")), "{says}");
        assert!(status.error.as_deref().is_some_and(|error| error.contains(says)), "{status:?}");
        assert_eq!(status.next.unwrap().state, PluginState::Refused);
        assert_eq!(status.grant.is_some(), says == "my.secret");
        assert_eq!(&*catalog.enrich(&Table::numbers(KEY, [30])).derived[0][0].plugin.version, "1");
    }
    folder.put("doubler", &good("4"));
    let status = status(&registry.reload(&settings(&folder)), "doubler");
    assert_eq!((status.version.as_deref(), status.error, status.next), (Some("4"), None, None));
}

#[test]
fn a_grant_makes_a_plugin_serve_and_its_loss_stops_it() {
    let folder = Folder::new();
    folder.put("reader", &versioned("reader", "1", "my.secret", "doubled"));
    let registry = registry(&folder);
    let refused = status(&registry.current(), "reader");
    assert_eq!(refused.state, PluginState::Refused);
    let granted = PluginSettings { grants: Grants::parse(&refused.grant.unwrap()).unwrap(), ..settings(&folder) };
    assert_eq!(status(&registry.reload(&granted), "reader").state, PluginState::Serving);
    let status = status(&registry.reload(&settings(&folder)), "reader");
    assert_eq!((status.state, status.next), (PluginState::Refused, None));
}

#[test]
fn the_version_before_goes_on_only_while_it_may() {
    let folder = Folder::new();
    folder.put("reader", &versioned("reader", "1", "my.secret", "doubled"));
    let open = PluginSettings { policy: Policy::Open, ..settings(&folder) };
    let registry = Registry::open(&open, || ()).unwrap();
    folder.put("reader", b"broken");
    assert_eq!(status(&registry.reload(&open), "reader").state, PluginState::Serving);
    let off = PluginSettings { off: ["other".to_owned()].into(), ..open };
    assert_eq!(status(&registry.reload(&off), "reader").state, PluginState::Serving);
    let error = status(&registry.reload(&settings(&folder)), "reader").error.unwrap();
    assert!(error.contains("my.secret"), "{error}");
    assert!(status(&registry.reload(&off), "reader").error.unwrap().contains("parse"));
}

#[test]
fn a_newcomer_neither_takes_a_key_nor_closes_a_circle() {
    let folder = Folder::new();
    folder.put("n", &versioned("n", "1", "a", "b"));
    let settings = PluginSettings { policy: Policy::Open, ..settings(&folder) };
    let registry = Registry::open(&settings, || ()).unwrap();
    folder.put("c", &versioned("c", "1", "x", "b"));
    folder.put("d", &versioned("d", "1", "b", "a"));
    let catalog = registry.reload(&settings);
    assert_eq!(status(&catalog, "n").state, PluginState::Serving);
    assert!(status(&catalog, "c").error.unwrap().contains("`c` and `n` both write `b`"));
    let error = status(&catalog, "d").error.unwrap();
    assert!(error.contains("`d` and `n` read what the others write"), "{error}");
    std::fs::remove_file(folder.path().join("plugins/n.wasm")).unwrap();
    let catalog = registry.reload(&settings);
    assert_eq!(["c", "d"].map(|id| status(&catalog, id).state), [PluginState::Serving; 2]);
}
