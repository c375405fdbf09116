//! Enrichers: values, poison, limits, order.

use std::collections::BTreeSet;

use telemetry_model::outcome::RunOutcome;
use telemetry_model::{Family, Value};
use telemetry_plugins::{Catalog, Enrichment, PluginState};

use crate::guest::{Table, doubler, doubler_manifest, plugin};
use crate::loading::{Folder, settings};

const KEY: &str = "llm.usage.n";

fn catalog(folder: &Folder) -> Catalog {
    folder.put("doubler", &plugin("enricher", &doubler(), &doubler_manifest("doubler", KEY, "doubled")));
    Catalog::open(settings(folder)).unwrap()
}

fn doubled(enrichment: &Enrichment) -> Vec<Option<i64>> {
    enrichment.derived.iter().map(|list| list.first().and_then(|derived| derived.value.as_integer())).collect()
}

fn outcomes(enrichment: &Enrichment) -> Vec<RunOutcome> {
    enrichment.runs.iter().map(|runs| runs[0].outcome).collect()
}

#[test]
fn writes_its_column_on_every_row() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let enrichment = catalog.enrich(&Table::numbers(KEY, 100..350));
    assert_eq!(doubled(&enrichment), (100..350).map(|n| Some(n * 2)).collect::<Vec<_>>());
    assert_eq!(outcomes(&enrichment), vec![RunOutcome::Ok; 250]);
    let derived = &enrichment.derived[0][0];
    assert_eq!((&*derived.key, &*derived.plugin.plugin_id), ("doubled", "doubler"));
    let status = &catalog.statuses()[0];
    // Four families, one call.
    assert_eq!((status.counters.unwrap().calls, status.counters.unwrap().rows), (1, 250));
}

#[test]
fn only_the_bad_row_fails_whatever_it_does() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    for (number, outcome) in [
        (1, RunOutcome::Trap),
        (2, RunOutcome::Deadline),
        (3, RunOutcome::Memory),
        (4, RunOutcome::Trap),
        (5, RunOutcome::Trap),
        (6, RunOutcome::Trap),
        (7, RunOutcome::Trap),
        (8, RunOutcome::Trap),
        (9, RunOutcome::Declined),
        (10, RunOutcome::Trap),
        (11, RunOutcome::Trap),
        (12, RunOutcome::Trap),
        (13, RunOutcome::Trap),
        (14, RunOutcome::Trap),
        (15, RunOutcome::Trap),
    ] {
        let mut table = Table::numbers(KEY, (100..120).chain([number]).chain(200..220));
        table.family = Some(Family::Llm);
        let enrichment = catalog.enrich(&table);
        let mut expected: Vec<_> = (100..120).chain([0]).chain(200..220).map(|n| Some(n * 2)).collect();
        expected[20] = None;
        assert_eq!(doubled(&enrichment), expected, "{number}");
        let mut expected = vec![RunOutcome::Ok; 41];
        expected[20] = outcome;
        assert_eq!(outcomes(&enrichment), expected, "{number}");
    }
    let status = &catalog.statuses()[0];
    let counters = status.counters.unwrap();
    // The loop runs out of time with its batch, alone, and alone once more.
    assert_eq!((counters.poison_rows, counters.deadlines, counters.memory_refusals), (15, 3, 2));
    assert_eq!(status.state, PluginState::Serving);
    assert!(status.last_failure.as_deref().is_some_and(|last| last.starts_with("broke the contract: ")), "{:?}", status.last_failure);
    let lines: BTreeSet<_> = status.log.iter().map(|line| (line.level, &*line.message)).collect();
    assert_eq!(lines, BTreeSet::from([("error", "the plugin panicked at row 7")]));
}

#[test]
fn chatter_is_cut_and_harms_nobody() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let enrichment = catalog.enrich(&Table::numbers(KEY, [16]));
    assert_eq!(doubled(&enrichment), [Some(32)]);
    assert_eq!(catalog.statuses()[0].log.len(), 64);
}

#[test]
fn what_the_client_sent_stands() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let mut table = Table::numbers(KEY, [50, 60]);
    table.rows[0].insert("attributes[\"doubled\"]".into(), Value::Text("mine".into()));
    assert_eq!(doubled(&catalog.enrich(&table)), [None, Some(120)]);
}

#[test]
fn a_mismatched_or_absent_value_comes_as_a_bitmap() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let mut table = Table::numbers(KEY, [50, 60]);
    table.family = Some(Family::Other);
    table.rows[1].clear();
    // The guest looks at the bitmap as if it were its first cell, and says so back: a contract kept by luck or broken, never a crash.
    let enrichment = catalog.enrich(&table);
    assert_eq!(enrichment.runs.len(), 2);
    assert_eq!(doubled(&enrichment)[0], Some(100));
}

#[test]
fn readers_of_derived_keys_run_after_their_writers() {
    let folder = Folder::new();
    folder.put("a-second", &plugin("enricher", &doubler(), &doubler_manifest("second", "event.category", "llm.usage.last")));
    folder.put("b-first", &plugin("enricher", &doubler(), &doubler_manifest("first", KEY, "event.category")));
    let catalog = Catalog::open(settings(&folder)).unwrap();
    let enrichment = catalog.enrich(&Table::numbers(KEY, [50]));
    let written: Vec<_> = enrichment.derived[0].iter().map(|derived| (&*derived.key, derived.value.as_str())).collect();
    assert_eq!(written, [("event.category", "100"), ("llm.usage.last", "200")]);
}

#[test]
fn nine_bad_rows_five_times_open_the_breaker() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let mut table = Table::numbers(KEY, (100..110).chain([1; 9]));
    table.family = Some(Family::Llm);
    for _ in 0..5 {
        assert_eq!(doubled(&catalog.enrich(&table))[0], Some(200));
    }
    assert_eq!(catalog.statuses()[0].state, PluginState::BreakerOpen);
    let enrichment = catalog.enrich(&table);
    assert_eq!(outcomes(&enrichment), vec![RunOutcome::BreakerOpen; 19]);
    assert_eq!(catalog.statuses()[0].counters.unwrap().skipped_rows, 19);
}

#[test]
fn a_batch_of_loops_costs_no_more_than_the_breaker_allows() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let mut table = Table::numbers(KEY, [2; 1000]);
    table.family = Some(Family::Llm);
    let enrichment = catalog.enrich(&table);
    let tried = outcomes(&enrichment).into_iter().filter(|outcome| *outcome == RunOutcome::Deadline).count();
    let counters = catalog.statuses()[0].counters.unwrap();
    assert!(tried < 200, "{counters:?}");
    assert_eq!((counters.breaker_opens, counters.skipped_rows as usize + tried), (1, 1000));
}
