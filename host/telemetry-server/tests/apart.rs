//! Dropped-in components are compiled by a child process of the server's own binary.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use telemetry_plugins::{Compiler, PluginSettings, PluginState, PluginStatus, Registry, SHIPPED};

fn settings(folder: &Path) -> PluginSettings {
    PluginSettings {
        path: Some(folder.join("plugins")),
        cache_path: Some(folder.join("cache")),
        without_shipped: true,
        compiler: Some(Compiler {
            program: env!("CARGO_BIN_EXE_cylestio-server").into(),
            args: ["plugin", "compile-one"].map(OsString::from).into(),
            memory_mib: 2048,
            seconds: 120,
            quick_seconds: 60,
        }),
        ..PluginSettings::default()
    }
}

/// A shipped component with `more` bytes that mean nothing.
fn component(more: usize) -> Vec<u8> {
    let mut bytes = SHIPPED.iter().find(|shipped| shipped.id == "event-category").unwrap().wasm.to_vec();
    if more > 0 {
        append(&mut bytes, b"fill", &vec![7; more]);
    }
    bytes
}

/// Appends a custom section.
fn append(bytes: &mut Vec<u8>, name: &[u8], content: &[u8]) {
    let body = [&[name.len() as u8][..], name, content].concat();
    bytes.push(0);
    let mut length = body.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(&body);
}

fn put(folder: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    std::fs::write(folder.join("plugins/guest.wasm"), bytes).unwrap();
}

fn only(registry: &Registry) -> PluginStatus {
    registry.current().statuses().remove(0)
}

fn open(settings: &PluginSettings) -> (Registry, Receiver<()>) {
    let (tell, told) = channel();
    (Registry::open(settings, move || tell.send(()).unwrap()).unwrap(), told)
}

#[test]
fn small_ones_serve_when_the_registry_is_open() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &component(0));
    let (registry, _told) = open(&settings(folder.path()));
    let status = only(&registry);
    assert_eq!((status.state, status.error), (PluginState::Serving, None));
    let (again, _told) = open(&settings(folder.path()));
    assert_eq!(only(&again).state, PluginState::Serving);
}

#[test]
fn large_ones_show_that_they_are_compiled_and_then_serve() {
    let folder = tempfile::tempdir().unwrap();
    let settings = PluginSettings { cache_path: None, ..settings(folder.path()) };
    put(folder.path(), &component(2 << 20));
    let (registry, told) = open(&settings);
    assert_eq!(only(&registry).state, PluginState::Compiling);
    told.recv_timeout(Duration::from_secs(120)).unwrap();
    registry.reload(&settings);
    assert_eq!(only(&registry).state, PluginState::Serving);
    // The version before goes on while the next one is compiled.
    put(folder.path(), &component(3 << 20));
    registry.reload(&settings);
    let status = only(&registry);
    assert_eq!((status.state, status.next.map(|next| next.state)), (PluginState::Serving, Some(PluginState::Compiling)));
    told.recv_timeout(Duration::from_secs(120)).unwrap();
    registry.reload(&settings);
    assert_eq!(only(&registry).next, None);
}

#[test]
fn a_compiler_over_its_caps_ends_and_says_so_until_told_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &component(0));
    let mut settings = settings(folder.path());
    let enough = settings.compiler.replace(Compiler { memory_mib: 20, ..settings.compiler.clone().unwrap() });
    let (registry, told) = open(&settings);
    let status = only(&registry);
    assert_eq!(status.state, PluginState::Refused);
    assert!(status.error.unwrap().contains("20 MiB"));
    // It tells so from its own thread, which may be a moment later.
    told.recv_timeout(Duration::from_secs(120)).unwrap();
    registry.reload(&settings);
    assert!(told.try_recv().is_err(), "not tried again");
    registry.retry();
    registry.reload(&settings);
    told.recv_timeout(Duration::from_secs(120)).unwrap();
    assert!(enough.is_some());
}

/// A component under 1 MB with one function of thousands of live values and branches, that looks like an enricher.
fn giant() -> Vec<u8> {
    use std::fmt::Write as _;
    let mut steps = String::new();
    for at in 0..24_000_usize {
        let (one, two, three) = (1 + at % 4000, 1 + (at * 7919) % 4000, 1 + (at * 104_729) % 4000);
        write!(
            steps,
            "(local.set {one} (i64.add (i64.load (local.get 0)) (i64.mul (local.get {two}) (local.get {three}))))
            (br_if {} (i64.eqz (local.get {one})))",
            at % 50
        )
        .unwrap();
    }
    let locals = format!("(local {})", "i64 ".repeat(4000));
    let text = format!(
        r#"(component
          (core module (memory 1) (func (param i32) {locals} {} {steps} {}))
          (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#,
        "(block ".repeat(50),
        ")".repeat(50)
    );
    let mut bytes = wat::parse_str(text).unwrap();
    let manifest = "id = \"giant\"\nversion = \"1\"\nkind = \"enricher\"\n[[writes]]\nkey = \"giant.mark\"\ntype = \"text\"\n";
    append(&mut bytes, b"agent-telemetry:manifest", manifest.as_bytes());
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    bytes
}

#[test]
fn one_that_exhausts_its_compilers_memory_is_refused_with_the_caps_named() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &giant());
    let mut settings = settings(folder.path());
    settings.compiler = settings.compiler.map(|compiler| Compiler { memory_mib: 1400, ..compiler });
    let (registry, told) = open(&settings);
    told.recv_timeout(Duration::from_secs(300)).unwrap();
    registry.reload(&settings);
    let status = only(&registry);
    let error = status.error.unwrap();
    assert_eq!(status.state, PluginState::Refused);
    assert!(error.contains("memory allocation of") && error.contains("1400 MiB of memory"), "{error}");
}

#[test]
fn one_that_keeps_its_compiler_busy_holds_up_no_other_and_ends_by_its_cap() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &giant());
    std::fs::write(folder.path().join("plugins/other.wasm"), component(0)).unwrap();
    let mut settings = settings(folder.path());
    settings.compiler = settings.compiler.map(|compiler| Compiler { memory_mib: 8192, seconds: 2, quick_seconds: 1, ..compiler });
    let (registry, told) = open(&settings);
    let state = |id: &str| registry.current().statuses().into_iter().find(|status| status.id == id).unwrap();
    assert_eq!(state("event-category").state, PluginState::Serving);
    // The small one has ended; the giant has begun again in the other lane.
    told.recv_timeout(Duration::from_secs(120)).unwrap();
    if state("giant").state == PluginState::Compiling {
        told.recv_timeout(Duration::from_secs(120)).unwrap();
    }
    registry.reload(&settings);
    let error = state("giant").error.unwrap();
    assert!(error.contains("was ended by the system") && error.contains("2 s of CPU time"), "{error}");
    assert_eq!(state("event-category").state, PluginState::Serving);
}
