//! What only a deterministic plugin allows: running it over what is stored, alone or beside another version of itself, with nothing
//! changed but the journal, which says so.

mod alone;
mod diff;
mod effects;
mod groups;
mod jobs;
mod ledger;
mod opened;
mod preview;
mod replay;
mod said;
mod table;

use telemetry_model::Relation;
use telemetry_plugins::{CatalogError, PluginKind};
use telemetry_store::StoreError;

use crate::analysis::params::InvalidParams;

pub use diff::{Asked, Change, Diff, KeyTotals, Sides, detail, diff};
pub use effects::{Effect, Effects, Untold};
pub use groups::{GroupChange, Groups};
pub use jobs::{job_json, whole_job};
pub use ledger::Ledger;
pub use opened::{Named, Opened, Version};
pub use preview::{Preview, Previewed, preview};
pub use replay::{FailedRow, Replay, RowLine, lines, replay};
pub use table::table;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] CatalogError),
    /// There is no plugin of that id.
    #[error("there is no plugin `{0}`, and no such file")]
    Unknown(String),
    /// It does not load.
    #[error("`{name}` would not load: {reason}")]
    Refused {
        /// A file or an id.
        name: String,
        /// Why.
        reason: String,
        /// Lines for `grants.toml` that would let it.
        grant: Option<String>,
    },
    /// They are not of one kind.
    #[error("`{old}` is of kind {old_kind}, `{new}` of kind {new_kind}: nothing to compare")]
    Kinds {
        /// An id.
        old: String,
        /// What it is.
        old_kind: &'static str,
        /// An id.
        new: String,
        /// What it is.
        new_kind: &'static str,
    },
    /// They take rows of different relations.
    #[error("`{old}` takes rows of {old_source}, `{new}` of {new_source}: nothing to compare row by row")]
    Sources {
        /// An id.
        old: String,
        /// A relation.
        old_source: &'static str,
        /// An id.
        new: String,
        /// A relation.
        new_source: &'static str,
    },
    /// Only metrics take parameters of a report.
    #[error("only a metric takes parameters of a report, `{id}` is of kind {kind}")]
    NoReport {
        /// Which.
        id: String,
        /// What it is.
        kind: &'static str,
    },
    /// Wrong parameters of a report.
    #[error(transparent)]
    Invalid(#[from] InvalidParams),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller gave up.
    #[error("it was stopped")]
    Stopped,
}

/// The relation whose name is `source`.
fn relation(source: Option<&str>) -> Relation {
    source.and_then(|source| source.parse().ok()).unwrap_or(Relation::Events)
}

fn word(kind: Option<PluginKind>) -> &'static str {
    kind.map_or("unknown", PluginKind::as_str)
}
