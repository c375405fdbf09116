//! How fast rows of calls are enriched: from the queue, and by a job over what is stored.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use telemetry_model::Relation;
use telemetry_model::query::Window;
use telemetry_server::App;
use telemetry_server::processing::RowQueue;
use telemetry_store::JobChange;

use super::apart::{Part, Table};
use super::server::{Variant, calls, config, cpu, folder, open, store};

/// 20,000 events of 10,000 calls, all of which have a price.
const EVENTS: usize = 20_000;

pub const QUEUE: Table = Table {
    title: "10,000 calls enriched",
    columns: &["rows/s", "CPU us a row", "backfill, rows/s", "CPU us a row"],
    parts: &[
        Part { name: "llm-cost", run: |cache| queue(cache, &["conversation-turn", "prompt-size", "tool-loop"], "llm-cost") },
        Part { name: "conversation-turn", run: |cache| queue(cache, &["llm-cost", "prompt-size", "tool-loop"], "conversation-turn") },
        Part { name: "all of calls", run: |cache| queue(cache, &["tool-loop"], "llm-cost") },
    ],
    rounds: 3,
};

/// Rows a second and microseconds of CPU time a row of the queue, and of a job of `job`.
fn queue(cache: &Path, without: &'static [&'static str], job: &str) -> Vec<f64> {
    let variant = Variant { name: "", shipped: true, journal: true, without, guests: 0 };
    let folder = folder(&variant);
    let app = open(config(&variant, folder.path(), cache));
    // What is stored waits.
    app.rows.close();
    store(&app, &calls(EVENTS, 100), EVENTS);
    let rows = app.store.snapshot().unwrap().pending_rows().unwrap() as f64;
    assert_eq!(rows as usize, EVENTS / 2);
    let (started, before) = (Instant::now(), cpu());
    let thread = RowQueue::start(app.store.clone(), app.plugins.registry(), app.clock.clone()).unwrap();
    wait(|| app.store.snapshot().unwrap().pending_rows().unwrap() == 0);
    let (live, live_cpu) = (started.elapsed(), cpu() - before);
    let (started, before) = (Instant::now(), cpu());
    start_job(&app, job);
    wait(|| app.store.snapshot().unwrap().jobs(job).unwrap().iter().all(|job| job.state != "running"));
    let (backfill, backfill_cpu) = (started.elapsed(), cpu() - before);
    thread.close();
    app.close();
    let rate = |time: Duration| rows / time.as_secs_f64();
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / rows;
    vec![rate(live), each(live_cpu), rate(backfill), each(backfill_cpu)]
}

fn start_job(app: &App, plugin: &str) {
    let (tell, told) = sync_channel(1);
    let id = Arc::new(AtomicI64::new(0));
    let window = Window::default();
    let change =
        JobChange::Create { plugin_id: plugin.into(), relation: Relation::LlmCalls, window, now: app.clock.now(), id: Arc::clone(&id) };
    app.store.submit_job(change, Box::new(move |done| drop(tell.send(done.map(drop))))).unwrap();
    told.recv().unwrap().unwrap();
    assert!(id.load(Ordering::Acquire) > 0);
}

fn wait(done: impl Fn() -> bool) {
    while !done() {
        std::thread::sleep(Duration::from_millis(2));
    }
}
