//! The shipped plugins.

use std::sync::Arc;

use telemetry_model::outcome::RunOutcome;
use telemetry_plugins::{
    Catalog, Grants, LookupTable, MODEL_PRICES, PluginSettings, PluginState, PriceOverrides, PriceTable, SHIPPED, Tables,
};

use crate::guest::{Table, doubler, doubler_manifest, plugin};
use crate::loading::{Folder, settings};

/// What `config/default.toml` grants.
const GRANTS: &str = "[secret-scan]\nfields = [\"event.attributes\"]\n[prompt-size]\nfields = ['attributes[\"llm.request.data\"]']\n[llm-cost]\nlookup = [\"model-prices\"]\n[secret-masker]\nmask = true\n[pii-masker]\nmask = true\n";

fn with_shipped(folder: &Folder) -> PluginSettings {
    let on = ["pii-masker".to_owned()].into();
    let prices: Arc<dyn LookupTable> = Arc::new(PriceTable::new(PriceOverrides::default()));
    let tables = Tables([(MODEL_PRICES.to_owned(), prices)].into());
    PluginSettings { without_shipped: false, grants: Grants::parse(GRANTS).unwrap(), on, tables, ..settings(folder) }
}

#[test]
fn all_serve_under_their_ids() {
    let statuses = Catalog::open(with_shipped(&Folder::new())).unwrap().statuses();
    for shipped in SHIPPED {
        let status = statuses.iter().find(|status| status.id == shipped.id).unwrap();
        assert_eq!((status.state, &status.error), (PluginState::Serving, &None), "{}", shipped.id);
    }
    assert_eq!(statuses.len(), SHIPPED.len());
}

#[test]
fn a_file_takes_a_shipped_id_only_when_told() {
    let folder = Folder::new();
    folder.put("mine", &plugin("enricher", &doubler(), &doubler_manifest("event-category", "llm.usage.n", "event.category")));
    let statuses = Catalog::open(with_shipped(&folder)).unwrap().statuses();
    let refused: Vec<_> = statuses.iter().filter_map(|status| status.error.as_deref()).collect();
    assert!(refused.len() == 1 && refused[0].contains("is the id of a shipped plugin"), "{refused:?}");
    let settings = PluginSettings { replaced: ["event-category".to_owned()].into(), ..with_shipped(&folder) };
    let statuses = Catalog::open(settings).unwrap().statuses();
    assert_eq!(statuses.len(), SHIPPED.len());
    assert!(statuses.iter().all(|status| status.state == PluginState::Serving), "{statuses:?}");
}

#[test]
fn an_event_of_16_mib_is_no_failure() {
    let text = "all work and no play makes jack a dull boy \\\"quoted\\\" \\u00e9\\n".repeat((16 << 20) / 60);
    let attributes = format!("{{\"llm.request.data\":{{\"messages\":[\"{text}\"]}}}}");
    let mut table = Table::numbers("llm.usage.input_tokens", [1, 2, 3]);
    table.family = Some(telemetry_model::Family::Llm);
    table.rows[1].insert("event.attributes".into(), telemetry_model::Value::Json(attributes.into()));
    let catalog = Catalog::open(with_shipped(&Folder::new())).unwrap();
    let (validation, enrichment) = (catalog.validate(&table), catalog.enrich(&table));
    let runs = validation.runs.iter().chain(&enrichment.runs).flat_map(|runs| runs.iter());
    for run in runs {
        assert_eq!(run.outcome, RunOutcome::Ok, "{}", run.plugin.plugin_id);
    }
}
