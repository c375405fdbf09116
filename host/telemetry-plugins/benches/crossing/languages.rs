//! One enricher in four languages, beside the closure: what an author's choice of language costs.
//!
//! Rust and C are committed; JavaScript and Python are measured where they were built (`cylestio-server plugin build
//! plugins/examples/model-family-js plugins/examples/model-family-py`).

use std::borrow::Cow;
use std::hint::black_box;
use std::path::Path;

use telemetry_model::{Batch, BatchView, Family, Field, FieldType, Rows, Value};
use telemetry_plugins::{Catalog, PluginSettings, Policy};

use crate::measure::medians;

const MODELS: [&str; 6] = ["gpt-4o-mini", "claude-sonnet-4", "o3", "gemini-2.5-pro", "mistral-large", "llama-3.1-70b"];

/// `id` and its variants in other languages that are built, each alone in a catalog.
pub fn built(id: &str) -> Vec<(String, Catalog)> {
    let ids = ["", "-c", "-js", "-py"].map(|language| format!("{id}{language}"));
    ids.into_iter().filter_map(|id| Some((id.clone(), catalog(&id)?))).collect()
}

fn catalog(id: &str) -> Option<Catalog> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../plugins/examples/{id}/{id}.wasm"));
    let folder = tempfile::tempdir().unwrap();
    if std::fs::copy(component, folder.path().join("one.wasm")).is_err() {
        println!("{id} is not built");
        return None;
    }
    let settings =
        PluginSettings { policy: Policy::Open, path: Some(folder.path().into()), without_shipped: true, ..PluginSettings::default() };
    Some(Catalog::open(settings).unwrap())
}

/// Names of models in memory.
struct Models(Vec<&'static str>);

impl Models {
    fn native(&self) -> Vec<Option<Box<str>>> {
        self.0.iter().map(|model| model.split('-').next().map(Into::into)).collect()
    }
}

impl Rows for Models {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn family(&self, _row: usize) -> Family {
        Family::Llm
    }

    fn value(&self, row: usize, _field: &Field) -> Value<'_> {
        Value::Text(Cow::Borrowed(self.0[row]))
    }

    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}

/// Prints ns an event, end to end, on an instance that lives and on a fresh one.
pub fn languages() {
    println!("\nmodel-family, ns an event, end to end: project, call, check, read back");
    println!("{:<18} {:>6} {:>10} {:>10} {:>10}", "plugin", "batch", "native", "live", "fresh");
    for (id, catalog) in built("model-family") {
        let parts = catalog.parts(&id).unwrap();
        let mut live = parts.live().unwrap();
        for count in [1, 10, 100, 1000] {
            let models = Models((0..count).map(|row| MODELS[row % MODELS.len()]).collect());
            assert_eq!(read(&parts.enrich(&parts.project(&models)).unwrap()), models.native(), "{id}");
            let row = medians([
                &mut || drop(black_box(models.native())),
                &mut || drop(black_box(read(&live.enrich(&parts.project(&models)).unwrap()))),
                &mut || drop(black_box(read(&parts.enrich(&parts.project(&models)).unwrap()))),
            ]);
            let [native, living, fresh] = row.map(|ns| ns / count as f64);
            println!("{id:<18} {count:>6} {native:>10.1} {living:>10.1} {fresh:>10.1}");
        }
    }
}

fn read(answer: &Batch) -> Vec<Option<Box<str>>> {
    let view = BatchView::check(answer, &[FieldType::Text]).unwrap();
    let family = |row| if let Value::Text(text) = view.columns()[0].value(row) { Some(text.into()) } else { None };
    (0..view.rows()).map(family).collect()
}
