//! A server of one test: its own folder, a free port, a clock that stands where the test puts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use telemetry_model::Timestamp;
use telemetry_model::time::FixedClock;
use telemetry_server::config::{LogFormat, LogLevel, LoggingConfig};
use telemetry_server::{Config, RunningServer, logging, serve};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Shortly after the golden events.
pub const NOW: &str = "2026-11-23T09:00:00Z";

/// The log of the whole test binary, from the first that asks for it on: JSON lines, at its most talkative.
static LOG: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server.log");
    let _ = fs::remove_file(&path);
    let destination = path.to_str().expect("UTF-8").to_owned();
    logging::start(&LoggingConfig { level: LogLevel::Trace, format: LogFormat::Json, destination }).expect("a log");
    path
});

/// Sees to it that there is a log from now on.
pub fn start_log() {
    LazyLock::force(&LOG);
}

/// The whole lines that were logged since [`start_log`], by whichever test.
pub fn log_lines() -> Vec<String> {
    let text = fs::read_to_string(&*LOG).expect("a log");
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole.lines().map(str::to_owned).collect()
}

/// A running server and its folder.
pub struct Server {
    config: Config,
    runtime: Runtime,
    running: Option<RunningServer>,
    folder: TempDir,
    clock: Timestamp,
    agent: ureq::Agent,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    /// Null when the body is not JSON.
    pub json: Value,
    pub text: String,
}

impl Server {
    /// Default configuration in a fresh folder.
    pub fn start() -> Self {
        Self::start_with(|_, _| {})
    }

    /// `adjust` gets the configuration and the folder before the start.
    pub fn start_with(adjust: impl FnOnce(&mut Config, &Path)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut config = Config::default();
        config.server.port = 0;
        config.database.path = folder.path().join("cylestio.db");
        config.plugins.path = Some(folder.path().join("plugins"));
        config.plugins.grants_file = Some(folder.path().join("grants.toml"));
        config.plugins.switches_file = Some(folder.path().join("switches.toml"));
        // Compiled components are shared by all tests: the cache is authenticated and keyed by digest.
        config.plugins.cache_path = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("component-cache"));
        fs::create_dir_all(folder.path().join("plugins")).expect("a folder");
        adjust(&mut config, folder.path());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(120))).build().into();
        let clock = Timestamp::parse(NOW).expect("a time");
        let mut server = Server { config, runtime, running: None, folder, clock, agent };
        server.resume();
        server
    }

    /// Stops gracefully and starts again over the same folder.
    pub fn restart(&mut self) {
        self.stop();
        self.resume();
    }

    /// Stops gracefully.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown());
        }
    }

    fn resume(&mut self) {
        let serving = serve(self.config.clone(), Arc::new(FixedClock(self.clock)));
        self.running = Some(self.runtime.block_on(serving).expect("the server starts"));
    }

    /// The configuration it runs with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it was started with.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn addr(&self) -> std::net::SocketAddr {
        self.running.as_ref().expect("running").addr
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.url(path)).call())
    }

    /// Posts JSON text or any other bytes as `application/json`.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        answer(self.agent.post(self.url(path)).content_type("application/json").send(body.as_ref()))
    }

    /// Deletes, in the words that the admin rule wants.
    pub fn delete(&self, path: &str) -> Answer {
        answer(self.agent.delete(self.url(path)).header("content-type", "application/json").call())
    }

    /// Puts JSON text.
    pub fn put(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        answer(self.agent.put(self.url(path)).content_type("application/json").send(body.as_ref()))
    }

    /// Posts with headers of the test's own.
    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let request = headers.iter().fold(self.agent.post(self.url(path)), |request, (name, value)| request.header(*name, *value));
        answer(request.send(body.as_ref()))
    }

    /// One event; panics unless it was accepted.
    pub fn accept(&self, event: &Value) -> i64 {
        let answer = self.post("/v1/telemetry", event.to_string());
        assert_eq!((answer.status, &answer.json["success"]), (201, &Value::Bool(true)), "{}", answer.text);
        answer.json["event_id"].as_str().expect("an id").parse().expect("a number")
    }

    /// Events in one batch; panics unless all were accepted.
    pub fn accept_batch(&self, events: &[Value]) {
        let answer = self.post("/v1/telemetry/batch", serde_json::json!({ "events": events }).to_string());
        assert_eq!((answer.status, &answer.json["success"]), (201, &Value::Bool(true)), "{}", answer.text);
    }

    /// The database, read as any other program would read it.
    pub fn sql(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        rusqlite::Connection::open_with_flags(&self.config.database.path, flags).expect("the database opens")
    }

    /// The one integer that `query` gives.
    pub fn count(&self, query: &str) -> i64 {
        self.sql().query_row(query, [], |row| row.get(0)).expect(query)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.expect("an answer");
    let text = response.body_mut().with_config().limit(256 << 20).read_to_string().expect("text");
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), json, text }
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Bodies of real events, in order of arrival.
pub fn golden() -> Vec<Value> {
    let lines = |name| fs::read_to_string(fixture(name)).expect("a fixture");
    let text = lines("golden/monitor-events.ndjson") + &lines("golden/legacy-events.ndjson");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
