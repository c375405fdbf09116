//! `cargo bench -p telemetry-store --bench scan`: nanoseconds a row of a scan over 100,000 model calls, beside stepping over the same
//! columns with rusqlite alone. Medians of interleaved samples.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

use rusqlite::{Connection, params};
use telemetry_model::query::{Filter, Interval, RowQuery, RowSink, Window};
use telemetry_model::{Batch, Field, FieldType, Relation, Timestamp};
use telemetry_store::{Store, StoreSettings};

const CALLS: i64 = 100_000;
const SAMPLES: usize = 15;
const SECOND: i64 = 1_000_000_000;

struct Sink(usize);

impl RowSink for Sink {
    type Error = Infallible;

    fn rows(&mut self, batch: Batch, _group_count: u32) -> Result<(), Infallible> {
        self.0 += black_box(batch).rows as usize;
        Ok(())
    }
}

/// What is timed, and its name.
type Case<'a> = (&'a str, Box<dyn Fn() + 'a>);

fn main() {
    let folder = std::env::temp_dir().join(format!("telemetry-store-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("bench.db");
    let mut settings = StoreSettings::new(&path);
    settings.indexed_attributes = vec!["tool.status".into()];
    let store = Store::open(settings).unwrap();
    fill(&Connection::open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("pragma mmap_size = 268435456").unwrap();

    let tokens = ["model", "input_tokens", "output_tokens", "total_tokens"];
    let mut cases: Vec<Case<'_>> = Vec::new();
    let all = Window::default();
    let bounded = Window { from: Some(Timestamp(0)), to: Some(Timestamp(CALLS * SECOND)) };
    for (name, window) in [("all", ""), ("window", " where r.start_time >= 0 and r.start_time < 100000000000000")] {
        let sql = format!(
            "select r.model, r.input_tokens, r.output_tokens,
                    coalesce(r.total_tokens, case when r.input_tokens < 4611686018427387904 and r.output_tokens < 4611686018427387904
                                                  then r.input_tokens + r.output_tokens end) from llm_call_rows r{window}"
        );
        let raw = &raw;
        cases.push((if name == "all" { "rusqlite, tokens, all" } else { "rusqlite, tokens, window" }, Box::new(move || step(raw, &sql))));
    }
    let store = &store;
    let query = |columns: &[&str], window, groups: &[&str], interval| RowQuery {
        relation: Relation::LlmCalls,
        columns: columns.iter().map(|name| column(name, Relation::LlmCalls)).collect(),
        window,
        filters: Vec::new(),
        group_by: groups.iter().map(|name| Field::parse(name, Relation::LlmCalls).unwrap()).collect(),
        interval,
        max_groups: 10_000,
    };
    let hours = Some(Interval { nanoseconds: 3600 * SECOND, origin: Timestamp(0) });
    let filter = Filter::equal(Field::parse("model", Relation::LlmCalls).unwrap(), vec!["model-1".into()]);
    for (name, query) in [
        ("scan, tokens, all", query(&tokens, all, &[], None)),
        ("scan, tokens, window", query(&tokens, bounded, &[], None)),
        ("scan, tokens, window, by model", query(&tokens, bounded, &["model"], None)),
        ("scan, tokens, window, by model and hour", query(&tokens, bounded, &["model"], hours)),
        ("scan, status and duration, window", query(&["status", "duration_ms"], bounded, &[], None)),
        ("scan, tokens, window, one model", RowQuery { filters: vec![filter], ..query(&tokens, bounded, &[], None) }),
        ("scan, an attribute, window", query(&["llm.request.type"], bounded, &[], None)),
        ("scan, tokens, all, by an attribute", query(&tokens, all, &["llm.request.type"], None)),
        ("scan, tokens, all, by an indexed attribute", query(&tokens, all, &["tool.status"], None)),
        ("scan, tokens, window, by an indexed attribute", query(&tokens, bounded, &["tool.status"], None)),
        ("scan, events by family, all", events(all)),
        ("scan, events by family, window", events(bounded)),
    ] {
        cases.push((
            name,
            Box::new(move || {
                let mut sink = Sink(0);
                let scan = store.scan(&query, &mut sink).unwrap();
                assert_eq!(scan.scanned_rows as i64, CALLS);
            }),
        ));
    }
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..SAMPLES {
        for ((_, case), times) in cases.iter().zip(&mut times) {
            let start = cpu_nanoseconds();
            case();
            times.push((cpu_nanoseconds() - start) as f64 / CALLS as f64);
        }
    }
    for ((name, _), times) in cases.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!("{name:<45} {:>7.0} ns a row", times[SAMPLES / 2]);
    }
    drop(cases);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Time this thread spent on a processor, so that a busy machine counts less; the time of day where the kernel does not tell.
fn cpu_nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|line| line.split(' ').next()?.parse().ok());
    told.unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos() as u64)
}

fn events(window: Window) -> RowQuery {
    RowQuery {
        relation: Relation::Events,
        columns: ["name", "level", "timestamp"].iter().map(|name| column(name, Relation::Events)).collect(),
        window,
        filters: Vec::new(),
        group_by: vec![Field::parse("family", Relation::Events).unwrap()],
        interval: None,
        max_groups: 10,
    }
}

fn column(name: &str, relation: Relation) -> (Field, FieldType) {
    let field = Field::parse(name, relation).unwrap();
    let ty = field.fixed_type().unwrap_or(FieldType::Text);
    (field, ty)
}

fn step(connection: &Connection, sql: &str) {
    let mut statement = connection.prepare_cached(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            black_box(row.get_ref(column).unwrap());
        }
    }
}

/// Calls of ten models and twenty agents, written in an order that is not that of time.
fn fill(connection: &Connection) {
    connection.execute_batch("pragma synchronous = off; begin").unwrap();
    let string = |text: String| {
        connection.execute("insert into strings (text) values (?1)", [text]).unwrap();
        connection.last_insert_rowid()
    };
    let key = string("llm.request.type".into());
    let indexed: i64 = connection.query_row("select id from strings where text = 'tool.status'", [], |row| row.get(0)).unwrap();
    let models: Vec<i64> = (0..10).map(|model| string(format!("model-{model}"))).collect();
    let agents: Vec<i64> = (0..20).map(|agent| string(format!("agent-{agent}"))).collect();
    let traces: Vec<i64> = (0..2_000).map(|trace| string(format!("{trace:032x}"))).collect();
    connection
        .execute(
            "insert into event_kinds (name, level, schema_version, family, is_error) values ('llm.call.start', 'INFO', '1.0', 'llm', 0)",
            [],
        )
        .unwrap();
    let prompt = "x".repeat(500);
    let attributes = format!("[[{key},\"\\\"completion\\\"\"],[{indexed},\"\\\"success\\\"\"],[{},\"\\\"{prompt}\\\"\"]]", models[0]);
    for row in 0..CALLS {
        let time = row * SECOND;
        let (agent, trace, span) = (agents[row as usize % 20], traces[row as usize / 50], format!("{row:016x}"));
        connection
            .prepare_cached(
                "insert into event_rows (id, timestamp, received_at, kind, agent, trace, span, size, attribute_count, attributes)
                 values (?1, ?2, ?2, 1, ?3, ?4, ?5, 900, 16, ?6)",
            )
            .unwrap()
            .execute(params![row + 1, time, agent, trace, span, attributes])
            .unwrap();
        connection
            .prepare_cached("insert into attribute_values (key, value, time, event) values (?1, 'success', ?2, ?3)")
            .unwrap()
            .execute(params![indexed, time, row + 1])
            .unwrap();
        connection
            .prepare_cached(
                "insert into llm_call_rows (event_id, trace, span, agent, roles, sources, start_time, end_time, vendor, model, request_type,
                     request_timestamp, response_id, response_timestamp, duration_ms, stop_reason, input_tokens, output_tokens)
                 values (?1, ?2, ?3, ?4, 3, 5, ?5, ?6, ?7, ?7, ?7, ?5, ?8, ?6, ?9, ?7, ?10, ?11)",
            )
            .unwrap()
            .execute(params![
                row + 1, trace, span, agent, time, time + SECOND / 2, models[row as usize % 10], format!("msg_{row:024}"),
                row as f64 / 7.0, row % 4_000, row % 300
            ])
            .unwrap();
    }
    connection.execute_batch("commit; pragma wal_checkpoint(truncate)").unwrap();
}
