//! What wit-bindgen makes of the contract. One world a kind; the shared packages are generated once.
#![allow(missing_docs, clippy::all)]

/// The packages that every kind shares, and the enricher's world.
pub mod enricher {
    wit_bindgen::generate!({
        path: ["../../wit/types", "../../wit/host", "../../wit/enricher"],
        world: "agent-telemetry:enricher/enricher-plugin@0.1.0-rc",
        pub_export_macro: true,
        export_macro_name: "__export_enricher",
        generate_all,
    });
}

/// The validator's world.
pub mod validator {
    wit_bindgen::generate!({
        path: ["../../wit/types", "../../wit/host", "../../wit/validator"],
        world: "agent-telemetry:validator/validator-plugin@0.1.0-rc",
        pub_export_macro: true,
        export_macro_name: "__export_validator",
        with: {
            "agent-telemetry:types/types@0.1.0-rc": crate::bindings::types,
            "agent-telemetry:host/log@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::log,
            "agent-telemetry:host/text@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::text,
            "agent-telemetry:host/lookup@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::lookup,
        },
        generate_all,
    });
}

/// The masker's world.
pub mod masker {
    wit_bindgen::generate!({
        path: ["../../wit/types", "../../wit/host", "../../wit/masker"],
        world: "agent-telemetry:masker/masker-plugin@0.1.0-rc",
        pub_export_macro: true,
        export_macro_name: "__export_masker",
        with: {
            "agent-telemetry:types/types@0.1.0-rc": crate::bindings::types,
            "agent-telemetry:host/log@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::log,
            "agent-telemetry:host/text@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::text,
            "agent-telemetry:host/lookup@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::lookup,
        },
        generate_all,
    });
}

/// The metric's world.
pub mod metric {
    wit_bindgen::generate!({
        path: ["../../wit/types", "../../wit/host", "../../wit/metric"],
        world: "agent-telemetry:metric/metric-plugin@0.1.0-rc",
        pub_export_macro: true,
        export_macro_name: "__export_metric",
        with: {
            "agent-telemetry:types/types@0.1.0-rc": crate::bindings::types,
            "agent-telemetry:host/log@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::log,
            "agent-telemetry:host/text@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::text,
            "agent-telemetry:host/lookup@0.1.0-rc": crate::bindings::enricher::agent_telemetry::host::lookup,
        },
        generate_all,
    });
}

pub use enricher::agent_telemetry::host;
pub use enricher::agent_telemetry::types::types;

/// The registry of column kinds (wit/README.md).
pub(crate) mod kind {
    pub const BOOLEAN: u16 = 1;
    pub const INTEGER: u16 = 2;
    pub const REAL: u16 = 3;
    pub const TIME: u16 = 4;
    pub const TEXT: u16 = 5;
    pub const JSON: u16 = 6;
    pub const BYTES: u16 = 7;
    pub const TEXT_DICTIONARY: u16 = 8;
    pub const GROUP: u16 = 9;
}

/// Bit of a column's bitmaps: rows that have a value.
pub(crate) const PRESENT: u16 = 1;
/// Bit of a column's bitmaps: rows whose value is of another type.
pub(crate) const MISMATCHED: u16 = 2;
