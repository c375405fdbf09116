//! Plugins written for one test: a manifest and a body in WebAssembly text, made a component here.
//!
//! A guest's memory: 448 an empty ok, 512 the answer's header, 544 its column headers, 1024 texts, 65536 the cells it answers with,
//! 131072 and up what the host hands in.

use std::path::Path;

use telemetry_devkit::section::append;
use telemetry_plugins::MANIFEST_SECTION;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The text at address 1024 of every guest.
pub const PANIC: &str = "panicked at 'no such row', src/lib.rs:7";

/// A plugin in the making.
#[derive(Clone)]
pub struct Guest {
    pub id: String,
    pub kind: &'static str,
    /// `plugin.toml`.
    pub manifest: String,
    /// The core module.
    pub wat: String,
    /// What its world has beside the contract: packages, the last with the world `guest`.
    pub packages: &'static [&'static str],
}

impl Guest {
    /// An enricher that reads `llm.usage.n` and writes the integer `<id>.mark`: for each row what `value` leaves on the stack.
    /// `value` may use `$row` and `$n` (s64; 0 when absent).
    pub fn enricher(id: &str, value: &str) -> Guest {
        let manifest = manifest(id, "enricher", &[(r#"attributes["llm.usage.n"]"#, "integer")], &[(&mark(id), "integer")]);
        Guest { id: id.into(), kind: "enricher", manifest, wat: module("enricher", "", &ENRICHER.replace("VALUE", value)), packages: &[] }
    }

    /// An enricher that answers every batch with the same columns of texts, whatever came in.
    pub fn answering(id: &str, answer: &Raw) -> Guest {
        let manifest = manifest(id, "enricher", &[("event.name", "text")], &[(&mark(id), "text")]);
        let body = format!(
            "{}\n(func (export \"INTERFACE#configure\") (param i32 i32) (result i32) (call $fine))\n\
             (func (export \"INTERFACE#enrich\") (param i32 i32 i32 i32 i32) (result i32) (i32.const 512))",
            answer.segments()
        );
        Guest { id: id.into(), kind: "enricher", manifest, wat: module("enricher", "", &body), packages: &[] }
    }

    /// A validator that reads `llm.usage.n`: for each row 0 fine, 1 reject, 2 flag, as `verdict` leaves it on the stack.
    pub fn validator(id: &str, verdict: &str) -> Guest {
        let manifest = manifest(id, "validator", &[(r#"attributes["llm.usage.n"]"#, "integer")], &[]);
        Guest {
            id: id.into(),
            kind: "validator",
            manifest,
            wat: module("validator", "", &VALIDATOR.replace("VERDICT", verdict)),
            packages: &[],
        }
    }

    /// A masker that replaces leaves beginning with `M` by `#`, loops on those beginning with `L` and traps on those beginning with `T`.
    pub fn masker(id: &str) -> Guest {
        let manifest = manifest(id, "masker", &[], &[]);
        Guest { id: id.into(), kind: "masker", manifest, wat: module("masker", "", MASKER), packages: &[] }
    }

    /// A metric over events that sums `llm.usage.n` by group in the column `total`. `take` runs for each row and may use `$n`; what
    /// it leaves on the stack is added.
    pub fn metric(id: &str, take: &str) -> Guest {
        let manifest = manifest(id, "metric", &[(r#"attributes["llm.usage.n"]"#, "integer")], &[("total", "integer")]);
        let imports = r#"(import "[export]INTERFACE" "[resource-new]accumulator" (func $new (param i32) (result i32)))"#;
        Guest { id: id.into(), kind: "metric", manifest, wat: module("metric", imports, &METRIC.replace("TAKE", take)), packages: &[] }
    }

    /// The same guest with the first place of a piece of text in its module replaced.
    pub fn with(mut self, from: &str, to: &str) -> Guest {
        let from = from.replace("INTERFACE", &interface(self.kind));
        assert!(self.wat.contains(&from), "{from} is not in the guest");
        self.wat = self.wat.replacen(&from, &to.replace("INTERFACE", &interface(self.kind)), 1);
        self
    }

    /// An enricher that sleeps as many milliseconds as `llm.usage.n` says before it marks a row; it asks for the clock of WASI.
    pub fn sleeper(id: &str) -> Guest {
        let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
            (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
        let sleeps = "(call $block (call $timer (i64.mul (local.get $n) (i64.const 1000000)))) (local.get $n)";
        let guest = Guest::enricher(id, "(local.get $n)");
        let manifest = guest.manifest + "[capabilities]\nwasi = [\"clock\"]\n";
        let wat = module("enricher", imports, &ENRICHER.replace("VALUE", sleeps));
        Guest { id: id.into(), kind: "enricher", manifest, wat, packages: CLOCK }
    }

    /// An enricher that marks each row with the length of the row `k` of the table `t`, 0 when there is none.
    pub fn asker(id: &str) -> Guest {
        let import = r#"(import "agent-telemetry:host/lookup@0.1.0-rc" "exact" (func $exact (param i32 i32 i32 i32 i32)))"#;
        let asks = "(i32.store16 (i32.const 2000) (i32.const 27508)) (i64.store (i32.const 2016) (i64.const 0))
            (call $exact (i32.const 2000) (i32.const 1) (i32.const 2001) (i32.const 1) (i32.const 2008))
            (i64.load32_u (i32.const 2016))";
        let guest = Guest::enricher(id, "(local.get $n)");
        let manifest = guest.manifest + "[capabilities]\nlookup = [\"t\"]\n";
        let wat = module("enricher", import, &ENRICHER.replace("VALUE", asks));
        Guest { id: id.into(), kind: "enricher", manifest, wat, packages: &[] }
    }

    /// The same guest under another manifest.
    pub fn under(mut self, manifest: impl Into<String>) -> Guest {
        self.manifest = manifest.into();
        self
    }

    /// The component with its manifest.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = component_with(self.kind, self.packages, &self.wat);
        append(&mut bytes, MANIFEST_SECTION, self.manifest.as_bytes());
        bytes
    }

    /// Puts it into the drop-in folder of a server's `folder`.
    pub fn drop_into(&self, folder: &Path) {
        put(folder, &self.id, &self.bytes());
    }
}

/// Puts any bytes into the drop-in folder.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join("plugins").join(format!("{name}.wasm")), bytes).expect("a file");
}

/// The key that [`Guest::enricher`] writes.
pub fn mark(id: &str) -> String {
    format!("{id}.mark")
}

/// A manifest of version 0.1.0.
pub fn manifest(id: &str, kind: &str, reads: &[(&str, &str)], writes: &[(&str, &str)]) -> String {
    let reads = reads.iter().map(|(field, ty)| format!("[[reads]]\nfield = '{field}'\ntype = \"{ty}\"\n"));
    let writes = writes.iter().map(|(key, ty)| format!("[[writes]]\nkey = \"{key}\"\ntype = \"{ty}\"\n"));
    format!("id = \"{id}\"\nversion = \"0.1.0\"\nkind = \"{kind}\"\n{}", reads.chain(writes).collect::<String>())
}

/// An answer as bytes: what a plugin says without anyone having checked it.
#[derive(Clone, Default)]
pub struct Raw {
    pub rows: u32,
    /// kind, bitmaps, count, at.
    pub columns: Vec<(u16, u16, u32, u32)>,
    pub data: Vec<u8>,
    /// Lengths that are told in place of the true ones.
    pub told: (Option<u32>, Option<u32>),
}

impl Raw {
    /// One row with one text, cut by `offsets`.
    pub fn text(offsets: &[u32], text: &[u8]) -> Raw {
        let mut data: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        pad(&mut data);
        data.extend_from_slice(text);
        pad(&mut data);
        Raw { rows: 1, columns: vec![(5, 0, 1, 0)], data, told: (None, None) }
    }

    fn segments(&self) -> String {
        let columns: Vec<u8> = self
            .columns
            .iter()
            .flat_map(|(kind, bitmaps, count, at)| {
                let mut header = [kind.to_le_bytes(), bitmaps.to_le_bytes()].concat();
                header.extend([count.to_le_bytes(), at.to_le_bytes()].concat());
                header
            })
            .collect();
        let told = |told: Option<u32>, len: usize| told.unwrap_or(len as u32);
        let header = [0, self.rows, 544, told(self.told.0, self.columns.len()), 65536, told(self.told.1, self.data.len())];
        let header: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        let segment = |at: u32, bytes: &[u8]| format!("(data (i32.const {at}) \"{}\")\n", escape(bytes));
        segment(512, &header) + &segment(544, &columns) + &segment(65536, &self.data)
    }
}

fn pad(data: &mut Vec<u8>) {
    data.resize(data.len().next_multiple_of(8), 0);
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A core module for a world of `kind` as a component, without a manifest.
pub fn component(kind: &str, wat: &str) -> Vec<u8> {
    component_with(kind, &[], wat)
}

const CLOCK: &[&str] = &[
    "package wasi:io@0.2.0; interface poll { resource pollable { block: func(); } }",
    "package wasi:clocks@0.2.0; interface monotonic-clock {
        use wasi:io/poll@0.2.0.{pollable}; subscribe-duration: func(when: u64) -> own<pollable>; }",
    "package test:guest; world guest {
        import wasi:clocks/monotonic-clock@0.2.0; include agent-telemetry:enricher/enricher-plugin@0.1.0-rc; }",
];

fn component_with(kind: &str, packages: &[&str], wat: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).expect(wat);
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut last = None;
    for package in ["types", "host", kind] {
        let text = std::fs::read_to_string(wit.join(package).join(format!("{package}.wit"))).expect("a WIT file");
        last = Some(resolve.push_str(format!("{package}.wit"), &text).expect("WIT"));
    }
    for text in packages {
        last = Some(resolve.push_str("package.wit", text).expect("WIT"));
    }
    let world = if packages.is_empty() { format!("{kind}-plugin") } else { "guest".to_owned() };
    let world = resolve.select_world(&[last.expect("a package")], Some(&world)).expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    ComponentEncoder::default().module(&module).expect("a module").validate(true).encode().expect("a component")
}

/// A component in its own text, with a manifest.
pub fn raw_component(text: &str, manifest: &str) -> Vec<u8> {
    let mut bytes = wat::parse_str(text).expect(text);
    append(&mut bytes, MANIFEST_SECTION, manifest.as_bytes());
    bytes
}

fn interface(kind: &str) -> String {
    format!("agent-telemetry:{kind}/{kind}@0.1.0-rc")
}

/// Memory, allocator, the host's log, and what bodies call: `$fine` (an empty ok), `$decline`, `$panic`, `$cells` (the address of the first column's cells).
fn module(kind: &str, imports: &str, body: &str) -> String {
    let text = format!(
        r#"(module
  (import "agent-telemetry:host/log@0.1.0-rc" "log" (func $log (param i32 i32 i32)))
  {imports}
  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 131072))
  (data (i32.const 1024) "{PANIC}")
  (data (i32.const 1100) "event.name")
  (data (i32.const 1120) "too-large")
  (data (i32.const 1140) "is too large")
  (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1)
        (i32.div_u (i32.sub (global.get $free) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))))
    (local.get $at))
  (func $fine (result i32) (i64.store (i32.const 448) (i64.const 0)) (i64.store (i32.const 456) (i64.const 0)) (i32.const 448))
  (func $panic (call $log (i32.const 3) (i32.const 1024) (i32.const {})) (unreachable))
  (func $decline (result i32)
    (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 516) (i32.const 2))
    (i32.store (i32.const 520) (i32.const 1140)) (i32.store (i32.const 524) (i32.const 12)) (i32.const 512))
  (func $cells (param $rows i32) (param $columns i32) (param $data i32) (result i32)
    (i32.add (i32.add (local.get $data) (i32.load offset=8 (local.get $columns)))
      (i32.mul (i32.popcnt (i32.load16_u offset=2 (local.get $columns)))
        (i32.and (i32.add (i32.div_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 8)) (i32.const 7)) (i32.const -8)))))
  {body})"#,
        PANIC.len()
    );
    text.replace("INTERFACE", &interface(kind))
}

const ENRICHER: &str = r#"
  (func (export "INTERFACE#configure") (param i32 i32) (result i32) (call $fine))
  (func $value (param $row i32) (param $n i64) (result i64) VALUE)
  (func $answer (param $kind i32) (param $rows i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $rows))
    (i32.store (i32.const 520) (i32.const 544))
    (i32.store (i32.const 524) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 65536))
    (i32.store (i32.const 532) (i32.mul (local.get $rows) (i32.const 8)))
    (i32.store (i32.const 544) (local.get $kind))
    (i32.store (i32.const 548) (local.get $rows))
    (i32.store (i32.const 552) (i32.const 0))
    (i32.const 512))
  (func (export "INTERFACE#enrich")
    (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (result i32)
    (local $row i32) (local $cells i32)
    (local.set $cells (call $cells (local.get $rows) (local.get $columns) (local.get $data)))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (i64.store (i32.add (i32.const 65536) (i32.mul (local.get $row) (i32.const 8)))
          (call $value (local.get $row) (i64.load (i32.add (local.get $cells) (i32.mul (local.get $row) (i32.const 8))))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (call $answer (i32.const 2) (local.get $rows)))"#;

const VALIDATOR: &str = r#"
  (func (export "INTERFACE#configure") (param i32 i32) (result i32) (call $fine))
  (func $verdict (param $row i32) (param $n i64) (result i32) VERDICT)
  (func (export "INTERFACE#validate")
    (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (result i32)
    (local $row i32) (local $cells i32) (local $found i32) (local $at i32) (local $said i32)
    (local.set $cells (call $cells (local.get $rows) (local.get $columns) (local.get $data)))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $said (call $verdict (local.get $row)
          (i64.load (i32.add (local.get $cells) (i32.mul (local.get $row) (i32.const 8))))))
        (if (local.get $said) (then
          (local.set $at (i32.add (i32.const 65536) (i32.mul (local.get $found) (i32.const 32))))
          (i32.store (local.get $at) (local.get $row))
          (i32.store offset=4 (local.get $at) (i32.const 1100)) (i32.store offset=8 (local.get $at) (i32.const 10))
          (i32.store offset=12 (local.get $at) (i32.const 1120)) (i32.store offset=16 (local.get $at) (i32.const 9))
          (i32.store offset=20 (local.get $at) (i32.const 1140)) (i32.store offset=24 (local.get $at) (i32.const 12))
          (i32.store8 offset=28 (local.get $at) (i32.sub (local.get $said) (i32.const 1)))
          (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (i32.const 65536))
    (i32.store (i32.const 520) (local.get $found))
    (i32.const 512))"#;

const MASKER: &str = r#"
  (func (export "INTERFACE#configure") (param i32 i32) (result i32) (call $fine))
  (func $header (param $at i32) (param $kind i32) (param $count i32) (param $start i32)
    (i32.store (local.get $at) (local.get $kind))
    (i32.store offset=4 (local.get $at) (local.get $count))
    (i32.store offset=8 (local.get $at) (local.get $start)))
  (func (export "INTERFACE#mask")
    (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (result i32)
    (local $row i32) (local $offsets i32) (local $texts i32) (local $at i32) (local $size i32) (local $first i32) (local $found i32)
    (local.set $offsets (i32.add (local.get $data) (i32.load offset=32 (local.get $columns))))
    (local.set $texts (i32.add (local.get $offsets)
      (i32.and (i32.add (i32.mul (i32.add (local.get $rows) (i32.const 1)) (i32.const 4)) (i32.const 7)) (i32.const -8))))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $at (i32.add (local.get $offsets) (i32.mul (local.get $row) (i32.const 4))))
        (local.set $size (i32.sub (i32.load offset=4 (local.get $at)) (i32.load (local.get $at))))
        (local.set $first (i32.const 0))
        (if (local.get $size) (then
          (local.set $first (i32.load8_u (i32.add (local.get $texts) (i32.load (local.get $at)))))))
        (if (i32.eq (local.get $first) (i32.const 76)) (then (loop $ever (br $ever))))
        (if (i32.eq (local.get $first) (i32.const 84)) (then (unreachable)))
        (if (i32.eq (local.get $first) (i32.const 77)) (then
          (i64.store (i32.add (i32.const 65536) (i32.mul (local.get $found) (i32.const 8))) (i64.extend_i32_u (local.get $row)))
          (i64.store (i32.add (i32.const 98304) (i32.mul (local.get $found) (i32.const 8))) (i64.extend_i32_u (local.get $size)))
          (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (local.set $at (i32.mul (local.get $found) (i32.const 8)))
    (memory.copy (i32.add (i32.const 65536) (i32.mul (local.get $at) (i32.const 2))) (i32.const 98304) (local.get $at))
    (local.set $size (i32.and (i32.add (i32.mul (i32.add (local.get $found) (i32.const 1)) (i32.const 4)) (i32.const 7)) (i32.const -8)))
    (local.set $offsets (i32.add (i32.const 65536) (i32.mul (local.get $at) (i32.const 3))))
    (local.set $texts (i32.add (local.get $offsets) (local.get $size)))
    (local.set $row (i32.const 0))
    (loop $offset
      (i32.store (i32.add (local.get $offsets) (i32.mul (local.get $row) (i32.const 4))) (local.get $row))
      (if (i32.lt_u (local.get $row) (local.get $found)) (then
        (i32.store8 (i32.add (local.get $texts) (local.get $row)) (i32.const 35))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $offset))))
    (call $header (i32.const 544) (i32.const 2) (local.get $found) (i32.const 0))
    (call $header (i32.const 556) (i32.const 2) (local.get $found) (local.get $at))
    (call $header (i32.const 568) (i32.const 2) (local.get $found) (i32.mul (local.get $at) (i32.const 2)))
    (call $header (i32.const 580) (i32.const 5) (local.get $found) (i32.mul (local.get $at) (i32.const 3)))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $found))
    (i32.store (i32.const 520) (i32.const 544))
    (i32.store (i32.const 524) (i32.const 4))
    (i32.store (i32.const 528) (i32.const 65536))
    (i32.store (i32.const 532) (i32.add (i32.sub (local.get $texts) (i32.const 65536))
      (i32.and (i32.add (local.get $found) (i32.const 7)) (i32.const -8))))
    (i32.const 512))"#;

const METRIC: &str = r#"
  (global $groups (mut i32) (i32.const 0))
  (func $take (param $n i64) (result i64) TAKE)
  (func (export "INTERFACE#[static]accumulator.open") (param i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (call $new (i32.const 1)))
    (i32.const 512))
  (func (export "INTERFACE#[method]accumulator.update")
    (param i32) (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (param $groups i32)
    (result i32)
    (local $row i32) (local $cells i32) (local $ids i32) (local $sum i32)
    (global.set $groups (local.get $groups))
    (local.set $cells (call $cells (local.get $rows) (local.get $columns) (local.get $data)))
    (local.set $ids (i32.add (local.get $data) (i32.load offset=20 (local.get $columns))))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $sum (i32.add (i32.const 65536)
          (i32.mul (i32.const 8) (i32.load (i32.add (local.get $ids) (i32.mul (local.get $row) (i32.const 4)))))))
        (i64.store (local.get $sum) (i64.add (i64.load (local.get $sum))
          (call $take (i64.load (i32.add (local.get $cells) (i32.mul (local.get $row) (i32.const 8)))))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (call $fine))
  (func (export "INTERFACE#[method]accumulator.merge") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "INTERFACE#[method]accumulator.state") (param i32) (result i32) (unreachable))
  (func $answer (param $kind i32) (param $rows i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $rows))
    (i32.store (i32.const 520) (i32.const 544))
    (i32.store (i32.const 524) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 65536))
    (i32.store (i32.const 532) (i32.mul (local.get $rows) (i32.const 8)))
    (i32.store (i32.const 544) (local.get $kind))
    (i32.store (i32.const 548) (local.get $rows))
    (i32.store (i32.const 552) (i32.const 0))
    (i32.const 512))
  (func (export "INTERFACE#[method]accumulator.evaluate") (param i32) (result i32)
    (call $answer (i32.const 2) (global.get $groups)))"#;
