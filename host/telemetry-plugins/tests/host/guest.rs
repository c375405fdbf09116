//! Small guests in WebAssembly text, made components here.

use std::collections::BTreeMap;
use std::path::Path;

use telemetry_model::{Family, Field, Rows, Value};
use telemetry_plugins::MANIFEST_SECTION;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The component of a core module for the world of `kind`, without a manifest.
pub fn component(kind: &str, wat: &str) -> Vec<u8> {
    component_of(kind, &[], &format!("{kind}-plugin"), wat)
}

/// The component of a core module for a world of the last of `more` packages, or of `kind`'s when there are none.
pub fn component_of(kind: &str, more: &[&str], world: &str, wat: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let ours = ["types", "host", kind].map(|package| std::fs::read_to_string(wit.join(package).join(format!("{package}.wit"))).unwrap());
    let packages: Vec<_> = ours.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let ids: Vec<_> = packages.iter().map(|text| resolve.push_str("package.wit", text).unwrap()).collect();
    let world = resolve.select_world(&ids[ids.len() - 1..], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// Appends a custom section.
pub fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = Vec::new();
    leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    component.push(0);
    leb(component, body.len());
    component.extend_from_slice(&body);
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A whole plugin.
pub fn plugin(kind: &str, wat: &str, manifest: &str) -> Vec<u8> {
    let mut bytes = component(kind, wat);
    append(&mut bytes, MANIFEST_SECTION, manifest.as_bytes());
    bytes
}

/// Memory, allocator and an always content `configure`.
pub fn module(kind: &str, imports: &str, body: &str) -> String {
    let interface = format!("agent-telemetry:{kind}/{kind}@0.1.0-rc");
    format!(
        r#"(module
  (import "agent-telemetry:host/log@0.1.0-rc" "log" (func $log (param i32 i32 i32)))
  {imports}
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 4096))
  (data (i32.const 1024) "the plugin panicked at row 7")
  (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1)
        (i32.div_u (i32.sub (global.get $free) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))))
    (local.get $at))
  (func $fine (result i32) (i64.store (i32.const 512) (i64.const 0)) (i32.const 512))
  {body})"#
    )
    .replace("INTERFACE", &interface)
}

/// An enricher that gives back its one integer column doubled, and misbehaves at the values 1 to 20.
pub fn doubler() -> String {
    doubler_with("", "")
}

/// The same with more imports, and something done before each batch.
pub fn doubler_with(imports: &str, before: &str) -> String {
    module(
        "enricher",
        imports,
        r#"
  (func (export "INTERFACE#configure") (param i32 i32) (result i32) (call $fine))
  (func $deep (param i32) (result i32)
    (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
  (func (export "INTERFACE#enrich")
    (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (result i32)
    (local $row i32) (local $cell i32) (local $value i64)
    BEFORE
    ;; ok, rows, columns, data: what came in
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $rows))
    (i32.store (i32.const 520) (local.get $columns))
    (i32.store (i32.const 524) (local.get $count))
    (i32.store (i32.const 528) (local.get $data))
    (i32.store (i32.const 532) (local.get $len))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $cell (i32.add (local.get $data) (i32.mul (local.get $row) (i32.const 8))))
        (local.set $value (i64.load (local.get $cell)))
        (if (i64.eq (local.get $value) (i64.const 1)) (then (unreachable)))
        (if (i64.eq (local.get $value) (i64.const 2)) (then (loop $ever (br $ever))))
        (if (i64.eq (local.get $value) (i64.const 3)) (then
          (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)))
        (if (i64.eq (local.get $value) (i64.const 4)) (then
          (drop (memory.grow (i32.const 800))) (i32.store (i32.const 532) (i32.const 50000000))))
        (if (i64.eq (local.get $value) (i64.const 5)) (then (drop (call $deep (i32.const 0)))))
        (if (i64.eq (local.get $value) (i64.const 6)) (then
          (call $log (i32.const 3) (i32.const 1024) (i32.const 28)) (unreachable)))
        (if (i64.eq (local.get $value) (i64.const 7)) (then (i32.store16 (local.get $columns) (i32.const 99))))
        (if (i64.eq (local.get $value) (i64.const 8)) (then (i32.store (i32.const 516) (i32.const 77))))
        (if (i64.eq (local.get $value) (i64.const 9)) (then
          (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 516) (i32.const 1))
          (i32.store (i32.const 520) (i32.const 1024)) (i32.store (i32.const 524) (i32.const 28)) (br $end)))
        (if (i64.eq (local.get $value) (i64.const 10)) (then (i32.store16 (local.get $columns) (i32.const 3))))
        (if (i64.eq (local.get $value) (i64.const 11)) (then (i32.store (i32.const 524) (i32.const 0))))
        (if (i64.eq (local.get $value) (i64.const 12)) (then (i32.store (i32.const 528) (i32.const 0x7ffffff0))))
        (if (i64.eq (local.get $value) (i64.const 13)) (then (i32.store (i32.const 532) (i32.const 4))))
        (if (i64.eq (local.get $value) (i64.const 14)) (then (i32.store16 offset=2 (local.get $columns) (i32.const 4))))
        (if (i64.eq (local.get $value) (i64.const 15)) (then (i32.store offset=8 (local.get $columns) (i32.const 8))))
        (if (i64.eq (local.get $value) (i64.const 16)) (then
          (loop $chatter (call $log (i32.const 1) (i32.const 1024) (i32.const 28))
            (local.set $value (i64.add (local.get $value) (i64.const 1)))
            (br_if $chatter (i64.lt_u (local.get $value) (i64.const 400))))))
        (i64.store (local.get $cell) (i64.mul (i64.load (local.get $cell)) (i64.const 2)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (i32.const 512))"#,
    )
    .replace("BEFORE", before)
}

/// Its manifest under another id and keys.
pub fn doubler_manifest(id: &str, reads: &str, writes: &str) -> String {
    format!(
        "id = \"{id}\"\nversion = \"0.1.0\"\nkind = \"enricher\"\n[[reads]]\nfield = 'attributes[\"{reads}\"]'\ntype = \"integer\"\n[[writes]]\nkey = \"{writes}\"\ntype = \"integer\"\n"
    )
}

/// Rows in memory.
#[derive(Clone, Default)]
pub struct Table {
    pub rows: Vec<BTreeMap<String, Value<'static>>>,
    pub family: Option<Family>,
}

impl Table {
    /// A row for each number, under the attribute `key`.
    pub fn numbers(key: &str, numbers: impl IntoIterator<Item = i64>) -> Self {
        let name = Field::Attribute(key.into()).to_string();
        let rows = numbers.into_iter().map(|number| BTreeMap::from([(name.clone(), Value::Integer(number))])).collect();
        Table { rows, family: None }
    }
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn family(&self, row: usize) -> Family {
        self.family.unwrap_or(Family::ALL[row % 4])
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        self.rows[row].get(&field.to_string()).cloned().unwrap_or(Value::Absent)
    }

    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}
