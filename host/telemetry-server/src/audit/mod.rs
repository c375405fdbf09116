//! `audit verify`: whether the access journal is whole, and whether what is stored is still what plugins were handed.

mod check;
mod components;
mod relations;
mod stored;
mod writes;

use serde::Serialize;
use telemetry_model::DigestKey;
use telemetry_store::{Head, Snapshot, StoreError};

use crate::config::PluginsConfig;
use check::Check;
pub(crate) use stored::Rebuilt;

/// Findings and notes beyond so many are only counted.
const MAX_LISTED: usize = 1_000;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// An entry, an event, a component.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// What was checked and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Whether nothing is wrong.
    pub holds: bool,
    /// Entries of the journal.
    pub entries: u64,
    /// Hashes of rows that were made again.
    pub rows: u64,
    /// What is wrong; at most 1,000.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub finding_count: u64,
    /// What can no longer or never be made again, by why; places with how many rows.
    pub not_rebuilt: Vec<Unproven>,
    /// The last entry, and its hash in hex.
    pub head_entry: i64,
    /// The hash.
    pub head: String,
}

/// Rows that cannot be made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unproven {
    /// `purged`, `changed`, `masked-again`, `not-stored`, `masker-input`, `flags-cut`, `validator-output`, `other-values`, `component`.
    pub why: &'static str,
    /// For people.
    pub explanation: &'static str,
    /// How many rows (or components).
    pub count: u64,
    /// Some of the places.
    pub places: Vec<String>,
}

/// Reads the whole journal of a snapshot. `head`: what a file outside of the database says its end is.
///
/// # Errors
/// When the database cannot be read.
pub fn verify(snapshot: &Snapshot, key: &DigestKey, plugins: &PluginsConfig, head: Option<Head>) -> Result<Audit, StoreError> {
    let mut check = Check::new(snapshot, key);
    check.run(head)?;
    components::check(&mut check, plugins);
    Ok(check.finish())
}

impl Audit {
    fn wrong(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.finding_count += 1;
        if self.findings.len() < MAX_LISTED {
            self.findings.push(Finding { place: place.into(), problem: problem.into() });
        }
    }

    fn unproven(&mut self, why: Why, count: u64, place: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        let (why, explanation) = why.words();
        let at = self.not_rebuilt.iter().position(|known| known.why == why).unwrap_or_else(|| {
            self.not_rebuilt.push(Unproven { why, explanation, count: 0, places: Vec::new() });
            self.not_rebuilt.len() - 1
        });
        if let Some(known) = self.not_rebuilt.get_mut(at) {
            known.count += count;
            if known.places.len() < 20 {
                known.places.push(place());
            }
        }
    }
}

/// Why a row cannot be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Purged,
    Changed,
    MaskedAgain,
    NotStored,
    Masker,
    FlagsCut,
    ValidatorOutput,
    OtherValues,
    Component,
}

impl Why {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Why::Purged => ("purged", "the row is no longer stored"),
            Why::Changed => ("changed", "events that came later changed the row that a query read"),
            Why::MaskedAgain => ("masked-again", "stored texts were masked again after the row was handed over"),
            Why::NotStored => {
                ("not-stored", "duplicates and requests that were refused or failed: the row was handed over and never stored")
            }
            Why::Masker => ("masker-input", "what a masker is handed is never stored"),
            Why::FlagsCut => ("flags-cut", "the event had more flags than are kept, so what was sent in a wrong type is not known"),
            Why::ValidatorOutput => ("validator-output", "a stored flag does not say which validator raised it"),
            Why::OtherValues => {
                ("other-values", "a metric was tried on what another version of an enricher would write, which is stored nowhere")
            }
            Why::Component => ("component", "the component that served then is not at hand"),
        }
    }
}
