//! Indexed attributes answer what a scan answers, while they are filled too.

use std::convert::Infallible;
use std::path::Path;

use telemetry_model::facts::Facts;
use telemetry_model::query::{Comparison, Filter, GroupKey, Interval, RowQuery, RowScan, RowSink, Window};
use telemetry_model::{Batch, Event, Field, Relation, Timestamp};

use super::{item, submit};
use crate::{EventQuery, Store, StoreSettings, testing};

const VALUES: &[&str] = &[
    "1",
    "2",
    "-0",
    "1.0",
    "1.5",
    "1e0",
    "9007199254740993",
    "9007199254740992.0",
    "12345678901234567890",
    "1e400",
    "true",
    "false",
    "null",
    r#""1""#,
    r#""true""#,
    r#""a""#,
    r#""b\u0000""#,
    r#""\u00e9""#,
    r#""z\"""#,
    "[1]",
    r#"{"a":1}"#,
    r#""""#,
];

fn open(folder: &Path, name: &str, keys: &[&str]) -> Store {
    let mut settings = StoreSettings::new(folder.join(name));
    settings.indexed_attributes = keys.iter().map(|key| (*key).to_owned()).collect();
    Store::open(settings).unwrap()
}

/// Calls with a beginning and an end, each with `k` or without, and alerts; some pair with nothing.
fn events(store: &Store) -> Vec<(Event, Facts)> {
    let long = |end: &str| format!("\"{}{end}\"", "\u{1f600}".repeat(30));
    let mut values: Vec<String> = VALUES.iter().map(|value| (*value).to_owned()).collect();
    values.extend([long("a"), long("b"), format!("\"{}\"", "x".repeat(117)), format!("\"{}\"", "x".repeat(130))]);
    let names = ["llm.call.start", "llm.call.finish", "tool.execution", "tool.result", "security.content.dangerous"];
    (0..260)
        .map(|number: usize| {
            let mut event = testing::event(names[number % names.len()], (number as i64 * 37) % 101);
            event.trace_id = Some(format!("t{}", number % 3).into());
            event.session_id = Some(format!("s{}", number % 4).into());
            event.span_id = (!number.is_multiple_of(7)).then(|| format!("span{}", number / 2 % 40).into());
            let value = &values[number * 7 % values.len()];
            if number % 5 != 3 {
                event.attributes = testing::attributes(&format!(r#"{{"k":{value},"session.id":"s{}","other":1}}"#, number % 4));
            }
            let facts = testing::facts(&event, store.digest_key());
            (event, facts)
        })
        .collect()
}

fn fill(store: &Store) {
    submit(store, events(store).into_iter().map(|(event, facts)| item(store, event, facts)).collect()).unwrap();
}

fn wait(store: &Store, done: impl Fn(&[crate::IndexProgress]) -> bool) {
    while !done(&store.index_progress().unwrap()) {
        std::thread::yield_now();
    }
}

struct Count;

impl RowSink for Count {
    type Error = Infallible;
    fn rows(&mut self, _: Batch, _: u32) -> Result<(), Infallible> {
        Ok(())
    }
}

fn filters() -> Vec<Filter> {
    let mut texts: Vec<String> =
        ["1", "1.0", "1.5", "-0", "0", "true", "a", "b\0", "\u{e9}", "z\"", "[1]", "", "9007199254740993", "9007199254740992", "1e400"]
            .iter()
            .map(|text| (*text).to_owned())
            .collect();
    texts.extend(["x".repeat(117), "x".repeat(130), format!("{}b", "\u{1f600}".repeat(30)), "12345678901234567890".to_owned()]);
    let comparisons = [Comparison::Equal, Comparison::Less, Comparison::AtMost, Comparison::Greater, Comparison::AtLeast];
    let mut filters = Vec::new();
    for comparison in comparisons {
        filters.extend(texts.iter().map(|text| Filter { field: Field::Attribute("k".into()), comparison, values: vec![text.clone()] }));
    }
    filters.push(Filter::equal(Field::Attribute("k".into()), texts));
    filters
}

fn windows() -> [Window; 3] {
    let time = |time| Some(Timestamp(time));
    [Window::default(), Window { from: time(20), to: time(60) }, Window { from: None, to: time(50) }]
}

/// Groups with how many rows each has, in an order of their own.
fn report(store: &Store, query: &RowQuery) -> (Vec<GroupKey>, u64, RowScan) {
    let scan = store.scan(query, &mut Count).unwrap();
    let mut groups = scan.groups.clone();
    groups.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
    (groups, scan.matched_rows, scan)
}

fn assert_same(plain: &Store, indexed: &Store, every: usize, is_sought: bool) {
    for window in windows() {
        for filter in filters().into_iter().step_by(every) {
            for ascending in [false, true] {
                let query = EventQuery { window, ascending, filters: vec![filter.clone()], limit: 7, ..EventQuery::default() };
                let pages = |store: &Store| {
                    let (mut query, mut ids) = (query.clone(), Vec::new());
                    loop {
                        let page = store.snapshot().unwrap().events(&query).unwrap();
                        ids.extend(page.events.iter().map(|event| event.id));
                        query.after = page.next;
                        if query.after.is_none() {
                            return ids;
                        }
                    }
                };
                assert_eq!(pages(plain), pages(indexed), "{filter:?} {window:?}");
            }
            for relation in Relation::ALL {
                let mut query = RowQuery {
                    relation,
                    columns: Vec::new(),
                    window,
                    filters: vec![filter.clone()],
                    group_by: Vec::new(),
                    interval: Some(Interval { nanoseconds: 10, origin: Timestamp(0) }),
                    max_groups: 10_000,
                };
                let (scanned, found) = (report(plain, &query), report(indexed, &query));
                assert!((&scanned.0, scanned.1) == (&found.0, found.1), "{relation} {filter:?} {window:?}");
                assert_eq!(scanned.2.unindexed.len(), 1);
                query.group_by = vec![Field::Attribute("k".into())];
                let (scanned, found) = (report(plain, &query), report(indexed, &query));
                assert!((&scanned.0, scanned.1) == (&found.0, found.1), "{relation} {filter:?} by k {window:?}");
                query.filters.clear();
                let (scanned, found) = (report(plain, &query), report(indexed, &query));
                assert!((&scanned.0, scanned.1) == (&found.0, found.1), "{relation} by k {window:?}");
            }
        }
    }
    let query =
        EventQuery { filters: vec![Filter::equal(Field::Attribute("k".into()), vec!["a".into()])], limit: 1, ..EventQuery::default() };
    let scan = indexed.snapshot().unwrap().events(&query).unwrap().scan.unwrap();
    assert_eq!((scan.sought.is_some(), scan.unindexed.len()), (is_sought, usize::from(!is_sought)));
}

#[test]
fn an_index_answers_what_a_scan_answers() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (plain, indexed) = (open(folder.path(), "plain.db", &[]), open(folder.path(), "indexed.db", &["k", "never sent"]));
    fill(&plain);
    fill(&indexed);
    assert_same(&plain, &indexed, 1, true);
}

#[test]
fn a_key_that_is_added_is_filled_and_one_that_is_removed_goes() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let plain = open(folder.path(), "plain.db", &[]);
    for _ in 0..3 {
        fill(&plain);
    }
    let values = |store: &Store| -> i64 {
        let reader = store.reader().unwrap();
        reader.query_row("select count(*) from attribute_values", [], |row| row.get(0)).unwrap()
    };
    {
        let late = open(folder.path(), "late.db", &[]);
        fill(&late);
        fill(&late);
    }
    let late = open(folder.path(), "late.db", &["k"]);
    fill(&late);
    wait(&late, |keys| keys.iter().all(|key| key.state == "complete") && keys.len() == 1);
    let filled = values(&late);
    assert_same(&plain, &late, 11, true);
    drop(late);
    let other = open(folder.path(), "late.db", &["other"]);
    wait(&other, |keys| keys.len() == 1 && keys[0].state == "complete");
    assert_same(&plain, &other, 23, false);
    assert_ne!(values(&other), filled);
    drop(other);
    let again = open(folder.path(), "late.db", &["k"]);
    wait(&again, |keys| keys.len() == 1 && keys[0].state == "complete" && keys[0].key == "k");
    assert_eq!(values(&again), filled);
}

#[test]
fn filters_scan_until_a_key_is_filled() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let store = open(folder.path(), "test.db", &[]);
    fill(&store);
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    // Seen by this connection only: the writer fills nothing meanwhile.
    other.execute_batch("begin immediate").unwrap();
    for (filled, dropped, is_complete) in [(259, false, false), (260, false, true), (260, true, false)] {
        let sql = "insert or replace into attribute_keys (key, filled, target, dropped) select id, ?, 260, ? from strings where text = 'k'";
        other.execute(sql, rusqlite::params![filled, dropped]).unwrap();
        assert_eq!(crate::indexed::complete(&other, "k").unwrap().is_some(), is_complete, "{filled} {dropped}");
    }
}
