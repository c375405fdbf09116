//! A plugin that breaks the law of its kind is found out by the derived cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;

use telemetry_devkit::build::componentize_for;
use telemetry_devkit::{BuildNote, CompileCache, verify};

/// An enricher that writes how many rows its batch has.
const COUNTS_ROWS: &str = r#"(module
  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
    (i32.sub (global.get $free) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
  (func (export "agent-telemetry:enricher/enricher@0.1.0-rc#configure") (param i32 i32) (result i32) (i32.const 16))
  (func (export "agent-telemetry:enricher/enricher@0.1.0-rc#enrich")
    (param $rows i32) (param i32 i32 i32 i32) (result i32) (local $row i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
      (i64.store (i32.add (i32.const 1024) (i32.mul (local.get $row) (i32.const 8))) (i64.extend_i32_u (local.get $rows)))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next)))
    (i32.store16 (i32.const 64) (i32.const 2))
    (i32.store (i32.const 68) (local.get $rows))
    (i32.store (i32.const 36) (local.get $rows))
    (i32.store (i32.const 40) (i32.const 64))
    (i32.store (i32.const 44) (i32.const 1))
    (i32.store (i32.const 48) (i32.const 1024))
    (i32.store (i32.const 52) (i32.mul (local.get $rows) (i32.const 8)))
    (i32.const 32)))"#;

#[test]
fn finds_an_enricher_whose_answer_depends_on_the_batch() {
    let manifest = "id = \"counts-rows\"\nversion = \"1\"\nkind = \"enricher\"\n[[reads]]\nfield = \"event.name\"\ntype = \"text\"\n\
                    [[writes]]\nkey = \"rows\"\ntype = \"integer\"\n";
    let folder = tempfile::tempdir().unwrap();
    let note = BuildNote { toolchain: String::new(), source_sha256: String::new(), sdk: String::new() };
    let component = componentize_for("enricher", &wat::parse_str(COUNTS_ROWS).unwrap(), manifest, &note).unwrap();
    fs::write(folder.path().join("counts-rows.wasm"), component).unwrap();
    fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"counts-rows\"\n").unwrap();
    let verdict = verify(folder.path(), &CompileCache::default()).unwrap();
    assert!(!verdict.is_good());
    let broken: Vec<_> = verdict.results.iter().filter(|result| result.failure.is_some()).map(|result| &*result.name).collect();
    assert_eq!(broken, ["derived: every family", "derived: row law"], "{verdict}");
    let text = verdict.to_string();
    assert!(text.contains("expected  {\"rows\":1}") && text.contains("got       {\"rows\":"), "{text}");
}
