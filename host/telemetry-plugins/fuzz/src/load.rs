//! A file in the drop-in folder, all the way: compiled, linked, started, and called with a row if it serves.

use std::sync::{LazyLock, Mutex, PoisonError};

use telemetry_model::{Family, Field, Rows, Value};
use telemetry_plugins::{PluginSettings, PluginState, Registry};

/// The largest file that is compiled, bytes: a larger one takes too long to be tried often.
const LARGEST: usize = 16 << 10;

struct Bench {
    folder: tempfile::TempDir,
    settings: PluginSettings,
    registry: Registry,
}

static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = PluginSettings { path: Some(folder.path().to_owned()), without_shipped: true, ..PluginSettings::default() };
    let registry = Registry::open(&settings, || ()).expect("an engine");
    Mutex::new(Bench { folder, settings, registry })
});

/// Drops `bytes` in, has one row validated and enriched, and takes the file away again.
///
/// # Errors
/// What went wrong: it panicked, or was not taken away.
pub fn run(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.len() > LARGEST {
        return Ok(());
    }
    let bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let path = bench.folder.path().join("guest.wasm");
    std::fs::write(&path, bytes).expect("a file");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let catalog = bench.registry.reload(&bench.settings);
        let statuses = catalog.statuses();
        assert!(statuses.len() == 1 && statuses.iter().all(|status| status.state == PluginState::Serving || status.error.is_some()));
        assert_eq!(catalog.validate(&One).runs.len(), 1);
        assert_eq!(catalog.enrich(&One).derived.len(), 1);
    }));
    std::fs::remove_file(&path).expect("removed");
    let left = bench.registry.reload(&bench.settings).statuses();
    match (ended, left.is_empty()) {
        (Err(_), _) => Err("the host panicked"),
        (_, false) => Err("a file that is gone still stands in the list"),
        (Ok(()), true) => Ok(()),
    }
}

/// A row that has a number wherever it is asked.
struct One;

impl Rows for One {
    fn len(&self) -> usize {
        1
    }

    fn family(&self, _row: usize) -> Family {
        Family::Llm
    }

    fn value(&self, _row: usize, _field: &Field) -> Value<'_> {
        Value::Integer(7)
    }

    fn source(&self, _row: usize) -> u64 {
        0
    }
}
