//! The laws of the contract over every shipped plugin: the row law (any cut or permutation gives each row the same result) and the
//! metric law (however rows are cut into batches and accumulators, merging the states evaluates to the same).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Map, Value as Json};
use telemetry_model::query::RowSink as _;
use telemetry_model::{Batch, BatchBuilder, Family, Field, FieldType, Relation, Rows, Value};
use telemetry_plugins::{Catalog, Grants, Metric, MetricRow, PluginSettings, SHIPPED, inspect};

use crate::guest::Table;

static SHIPPED_ONLY: LazyLock<Catalog> = LazyLock::new(|| {
    let grants =
        Grants::parse("[secret-scan]\nfields = [\"event.attributes\"]\n[prompt-size]\nfields = ['attributes[\"llm.request.data\"]']\n")
            .unwrap();
    Catalog::open(PluginSettings { grants, ..PluginSettings::default() }).unwrap()
});

/// What row plugins read, by name.
static ROW_READS: LazyLock<BTreeMap<String, FieldType>> = LazyLock::new(|| {
    let manifests = SHIPPED.iter().map(|shipped| inspect(shipped.wasm).unwrap().manifest);
    let rows = manifests.filter(|manifest| manifest.kind != telemetry_plugins::PluginKind::Metric);
    rows.flat_map(|manifest| manifest.reads).map(|read| (read.field.to_string(), read.ty)).collect()
});

fn text() -> impl Strategy<Value = Value<'static>> {
    let words = [
        "llm.call.start",
        "tool.execution",
        "null-trace",
        "INFO",
        "error",
        "success",
        "a b",
        "",
        "gpt-4o",
        "2026-11-23T08:00:30Z",
        "AKIAIOSFODNN7EXAMPLE",
        "{\"key\": \"ghp_0123456789abcdefghijklmnopqrstuvwxyz\"}",
        "4111 1111 1111 1111",
        "\u{e9}\u{1f600}",
    ];
    prop_oneof![proptest::sample::select(words.to_vec()).prop_map(str::to_owned), "[ -~]{0,40}"].prop_map(|text| Value::Text(text.into()))
}

fn value(ty: FieldType) -> BoxedStrategy<Value<'static>> {
    let other = prop_oneof![
        Just(Value::Boolean(true)),
        Just(Value::Json(Cow::Borrowed("[1, \"two\"]"))),
        any::<i64>().prop_map(Value::Integer),
        text(),
    ];
    let number = prop_oneof![-5i64..5000, any::<i64>()].prop_map(Value::Integer);
    let fitting = match ty {
        FieldType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        FieldType::Integer => number.boxed(),
        FieldType::Real => prop_oneof![number, (-10.0..10_000.0).prop_map(Value::Real)].boxed(),
        FieldType::Time => (0i64..4_000_000_000_000_000_000).prop_map(Value::Time).boxed(),
        FieldType::Text | FieldType::Bytes => text().boxed(),
        FieldType::Json => text().prop_map(|text| Value::Json(object(&text).into())).boxed(),
    };
    prop_oneof![6 => fitting, 1 => Just(Value::Absent), 1 => other].boxed()
}

fn object(text: &Value<'_>) -> String {
    let Value::Text(text) = text else { return "{}".into() };
    serde_json::json!({ "llm.request.data": text, "list": [text, 1] }).to_string()
}

fn rows() -> impl Strategy<Value = Vec<BTreeMap<String, Value<'static>>>> {
    let cells: Vec<_> = ROW_READS.iter().map(|(name, ty)| (Just(name.clone()), value(*ty))).collect();
    proptest::collection::vec(cells, 1..24).prop_map(|rows| rows.into_iter().map(|row| row.into_iter().collect()).collect())
}

/// Rows whose family goes by their name, so that it moves with them.
struct ByName(Table);

impl Rows for ByName {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn family(&self, row: usize) -> Family {
        match self.value(row, &Field::parse("event.name", telemetry_model::Relation::Events).unwrap()) {
            Value::Text(name) => Family::of(&name),
            _ => Family::Other,
        }
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        self.0.value(row, field)
    }

    fn source(&self, _row: usize) -> u64 {
        0
    }
}

/// What all plugins say of each row, as text.
fn said(rows: &[BTreeMap<String, Value<'static>>]) -> Vec<String> {
    let rows = ByName(Table { rows: rows.to_vec(), family: None });
    let (validation, enrichment) = (SHIPPED_ONLY.validate(&rows), SHIPPED_ONLY.enrich(&rows));
    let over = |relation| SHIPPED_ONLY.enrich_rows(relation, None, &rows);
    let (calls, executions) = (over(Relation::LlmCalls), over(Relation::ToolExecutions));
    let row = |at: usize| {
        let violations: Vec<_> =
            validation.violations[at].iter().map(|v| (&v.plugin.plugin_id, &v.field, &v.code, &v.message, v.severity)).collect();
        let derived: Vec<_> =
            enrichment.derived[at].iter().chain(&calls.derived[at]).chain(&executions.derived[at]).map(|d| (&d.key, &d.value)).collect();
        let runs: Vec<_> = validation.runs[at].iter().chain(&*enrichment.runs[at]).map(|r| (&r.plugin.plugin_id, r.outcome)).collect();
        assert!(validation.unvalidated[at].is_empty(), "{:?}", validation.unvalidated[at]);
        format!("{violations:?} {derived:?} {runs:?}")
    };
    (0..rows.len()).map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn row_plugins_give_each_row_the_same(rows in rows(), cut in any::<prop::sample::Index>(), turn in any::<prop::sample::Index>()) {
        let whole = said(&rows);
        let (left, right) = rows.split_at(cut.index(rows.len() + 1));
        let mut parts = said(left);
        parts.extend(said(right));
        prop_assert_eq!(&whole, &parts);
        let turn = turn.index(rows.len());
        let mut turned = rows.clone();
        turned.rotate_left(turn);
        turned.reverse();
        let mut back = said(&turned);
        back.reverse();
        back.rotate_right(turn);
        prop_assert_eq!(&whole, &back);
    }
}

/// A metric's row: its cells and its group.
type Cells = (Vec<Value<'static>>, u32);

const GROUPS: u32 = 5;

fn batch(metric: &Metric, rows: &[Cells]) -> Batch {
    let mut batch = BatchBuilder::new(rows.len(), Vec::new());
    for (at, (_, ty)) in metric.spec().reads.iter().enumerate() {
        batch.values(*ty, |row| rows[row].0[at].clone());
    }
    batch.groups(&rows.iter().map(|(_, group)| *group).collect::<Vec<_>>());
    batch.finish()
}

fn evaluated(metric: &Arc<Metric>, accumulators: &[&[Cells]], step: usize) -> Vec<MetricRow> {
    let mut total = metric.open(&Map::new()).unwrap();
    total.ensure_groups(GROUPS).unwrap();
    for rows in accumulators {
        let mut run = metric.open(&Map::new()).unwrap();
        for part in rows.chunks(step.max(1)) {
            run.rows(batch(metric, part), GROUPS).unwrap();
        }
        run.ensure_groups(GROUPS).unwrap();
        total.merge(&run.state().unwrap(), &(0..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
    }
    total.finish().unwrap()
}

/// Equal, reals within 1e-12 of their size.
fn close(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-12 * one.abs().max(other.abs())
        }
        (one, other) => one == other,
    }
}

#[test]
fn metrics_evaluate_to_the_same_however_rows_are_cut() {
    for metric in SHIPPED_ONLY.metrics() {
        let cells: Vec<_> = metric.spec().reads.iter().map(|(_, ty)| value(*ty)).collect();
        let rows = proptest::collection::vec((cells, 0..GROUPS), 0..60);
        let input = (rows, any::<prop::sample::Index>(), 1usize..20, any::<bool>());
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(32));
        let law = |(mut rows, cut, step, turned): (Vec<Cells>, prop::sample::Index, usize, bool)| {
            let whole = evaluated(&metric, &[&rows], usize::MAX);
            if turned {
                rows.reverse();
            }
            let (left, right) = rows.split_at(cut.index(rows.len() + 1));
            let cut = evaluated(&metric, &[left, right], step);
            prop_assert_eq!(whole.len(), cut.len());
            for (one, other) in whole.iter().zip(&cut) {
                prop_assert_eq!(one.group, other.group);
                let same = one.values.iter().zip(&other.values).all(|(one, other)| close(one, other));
                prop_assert!(same, "{}: {:?} {:?}", metric.spec().id, one, other);
            }
            Ok(())
        };
        runner.run(&input, law).unwrap();
    }
}
