//! The plugins that come with the server, embedded as components.

/// An embedded component.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its id, as in its manifest.
    pub id: &'static str,
    /// The component.
    pub wasm: &'static [u8],
}

/// Shipped plugins that the operator switches on.
pub(crate) const OFF_BY_DEFAULT: &[&str] = &["pii-masker"];

/// The component that runs the rules of text plugins; none of [`SHIPPED`], since alone it has nothing to do.
pub const SCRIPT: Shipped = Shipped { id: "script", wasm: include_bytes!("../../../plugins/script/script.wasm") };

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        &[$(Shipped { id: $id, wasm: include_bytes!(concat!("../../../plugins/", $id, "/", $id, ".wasm")) }),*]
    };
}

/// All of them, in the order in which they are loaded.
pub const SHIPPED: &[Shipped] = shipped![
    "secret-masker",
    "pii-masker",
    "event-envelope",
    "genai-attributes",
    "event-category",
    "secret-scan",
    "conversation-turn",
    "prompt-size",
    "tool-loop",
    "llm-cost",
    "token-usage",
    "llm-calls",
    "latency",
    "tool-calls",
    "error-count",
    "session-count",
    "tool-loop-count",
    "cost",
    "unpriced-tokens",
    "alerts",
    "active-agents",
];
