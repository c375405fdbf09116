//! What the server tells of its plugins.

use crate::harness::Server;

#[test]
fn a_refused_file_degrades_health_and_shows_why() {
    let server = Server::start_with(|_, folder| {
        std::fs::write(folder.join("plugins/broken.wasm"), b"not a component").expect("a file");
        std::fs::write(folder.join("plugins/notes.txt"), b"no plugin").expect("a file");
    });
    let health = server.get("/v1/health");
    assert_eq!((health.status, &health.json["status"]), (200, &"degraded".into()), "{}", health.text);
    let degraded = health.json["degraded"].as_array().unwrap();
    assert_eq!(degraded.len(), 1, "{}", health.text);
    let id = degraded[0]["part"].as_str().unwrap().strip_prefix("plugin ").unwrap();
    let plugin = server.get(&format!("/v1/plugins/{id}"));
    assert_eq!((plugin.status, &plugin.json["state"]), (200, &"refused".into()), "{}", plugin.text);
    assert_eq!(plugin.json["error"], degraded[0]["reason"]);
    assert!(plugin.json["error"].as_str().is_some_and(|error| !error.is_empty()));
    let all = server.get("/v1/plugins").json;
    let refused: Vec<_> = all["items"].as_array().unwrap().iter().filter(|plugin| plugin["state"] == "refused").collect();
    assert_eq!(refused.len(), 1);
}

#[test]
fn an_unknown_plugin_is_not_found() {
    let server = Server::start();
    let answer = server.get("/v1/plugins/none-such");
    assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &"NOT_FOUND".into()), "{}", answer.text);
    assert_eq!(server.get("/v1/health").json["status"], "ok");
}

#[test]
fn the_drop_in_folder_is_made() {
    let server = Server::start_with(|config, folder| config.plugins.path = Some(folder.join("deep/er/plugins")));
    assert!(server.folder().join("deep/er/plugins").is_dir());
}

#[test]
fn counters_are_told_to_prometheus() {
    let server = Server::start_with(|_, folder| {
        std::fs::write(folder.join("plugins/bro\"ken.wasm"), b"not a component").expect("a file");
    });
    server.accept(&crate::harness::golden()[0]);
    let answer = server.get("/metrics");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE cylestio_plugin_rows_total counter\n",
        "cylestio_plugin_rows_total{plugin=\"event-category\"} 1\n",
        "cylestio_plugin_breaker_open{plugin=\"event-category\"} 0\n",
        "cylestio_plugin_serving{plugin=\"event-category\"} 1\n",
        "cylestio_plugin_serving{plugin=\"bro\\\"ken\"} 0\n",
    ] {
        assert!(answer.text.contains(line), "{line}{}", answer.text);
    }
    let lines = answer.text.lines().filter(|line| !line.starts_with('#'));
    let mut names: Vec<_> = lines.map(|line| line.rsplit_once(' ').expect("a value").0).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "no line comes twice");
    assert!(
        answer
            .text
            .lines()
            .all(|line| line.starts_with('#') || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()))
    );
}
