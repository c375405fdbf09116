//! Every listing is sought in an index, over a database whose arrival order is the reverse of time.

use telemetry_model::Timestamp;
use telemetry_model::query::Window;

use super::fixture::Fixture;
use super::select::Select;
use telemetry_model::Field;
use telemetry_model::query::{Comparison, Filter};

use super::filtered::select_filtered;
use super::seeks::seeks;
use super::{
    AlertQuery, EventCursor, EventQuery, QuarantineQuery, SessionOrder, SessionQuery, agents, alerts, events, quarantine, sessions,
};

fn reversed() -> Fixture {
    let fixture = Fixture::new();
    fixture.connection.execute_batch("begin").unwrap();
    for time in (0..1_000).rev() {
        fixture.call(time, "a", None, None);
    }
    fixture.connection.execute_batch("commit").unwrap();
    fixture
}

fn assert_sought(fixture: &Fixture, select: &Select, index: &str) {
    let steps = fixture.query_plan(&select.sql, &select.values);
    let first = steps.iter().find(|step| step.contains(" r USING")).unwrap_or_else(|| panic!("{steps:?}"));
    assert!(first.contains(index), "{index}: {steps:?}");
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
}

#[test]
fn events_come_in_order_from_an_index() {
    let fixture = reversed();
    let text = |text: &str| Some(text.to_owned());
    let window = Window { from: Some(Timestamp(5)), to: Some(Timestamp(9)) };
    for window in [Window::default(), Window { to: None, ..window }, Window { from: None, ..window }, window] {
        for ascending in [false, true] {
            let after = Some(EventCursor { timestamp: Timestamp(7), id: 1 });
            let all = EventQuery { window, ascending, limit: 10, ..EventQuery::default() };
            let of_level = EventQuery { level: text("INFO"), name: text("a"), event_type: text("llm"), ..all.clone() };
            for (query, index) in [
                (all.clone(), "event_rows_timestamp"),
                (of_level, "event_rows_timestamp"),
                (EventQuery { after, ..all.clone() }, "event_rows_timestamp"),
                (EventQuery { agent_id: text("a"), ..all.clone() }, "event_rows_agent"),
                (EventQuery { session_id: text("s"), ..all.clone() }, "event_rows_session"),
                (EventQuery { trace_id: text("t"), ..all.clone() }, "event_rows_trace"),
            ] {
                assert_sought(&fixture, &events::select_events(&query), index);
            }
        }
    }
}

#[test]
fn alerts_and_sessions_come_in_order_from_an_index() {
    let fixture = reversed();
    let window = Window { from: Some(Timestamp(5)), to: Some(Timestamp(9)) };
    let alert = AlertQuery { window, limit: 10, severity: vec!["high".to_owned()], ..AlertQuery::default() };
    assert_sought(&fixture, &alerts::select_alerts(&alert), "security_alert_rows_timestamp");
    let of_agent = AlertQuery { agent_id: Some("a".to_owned()), ..alert };
    assert_sought(&fixture, &alerts::select_alerts(&of_agent), "security_alert_rows_agent");
    let session = SessionQuery {
        agent_id: None,
        window,
        state: None,
        silent_since: Timestamp(0),
        min_duration: None,
        max_duration: None,
        order: SessionOrder::Start,
        ascending: false,
        limit: 10,
        offset: 0,
    };
    assert_sought(&fixture, &sessions::select_sessions(&session), "session_rows_start");
    let of_agent = SessionQuery { agent_id: Some("a".to_owned()), ..session };
    assert_sought(&fixture, &sessions::select_sessions(&of_agent), "session_rows_agent");
}

#[test]
fn quarantine_comes_in_order_from_an_index() {
    let fixture = reversed();
    let window = |from: Option<i64>, to: Option<i64>| QuarantineQuery {
        reason: Some("too-large".to_owned()),
        agent_id: Some("a".to_owned()),
        from: from.map(Timestamp),
        to: to.map(Timestamp),
        limit: 10,
        offset: 0,
    };
    for (from, to) in [(None, None), (Some(5), None), (None, Some(9)), (Some(5), Some(9))] {
        assert_sought(&fixture, &quarantine::select_quarantine(&window(from, to)), "quarantine_received_at");
        let all = QuarantineQuery { reason: None, agent_id: None, ..window(from, to) };
        let count = quarantine::count_quarantine(&all);
        let steps = fixture.query_plan(&count.sql, &count.values);
        assert!(steps[0].contains("COVERING INDEX quarantine_"), "{steps:?}");
    }
}

#[test]
fn counts_of_an_agent_and_a_session_are_sought() {
    let fixture = reversed();
    for sql in [agents::CALLS, agents::EXECUTIONS, agents::ERRORS, agents::ALERTS, sessions::CALLS, sessions::EXECUTIONS, sessions::ERRORS]
    {
        let values = vec![rusqlite::types::Value::Integer(1); if sql.contains("?3") { 3 } else { 1 }];
        let steps = fixture.query_plan(sql, &values);
        assert!(!steps.iter().any(|step| step.starts_with("SCAN") && !step.starts_with("SCAN CONSTANT")), "{sql}: {steps:?}");
    }
}

#[test]
fn filters_on_indexed_attributes_are_sought() {
    let fixture = reversed();
    let key = fixture.string("k");
    fixture.connection.execute("insert into attribute_keys (key, filled, target, dropped) values (?, 0, 0, 0)", [key]).unwrap();
    let filter = |comparison, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        vec![Filter { field: Field::Attribute("k".into()), comparison, values }]
    };
    let window = Window { from: Some(Timestamp(5)), to: Some(Timestamp(9)) };
    for (filters, sorted, bounds) in [
        (filter(Comparison::Equal, &["a"]), true, "key=? AND value=?"),
        (filter(Comparison::Equal, &["a", "5"]), false, "key=? AND value=?"),
        (filter(Comparison::Greater, &["5"]), false, "key=? AND value>? AND value<?"),
        (filter(Comparison::AtMost, &["5"]), false, "key=? AND value<?"),
        (filter(Comparison::Less, &["text"]), false, "key=? AND value>? AND value<?"),
    ] {
        for ascending in [false, true] {
            let query = EventQuery { window, ascending, filters: filters.clone(), limit: 10, ..EventQuery::default() };
            let (found, unindexed) = seeks(&fixture.connection, &query.filters).unwrap();
            assert_eq!(unindexed, []);
            let select = select_filtered(&query, found.into_iter().next().map(|seek| seek.within(window)));
            let steps = fixture.query_plan(&select.sql, &select.values);
            assert!(steps[0].contains("a USING PRIMARY KEY") && steps[0].contains(bounds), "{steps:?}");
            assert!(steps[1].contains("r USING INTEGER PRIMARY KEY"), "{steps:?}");
            assert_eq!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), sorted, "{steps:?}");
        }
    }
}
