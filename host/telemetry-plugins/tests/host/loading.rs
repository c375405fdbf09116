//! What loads and what is refused, and why.

use telemetry_plugins::{Catalog, Grants, MANIFEST_SECTION, PluginSettings, PluginState, PluginStatus, Policy};

use crate::guest::{append, component, doubler, doubler_manifest, module, plugin};

/// A drop-in folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.0.path().join("plugins")).unwrap();
        std::fs::write(self.0.path().join("plugins").join(format!("{name}.wasm")), bytes).unwrap();
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

pub fn settings(folder: &Folder) -> PluginSettings {
    PluginSettings {
        path: Some(folder.path().join("plugins")),
        cache_path: Some(folder.path().join("cache")),
        without_shipped: true,
        ..PluginSettings::default()
    }
}

fn only(folder: &Folder) -> PluginStatus {
    let mut statuses = Catalog::open(settings(folder)).unwrap().statuses();
    assert_eq!(statuses.len(), 1);
    statuses.remove(0)
}

fn refusal(bytes: &[u8]) -> String {
    let folder = Folder::new();
    folder.put("guest", bytes);
    let status = only(&folder);
    assert_eq!(status.state, PluginState::Refused, "{status:?}");
    status.error.unwrap()
}

fn good() -> Vec<u8> {
    plugin("enricher", &doubler(), &doubler_manifest("doubler", "llm.usage.n", "doubled"))
}

#[test]
fn serves_without_a_folder() {
    assert!(Catalog::open(settings(&Folder::new())).unwrap().statuses().is_empty());
}

#[test]
fn loads_a_metadata_plugin_that_is_dropped_in() {
    let folder = Folder::new();
    folder.put("guest", &good());
    for _ in 0..2 {
        let status = only(&folder);
        assert_eq!((status.state, status.error), (PluginState::Serving, None));
        assert_eq!((&*status.id, status.reads[0].class), ("doubler", "metadata"));
    }
    assert!(std::fs::read_dir(folder.path().join("cache")).unwrap().count() == 1);
    serde_json::to_value(only(&folder)).unwrap();
}

#[test]
fn a_spoilt_cache_entry_is_compiled_again() {
    let folder = Folder::new();
    folder.put("guest", &good());
    only(&folder);
    let entry = std::fs::read_dir(folder.path().join("cache")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&entry).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&entry, &bytes).unwrap();
    assert_eq!(only(&folder).state, PluginState::Serving);
    assert_ne!(std::fs::read(&entry).unwrap(), bytes);
}

#[test]
fn refuses_what_is_no_component() {
    assert!(refusal(b"").contains("parse"));
    assert!(refusal(b"not wasm at all").contains("parse"));
    assert!(refusal(&wat::parse_str(doubler()).unwrap()).contains("a core module"));
    let good = good();
    for len in [7, 100, good.len() / 2, good.len() - 3] {
        assert!(refusal(&good[..len]).contains("parse"), "{len}");
    }
}

#[test]
fn refuses_manifests_that_are_absent_doubled_inner_or_hostile() {
    let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled");
    assert!(refusal(&component("enricher", &doubler())).contains("has no custom section"));
    let mut twice = good();
    append(&mut twice, MANIFEST_SECTION, manifest.as_bytes());
    assert!(refusal(&twice).contains("2 custom sections"));
    let inner = doubler().replacen("(module", &format!("(module (@custom \"{MANIFEST_SECTION}\" \"id = 1\")"), 1);
    assert!(refusal(&plugin("enricher", &inner, &manifest)).contains("inside a core module"));
    assert!(refusal(&plugin("enricher", &doubler(), &(manifest.clone() + "[extra]\n"))).contains("line 10: unknown field `extra`"));
    assert!(refusal(&plugin("enricher", &doubler(), &manifest.replace("doubler", "../../etc"))).contains("kebab-case"));
    assert!(refusal(&plugin("enricher", &doubler(), "\u{0}\u{1}")).contains("line 1"));
}

#[test]
fn refuses_another_interface() {
    let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled");
    let as_metric = manifest.replace("enricher", "metric");
    let error = refusal(&plugin("enricher", &doubler(), &as_metric));
    assert!(error.contains("a metric exports `agent-telemetry:metric/metric@0.1.0-rc`, this exports `agent-telemetry:enricher"), "{error}");
    let other = String::from_utf8_lossy(&good()).into_owned();
    assert!(other.contains("0.1.0-rc"));
    let mut bytes = good();
    replace(&mut bytes, b"agent-telemetry:enricher/enricher@0.1.0-rc", b"agent-telemetry:enricher/enricher@0.2.0-rc");
    assert!(refusal(&bytes).contains("another series"), "{}", refusal(&bytes));
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let places: Vec<_> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn refuses_imports_that_the_host_does_not_offer() {
    let mut wasi = wat::parse_str(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#).unwrap();
    append(&mut wasi, MANIFEST_SECTION, doubler_manifest("doubler", "llm.usage.n", "doubled").as_bytes());
    assert!(refusal(&wasi).contains("exports no interface"), "{}", refusal(&wasi));
    for (import, says) in [
        ("wasi:http/outgoing-handler@0.2.0", "never linked"),
        ("wasi:sockets/tcp@0.2.0", "capabilities.wasi = [\"address:IP:PORT\"]"),
        ("wasi:clocks/wall-clock@0.2.0", "capabilities.wasi = [\"clock\"]"),
        ("wasi:io/poll@0.2.0", "asks for no part of WASI"),
        ("agent-telemetry:host/files@0.1.0-rc", "does not offer"),
        ("agent-telemetry:host/log@0.2.0", "another series"),
        ("agent-telemetry:host/lookup@0.1.0-rc", "capabilities.lookup"),
    ] {
        let text = format!(
            r#"(component (import "{import}" (instance)) (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#
        );
        let mut bytes = wat::parse_str(text).unwrap();
        append(&mut bytes, MANIFEST_SECTION, doubler_manifest("doubler", "llm.usage.n", "doubled").as_bytes());
        assert!(refusal(&bytes).contains(says), "{}", refusal(&bytes));
    }
}

#[test]
fn names_of_a_hostile_component_are_quoted_short_and_without_control_characters() {
    let import = format!("x\u{1b}[31m\n{}", "y".repeat(50_000));
    let instance = |name: &str| {
        let mut imports = wasm_encoder::ComponentImportSection::new();
        let mut types = wasm_encoder::ComponentTypeSection::new();
        types.instance(&wasm_encoder::InstanceType::new());
        imports.import(name, wasm_encoder::ComponentTypeRef::Instance(0));
        let mut exports = wasm_encoder::ComponentExportSection::new();
        exports.export("agent-telemetry:enricher/enricher@0.1.0-rc", wasm_encoder::ComponentExportKind::Instance, 0, None);
        let mut component = wasm_encoder::Component::new();
        component.section(&types).section(&imports).section(&exports);
        component.finish()
    };
    let mut bytes = instance(&import);
    append(&mut bytes, MANIFEST_SECTION, doubler_manifest("doubler", "llm.usage.n", "doubled").as_bytes());
    let error = refusal(&bytes);
    assert!(error.starts_with("interface: imports `x\\u{1b}[31m\\nyyy") && error.len() < 400, "{error}");
}

#[test]
fn refuses_an_interface_without_its_functions() {
    let text = r#"(component (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    let mut bytes = wat::parse_str(text).unwrap();
    append(&mut bytes, MANIFEST_SECTION, doubler_manifest("doubler", "llm.usage.n", "doubled").as_bytes());
    assert!(refusal(&bytes).contains("has no function `configure`"), "{}", refusal(&bytes));
}

#[test]
fn refuses_shared_memory() {
    let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled");
    let text = r#"(component
      (core module (memory 1 1 shared))
      (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    let mut bytes = wat::parse_str(text).unwrap();
    append(&mut bytes, MANIFEST_SECTION, manifest.as_bytes());
    let error = refusal(&bytes);
    assert!(error.contains("compile") && error.contains("threads must be enabled"), "{error}");
}

#[test]
fn refuses_one_that_fails_to_start_or_wants_too_much() {
    let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled");
    let configure = r#"(func (export "INTERFACE#configure") (param i32 i32) (result i32)"#;
    let configure = configure.replace("INTERFACE", "agent-telemetry:enricher/enricher@0.1.0-rc");
    let looping = doubler().replace(&format!("{configure} (call $fine))"), &format!("{configure} (loop $ever (br $ever)) (call $fine))"));
    let error = refusal(&plugin("enricher", &looping, &manifest));
    assert!(error.starts_with("configure: used up its"), "{error}");
    let huge = doubler().replace("(memory (export \"memory\") 2)", "(memory (export \"memory\") 2000)");
    assert!(refusal(&plugin("enricher", &huge, &manifest)).contains("instantiate: was refused memory"));
    let asks = manifest.clone() + "[limits]\nmemory_mib = 65\n";
    assert!(refusal(&plugin("enricher", &doubler(), &asks)).contains("asks for 65 MiB of memory, the ceiling is 64"));
}

#[test]
fn a_masker_needs_the_grant_that_the_refusal_prints() {
    let text = r#"(component (instance $i) (export "agent-telemetry:masker/masker@0.1.0-rc" (instance $i)))"#;
    let mut bytes = wat::parse_str(text).unwrap();
    append(&mut bytes, MANIFEST_SECTION, b"id = \"m\"\nversion = \"1\"\nkind = \"masker\"\n");
    let folder = Folder::new();
    folder.put("m", &bytes);
    let catalog = Catalog::open(settings(&folder)).unwrap();
    let status = &catalog.statuses()[0];
    assert!(status.error.as_ref().unwrap().contains("masks, which needs to see every text"), "{status:?}");
    assert!(!catalog.has_maskers(), "what nobody granted stands in nobody's way");
    let granted = PluginSettings { grants: Grants::parse(status.grant.as_ref().unwrap()).unwrap(), ..settings(&folder) };
    let catalog = Catalog::open(granted).unwrap();
    let [(id, reason)] = &catalog.failing_maskers()[..] else { panic!("a masker that is on and cannot run") };
    assert!(id == "m" && reason.contains("has no function"), "{reason}");
}

#[test]
fn content_needs_the_grant_that_the_refusal_prints() {
    let folder = Folder::new();
    folder.put("guest", &plugin("enricher", &doubler(), &doubler_manifest("doubler", "user.id", "doubled")));
    let status = only(&folder);
    assert!(status.error.unwrap().contains("`attributes[\"user.id\"]`, which is content"));
    let granted = PluginSettings { grants: Grants::parse(&status.grant.unwrap()).unwrap(), ..settings(&folder) };
    assert_eq!(Catalog::open(granted).unwrap().statuses()[0].state, PluginState::Serving);
    let open = PluginSettings { policy: Policy::Open, ..settings(&folder) };
    assert_eq!(Catalog::open(open).unwrap().statuses()[0].state, PluginState::Serving);
}

#[test]
fn content_does_not_pass_through_a_derived_key() {
    let folder = Folder::new();
    folder.put("a", &plugin("enricher", &doubler(), &doubler_manifest("a", "user.id", "event.category")));
    folder.put("b", &plugin("enricher", &doubler(), &doubler_manifest("b", "event.category", "llm.usage.last")));
    let open = |grants: &str| {
        let settings = PluginSettings { grants: Grants::parse(grants).unwrap(), ..settings(&folder) };
        Catalog::open(settings).unwrap().statuses()
    };
    let fields = "[a]\nfields = ['attributes[\"user.id\"]']\n";
    let statuses = open(fields);
    assert_eq!(statuses[1].state, PluginState::Refused);
    assert!(statuses[1].error.as_ref().unwrap().contains("event.category"));
    let statuses = open(&format!("{fields}declassify = [\"event.category\"]\n"));
    assert!(statuses.iter().all(|status| status.state == PluginState::Serving), "{statuses:?}");
}

#[test]
fn a_key_or_an_id_is_one_plugins_only() {
    let folder = Folder::new();
    folder.put("1", &plugin("enricher", &doubler(), &doubler_manifest("one", "llm.usage.n", "doubled")));
    folder.put("2", &plugin("enricher", &doubler(), &doubler_manifest("two", "llm.usage.n", "doubled")));
    folder.put("3", &plugin("enricher", &doubler(), &doubler_manifest("one", "llm.usage.n", "other")));
    let errors: Vec<_> = Catalog::open(settings(&folder)).unwrap().statuses().into_iter().filter_map(|status| status.error).collect();
    assert_eq!(errors, ["conflict: `two` and `one` both write `doubled`", "conflict: another plugin has the id `one`"]);
}

#[test]
fn what_is_switched_off_does_not_run() {
    let folder = Folder::new();
    folder.put("guest", &good());
    let settings = PluginSettings { off: ["doubler".to_owned()].into(), ..settings(&folder) };
    assert_eq!(Catalog::open(settings).unwrap().statuses()[0].state, PluginState::SwitchedOff);
}

#[test]
fn configuration_must_fit_its_schema() {
    let folder = Folder::new();
    let manifest = doubler_manifest("doubler", "llm.usage.n", "doubled") + "[config.factor]\ntype = \"integer\"\ndefault = 2\n";
    folder.put("guest", &plugin("enricher", &doubler(), &manifest));
    for (config, ok) in [(r#"{"factor": 3}"#, true), (r#"{"factor": "x"}"#, false), (r#"{"faktor": 3}"#, false)] {
        let config = [("doubler".to_owned(), serde_json::from_str(config).unwrap())].into();
        let settings = PluginSettings { config, ..settings(&folder) };
        let status = Catalog::open(settings).unwrap().statuses().remove(0);
        assert_eq!(status.state == PluginState::Serving, ok, "{:?}", status.error);
    }
}

#[test]
fn refuses_a_file_that_is_too_large_or_no_file() {
    let folder = Folder::new();
    folder.put("guest", b"");
    let path = folder.path().join("plugins/guest.wasm");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    assert!(only(&folder).error.unwrap().contains("1073741824 bytes, at most 33554432"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(only(&folder).error.unwrap().contains("not a regular file"));
    let _ = module("enricher", "", "");
}
