//! `cases/*.json` of a plugin, run against its component: rows in, expected out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};
use telemetry_plugins::PluginKind;

use crate::trial::{CompileCache, Setup, Trial, TrialError};

/// One file: `{"about"?, "config"?, "tables"?, "parameters"?, "rows": [..], "expect": [..]}`.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file.
    pub path: PathBuf,
    /// Configuration and tables of the plugin.
    pub setup: Setup,
    /// Parameters of a metric.
    pub parameters: Map<String, Json>,
    /// Objects of fields by name; a metric's may have a `group`, a number from 0.
    pub rows: Vec<Json>,
    /// For each row an object of keys, a list of violations or a masker's text; for each group of a metric an object of columns.
    pub expect: Vec<Json>,
}

/// Why a case is not met.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file is not a case.
    #[error("`{path}`: {problem}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The component cannot be tried.
    #[error("`{path}`: {source}")]
    Trial {
        /// Which case.
        path: PathBuf,
        /// Why.
        source: TrialError,
    },
    /// Another answer than expected.
    #[error("`{path}`, answer {place}: expected {expected}, found {found}")]
    Differs {
        /// Which case.
        path: PathBuf,
        /// From 0.
        place: usize,
        /// As the file says.
        expected: Json,
        /// As the component says.
        found: Json,
    },
}

impl Case {
    /// All cases in `folder`, by name.
    ///
    /// # Errors
    /// When the folder or a file cannot be read or is not a case.
    pub fn all(folder: &Path) -> Result<Vec<Case>, CaseError> {
        let unreadable = |path: &Path, problem: String| CaseError::Unreadable { path: path.to_owned(), problem };
        let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error.to_string()))?;
        let paths =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut paths: Vec<_> = paths.collect();
        paths.sort();
        paths.into_iter().map(|path| Case::read(&path).map_err(|problem| unreadable(&path, problem))).collect()
    }

    /// The `[[cases]]` of the text plugin in `path`, named by their number.
    ///
    /// # Errors
    /// When one is no case.
    pub fn of_text(path: &Path, cases: Vec<toml::Table>) -> Result<Vec<Case>, CaseError> {
        let case = |(at, table): (usize, toml::Table)| {
            let path = path.join(format!("cases[{at}]"));
            let file = table.into_iter().map(|(key, value)| (key, json(value))).collect();
            Case::of(&path, file).map_err(|problem| CaseError::Unreadable { path, problem })
        };
        cases.into_iter().enumerate().map(case).collect()
    }

    fn read(path: &Path) -> Result<Case, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        Case::of(path, serde_json::from_str(&text).map_err(|error| error.to_string())?)
    }

    fn of(path: &Path, mut file: Map<String, Json>) -> Result<Case, String> {
        let mut take = |name: &str| file.remove(name);
        let object = |name: &str, value: Option<Json>| match value {
            None => Ok(Map::new()),
            Some(Json::Object(object)) => Ok(object),
            Some(_) => Err(format!("`{name}` is not an object")),
        };
        let list = |name: &str, value: Option<Json>| match value {
            Some(Json::Array(list)) => Ok(list),
            _ => Err(format!("`{name}` is not a list")),
        };
        take("about");
        let case = Case {
            path: path.to_owned(),
            setup: Setup { config: object("config", take("config"))?, tables: tables(object("tables", take("tables"))?)? },
            parameters: object("parameters", take("parameters"))?,
            rows: list("rows", take("rows"))?,
            expect: list("expect", take("expect"))?,
        };
        match file.keys().next() {
            Some(unknown) => Err(format!("`{unknown}` is not known; there are about, config, tables, parameters, rows, expect")),
            None => Ok(case),
        }
    }

    /// The group of each row and how many groups there are.
    pub fn groups(&self) -> (Vec<u32>, u32) {
        let group = |row: &Json| row.get("group").and_then(Json::as_u64).and_then(|group| u32::try_from(group).ok()).unwrap_or(0);
        let ids: Vec<u32> = self.rows.iter().map(group).collect();
        let count = ids.iter().max().map_or(1, |last| last.saturating_add(1));
        (ids, count)
    }

    /// Runs the case against the component on trial.
    ///
    /// # Errors
    /// When the component fails or answers something else.
    pub fn check(&self, trial: &Trial) -> Result<(), CaseError> {
        let found = self.run(trial).map_err(|source| CaseError::Trial { path: self.path.clone(), source })?;
        for place in 0..self.expect.len().max(found.len()) {
            let expected = self.expect.get(place).unwrap_or(&Json::Null);
            let found = found.get(place).unwrap_or(&Json::Null);
            if !same(expected, found) {
                let (expected, found) = (expected.clone(), found.clone());
                return Err(CaseError::Differs { path: self.path.clone(), place, expected, found });
            }
        }
        Ok(())
    }

    fn run(&self, trial: &Trial) -> Result<Vec<Json>, TrialError> {
        if trial.kind() == PluginKind::Masker {
            return trial.masked(&self.rows);
        }
        let rows = trial.rows(&self.rows)?;
        if trial.kind() != PluginKind::Metric {
            return trial.answer(&rows);
        }
        let (ids, count) = self.groups();
        let mut accumulator = trial.accumulator(&self.parameters)?;
        accumulator.update(&rows, &ids, count)?;
        accumulator.evaluate()
    }
}

/// TOML's values as JSON's; a time is its text.
fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(integer) => integer.into(),
        toml::Value::Float(real) => real.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect::<Map<_, _>>().into(),
    }
}

/// Runs all cases of the plugin in `plugin_dir` against its built component, and says how many there were.
///
/// # Errors
/// The first case that is not met.
pub fn run_cases(plugin_dir: &Path, component: &Path, cache: &CompileCache) -> Result<usize, CaseError> {
    let cases = Case::all(&plugin_dir.join("cases"))?;
    for case in &cases {
        let trial = Trial::load(component, &case.setup, cache);
        case.check(&trial.map_err(|source| CaseError::Trial { path: case.path.clone(), source })?)?;
    }
    Ok(cases.len())
}

fn tables(tables: Map<String, Json>) -> Result<BTreeMap<String, Map<String, Json>>, String> {
    let table = |(name, rows)| match rows {
        Json::Object(rows) => Ok((name, rows)),
        _ => Err(format!("`tables.{name}` is not an object of rows by key")),
    };
    tables.into_iter().map(table).collect()
}

/// Null is absent; a violation's message need not be expected; reals may differ by 1e-9 of themselves.
pub(crate) fn same(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::Object(expected), Json::Object(found)) => {
            let is_violation = found.contains_key("severity") && found.contains_key("code");
            expected.iter().all(|(key, value)| same(value, found.get(key).unwrap_or(&Json::Null)))
                && found.iter().all(|(key, value)| value.is_null() || expected.contains_key(key) || (is_violation && key == "message"))
        }
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| same(expected, found))
        }
        (Json::Number(expected), Json::Number(found)) if expected.is_f64() || found.is_f64() => match (expected.as_f64(), found.as_f64()) {
            (Some(expected), Some(found)) => expected == found || (expected - found).abs() <= 1e-9 * expected.abs(),
            _ => false,
        },
        _ => expected == found,
    }
}
