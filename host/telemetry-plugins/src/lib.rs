//! The component host: loads, limits, grants and calls WebAssembly plugins.
//!
//! The only user of wasmtime. A plugin can fail; the host cannot: whatever a component is, asks, returns or does ends in a typed
//! outcome. A [`Catalog`] holds what is loaded; calls are synchronous and belong on blocking threads.

mod breaker;
mod builds;
mod cache;
mod call;
mod candidate;
mod catalog;
mod compiled;
mod compiler;
mod counters;
mod engine;
mod enrich;
mod grants;
mod guest;
mod journal;
mod load;
mod lock;
mod manifest;
mod mask;
mod metric;
mod open;
mod order;
mod parts;
mod plugin;
mod poison;
mod prices;
mod project;
mod registry;
mod ring;
mod row_hash;
mod rows;
mod rule;
mod runs;
mod settings;
mod settle;
mod shipped;
mod status;
mod table;
mod ticker;
mod validate;
mod wasi;
mod wire;

pub use call::CallError;
pub use candidate::{Stamp, plugin_files};
pub use catalog::{Catalog, CatalogError, MetricUnavailable};
pub use compiler::{Compiler, compile_piped};
pub use counters::CounterValues;
pub use enrich::Enrichment;
pub use grants::{Grant, Grants, GrantsError, Refusal};
pub use guest::thread_cpu_ns;
pub use load::{Form, Inspected, LoadError, inspect, inspect_as, read_component};
pub use lock::{Lock, LockError};
pub use manifest::{
    AskedLimits, BUILD_SECTION, Capabilities, Leaves, MANIFEST_SECTION, Manifest, ManifestError, Parameter, PluginKind, Read, Rollup,
    Schema, SchemaError, TextPlugin, Write,
};
pub use mask::{FoundLeaf, Leaf, LeafField, LeafPart, Masked, Masking, Span};
pub use metric::{Metric, MetricError, MetricRow, MetricRun, MetricSpec, Output};
#[doc(hidden)]
pub use parts::{LiveParts, Parts};
pub use plugin::CallLimits;
pub use prices::{MODEL_PRICES, PriceOverrides, PriceTable, PricesError};
pub use registry::Registry;
pub use ring::LogLine;
pub use row_hash::RowHasher;
pub use settings::{FailureAction, Limits, LookupTable, PluginSettings, Policy, Tables};
pub use shipped::{SCRIPT, SHIPPED, Shipped};
pub use status::{ColumnStatus, NextVersion, Origin, PluginState, PluginStatus};
pub use table::{FileTable, TableError};
pub use validate::{Severity, Validation, Violation};
