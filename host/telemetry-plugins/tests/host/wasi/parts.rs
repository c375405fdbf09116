//! Each part of WASI works where it is granted, and everything beside it is refused.

use std::collections::BTreeMap;
use std::path::Path;

use telemetry_model::Family;
use telemetry_plugins::{Catalog, Grants, MANIFEST_SECTION, PluginSettings, PluginState};

use super::KEY;
use crate::guest::{Table, append, component_of, doubler_manifest, doubler_with};
use crate::loading::{Folder, settings};

const IO: &str = "package wasi:io@0.2.0;
    interface poll { resource pollable { block: func(); } }
    interface streams { resource input-stream; resource output-stream; }";

const CLOCKS: &str = "package wasi:clocks@0.2.0;
    interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }";

const RANDOM: &str = "package wasi:random@0.2.0; interface random { get-random-u64: func() -> u64; }";

const CLI: &str = "package wasi:cli@0.2.0; interface environment { get-environment: func() -> list<tuple<string, string>>; }";

const FILESYSTEM: &str = "package wasi:filesystem@0.2.0;
    interface types {
        flags descriptor-flags { read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory }
        flags path-flags { symlink-follow }
        flags open-flags { create, directory, exclusive, truncate }
        enum error-code { access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large,
            illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop, too-many-links, message-size,
            name-too-long, no-device, no-entry, no-lock, insufficient-memory, insufficient-space, not-directory, not-empty,
            not-recoverable, unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek,
            text-file-busy, cross-device }
        resource descriptor {
            open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags)
                -> result<descriptor, error-code>;
        }
    }
    interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }";

const SOCKETS: &str = "package wasi:sockets@0.2.0;
    interface network {
        resource network;
        enum error-code { unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
            not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use, remote-unreachable,
            connection-refused, connection-reset, connection-aborted, datagram-too-large, name-unresolvable,
            temporary-resolver-failure, permanent-resolver-failure }
        enum ip-address-family { ipv4, ipv6 }
        record ipv4-socket-address { port: u16, address: tuple<u8, u8, u8, u8> }
        record ipv6-socket-address { port: u16, flow-info: u32, address: tuple<u16, u16, u16, u16, u16, u16, u16, u16>, scope-id: u32 }
        variant ip-socket-address { ipv4(ipv4-socket-address), ipv6(ipv6-socket-address) }
    }
    interface instance-network { use network.{network}; instance-network: func() -> network; }
    interface tcp {
        use wasi:io/streams@0.2.0.{input-stream, output-stream};
        use wasi:io/poll@0.2.0.{pollable};
        use network.{network, error-code, ip-socket-address};
        resource tcp-socket {
            start-connect: func(network: borrow<network>, remote-address: ip-socket-address) -> result<_, error-code>;
            finish-connect: func() -> result<tuple<input-stream, output-stream>, error-code>;
            subscribe: func() -> pollable;
        }
    }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
    }";

/// An enricher that puts a number in place of its first row's, by `before`; it comes back doubled.
struct Probe {
    packages: &'static [&'static str],
    world: &'static str,
    imports: &'static str,
    before: &'static str,
}

const VARIABLES: Probe = Probe {
    packages: &[CLI],
    world: "import wasi:cli/environment@0.2.0;",
    imports: r#"(import "wasi:cli/environment@0.2.0" "get-environment" (func $variables (param i32)))"#,
    // 100 and their number, and 256 times the first byte of the first one's value.
    before: r"(call $variables (i32.const 2048))
        (i64.store (local.get $data) (i64.extend_i32_u (i32.add (i32.const 100) (i32.load (i32.const 2052)))))
        (if (i32.load (i32.const 2052)) (then (i64.store (local.get $data) (i64.add (i64.load (local.get $data))
            (i64.mul (i64.const 256) (i64.load8_u (i32.load offset=8 (i32.load (i32.const 2048)))))))))",
};

const NOISE: Probe = Probe {
    packages: &[RANDOM],
    world: "import wasi:random/random@0.2.0;",
    imports: r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))"#,
    before: "(i64.store (local.get $data) (i64.or (i64.const 1024) (i64.shr_u (call $random) (i64.const 8))))",
};

const TIME: Probe = Probe {
    packages: &[CLOCKS],
    world: "import wasi:clocks/wall-clock@0.2.0;",
    imports: r#"(import "wasi:clocks/wall-clock@0.2.0" "now" (func $now (param i32)))"#,
    before: "(call $now (i32.const 2048)) (i64.store (local.get $data) (i64.load (i32.const 2048)))",
};

const FILES: Probe = Probe {
    packages: &[FILESYSTEM],
    world: "import wasi:filesystem/types@0.2.0; import wasi:filesystem/preopens@0.2.0;",
    imports: r#"(import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $folders (param i32)))
        (import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at"
            (func $open (param i32 i32 i32 i32 i32 i32 i32)))
        (data (i32.const 1600) "in.txt............/secret.txt.../etc/passwd.....link.txt........new.txt.........")
        (data (i32.const 1700) "\06\0d\0b\08\07")"#,
    // At 100 to 104 opens one of five paths in the first folder: 100 when it opens, else 101 and the error. At 110: 100 and the
    // number of folders.
    before: r"(call $folders (i32.const 2048))
        (if (i64.eq (i64.load (local.get $data)) (i64.const 110))
            (then (i64.store (local.get $data) (i64.extend_i32_u (i32.add (i32.const 100) (i32.load (i32.const 2052))))))
            (else
                (local.set $row (i32.sub (i32.wrap_i64 (i64.load (local.get $data))) (i32.const 100)))
                (call $open (i32.load (i32.load (i32.const 2048))) (i32.const 1)
                    (i32.add (i32.const 1600) (i32.mul (local.get $row) (i32.const 16)))
                    (i32.load8_u (i32.add (i32.const 1700) (local.get $row)))
                    (i32.eq (local.get $row) (i32.const 4))
                    (i32.add (i32.const 1) (i32.eq (local.get $row) (i32.const 4)))
                    (i32.const 2064))
                (local.set $row (i32.const 0))
                (i64.store (local.get $data) (i64.const 100))
                (if (i32.load8_u (i32.const 2064)) (then
                    (i64.store (local.get $data) (i64.add (i64.const 101) (i64.load8_u (i32.const 2068))))))))",
};

const CONNECTS: Probe = Probe {
    packages: &[IO, SOCKETS],
    world: "import wasi:io/poll@0.2.0; import wasi:sockets/instance-network@0.2.0; import wasi:sockets/tcp@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;",
    imports: r#"(import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $socket (param i32 i32)))
        (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect"
            (func $connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.subscribe" (func $subscribe (param i32) (result i32)))
        (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.finish-connect" (func $finish (param i32 i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#,
    // Connects to a port of 127.0.0.1: 100 when it is through, 101 and the error when it may not, 200 and the error when it fails.
    before: r"(call $socket (i32.const 0) (i32.const 2048))
        (if (i32.load8_u (i32.const 2048)) (then (i64.store (local.get $data) (i64.const 999)))
            (else
                (call $connect (i32.load (i32.const 2052)) (call $network) (i32.const 0)
                    (i32.wrap_i64 (i64.load (local.get $data))) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2064))
                (if (i32.load8_u (i32.const 2064))
                    (then (i64.store (local.get $data) (i64.add (i64.const 101) (i64.load8_u (i32.const 2065)))))
                    (else
                        (call $block (call $subscribe (i32.load (i32.const 2052))))
                        (call $finish (i32.load (i32.const 2052)) (i32.const 2080))
                        (i64.store (local.get $data) (i64.const 100))
                        (if (i32.load8_u (i32.const 2080)) (then
                            (i64.store (local.get $data) (i64.add (i64.const 200) (i64.load8_u (i32.const 2084))))))))))",
};

impl Probe {
    fn component(&self, asks: &[&str]) -> Vec<u8> {
        let world =
            format!("package test:probe; world probe {{ {} include agent-telemetry:enricher/enricher-plugin@0.1.0-rc; }}", self.world);
        let packages: Vec<&str> = self.packages.iter().copied().chain([world.as_str()]).collect();
        let mut bytes = component_of("enricher", &packages, "probe", &doubler_with(self.imports, self.before));
        let asks = format!("[capabilities]\nwasi = {asks:?}\n");
        append(&mut bytes, MANIFEST_SECTION, (doubler_manifest("probe", KEY, "doubled") + &asks).as_bytes());
        bytes
    }

    /// What it says when it asks for these parts and is granted those, at a number.
    fn says(&self, asks: &[&str], grants: &[&str], at: i64) -> i64 {
        let folder = Folder::new();
        folder.put("probe", &self.component(asks));
        let environment = BTreeMap::from([("SEEN".to_owned(), "x".to_owned()), ("HIDDEN".to_owned(), "y".to_owned())]);
        let grants = Grants::parse(&format!("[probe]\nwasi = {grants:?}\n")).unwrap();
        let catalog = Catalog::open(PluginSettings { grants, environment, ..settings(&folder) }).unwrap();
        let status = catalog.statuses().remove(0);
        assert_eq!(status.state, PluginState::Serving, "{:?}", status.error);
        let mut table = Table::numbers(KEY, [at]);
        table.family = Some(Family::Other);
        let enrichment = catalog.enrich(&table);
        let value = enrichment.derived[0].first().unwrap_or_else(|| panic!("{:?}", catalog.statuses()[0].last_failure));
        value.value.as_str().parse::<i64>().unwrap().wrapping_div(2)
    }

    /// Why it does not load.
    fn refusal(&self, asks: &[&str], grants: &[&str]) -> String {
        let folder = Folder::new();
        folder.put("probe", &self.component(asks));
        let grants = Grants::parse(&format!("[probe]\nwasi = {grants:?}\n")).unwrap();
        let status = Catalog::open(PluginSettings { grants, ..settings(&folder) }).unwrap().statuses().remove(0);
        assert_eq!(status.state, PluginState::Refused);
        status.error.unwrap()
    }
}

#[test]
fn what_is_not_granted_is_refused_by_name() {
    for (probe, asks) in [
        (VARIABLES, "env:SEEN"),
        (NOISE, "random"),
        (TIME, "clock"),
        (FILES, "read:data"),
        (FILES, "write:data"),
        (CONNECTS, "address:127.0.0.1:9"),
    ] {
        let error = probe.refusal(&[asks], &["env:OTHER", "read:other=/tmp", "address:127.0.0.1:99"]);
        assert!(error.contains(&format!("uses `{asks}` of WASI")), "{error}");
    }
}

#[test]
fn what_is_not_asked_for_is_not_there_whatever_is_granted() {
    let all = ["clock", "random", "env:SEEN", "read:data=/tmp", "address:127.0.0.1:9"];
    for (probe, asks, says) in [
        (&NOISE, "clock", "capabilities.wasi = [\"random\"]"),
        (&TIME, "random", "capabilities.wasi = [\"clock\"]"),
        (&CONNECTS, "clock", "capabilities.wasi = [\"address:IP:PORT\"]"),
    ] {
        let error = probe.refusal(&[asks], &all);
        assert!(error.contains(says), "{error}");
    }
    // Nothing is in the context but what was asked for.
    assert_eq!(VARIABLES.says(&["clock"], &all, 100), 100);
    assert_eq!(FILES.says(&["clock"], &all, 110), 100);
}

#[test]
fn the_clock_and_randomness_are_real() {
    assert!(TIME.says(&["clock"], &["clock"], 100) > 1_600_000_000);
    assert_ne!(NOISE.says(&["random"], &["random"], 100), NOISE.says(&["random"], &["random"], 100));
}

#[test]
fn a_variable_by_name_and_no_other() {
    assert_eq!(VARIABLES.says(&["env:SEEN"], &["env:SEEN", "env:HIDDEN"], 100), 101 + 256 * i64::from(b'x'));
    assert_eq!(VARIABLES.says(&["env:UNSET"], &["env:UNSET"], 100), 100);
}

/// A folder `data` with a file and a link out of it, beside a secret.
fn tree(root: &Path) -> String {
    let data = root.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("in.txt"), "in").unwrap();
    std::fs::write(root.join("secret.txt"), "secret").unwrap();
    std::os::unix::fs::symlink(root.join("secret.txt"), data.join("link.txt")).unwrap();
    data.display().to_string()
}

#[test]
fn a_folder_is_read_and_nothing_outside_it() {
    let root = tempfile::tempdir().unwrap();
    let grant = format!("read:data={}", tree(root.path()));
    let says = |at| FILES.says(&["read:data"], &[&grant], at);
    assert_eq!((says(110), says(100)), (101, 100));
    for (outside, at) in [("above", 101), ("absolute", 102), ("a link", 103), ("writing", 104)] {
        assert!(says(at) > 100, "{outside} is open");
    }
    assert!(!root.path().join("data/new.txt").exists());
}

#[test]
fn a_folder_to_write_is_written_and_nothing_outside_it() {
    let root = tempfile::tempdir().unwrap();
    let grant = format!("write:data={}", tree(root.path()));
    let says = |at| FILES.says(&["write:data"], &[&grant], at);
    assert_eq!((says(100), says(104)), (100, 100));
    assert!(root.path().join("data/new.txt").exists());
    for at in 101..=103 {
        assert!(says(at) > 100);
    }
    let error = FILES.refusal(&["read:data"], &["read:data"]);
    assert!(error.contains("grant it as `read:data=/some/folder`"), "{error}");
}

#[test]
fn an_address_is_reached_and_no_other() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let [port, closed] = [&listener, &other].map(|listener| i64::from(listener.local_addr().unwrap().port()));
    let address = format!("address:127.0.0.1:{port}");
    assert_eq!(CONNECTS.says(&[&address], &[&address], port), 100);
    listener.accept().unwrap();
    // 1 is access-denied.
    assert_eq!(CONNECTS.says(&[&address], &[&address], closed), 201);
}
