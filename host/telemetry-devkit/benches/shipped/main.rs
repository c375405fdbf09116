//! What the shipped plugins over metadata cost beside the same code native: `cargo bench -p telemetry-devkit --bench shipped`.
//!
//! Medians of the thread's CPU time, component and native in turn. A component's figure is that of the whole way: projection, a fresh instance for each call, its
//! configuration, the call, reading back. Native is the plugin's and the SDK's own code, compiled into this program, over the same
//! columns; these are projected for it too. What both say is compared first. A metric's figure is one more batch of an open query.
#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]
#![allow(clippy::disallowed_methods, unsafe_code, missing_docs, dead_code, unused_imports)]

// Plugins name the SDK; here it is this program.
extern crate self as cylestio_plugin_sdk;

#[path = "../measure/mod.rs"]
mod measure;
mod native;
mod rows;
mod stand_in;

#[path = "../../../../plugins/sdk/src/enricher.rs"]
mod enricher;
#[path = "../../../../plugins/sdk/src/json.rs"]
mod json;
#[path = "../../../../plugins/sdk/src/manifest.rs"]
mod manifest;
#[path = "../../../../plugins/sdk/src/metric.rs"]
mod metric;
#[path = "../../../../plugins/sdk/src/out.rs"]
mod out;
#[path = "../../../../plugins/sdk/src/patch.rs"]
mod patch;
#[path = "../../../../plugins/sdk/src/row.rs"]
mod row;
#[path = "../../../../plugins/sdk/src/settings.rs"]
mod settings;
#[path = "../../../../plugins/sdk/src/state.rs"]
mod state;
#[path = "../../../../plugins/sdk/src/validator.rs"]
mod validator;

// `llm-cost` names its own modules from its root.
#[path = "../../../../plugins/llm-cost/src/parts.rs"]
mod parts;

use std::hint::black_box;
use std::sync::Arc;

pub use stand_in::testing;
use stand_in::{bindings, host};
use telemetry_model::query::RowSink;
use telemetry_model::{Batch, Relation, Rows};
use telemetry_plugins::{
    Catalog, Grants, LookupTable, MODEL_PRICES, Manifest, PluginKind, PluginSettings, PriceOverrides, PriceTable, SHIPPED, Tables,
};

use measure::{median, medians};
use native::{Native, plugins};
use rows::{GROUPS, Table, of_attributes};

/// Those that see each event.
const INLINE: [&str; 3] = ["event-envelope", "genai-attributes", "event-category"];

fn main() {
    println!("{:<28}{:^30}  {:^30}", "", "batch 1", "batch 100");
    println!("{:<28}{:>10} {:>10} {:>8}  {:>10} {:>10} {:>8}", "ns a row", "component", "native", "ratio", "component", "native", "ratio");
    let (plugins, mut all) = (plugins(), [0.0; 4]);
    for plugin in plugins.iter().filter(|plugin| plugin.kind != PluginKind::Metric) {
        let figures = row_plugin(plugin);
        print(plugin.id, figures);
        if INLINE.contains(&plugin.id) {
            all.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
    }
    print("all over events", all);
    println!("\n{:<28}{:^30}  {:^30}", "a metric's update", "batch 100", "batch 1,000");
    for plugin in plugins.iter().filter(|plugin| plugin.kind == PluginKind::Metric) {
        print(plugin.id, metric_plugin(plugin));
    }
    secret_scan();
}

fn print(name: &str, [one, native_one, many, native_many]: [f64; 4]) {
    let (first, second) = (one / native_one, many / native_many);
    println!("{name:<28}{one:>10.0} {native_one:>10.0} {first:>8.2}  {many:>10.0} {native_many:>10.0} {second:>8.2}");
}

/// Nanoseconds a row: component and native in batches of 1, and of 100.
fn row_plugin(plugin: &native::Plugin) -> [f64; 4] {
    let (catalog, manifest) = (catalog(&[plugin.id]), Manifest::parse(plugin.toml.as_bytes()).unwrap());
    let table = Table::of(&[&manifest], 100);
    let mut native = (plugin.native)(&filled(&manifest));
    check(&catalog, &manifest, &table, &mut native);
    let parts = catalog.parts(plugin.id).unwrap();
    let component = |table: &Table| match manifest.source {
        Relation::Events => {
            black_box(catalog.validate(table));
            black_box(catalog.enrich(table));
        }
        relation => drop(black_box(catalog.enrich_rows(relation, None, table))),
    };
    let mut by_hand = |table: &Table| {
        let batch = parts.project(table);
        black_box(native.run(&batch, 0));
        parts.recycle(batch);
    };
    let singles = table.singles();
    let one = medians(|| (), |()| singles.iter().for_each(component), |()| singles.iter().for_each(&mut by_hand));
    let many = medians(|| (), |()| component(&table), |()| by_hand(&table));
    [one[0], one[1], many[0], many[1]].map(|time| time / 100.0)
}

/// What the component says must be what the native code says.
fn check(catalog: &Catalog, manifest: &Manifest, table: &Table, native: &mut Native) {
    let parts = catalog.parts(&manifest.id).unwrap();
    let batch = parts.project(table);
    match native.run(&batch, 0) {
        native::Said::Batch(said) => assert_eq!(parts.enrich(&batch).unwrap(), said, "{}", manifest.id),
        native::Said::Violations(count) => {
            let said: usize = catalog.validate(table).violations.iter().map(Vec::len).sum();
            // Those of other families are left out by the host.
            assert!(said <= count, "{}: {said} of {count}", manifest.id);
        }
    }
}

/// Nanoseconds a row of one more batch: component and native with batches of 100, and of 1,000.
fn metric_plugin(plugin: &native::Plugin) -> [f64; 4] {
    let (catalog, manifest) = (catalog(&[plugin.id]), Manifest::parse(plugin.toml.as_bytes()).unwrap());
    let metric = catalog.metric(plugin.id).unwrap();
    let [[one, native_one], [many, native_many]] = [100, 1_000].map(|count| {
        let batch = Table::of(&[&manifest], count).grouped(&manifest);
        let mut run = metric.open(&serde_json::Map::new()).unwrap();
        let mut native = (plugin.native)(&filled(&manifest));
        run.rows(batch.clone(), GROUPS).unwrap();
        native.run(&batch, GROUPS);
        assert_eq!(Some(run.state().unwrap()), native.state(), "{}", plugin.id);
        let component = |batch: Batch| run.rows(batch, GROUPS).unwrap();
        medians(|| batch.clone(), component, |batch| drop(black_box(native.run(&batch, GROUPS)))).map(|time| time / count as f64)
    });
    [one, native_one, many, native_many]
}

fn filled(manifest: &Manifest) -> String {
    serde_json::Value::from(manifest.config.fill(&serde_json::Map::new()).unwrap()).to_string()
}

/// Only these shipped plugins.
fn catalog(ids: &[&str]) -> Catalog {
    let off = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|other| !ids.contains(&&**other)).collect();
    let grants = "[secret-scan]\nfields = [\"event.attributes\"]\n[llm-cost]\nfields = [\"*\"]\nlookup = [\"model-prices\"]\n\
                  [prompt-size]\nfields = [\"*\"]\n";
    let table: Arc<dyn LookupTable> = Arc::new(PriceTable::new(PriceOverrides::default()));
    let tables = Tables([(MODEL_PRICES.to_owned(), table)].into());
    Catalog::open(PluginSettings { off, grants: Grants::parse(grants).unwrap(), tables, ..PluginSettings::default() }).unwrap()
}

/// How fast content is read: 1 MiB each of prompts as agents send them, JSON full of numbers and ids, and text made to mislead.
fn secret_scan() {
    let catalog = catalog(&["secret-scan"]);
    let ids = "2026-11-23T08:00:31.183396Z,0e5d46f893f8491ba55ab2613e5586a8,140430309234496,550e8400-e29b-41d4-a716-446655440000;";
    let prose = "You are a careful assistant. Look up the weather in Paris, then book a table for two at eight; don't over-explain it. ";
    for (name, part) in [("prose", prose), ("ids", ids), ("misleading", "sk-")] {
        let text = format!("{{\"a\":\"{}\"}}", part.repeat((1 << 20) / part.len()));
        let size = text.len() as f64;
        let table = of_attributes(text);
        let time = median(|| drop(black_box(catalog.enrich(&table))));
        println!("secret-scan, {name}: {:.0} MB/s", size / time * 1e3);
    }
}

pub use enricher::Enricher;
pub use manifest::Plugin;
pub use metric::Metric;
pub use patch::Patch;
pub use row::Row;
pub use settings::Settings;
pub use state::{StateReader, StateWriter};
pub use validator::{Report, Validator};
