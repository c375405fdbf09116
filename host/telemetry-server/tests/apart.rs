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
        }),
        ..PluginSettings::default()
    }
}

/// A shipped component with `more` bytes that mean nothing.
fn component(more: usize) -> Vec<u8> {
    let mut bytes = SHIPPED.iter().find(|shipped| shipped.id == "event-category").unwrap().wasm.to_vec();
    if more > 0 {
        let body = [&[4][..], b"fill", &vec![7; more]].concat();
        bytes.push(0);
        let mut length = body.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(&body);
    }
    bytes
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
