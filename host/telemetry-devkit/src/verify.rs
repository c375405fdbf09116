//! All cases of a plugin, its own and the derived ones, and what came of each.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use telemetry_plugins::PluginKind;

use crate::cases::{Case, CaseError};
use crate::derived::{self, Failure};
use crate::found::{FindError, Found, find};
use crate::section::{self, BuildNote};
use crate::trial::{CompileCache, Trial, TrialError};

/// More of a value is not shown.
const SHOWN: usize = 400;
/// More rows are not shown.
const SHOWN_ROWS: usize = 5;

/// What came of the cases of one plugin.
#[derive(Debug)]
pub struct Verdict {
    /// The plugin's id.
    pub id: String,
    /// What it is.
    pub kind: PluginKind,
    /// The component, or the text plugin.
    pub component: PathBuf,
    /// Its sources are not those it was built from.
    pub is_stale: bool,
    /// In the order in which they ran.
    pub results: Vec<CaseResult>,
}

/// What came of one case.
#[derive(Debug)]
pub struct CaseResult {
    /// `cases/limit.json`, or `derived: row law`.
    pub name: String,
    /// Why it is not met.
    pub failure: Option<Failure>,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no plugin, or a case is none.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The component does not load.
    #[error(transparent)]
    Trial(#[from] TrialError),
}

/// Runs the cases of the plugin in the folder `place`, or of the text plugin that it is, and those that follow from what it is.
///
/// # Errors
/// When there is no plugin that loads, or a case is none. A case that is not met is no error.
pub fn verify(place: &Path, cache: &CompileCache) -> Result<Verdict, VerifyError> {
    let Found { id, file: component, cases, sources } = find(place)?;
    // What has no default must come from somewhere: the first case knows it.
    let first = cases.first();
    let setup = first.map(|case| case.setup.clone()).unwrap_or_default();
    let parameters = first.map(|case| case.parameters.clone()).unwrap_or_default();
    let mut verdict = Verdict {
        kind: PluginKind::Metric,
        is_stale: sources.is_some_and(|sources| built_from(&component).is_some_and(|built| sources.digest().is_ok_and(|now| now != built))),
        id,
        component,
        results: Vec::new(),
    };
    for case in &cases {
        let trial = Trial::load(&verdict.component, &case.setup, cache)?;
        let name = case.path.file_name().unwrap_or_default().to_string_lossy();
        let name = if name.ends_with(".json") { format!("cases/{name}") } else { name.into_owned() };
        verdict.results.push(CaseResult { name, failure: case.check(&trial).err().map(|error| failed(case, error)) });
    }
    let load = || Trial::load(&verdict.component, &setup, cache);
    let kind = load()?.kind();
    let derived = derived::run(&load, &cases, &parameters)?;
    verdict.kind = kind;
    verdict.results.extend(derived.into_iter().map(|(name, met)| CaseResult { name: format!("derived: {name}"), failure: met.err() }));
    Ok(verdict)
}

impl Verdict {
    /// Whether every case is met.
    pub fn is_good(&self) -> bool {
        self.results.iter().all(|result| result.failure.is_none())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}), {}", self.id, self.kind.as_str(), self.component.display())?;
        if self.is_stale {
            writeln!(f, "note: the sources have changed since it was built")?;
        }
        for result in &self.results {
            match &result.failure {
                None => writeln!(f, "ok      {}", result.name)?,
                Some(failure) => write!(f, "FAILED  {}: {failure}", result.name)?,
            }
        }
        let failed = self.results.iter().filter(|result| result.failure.is_some()).count();
        write!(f, "{} passed, {failed} failed", self.results.len() - failed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.problem)?;
        for row in self.rows.iter().take(SHOWN_ROWS) {
            writeln!(f, "          row       {}", shown(row))?;
        }
        if self.rows.len() > SHOWN_ROWS {
            writeln!(f, "          ..        and {} rows more", self.rows.len() - SHOWN_ROWS)?;
        }
        if let Some((expected, found)) = &self.answers {
            writeln!(f, "          expected  {}", shown(expected))?;
            writeln!(f, "          got       {}", shown(found))?;
        }
        Ok(())
    }
}

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}.. ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

/// The digest of the sources that a component was built from.
fn built_from(component: &Path) -> Option<String> {
    let note = section::section(&fs::read(component).ok()?, section::BUILD)?;
    BuildNote::from_json(std::str::from_utf8(&note).ok()?).map(|note| note.source_sha256)
}

fn failed(case: &Case, error: CaseError) -> Failure {
    match error {
        CaseError::Differs { place, expected, found, .. } => {
            let (what, rows) = match (expected.is_null(), found.is_null(), case.rows.get(place)) {
                (true, ..) => ("more answers than expected", Vec::new()),
                (_, true, _) => ("fewer answers than expected", Vec::new()),
                (_, _, Some(row)) if case.rows.len() == case.expect.len() => ("differs", vec![row.clone()]),
                _ => ("differs", Vec::new()),
            };
            Failure { problem: format!("answer {place} (from 0): {what}"), rows, answers: Some((expected, found)) }
        }
        CaseError::Trial { source, .. } => Failure { problem: source.to_string(), rows: Vec::new(), answers: None },
        CaseError::Unreadable { problem, .. } => Failure { problem, rows: Vec::new(), answers: None },
    }
}
