//! Write a plugin by field name. A validator implements [`Validator`], an enricher [`Enricher`], a masker [`Masker`], a metric [`Metric`], and one macro
//! exports it. What the plugin reads and writes stands in its `plugin.toml`; the macro takes the names and types from there.
//!
//! ```text
//! use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};
//!
//! #[derive(Default)]
//! struct Shout;
//!
//! impl Enricher for Shout {
//!     fn enrich(&self, event: &Row, out: &mut Patch) {
//!         out.text("shout.name", event.text("event.name").map(str::to_uppercase).as_deref());
//!     }
//! }
//!
//! export_enricher!(Shout);
//! ```
//!
//! Everything but the component's outer skin runs natively: each exported plugin gets a `cargo test` of its `cases/*.json`, and
//! [`testing`] runs single rows.

#[cfg(target_arch = "wasm32")]
mod arena;
#[doc(hidden)]
pub mod bindings;
mod enricher;
mod host;
mod json;
mod manifest;
mod masker;
mod metric;
mod out;
mod patch;
mod row;
mod settings;
mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod validator;

pub use bindings::types::PluginError;
pub use enricher::Enricher;
pub use host::{Level, log, lookup_exact, lookup_longest_prefix};
pub use manifest::{Declared, Manifest, Plugin, Type};
pub use masker::{Leaf, Masker, Spans};
pub use metric::Metric;
pub use patch::Patch;
pub use row::Row;
pub use settings::Settings;
pub use state::{StateReader, StateWriter};
pub use validator::{Report, Validator};

/// What the export macros use; no part of the interface.
#[doc(hidden)]
pub mod internal {
    pub use crate::enricher::{EnricherComponent, EnricherSlot};
    pub use crate::manifest::{count, parse};
    pub use crate::masker::{MaskerComponent, MaskerSlot};
    pub use crate::metric::MetricComponent;
    pub use crate::validator::{ValidatorComponent, ValidatorSlot};
}

/// Takes `plugin.toml` beside the caller's `Cargo.toml` and ties it to the type.
#[doc(hidden)]
#[macro_export]
macro_rules! __manifest {
    ($type:ty) => {
        impl $crate::Plugin for $type {
            const MANIFEST: &'static $crate::Manifest = {
                const TOML: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));
                const READS: usize = $crate::internal::count(TOML, "reads");
                const WRITES: usize = $crate::internal::count(TOML, "writes");
                static READ: [$crate::Declared; READS] = $crate::internal::parse(TOML, "reads", "field");
                static WRITTEN: [$crate::Declared; WRITES] = $crate::internal::parse(TOML, "writes", "key");
                &$crate::Manifest::new(TOML, &READ, &WRITTEN)
            };
        }
    };
}

/// Exports a type that implements [`Enricher`] as the component's enricher, and tests its `cases/*.json`.
#[macro_export]
macro_rules! export_enricher {
    ($type:ident) => {
        $crate::__manifest!($type);
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            impl $crate::internal::EnricherSlot for $type {
                fn slot() -> &'static ::std::sync::OnceLock<Self> {
                    static SLOT: ::std::sync::OnceLock<$type> = ::std::sync::OnceLock::new();
                    &SLOT
                }
            }
            type Component = $crate::internal::EnricherComponent<$type>;
    $crate::bindings::enricher::__export_enricher!(Component with_types_in $crate::bindings::enricher);
        };
        #[cfg(test)]
        #[test]
        fn cases() {
            $crate::testing::enricher_cases::<$type>(::core::env!("CARGO_MANIFEST_DIR"));
        }
    };
}

/// Exports a type that implements [`Validator`] as the component's validator, and tests its `cases/*.json`.
#[macro_export]
macro_rules! export_validator {
    ($type:ident) => {
        $crate::__manifest!($type);
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            impl $crate::internal::ValidatorSlot for $type {
                fn slot() -> &'static ::std::sync::OnceLock<Self> {
                    static SLOT: ::std::sync::OnceLock<$type> = ::std::sync::OnceLock::new();
                    &SLOT
                }
            }
            type Component = $crate::internal::ValidatorComponent<$type>;
    $crate::bindings::validator::__export_validator!(Component with_types_in $crate::bindings::validator);
        };
        #[cfg(test)]
        #[test]
        fn cases() {
            $crate::testing::validator_cases::<$type>(::core::env!("CARGO_MANIFEST_DIR"));
        }
    };
}

/// Exports a type that implements [`Masker`] as the component's masker, and tests its `cases/*.json`.
#[macro_export]
macro_rules! export_masker {
    ($type:ident) => {
        $crate::__manifest!($type);
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            impl $crate::internal::MaskerSlot for $type {
                fn slot() -> &'static ::std::sync::OnceLock<Self> {
                    static SLOT: ::std::sync::OnceLock<$type> = ::std::sync::OnceLock::new();
                    &SLOT
                }
            }
            type Component = $crate::internal::MaskerComponent<$type>;
    $crate::bindings::masker::__export_masker!(Component with_types_in $crate::bindings::masker);
        };
        #[cfg(test)]
        #[test]
        fn cases() {
            $crate::testing::masker_cases::<$type>(::core::env!("CARGO_MANIFEST_DIR"));
        }
    };
}

/// Exports a type that implements [`Metric`] as the component's metric, and tests its `cases/*.json`, cut and merged in several ways.
#[macro_export]
macro_rules! export_metric {
    ($type:ident) => {
        $crate::__manifest!($type);
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            type Component = $crate::internal::MetricComponent<$type>;
    $crate::bindings::metric::__export_metric!(Component with_types_in $crate::bindings::metric);
        };
        #[cfg(test)]
        #[test]
        fn cases() {
            $crate::testing::metric_cases::<$type>(::core::env!("CARGO_MANIFEST_DIR"));
        }
    };
}
