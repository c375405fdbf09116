//! What a plugin costs, beside one that is handed the same columns and does nothing.

mod empty;

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value as Json, json};
use telemetry_model::Rows as _;
use telemetry_plugins::{Leaf, PluginKind};

use crate::found::{FindError, Found, find};
use crate::rows::JsonRows;
use crate::trial::{CompileCache, Setup, Trial, TrialError};

/// Rows of a batch.
const BATCHES: [usize; 4] = [1, 10, 100, 1000];
/// A figure is the median of so many runs at least, and of as many as take this long.
const RUNS: usize = 25;
const ENOUGH_NS: u64 = 100_000_000;

/// CPU time of the calling thread, nanoseconds.
pub type CpuTime<'a> = &'a dyn Fn() -> u64;

/// What one component costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// CPU nanoseconds a row by rows of a batch, a fresh instance included; a metric's are of a whole report.
    pub row_ns: Vec<(usize, f64)>,
    /// CPU nanoseconds of a fresh instance.
    pub instance_ns: f64,
    /// CPU nanoseconds of `configure`, of a metric of opening an accumulator, beside the instance.
    pub configure_ns: f64,
    /// Linear memory after the largest batch, bytes.
    pub memory_bytes: usize,
}

/// A plugin's cost and that of an empty one.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// The plugin's id.
    pub id: String,
    /// What it is.
    pub kind: PluginKind,
    /// Its cost.
    pub own: Cost,
    /// That of a component of the same kind that reads the same and does nothing.
    pub empty: Cost,
}

/// Why there is no bill.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is no plugin, or a case is none.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There are no rows to measure with.
    #[error("no case has a row to measure with")]
    NoRows,
    /// The component fails.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The empty one cannot be made.
    #[error("the empty component: {0}")]
    Empty(String),
}

/// Measures the plugin in the folder `place`, or the text plugin that it is, on the rows of its cases.
///
/// # Errors
/// [`BenchError`].
pub fn bench(place: &Path, cache: &CompileCache, cpu: CpuTime<'_>) -> Result<Bill, BenchError> {
    let Found { id, file, cases, .. } = find(place)?;
    let setup = cases.first().map(|case| case.setup.clone()).unwrap_or_default();
    let parameters = cases.first().map(|case| case.parameters.clone()).unwrap_or_default();
    let rows: Vec<Json> = cases.into_iter().flat_map(|case| case.rows).collect();
    let trial = Trial::load(&file, &setup, cache)?;
    if rows.is_empty() {
        return Err(BenchError::NoRows);
    }
    let own = cost(&trial, &rows, &parameters, cpu)?;
    let nothing = empty::of(trial.manifest()).map_err(BenchError::Empty)?;
    let place = std::env::temp_dir().join(format!("cylestio-empty-{}.wasm", std::process::id()));
    std::fs::write(&place, nothing).map_err(|error| BenchError::Empty(error.to_string()))?;
    let loaded = Trial::load(&place, &Setup::default(), &CompileCache::default());
    // It was read; a file that stays is in the system's folder for such.
    let _ = std::fs::remove_file(&place);
    let empty = cost(&loaded?, &rows, &Map::new(), cpu)?;
    Ok(Bill { id, kind: trial.kind(), own, empty })
}

fn cost(trial: &Trial, rows: &[Json], parameters: &Map<String, Json>, cpu: CpuTime<'_>) -> Result<Cost, TrialError> {
    let mut row_ns = Vec::new();
    let mut memory_bytes = 0;
    for size in BATCHES {
        let batch: Vec<Json> = rows.iter().cycle().take(size).cloned().collect();
        let batch = Batch::of(trial, &batch)?;
        let mut failed = None;
        let ns = median(cpu, || match work(trial, &batch, parameters) {
            Ok(memory) => memory_bytes = memory.max(memory_bytes),
            Err(error) => failed = Some(error),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        row_ns.push((size, ns / size as f64));
        if let (Batch::Rows(rows), false) = (&batch, trial.kind() == PluginKind::Metric) {
            memory_bytes = parts(trial)?.memory(rows).map_err(|error| failure(&error))?;
        }
    }
    let parts = parts(trial)?;
    let instance_ns = median(cpu, || drop(parts.instantiate()));
    let configured = match trial.kind() {
        PluginKind::Metric => median(cpu, || drop(trial.accumulator(parameters))),
        _ => median(cpu, || drop(parts.configure())),
    };
    Ok(Cost { row_ns, instance_ns, configure_ns: (configured - instance_ns).max(0.0), memory_bytes })
}

/// Rows of one call; a masker's are strings, none of which was seen before.
enum Batch<'r> {
    Rows(JsonRows),
    Leaves(Vec<Leaf<'r>>),
}

impl<'r> Batch<'r> {
    fn of(trial: &Trial, rows: &'r [Json]) -> Result<Self, TrialError> {
        match trial.kind() {
            PluginKind::Masker => crate::leaves::read_all(rows).map(Batch::Leaves),
            _ => trial.rows(rows).map(Batch::Rows),
        }
    }
}

/// One unit of work as a server does it; gives a metric's and a masker's memory.
fn work(trial: &Trial, batch: &Batch<'_>, parameters: &Map<String, Json>) -> Result<usize, TrialError> {
    let rows = match batch {
        Batch::Leaves(leaves) => return parts(trial)?.mask(leaves).map_err(|error| failure(&error)),
        Batch::Rows(rows) => rows,
    };
    match trial.kind() {
        PluginKind::Validator => drop(trial.catalog().validate(rows)),
        PluginKind::Metric => {
            let mut accumulator = trial.accumulator(parameters)?;
            accumulator.update(rows, &vec![0; rows.len()], 1)?;
            let memory = accumulator.memory_bytes();
            accumulator.evaluate()?;
            return Ok(memory);
        }
        PluginKind::Enricher | PluginKind::Masker => drop(trial.enrich(rows)),
    }
    Ok(0)
}

fn parts(trial: &Trial) -> Result<telemetry_plugins::Parts<'_>, TrialError> {
    trial.catalog().parts(&trial.manifest().id).ok_or_else(|| TrialError::Row("it does not serve".to_owned()))
}

fn failure(error: &telemetry_plugins::CallError) -> TrialError {
    TrialError::Failed { row: 0, outcome: error.to_string() }
}

fn median(cpu: CpuTime<'_>, mut run: impl FnMut()) -> f64 {
    let (mut times, mut spent) = (Vec::new(), 0);
    while times.len() < RUNS || spent < ENOUGH_NS {
        let start = cpu();
        run();
        let took = cpu().saturating_sub(start);
        // A clock that stands still ends it too.
        spent += took.max(100);
        times.push(took);
    }
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |ns| *ns as f64)
}

impl Bill {
    /// As one JSON object.
    pub fn to_json(&self) -> Json {
        let cost = |cost: &Cost| {
            let rows: Map<String, Json> = cost.row_ns.iter().map(|(size, ns)| (size.to_string(), json!(ns.round()))).collect();
            json!({"ns_per_row": rows, "instance_ns": cost.instance_ns, "configure_ns": cost.configure_ns, "memory_bytes": cost.memory_bytes})
        };
        json!({"id": self.id, "kind": self.kind, "plugin": cost(&self.own), "empty": cost(&self.empty)})
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = if self.kind == PluginKind::Masker { "; a row is a string that was not seen before" } else { "" };
        writeln!(f, "{} ({}); CPU time, medians; `empty` reads the same and does nothing{row}\n", self.id, self.kind.as_str())?;
        writeln!(f, "{:<28}{:>12}{:>12}", "", "plugin", "empty")?;
        for ((size, own), (_, empty)) in self.own.row_ns.iter().zip(&self.empty.row_ns) {
            writeln!(f, "{:<28}{own:>9.0} ns{empty:>9.0} ns", format!("a row, batch of {size}"))?;
        }
        let start = if self.kind == PluginKind::Metric { "opening beside it" } else { "configure" };
        writeln!(f, "{:<28}{:>9.0} ns{:>9.0} ns", "fresh instance", self.own.instance_ns, self.empty.instance_ns)?;
        writeln!(f, "{start:<28}{:>9.0} ns{:>9.0} ns", self.own.configure_ns, self.empty.configure_ns)?;
        write!(f, "{:<28}{:>8} KiB", "memory, largest batch", self.own.memory_bytes >> 10)
    }
}
