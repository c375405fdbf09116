//! Servers, what is sent to them, and what they use.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use telemetry_model::Timestamp;
use telemetry_model::time::FixedClock;
use telemetry_plugins::SHIPPED;
use telemetry_server::processing::decode::Shape;
use telemetry_server::processing::{Answer, Unit};
use telemetry_server::{App, Config, Surroundings};

use super::guest::Guest;

const GOLDEN: &str = include_str!("../../fixtures/golden/monitor-events.ndjson");
pub const START: i64 = 1_795_420_831_000_000_000;
pub const AT_ONCE: usize = 4;

/// A way to run the server.
pub struct Variant {
    pub name: &'static str,
    pub shipped: bool,
    pub journal: bool,
    pub without: &'static [&'static str],
    pub guests: usize,
}

/// A folder with what the server of `variant` finds at its start.
pub fn folder(variant: &Variant) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(".").unwrap();
    fill(variant, folder.path());
    folder
}

/// Makes the drop-in folder in `folder`.
pub fn fill(variant: &Variant, folder: &Path) {
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    (0..variant.guests).for_each(|number| Guest::enricher(&format!("guest-{number}"), "(local.get $n)").drop_into(folder));
}

/// What the server of `variant` is told.
pub fn config(variant: &Variant, folder: &Path, cache: &Path) -> Config {
    let mut config = Config::default();
    config.database.path = folder.join("bench.db");
    config.plugins.path = Some(folder.join("plugins"));
    config.plugins.grants_file = Some(folder.join("grants.toml"));
    config.plugins.switches_file = Some(folder.join("switches.toml"));
    config.plugins.cache_path = Some(cache.join("cache"));
    config.plugins.state_path = Some(cache.join("state"));
    config.plugins.watch = false;
    config.plugins.journal = variant.journal;
    let is_off = |id: &str| !variant.shipped || variant.without.contains(&id);
    config.plugins.disabled = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|id| is_off(id)).collect();
    config.plugins.enabled.clear();
    config
}

pub fn open(config: Config) -> App {
    App::open(config, Arc::new(FixedClock(Timestamp(START + 1_000_000_000_000))), Surroundings::default()).unwrap()
}

/// Bodies of `batch` events each.
pub fn bodies(count: usize, batch: usize) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = GOLDEN.lines().collect();
    let event = |index: usize| {
        let (line, round) = (lines[index % lines.len()], index / lines.len());
        let mut body: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["trace_id", "span_id"] {
            if let Some(id) = body[key].as_str() {
                body[key] = format!("{round:04x}{}", &id[4..]).into();
            }
        }
        if let Some(id) = body["attributes"]["session.id"].as_str() {
            body["attributes"]["session.id"] = format!("{round:04x}{}", &id[4..]).into();
        }
        body["timestamp"] = Timestamp(START + index as i64 * 7_000_000).to_string().into();
        body.to_string()
    };
    joined((0..count).map(event).collect(), batch)
}

/// Bodies of `batch` events each: calls of models that have prices, begin and end.
pub fn calls(count: usize, batch: usize) -> Vec<Vec<u8>> {
    const MODELS: [(&str, &str); 4] = [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-3-5-haiku-latest"),
        ("anthropic", "claude-3-5-sonnet-latest"),
    ];
    let event = |index: usize| {
        let (call, (vendor, model)) = (index / 2, MODELS[index / 2 % MODELS.len()]);
        let (name, usage) = match index % 2 {
            0 => ("llm.call.start", String::new()),
            _ => (
                "llm.call.finish",
                format!(r#","llm.usage.input_tokens":{},"llm.usage.output_tokens":{}"#, 100 + call % 900, 20 + call % 300),
            ),
        };
        let time = Timestamp(START + index as i64 * 7_000_000);
        format!(
            r#"{{"schema_version":"1.0","timestamp":"{time}","trace_id":"{call:032x}","span_id":"{call:016x}","agent_id":"bench","level":"INFO","name":"{name}","attributes":{{"llm.vendor":"{vendor}","llm.model":"{model}"{usage}}}}}"#
        )
    };
    joined((0..count).map(event).collect(), batch)
}

fn joined(events: Vec<String>, batch: usize) -> Vec<Vec<u8>> {
    events.chunks(batch).map(|events| format!("{{\"events\":[{}]}}", events.join(",")).into_bytes()).collect()
}

pub fn store(app: &App, bodies: &[Vec<u8>], count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let send = |first: usize| async move {
        let mut stored = 0;
        for bytes in bodies.iter().skip(first).step_by(AT_ONCE) {
            let mut lease = app.pipeline.lease();
            lease.grow(bytes.len()).unwrap();
            let unit = Unit {
                bytes: bytes.clone(),
                encoding: None,
                shape: Shape::Batch { max_events: 10_000 },
                limit: 64 << 20,
                strict: false,
                source: "127.0.0.1".into(),
                flags: Vec::new(),
                received_at: app.clock.now(),
                lease,
            };
            match app.pipeline.ingest(unit).await.unwrap() {
                Answer::Events(events) => stored += events.len(),
                other => panic!("{other:?}"),
            }
        }
        stored
    };
    let stored = runtime.block_on(async {
        let (a, b, c, d) = tokio::join!(send(0), send(1), send(2), send(3));
        a + b + c + d
    });
    assert_eq!(stored, count);
}

/// CPU time of the threads of this process, by the kernel's own count.
pub fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("schedstat"));
    let of_task = |path| std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<u64>().ok();
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}

/// Resident memory, KiB.
pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap() * 4.0
}
