//! What a scan hands over, and that its windows are sought in an index.

use rusqlite::types::Value;
use telemetry_model::query::{Filter, GroupKey, GroupValue, Interval, RowQuery, RowScan, RowSink, Window};
use telemetry_model::{Batch, BatchView, Field, FieldType, Relation, Timestamp};

use super::{Instead, ScanError, attributes, plan};
use crate::read::Stop;
use crate::read::fixture::Fixture;

const HOUR: i64 = 3_600_000_000_000;

/// Rows as text: the group, then the values.
struct Lines {
    types: Vec<FieldType>,
    lines: Vec<String>,
    batches: usize,
}

impl RowSink for Lines {
    type Error = String;

    fn rows(&mut self, batch: Batch, group_count: u32) -> Result<(), String> {
        let view = BatchView::check(&batch, &self.types).map_err(|error| error.to_string())?;
        for (row, group) in view.groups().unwrap().enumerate() {
            assert!(group < group_count);
            let values: Vec<_> = view.columns().iter().map(|column| format!("{:?}", column.value(row))).collect();
            self.lines.push(format!("{group}: {}", values.join(" ")));
        }
        self.batches += 1;
        Ok(())
    }
}

fn query(relation: Relation, columns: &[(&str, FieldType)]) -> RowQuery {
    RowQuery {
        relation,
        columns: columns.iter().map(|(name, ty)| (field(name, relation), *ty)).collect(),
        window: Window::default(),
        filters: Vec::new(),
        group_by: Vec::new(),
        interval: None,
        max_groups: 100,
    }
}

fn field(name: &str, relation: Relation) -> Field {
    Field::parse(name, relation).unwrap()
}

fn filter(name: &str, relation: Relation, values: &[&str]) -> Filter {
    Filter::equal(field(name, relation), values.iter().map(|value| (*value).to_owned()).collect())
}

fn run(fixture: &Fixture, query: &RowQuery) -> (Vec<String>, RowScan) {
    let types = query.columns.iter().map(|(_, ty)| *ty).collect();
    let mut lines = Lines { types, lines: Vec::new(), batches: 0 };
    let scan = fixture.store.scan(query, &mut lines).unwrap();
    (lines.lines, scan)
}

fn calls() -> Fixture {
    let fixture = Fixture::new();
    fixture.call(2 * HOUR, "b", Some("gpt-4o"), Some((10, 5)));
    fixture.call(HOUR, "a", Some("claude"), Some((7, 3)));
    fixture.call(0, "a", None, None);
    fixture
}

#[test]
fn hands_over_typed_columns_and_groups() {
    let fixture = calls();
    let mut query = query(
        Relation::LlmCalls,
        &[
            ("model", FieldType::Text),
            ("total_tokens", FieldType::Integer),
            ("status", FieldType::Text),
            ("duration_ms", FieldType::Real),
            ("start_time", FieldType::Time),
            ("llm.request.type", FieldType::Text),
        ],
    );
    query.group_by = vec![field("agent", Relation::LlmCalls)];
    let (lines, scan) = run(&fixture, &query);
    assert_eq!(
        lines,
        [
            r#"0: Text("gpt-4o") Integer(15) Text("success") Real(1.5) Time(7200000000000) Text("chat")"#,
            r#"1: Text("claude") Integer(10) Text("success") Real(1.5) Time(3600000000000) Text("chat")"#,
            r#"1: Absent Absent Text("success") Real(1.5) Time(0) Text("chat")"#,
        ]
    );
    let key = |agent: &str| GroupKey { bucket: None, values: vec![Some(agent.into())] };
    assert_eq!(scan.groups, [key("b"), key("a")]);
    assert_eq!((scan.scanned_rows, scan.matched_rows), (3, 3));
}

#[test]
fn windows_are_half_open_and_buckets_are_groups() {
    let fixture = calls();
    let mut query = query(Relation::LlmCalls, &[("input_tokens", FieldType::Integer)]);
    query.window = Window { from: Some(Timestamp(0)), to: Some(Timestamp(2 * HOUR)) };
    query.interval = Some(Interval { nanoseconds: 2 * HOUR, origin: Timestamp(0) });
    query.group_by = vec![field("model", Relation::LlmCalls)];
    let (lines, scan) = run(&fixture, &query);
    assert_eq!(lines, ["0: Absent", "1: Integer(7)"]);
    let bucket = Some(Timestamp(0));
    assert_eq!(scan.groups, [GroupKey { bucket, values: vec![None] }, GroupKey { bucket, values: vec![Some("claude".into())] }]);
}

#[test]
fn filters_match_any_of_their_values_on_fields_and_attributes() {
    let fixture = calls();
    let relation = Relation::LlmCalls;
    for (filters, matched) in [
        (vec![filter("model", relation, &["claude", "gpt-4o"])], 2),
        (vec![filter("model", relation, &["nobody knows it"])], 0),
        (vec![filter("input_tokens", relation, &["7.0"])], 1),
        (vec![filter("input_tokens", relation, &["seven"])], 0),
        (vec![filter("status", relation, &["success"])], 3),
        (vec![filter("agent", relation, &["a"]), filter("model", relation, &["claude"])], 1),
        (vec![filter("start_time", relation, &["1970-01-01T01:00:00Z"])], 1),
        (vec![filter("llm.request.type", relation, &["chat"])], 3),
        (vec![filter("llm.request.type", relation, &["' or 1=1 --"])], 0),
        (vec![filter("model", relation, &["' or 1=1 --"])], 0),
    ] {
        let mut query = query(relation, &[]);
        query.filters = filters;
        let (lines, scan) = run(&fixture, &query);
        assert_eq!((lines.len() as u64, scan.matched_rows), (matched, matched), "{:?}", query.filters);
    }
}

#[test]
fn filters_that_no_index_serves_still_count_the_rows_they_read() {
    let fixture = calls();
    let mut query = query(Relation::LlmCalls, &[]);
    query.filters = vec![filter("model", Relation::LlmCalls, &["claude"])];
    let (_, scan) = run(&fixture, &query);
    assert_eq!((scan.scanned_rows, scan.matched_rows), (3, 1));
    query.filters = vec![filter("agent", Relation::LlmCalls, &["a"])];
    let (_, scan) = run(&fixture, &query);
    assert_eq!((scan.scanned_rows, scan.matched_rows), (2, 2));
}

#[test]
fn refuses_one_group_too_many() {
    let fixture = calls();
    let mut query = query(Relation::LlmCalls, &[]);
    query.group_by = vec![field("start_time", Relation::LlmCalls)];
    query.max_groups = 3;
    assert_eq!(run(&fixture, &query).1.groups.len(), 3);
    query.max_groups = 2;
    let mut lines = Lines { types: Vec::new(), lines: Vec::new(), batches: 0 };
    assert!(matches!(fixture.store.scan(&query, &mut lines), Err(ScanError::TooManyGroups { limit: 2 })));
}

#[test]
fn ends_when_told_and_leaves_the_connection_usable() {
    struct Switch(Stop);
    impl RowSink for Switch {
        type Error = String;
        fn rows(&mut self, _: Batch, _: u32) -> Result<(), String> {
            self.0.stop();
            Ok(())
        }
    }
    let fixture = calls();
    let query = query(Relation::LlmCalls, &[]);
    let stop = Stop::default();
    let snapshot = fixture.store.snapshot_until(&stop).unwrap();
    let mut sink = Switch(stop);
    assert!(snapshot.scan(&query, &mut sink).is_ok(), "all rows were read when it was told");
    assert!(matches!(snapshot.scan(&query, &mut sink), Err(ScanError::Stopped)));
    drop(snapshot);
    sink.0.stop();
    assert_eq!(run(&fixture, &query).1.scanned_rows, 3);
}

#[test]
fn an_attribute_is_that_of_the_first_event_that_has_it() {
    let fixture = Fixture::new();
    let (trace, span) = (fixture.string("t"), Value::Text("s".to_owned()));
    let pair = [("trace", Value::Integer(trace)), ("span", span.clone())];
    let context = fixture.insert(
        "contexts",
        &[("digest", Value::Blob(vec![1])), ("attributes", Value::Text(format!("[[{},\"\\\"box\\\"\"]]", fixture.string("host.name"))))],
    );
    let body = Value::Text("two\"".to_owned());
    let content = fixture.insert("contents", &[("digest", Value::Blob(vec![2])), ("depth", Value::Integer(0)), ("body", body)]);
    let piece = format!("[[{},\"\\\"one, \",{content}],[{},\"[1, 2]\"]]", fixture.string("late"), fixture.string("list"));
    let plugin = fixture.insert(
        "plugin_versions",
        &[
            ("plugin_id", Value::Text("p".to_owned())),
            ("version", Value::Text("1".to_owned())),
            ("digest", Value::Text("d".to_owned())),
            ("derivation", Value::Text("d".to_owned())),
        ],
    );
    let derived = format!("[[{plugin},{},\"\\\"llm\\\"\"]]", fixture.string("event.category"));
    let first = fixture.event(10, "llm.call.start", "a", &pair, &[("early", "1"), ("late", "null"), ("real", "0.5")]);
    let more = [pair[0].clone(), pair[1].clone(), ("context", Value::Integer(context)), ("derived", Value::Text(derived))];
    let second = fixture.event(20, "llm.call.finish", "a", &more, &[]);
    fixture.connection.execute("update event_rows set attributes = ?1 where id = ?2", (piece, second)).unwrap();
    fixture.event(15, "security.alert", "a", &pair, &[("late", "\"not the call's\"")]);
    fixture.insert(
        "llm_call_rows",
        &[
            ("event_id", Value::Integer(first)),
            pair[0].clone(),
            pair[1].clone(),
            ("agent", Value::Integer(fixture.string("a"))),
            ("roles", Value::Integer(3)),
            ("sources", Value::Integer(0)),
            ("start_time", Value::Integer(10)),
            ("end_time", Value::Integer(20)),
        ],
    );
    let columns = [
        ("attributes[\"early\"]", FieldType::Integer),
        ("attributes[\"late\"]", FieldType::Text),
        ("attributes[\"list\"]", FieldType::Json),
        ("attributes[\"real\"]", FieldType::Real),
        ("host.name", FieldType::Text),
        ("event.category", FieldType::Text),
        ("attributes[\"none\"]", FieldType::Text),
    ];
    let mut query = query(Relation::LlmCalls, &columns);
    query.group_by = vec![field("attributes[\"list\"]", Relation::LlmCalls)];
    let (lines, scan) = run(&fixture, &query);
    assert_eq!(lines, [r#"0: Integer(1) Text("one, two") Json("[1, 2]") Real(0.5) Text("box") Text("llm") Absent"#],);
    assert_eq!(scan.groups[0].values, [Some(GroupValue::Json("[1, 2]".into()))]);
}

#[test]
fn cuts_batches_by_rows_and_by_bytes() {
    let fixture = Fixture::new();
    let text = format!("\"{}\"", "x".repeat(400_000));
    for time in 0..7 {
        fixture.event(time, "a", "a", &[], &[("big", &text)]);
    }
    let query = query(Relation::Events, &[("attributes[\"big\"]", FieldType::Text)]);
    let mut lines = Lines { types: vec![FieldType::Text], lines: Vec::new(), batches: 0 };
    fixture.store.scan(&query, &mut lines).unwrap();
    assert_eq!((lines.lines.len(), lines.batches), (7, 3));
}

#[test]
fn every_window_is_sought_in_an_index_led_by_time() {
    let fixture = Fixture::new();
    fixture.connection.execute_batch("begin").unwrap();
    for time in (0..2_000).rev() {
        fixture.call(time * HOUR, "a", Some("m"), Some((1, 1)));
    }
    fixture.connection.execute_batch("commit").unwrap();
    for relation in Relation::ALL {
        let columns: Vec<_> = relation.fields().iter().map(|(name, ty, _)| (*name, *ty)).collect();
        for (from, to) in [(Some(5 * HOUR), None), (None, Some(9 * HOUR)), (Some(5 * HOUR), Some(9 * HOUR))] {
            for agent in [false, true] {
                let mut query = query(relation, &columns);
                query.window = Window { from: from.map(Timestamp), to: to.map(Timestamp) };
                query.interval = Some(Interval { nanoseconds: HOUR, origin: Timestamp(0) });
                if agent {
                    query.filters = vec![filter("agent", relation, &["a"])];
                }
                let plan = plan::plan(&fixture.connection, &query, plan::Wanted { with_ids: true, ..plan::Wanted::default() }).unwrap();
                let steps = fixture.query_plan(&plan.sql, &plan.values);
                let sought = steps.iter().filter(|step| step.starts_with("SEARCH r USING ")).collect::<Vec<_>>();
                assert_eq!(sought.len(), 1, "{relation}: {steps:?}");
                let column = plan.table.time.trim_start_matches("r.");
                assert!(sought[0].contains(&format!("{column}>")) || sought[0].contains(&format!("{column}<")), "{steps:?}");
                assert!(!agent || sought[0].contains("agent=?"), "{steps:?}");
                assert!(steps.iter().all(|step| !step.starts_with("SCAN") && !step.contains("TEMP B-TREE")), "{steps:?}");
            }
        }
    }
}

#[test]
fn a_session_has_the_attributes_of_its_events_by_time() {
    let fixture = Fixture::new();
    let session = fixture.string("s");
    let of_session = [("session", Value::Integer(session))];
    fixture.event(20, "b", "a", &of_session, &[("early", "\"late\""), ("once", "7")]);
    fixture.event(10, "a", "a", &of_session, &[("early", "\"first\"")]);
    fixture.event(5, "a", "a", &[], &[("early", "\"not the session's\"")]);
    fixture.insert(
        "session_rows",
        &[
            ("session", Value::Integer(session)),
            ("agent", Value::Integer(fixture.string("a"))),
            ("start_time", Value::Integer(10)),
            ("end_time", Value::Integer(20)),
            ("event_count", Value::Integer(2)),
        ],
    );
    let columns =
        [("session_id", FieldType::Text), ("attributes[\"early\"]", FieldType::Text), ("attributes[\"once\"]", FieldType::Integer)];
    let (lines, _) = run(&fixture, &query(Relation::Sessions, &columns));
    assert_eq!(lines, [r#"0: Text("s") Text("first") Integer(7)"#]);
}

#[test]
fn events_behind_a_row_are_sought() {
    let fixture = Fixture::new();
    fixture.connection.execute_batch("begin").unwrap();
    for time in (0..1_000).rev() {
        fixture.call(time, "a", None, None);
    }
    fixture.connection.execute_batch("commit").unwrap();
    for (sql, values, index) in [
        (attributes::EVENT, 1, "INTEGER PRIMARY KEY"),
        (attributes::OTHERS, 6, "event_rows_trace"),
        (attributes::SESSION, 1, "event_rows_session"),
    ] {
        let steps = fixture.query_plan(sql, &vec![Value::Integer(1); values]);
        assert!(steps[0].starts_with("SEARCH") && steps[0].contains(index), "{steps:?}");
        assert!(steps.iter().all(|step| !step.starts_with("SCAN") && !step.contains("TEMP B-TREE")), "{steps:?}");
    }
}

#[test]
fn rows_are_sought_by_indexed_attributes_of_their_events() {
    let fixture = calls();
    let key = fixture.string("llm.request.type");
    fixture.connection.execute("insert into attribute_keys (key, filled, target, dropped) values (?, 0, 0, 0)", [key]).unwrap();
    for relation in Relation::ALL {
        let mut query = query(relation, &[]);
        query.filters = vec![filter("llm.request.type", relation, &["chat"])];
        let snapshot = fixture.store.snapshot().unwrap();
        let plan = plan::plan(snapshot.connection(), &query, plan::Wanted::default()).unwrap();
        assert_eq!(plan.sought, Some(field("llm.request.type", relation)));
        let steps = fixture.query_plan(&plan.sql, &plan.values);
        assert!(!steps.iter().any(|step| step.starts_with("SCAN") && step != "SCAN s"), "{relation}: {steps:?}");
        assert!(steps.iter().any(|step| step.contains("a USING PRIMARY KEY (key=? AND value=?")), "{relation}: {steps:?}");
    }
}

#[test]
fn what_stands_in_counts_for_its_rows_and_nothing_else_changes() {
    let fixture = Fixture::new();
    let [mine, other] = ["mine", "other"].map(|id| {
        let text = |text: &str| Value::Text(text.to_owned());
        fixture
            .insert("plugin_versions", &[("plugin_id", text(id)), ("version", text("1")), ("digest", text("d")), ("derivation", text(id))])
    });
    let (key, kept) = (fixture.string("key"), fixture.string("kept"));
    let derived = format!(r#"[[{mine},{key},"\"stored\""],[{other},{kept},"\"kept\""]]"#);
    let more = [("derived", Value::Text(derived))];
    let events: Vec<i64> = (0..4).map(|time| fixture.event(time, "a", "a", &more, &[])).collect();
    fixture.event(4, "a", "a", &[], &[("key", "\"sent\"")]);
    let mut query = query(Relation::Events, &[("attributes[\"key\"]", FieldType::Text), ("attributes[\"kept\"]", FieldType::Text)]);
    let mut instead = Instead::new(Relation::Events, &["mine"], ["key".into()]);
    for (event, value) in [(events[0], Some("\"new\"")), (events[1], None), (events[2], Some("null")), (5, Some("\"never\""))] {
        assert!(instead.put(event, value.map(|json| ("key", json)).into_iter().chain([("unwanted", "1")])));
    }
    let run = |query: &RowQuery| {
        let mut lines = Lines { types: query.columns.iter().map(|(_, ty)| *ty).collect(), lines: Vec::new(), batches: 0 };
        let snapshot = fixture.store.snapshot().unwrap();
        snapshot.scan_instead(query, Some(&instead), &mut lines).unwrap();
        lines.lines
    };
    let lines = [r#"Text("new") Text("kept")"#, r#"Absent Text("kept")"#, r#"Absent Text("kept")"#, r#"Text("stored") Text("kept")"#];
    assert_eq!(run(&query), [&lines[..], &[r#"Text("sent") Absent"#]].concat().iter().map(|line| format!("0: {line}")).collect::<Vec<_>>());
    query.filters = vec![filter("attributes[\"key\"]", Relation::Events, &["new", "stored"])];
    assert_eq!(run(&query), [format!("0: {}", lines[0]), format!("0: {}", lines[3])]);
    // Beyond its memory it takes no more.
    let long = format!("\"{}\"", "x".repeat(65 << 20));
    assert!(!instead.put(9, [("key", long.as_str())].into_iter()));
}
