//! A file in the drop-in folder, looked at as far as that goes without compiling it.

use telemetry_plugins::inspect;

/// Looks at `bytes` as a component: sections, manifest, imports, exports.
pub fn run(bytes: &[u8]) {
    match inspect(bytes) {
        Ok(inspected) => assert!(inspected.exports.iter().any(|export| export.starts_with("agent-telemetry:"))),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 8192, "{text}");
            // What a manifest says in words of its author's may be anything; names may not.
            assert!(text.starts_with("manifest: ") || !text.contains(char::is_control), "{text:?}");
        }
    }
}
