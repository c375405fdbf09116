//! Custom sections at the level of the component: the manifest and the note of the build.

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

/// The section that holds the text of `plugin.toml`.
pub const MANIFEST: &str = "agent-telemetry:manifest";
/// The section that holds a [`BuildNote`] as JSON.
pub const BUILD: &str = "agent-telemetry:build";

/// How a component was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildNote {
    /// The compiler and how it came by its standard library.
    pub toolchain: String,
    /// [`crate::source_digest`] of the folder it was built from.
    pub source_sha256: String,
    /// Name and version of the SDK, as `cylestio-plugin-sdk 0.1.0`.
    pub sdk: String,
}

impl BuildNote {
    /// As a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::json!({"toolchain": self.toolchain, "source_sha256": self.source_sha256, "sdk": self.sdk}).to_string()
    }

    /// Reads what [`BuildNote::to_json`] wrote; a missing member is empty.
    pub fn from_json(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Some(BuildNote { toolchain: member("toolchain"), source_sha256: member("source_sha256"), sdk: member("sdk") })
    }
}

/// Appends a custom section to a component.
pub fn append(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    CustomSection { name: name.into(), data: content.into() }.append_to_component(component);
}

/// The custom section `name` of a component, not of the modules in it.
pub fn section(component: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if depth == 1 && custom.name() == name => return Some(custom.data().to_vec()),
            _ => {}
        }
    }
    None
}
