//! Tables of the operator's: read when they change, part of what makes a plugin the same, counted and noted in the journal.

use serde_json::{Value, json};
use telemetry_server::config::TableConfig;

use super::guest::{Guest, mark};
use super::live::until;
use super::{event, status};
use crate::harness::Server;

const GRANT: &str = "[asker]\nlookup = [\"t\"]\n";

/// A server with the table `t`, and a plugin that marks events with the length of its row `k`.
fn server() -> Server {
    Server::start_with(|config, folder| {
        Guest::asker("asker").drop_into(folder);
        let path = folder.join("t.json");
        std::fs::write(&path, r#"{"k":{"n":1}}"#).expect("a table");
        std::fs::write(folder.join("grants.toml"), GRANT).expect("grants");
        config.plugins.tables = [("t".to_owned(), TableConfig { path, key: "key".to_owned() })].into();
    })
}

fn change(server: &Server, text: &str) {
    std::fs::write(server.folder().join("t.json"), text).expect("a table");
}

fn derivation(server: &Server) -> Value {
    status(server, "asker")["derivation"].clone()
}

/// What the plugin wrote on each event, and under which derivation.
fn marks(server: &Server) -> Vec<(i64, String)> {
    let connection = server.sql();
    let sql = "select a.value, v.derivation from attributes a join plugin_versions v on v.id = a.plugin_version_id
               where a.key = ?1 order by a.event_id";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([mark("asker")], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn an_edited_table_serves_under_another_derivation() {
    let server = server();
    server.accept(&event(1));
    let first = derivation(&server);
    change(&server, r#"{"k":{"n":12345}}"#);
    until("the edited table", || derivation(&server) != first);
    server.accept(&event(2));
    change(&server, r#"{"k":{"n":"#);
    until("the problem", || server.get("/v1/plugins").json["problem"].is_string());
    server.accept(&event(3));
    let second = derivation(&server);
    let expected = [(7, &first), (11, &second), (11, &second)].map(|(length, by)| (length, by.as_str().unwrap().to_owned()));
    assert_eq!(marks(&server), expected);
    let problem = server.get("/v1/plugins").json["problem"].to_string();
    assert!(problem.contains("the table `t`") && problem.contains("t.json"), "{problem}");
}

#[test]
fn what_is_asked_of_a_table_stands_in_the_journal() {
    let server = server();
    server.accept_batch(&[event(1), event(2), event(3)]);
    let first = derivation(&server);
    change(&server, "{}");
    until("the edited table", || derivation(&server) != first);
    server.accept(&event(4));
    let access = server.get("/v1/plugins/asker/access").json;
    let lookups: Vec<_> = access["versions"].as_array().expect("versions").iter().map(|version| &version["lookups"][0]).collect();
    assert_eq!((&lookups[0]["table"], &lookups[0]["count"], &lookups[0]["bytes"]), (&json!("t"), &json!(3), &json!(21)), "{access}");
    assert_eq!((&lookups[1]["count"], &lookups[1]["bytes"]), (&json!(1), &json!(0)), "{access}");
    assert_ne!(lookups[0]["digest"], lookups[1]["digest"]);
    let noted = "select count(*) from journal_accesses where lookups = '[[\"t\",3,21]]'";
    assert_eq!(server.count(noted), 1);
    assert_eq!(server.get("/v1/audit/verify").json["holds"], true);
    let file = rusqlite::Connection::open(&server.config().database.path).unwrap();
    file.execute_batch("update journal_accesses set lookups = '[[\"t\",2,21]]' where lookups is not null and rows = 3").unwrap();
    let verified = server.get("/v1/audit/verify").json;
    assert_eq!(verified["holds"], false, "{verified}");
}
