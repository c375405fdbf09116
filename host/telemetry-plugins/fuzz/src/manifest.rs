//! What a plugin asks for: any bytes as `plugin.toml`.

use telemetry_plugins::{Grants, Lock, Manifest, PluginKind};

/// Parses `bytes` as a manifest, and as the operator's own files, which a slip of the hand must not make worse than a sentence.
pub fn run(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => check(&manifest),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (Grants::parse(text).map_err(|error| error.to_string()), Lock::parse(text).map_err(|error| error.to_string()));
    }
}

/// What a manifest that was let through keeps to.
fn check(manifest: &Manifest) {
    assert!((1..=64).contains(&manifest.id.len()) && manifest.id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')));
    assert!(manifest.reads.len() <= 64 && manifest.writes.len() <= 64);
    assert!(manifest.kind == PluginKind::Metric || manifest.rollup.is_none());
    let mut keys: Vec<_> = manifest.writes.iter().map(|write| &write.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), manifest.writes.len());
    for read in &manifest.reads {
        let again = telemetry_model::Field::parse(&read.field.to_string(), manifest.source);
        assert_eq!(again.as_ref().ok(), Some(&read.field), "a field's own text names it");
    }
}
