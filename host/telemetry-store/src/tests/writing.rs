use std::sync::Arc;
use std::sync::mpsc::channel;

use telemetry_model::facts::Facts;
use telemetry_model::outcome::{Derived, PluginRun, PluginVersion, RunOutcome};
use telemetry_model::{Flag, JsonText, Outcome, Reason, Timestamp};

use super::{Scratch, golden, item, submit};
use crate::{NewEvent, QuarantineEntry, QuarantinedBody, Store, StoreSettings, SubmitError, WriteItem, testing};

#[test]
fn counts_what_the_monitor_sent() {
    let scratch = Scratch::new();
    scratch.store(golden(&scratch.store));
    assert_eq!(scratch.number("select count(*) from events"), 380);
    assert_eq!(scratch.rows("select status, count(*) from llm_calls group by status order by status"), ["error|6", "open|9", "success|46"]);
    assert_eq!(scratch.rows("select sum(input_tokens), sum(output_tokens) from llm_calls"), ["3103|759"]);
    assert_eq!(
        scratch.rows("select status, count(*) from tool_executions group by status order by status"),
        ["error|2", "open|1", "success|73"]
    );
    assert_eq!(scratch.rows("select count(*), count(llm_call_id) from security_alerts"), ["29|29"]);
    assert_eq!(scratch.number("select count(*) from sessions"), 9);
    assert_eq!(scratch.number("select count(*) from agents"), 6);
}

#[test]
fn gives_times_as_text_beside() {
    let scratch = Scratch::new();
    let times = [1_795_420_831_183_396_000, 1_795_420_831_183_396_001, -1, 0, i64::MAX, -9_223_372_036_854_775_000];
    scratch.store(times.map(|time| (testing::event("x", time), Facts::None)));
    let texts = scratch.rows("select timestamp from events_readable order by id");
    assert_eq!(texts, times.map(|time| Timestamp(time).to_string()));
}

#[test]
fn tells_duplicates_by_agent_and_key() {
    let scratch = Scratch::new();
    let event = |agent: &str, key: &str| {
        let mut event = testing::event("x", 5);
        event.agent_id = agent.into();
        event.idempotency_key = Some(key.into());
        (event, Facts::None)
    };
    let accepted = |event_id| Outcome::Accepted { event_id };
    let first = scratch.store([event("a", "1"), event("a", "1"), event("b", "1"), event("a", "2")]);
    assert_eq!(first, [accepted(1), Outcome::Duplicate { event_id: 1 }, accepted(2), accepted(3)]);
    let scratch = scratch.reopen();
    assert_eq!(scratch.store([event("a", "2"), event("c", "1")]), [Outcome::Duplicate { event_id: 3 }, accepted(4)]);
    assert_eq!(scratch.rows("select id, event_count from agents order by id"), ["a|2", "b|1", "c|1"]);
}

#[test]
fn keeps_provenance_flags_and_other_members() {
    let scratch = Scratch::new();
    let version = |id: &str| {
        Arc::new(PluginVersion { plugin_id: id.into(), version: "1".into(), digest: "d".into(), derivation: format!("{id}-1").into() })
    };
    let (category, broken) = (version("category"), version("broken"));
    let runs: Arc<[PluginRun]> = Arc::from([
        PluginRun { plugin: Arc::clone(&category), outcome: RunOutcome::Ok },
        PluginRun { plugin: Arc::clone(&broken), outcome: RunOutcome::Trap },
    ]);
    let mut event = testing::event("tool.x", 5);
    event.attributes = testing::attributes(r#"{"a":1,"session.id":"s","env.os.type":"Linux","os.type":"\u004cinux"}"#);
    event.extra = testing::attributes(r#"{"performance":{"x":1.50},"quote\"d":[1, 2]}"#);
    event.flags = vec![Flag::new("unknown-schema", Some("schema_version".into()))];
    let derived = vec![Derived { key: "event.category".into(), value: JsonText::string("tool"), plugin: category }];
    let new = NewEvent { event, facts: Facts::None, derived, runs, received_at: Timestamp(9) };
    let prepared = scratch.store.prepare(new);
    submit(&scratch.store, vec![WriteItem::Event(Box::new(prepared))]).unwrap();
    assert_eq!(
        scratch.rows("select key, value, value_type, value_json, plugin_version_id from attributes order by id"),
        [
            "a|1|integer|1|-",
            "session.id|s|string|\"s\"|-",
            "env.os.type|Linux|string|\"Linux\"|-",
            "os.type|Linux|string|\"\\u004cinux\"|-",
            "event.category|tool|string|\"tool\"|1",
        ]
    );
    assert_eq!(
        scratch.rows("select v.plugin_id, r.outcome from event_runs r join plugin_versions v on v.id = r.plugin_version_id"),
        ["category|ok", "broken|trap"]
    );
    assert_eq!(
        scratch.rows("select extra, flags, attribute_count, received_at, family from events"),
        [r#"{"performance":{"x":1.50},"quote\"d":[1, 2]}|[{"code":"unknown-schema","field":"schema_version"}]|4|9|tool"#]
    );
    assert_eq!(scratch.rows("select environment from agents"), [r#"{"env.os.type":"Linux","os.type":"\u004cinux"}"#]);
}

#[test]
fn keeps_what_was_refused() {
    let scratch = Scratch::new();
    let entry = |body| QuarantineEntry {
        received_at: Timestamp(7),
        source: "127.0.0.1".into(),
        reasons: vec![Reason::host("missing-name", Some("name".into()), "an event needs a name")],
        body,
        name: None,
        agent_id: Some("a".into()),
    };
    let digest = scratch.store.digest_key().digest(b"\xff");
    let text = scratch.store.digest_key().digest(b"as received");
    let bodies = [
        QuarantinedBody::Json(JsonText::parse("{\"a\":1}").unwrap()),
        QuarantinedBody::Text { text: "{\"a\":".into(), digest: text, size: 9 },
        QuarantinedBody::Digest { digest, size: 1 },
    ];
    let outcomes = submit(&scratch.store, bodies.into_iter().map(|body| WriteItem::Quarantine(entry(body))).collect()).unwrap();
    assert_eq!(outcomes, [1, 2, 3].map(|quarantine_id| Outcome::Quarantined { quarantine_id }));
    assert_eq!(
        scratch.rows("select body_kind, body, digest, size, reasons from quarantine where id > 1 order by id"),
        [
            format!("text|{{\"a\":|{text}|9|[{{\"code\":\"missing-name\",\"field\":\"name\",\"message\":\"an event needs a name\"}}]"),
            format!("digest|-|{digest}|1|[{{\"code\":\"missing-name\",\"field\":\"name\",\"message\":\"an event needs a name\"}}]"),
        ]
    );
}

#[test]
fn bounds_the_bytes_that_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = StoreSettings::new(folder.path().join("test.db"));
    settings.queue_bytes = 10_000;
    let store = Store::open(settings).unwrap();
    let (entered, wait_entered) = channel();
    let (go, wait_go) = channel::<()>();
    let event = |text: &str| {
        let mut event = testing::event("x", 1);
        event.attributes = testing::attributes(&format!("{{\"a\":\"{text}\"}}"));
        item(&store, event, Facts::None)
    };
    // The writer is held inside the first reply, so the rest waits.
    let hold = move |_| {
        entered.send(()).unwrap();
        wait_go.recv().unwrap();
    };
    store.submit(vec![event("first")], Box::new(hold)).unwrap();
    wait_entered.recv().unwrap();
    let (sender, results) = channel();
    let huge = "x".repeat(20_000);
    let accept = |text: &str| {
        let sender = sender.clone();
        store.submit(vec![event(text)], Box::new(move |result| sender.send(result).unwrap()))
    };
    assert_eq!(accept(&huge), Ok(()), "a lone request may be larger than the queue");
    assert_eq!(accept("small"), Err(SubmitError::Overloaded));
    go.send(()).unwrap();
    assert!(results.recv().unwrap().is_ok());
    store.close();
    assert_eq!(accept("late"), Err(SubmitError::Closed));
    assert_eq!(store.queued_bytes(), 0);
}

#[test]
fn goes_on_after_a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = StoreSettings::new(folder.path().join("test.db"));
    settings.busy_timeout_ms = 1;
    let store = Store::open(settings.clone()).unwrap();
    let new = |agent: &str| {
        let mut event = testing::event("x", 1);
        event.agent_id = agent.into();
        event.attributes = testing::attributes(r#"{"env.os.type":"Linux","session.id":"s"}"#);
        vec![item(&store, event, Facts::None)]
    };
    let other = rusqlite::Connection::open(&settings.path).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let refused = submit(&store, new("a"));
    assert!(matches!(refused, Err(crate::StoreError::Locked { .. })), "{refused:?}");
    other.execute_batch("rollback").unwrap();
    assert_eq!(submit(&store, new("a")).unwrap(), [Outcome::Accepted { event_id: 1 }]);
}

#[test]
fn a_failing_request_takes_no_other_along() {
    let scratch = Scratch::new();
    let connection = rusqlite::Connection::open(scratch.path()).unwrap();
    // Words on two lines: the schema is changed in migrations only, and here.
    connection
        .execute_batch(
            "create
             trigger refuse before insert on event_rows when new.span = 'bad' begin select raise(abort, 'refused'); end",
        )
        .unwrap();
    let (entered, wait_entered) = channel();
    let (go, wait_go) = channel::<()>();
    let request = |agent: &str, span: &str| {
        let mut event = testing::event("llm.call.start", 1);
        event.agent_id = agent.into();
        event.trace_id = Some("t".into());
        event.span_id = Some(span.into());
        let facts = testing::facts(&event, scratch.store.digest_key());
        vec![item(&scratch.store, event, facts)]
    };
    let hold = move |_| {
        entered.send(()).unwrap();
        wait_go.recv().unwrap();
    };
    scratch.store.submit(request("a", "first"), Box::new(hold)).unwrap();
    wait_entered.recv().unwrap();
    let (sender, results) = channel();
    for (agent, span) in [("b", "good"), ("c", "bad"), ("d", "better")] {
        let sender = sender.clone();
        scratch.store.submit(request(agent, span), Box::new(move |result| sender.send((agent, result.is_ok())).unwrap())).unwrap();
    }
    go.send(()).unwrap();
    let results: Vec<_> = results.iter().take(3).collect();
    assert_eq!(results, [("b", true), ("c", false), ("d", true)]);
    assert_eq!(scratch.rows("select agent_id, span_id, turn from llm_calls order by id"), ["a|first|2", "b|good|3", "d|better|1"]);
    assert_eq!(scratch.rows("select id, event_count from agents order by id"), ["a|1", "b|1", "d|1"]);
}

#[test]
fn copies_the_log_into_the_file_before_it_grows_long() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("test.db");
    let mut settings = StoreSettings::new(&path);
    settings.checkpoint_pages = 50;
    let store = Store::open(settings).unwrap();
    for index in 0..400 {
        let mut event = testing::event("x", index);
        event.attributes = testing::attributes(&format!("{{\"a\":\"{index} {}\"}}", "x".repeat(4_000)));
        submit(&store, vec![item(&store, event, Facts::None)]).unwrap();
    }
    let log = std::fs::metadata(folder.path().join("test.db-wal")).unwrap().len();
    // Each commit writes some ten pages: without a checkpoint there were 16 MB.
    assert!(log < 8_000_000, "{log}");
    store.close();
    assert!(std::fs::metadata(&path).unwrap().len() > 1_600_000);
}

#[test]
fn a_large_request_lets_others_between_and_keeps_its_order() {
    let store = Scratch::new();
    let agent = |number: usize, text: usize| {
        let mut event = testing::event("x", 1);
        event.agent_id = format!("agent-{number}").into();
        event.attributes = testing::attributes(&format!("{{\"a\":\"{number} {}\"}}", "x".repeat(text)));
        item(&store.store, event, Facts::None)
    };
    let large: Vec<_> = (0..40).map(|number| agent(number, 500_000)).collect();
    let small = vec![agent(40, 10)];
    // Nothing is written until both wait.
    let other = rusqlite::Connection::open(store.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    for (name, items) in [("large", large), ("small", small)] {
        let sender = sender.clone();
        store.store.submit(items, Box::new(move |result| sender.send((name, result.unwrap())).unwrap())).unwrap();
    }
    other.execute_batch("commit").unwrap();
    assert_eq!(receiver.recv().unwrap().0, "small");
    let (_, outcomes) = receiver.recv().unwrap();
    let agents: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Accepted { event_id } => store.rows(&format!("select agent_id from events where id = {event_id}")).concat(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(agents, (0..40).map(|number| format!("agent-{number}")).collect::<Vec<_>>());
    assert_eq!(store.store.queued_bytes(), 0);
}

#[test]
fn a_large_request_whose_later_part_fails_tells_what_is_stored() {
    let store = Scratch::new();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection
        .execute_batch(
            "create
             trigger refuse before insert on event_rows when new.span = 'bad' begin select raise(abort, 'refused'); end",
        )
        .unwrap();
    let event = |number: usize| {
        let mut event = testing::event("x", 1);
        event.span_id = Some(if number == 30 { "bad" } else { "good" }.into());
        event.attributes = testing::attributes(&format!("{{\"a\":\"{number} {}\"}}", "x".repeat(500_000)));
        item(&store.store, event, Facts::None)
    };
    match submit(&store.store, (0..40).map(event).collect()) {
        Err(crate::StoreError::Partial { stored, .. }) => {
            assert!((1..=30).contains(&stored.len()), "{}", stored.len());
            assert_eq!(stored.len() as i64, store.number("select count(*) from events"));
            assert!(stored.iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.store.queued_bytes(), 0);
    let first_fails = (30..40).map(event).collect();
    assert!(matches!(submit(&store.store, first_fails), Err(crate::StoreError::Sqlite { .. })), "nothing of it is stored");
}

#[test]
fn errors_are_counted_by_agent_and_session_in_any_order() {
    let event = |name: &str, level: &str, time: i64| {
        let mut event = testing::event(name, time);
        event.level = telemetry_model::Level::new(level);
        event.session_id = Some("s".into());
        (event, Facts::None)
    };
    let mut events = vec![event("a", "info", 5), event("b.error", "info", 1), event("c", "critical", 9), event("d", "error", 3)];
    for _ in 0..2 {
        events.reverse();
        let store = Scratch::new();
        store.store(events.clone());
        let snapshot = store.store.snapshot().unwrap();
        let window = |from, to| telemetry_model::query::Window { from: Some(Timestamp(from)), to: Some(Timestamp(to)) };
        let errors = |window| snapshot.agent("agent", window).unwrap().unwrap().activity.errors;
        assert_eq!((errors(window(0, 10)), errors(window(3, 9)), errors(window(4, 6))), (3, 1, 0));
        let query = crate::SessionQuery {
            agent_id: None,
            window: window(0, 10),
            state: None,
            silent_since: Timestamp(0),
            min_duration: None,
            max_duration: None,
            order: crate::SessionOrder::Start,
            ascending: true,
            limit: 10,
            offset: 0,
        };
        assert_eq!(snapshot.sessions(&query).unwrap().sessions[0].errors, 3);
    }
}

#[test]
fn a_row_that_changed_meanwhile_stays_queued() {
    use telemetry_model::Relation;

    let scratch = Scratch::new();
    scratch.store.watch_rows(true, false);
    let event = |name: &str, time: i64| {
        let mut event = testing::event(name, time);
        event.trace_id = Some("t".into());
        event.span_id = Some("s".into());
        let facts = testing::facts(&event, scratch.store.digest_key());
        (event, facts)
    };
    let queued = || scratch.store.snapshot().unwrap().queued_rows(Relation::LlmCalls, 10).unwrap();
    let plugin = Arc::new(PluginVersion { plugin_id: "p".into(), version: "1".into(), digest: "d".into(), derivation: "x".into() });
    let say = |value: i64, generation| {
        let derived = vec![Derived { key: "k".into(), value: JsonText::integer(value), plugin: Arc::clone(&plugin) }];
        let runs = Arc::from([PluginRun { plugin: Arc::clone(&plugin), outcome: RunOutcome::Ok }]);
        let rows = vec![crate::RowResult { row: 1, generation: Some(generation), derived, runs }];
        let results = crate::RowResults { relation: Relation::LlmCalls, plugin: None, rows, step: None };
        let (sender, receiver) = channel();
        scratch.store.submit_rows(results, None, Box::new(move |result| sender.send(result).unwrap())).unwrap();
        receiver.recv().unwrap().unwrap();
    };
    scratch.store([event("llm.call.start", 1)]);
    let seen = queued();
    assert_eq!(seen.len(), 1);
    scratch.store([event("llm.call.finish", 2)]);
    say(1, seen[0].generation);
    assert_eq!(scratch.rows("select value from row_attributes"), Vec::<String>::new(), "it was not what was seen");
    let seen = queued();
    assert_eq!(seen.len(), 1);
    say(2, seen[0].generation);
    assert_eq!((scratch.rows("select key, value from row_attributes"), queued().len()), (vec!["k|2".to_owned()], 0));
    say(3, seen[0].generation);
    assert_eq!(scratch.rows("select value from row_attributes"), ["2"], "done once");
    assert_eq!(scratch.rows("select outcome from row_runs"), ["ok"]);
}
