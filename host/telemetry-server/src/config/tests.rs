//! Precedence, problems, origins, secrets.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flag(key: &'static str, flag: &'static str, value: &str) -> FlagValue {
    FlagValue { key, flag, value: value.to_owned() }
}

fn issues(sources: &Sources) -> Vec<(String, String, String)> {
    load(sources).map(|loaded| loaded.config).unwrap_err().0.into_iter().map(|issue| (issue.key, issue.reason, issue.origin)).collect()
}

fn derived(mut config: Config) -> Config {
    config.derive_paths(&[]);
    config
}

#[test]
fn absent_paths_stand_beside_the_database_and_in_the_users_folders() {
    let pairs = [("HOME", "/home/me"), ("XDG_STATE_HOME", "/state"), ("CYLESTIO_DATABASE__PATH", "/data/a.db")];
    let loaded = load(&Sources { environment: environment(&pairs), ..Sources::default() }).unwrap();
    let plugins = &loaded.config.plugins;
    let paths = [&plugins.path, &plugins.grants_file, &plugins.cache_path, &plugins.state_path];
    let expected = ["/data/plugins", "/data/grants.toml", "/home/me/.cache/cylestio-server", "/state/cylestio-server"];
    assert_eq!(paths.map(|path| path.as_deref().unwrap().to_str().unwrap()), expected);
    assert!(loaded.show().contains("plugins.path = \"/data/plugins\"  # default"));
    let homeless = derived(Config::default()).plugins;
    assert_eq!(homeless.cache_path, Some("./cylestio-cache".into()));
}

#[test]
fn default_file_equals_the_defaults_in_code() {
    let parsed: toml::Table = toml::from_str(DEFAULT_TOML).unwrap();
    let code = toml::Table::try_from(Config::default()).unwrap();
    for (section, values) in &code {
        for key in values.as_table().unwrap().keys() {
            let told = DEFAULT_TOML.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")))
                || DEFAULT_TOML.contains(&format!("[{section}.{key}."));
            assert!(told, "config/default.toml does not tell of {section}.{key}");
        }
    }
    assert_eq!(parsed.keys().collect::<Vec<_>>().len(), Config::SECTIONS.len());
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "default.toml", DEFAULT_TOML);
    let loaded = load(&Sources { file: Some(path), ..Sources::default() }).unwrap();
    assert_eq!(loaded.config, derived(Config::default()));
    assert_eq!(loaded.config.plugins.grants["secret-scan"].fields, ["event.attributes"]);
    assert_eq!(loaded.config.plugins.grants["secret-scan"].declassify, ["secret.count", "secret.kinds"]);
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let toml = file(folder.path(), "a.toml", "[server]\nport = 1\nworkers = 1\nmax_connections = 7\n");
    let yaml = file(folder.path(), "a.yaml", "server:\n  port: 1\n  workers: 1\n  max_connections: 7\n");
    for path in [toml, yaml] {
        let loaded = load(&Sources {
            file: Some(path.clone()),
            environment: environment(&[("CYLESTIO_SERVER__PORT", "2"), ("CYLESTIO_SERVER__WORKERS", "2")]),
            flags: vec![flag("server.port", "--port", "3")],
        })
        .unwrap();
        let server = &loaded.config.server;
        assert_eq!((server.port, server.workers, server.max_connections, server.body_timeout_s), (3, 2, 7, 30));
        let shown = loaded.show();
        for line in [
            "server.port = 3  # flag --port",
            "server.workers = 2  # variable CYLESTIO_SERVER__WORKERS",
            &format!("server.max_connections = 7  # file {}", path.display()),
            "server.body_timeout_s = 30  # default",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
        }
    }
}

#[test]
fn environment_of_others_is_ignored() {
    let sources = Sources {
        environment: environment(&[
            ("CYLESTIO_TELEMETRY_ENDPOINT", "http://127.0.0.1:8000"),
            ("CYLESTIO_CONFIG__PATH", "x"),
            ("CYLESTIO_SERVER", "x"),
            ("SERVER__PORT", "x"),
        ]),
        ..Sources::default()
    };
    assert_eq!(load(&sources).unwrap().config, derived(Config::default()));
}

#[test]
fn environment_reads_lists_texts_and_switches() {
    let sources = Sources {
        environment: environment(&[
            ("CYLESTIO_SERVER__CORS_ORIGINS", "http://a.example, http://b.example"),
            ("CYLESTIO_SERVER__ALLOWED_HOSTS", "[\"c.example\"]"),
            ("CYLESTIO_SERVER__READ_TOKEN", "12345678901234567890"),
            ("CYLESTIO_FEATURES__PAGE", "false"),
            ("CYLESTIO_DATABASE__PATH", "42"),
        ]),
        ..Sources::default()
    };
    let config = load(&sources).unwrap().config;
    assert_eq!(config.server.cors_origins, ["http://a.example", "http://b.example"]);
    assert_eq!(config.server.allowed_hosts, ["c.example"]);
    assert_eq!(config.server.read_token.unwrap().reveal(), "12345678901234567890");
    assert!(!config.features.page);
    assert_eq!(config.database.path, PathBuf::from("42"));
}

#[test]
fn lists_every_problem_at_once_with_key_reason_and_origin() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nprot = 1\nhost = 5\nworkers = 9999\n[serve]\n[logging]\nlevel = \"loud\"\n[plugins.grants.x]\nfeilds = []\n";
    let path = file(folder.path(), "bad.toml", text);
    let from_file = format!("file {}", path.display());
    let found = issues(&Sources {
        file: Some(path),
        environment: environment(&[("CYLESTIO_DATABASE__POOL_SIZE", "many"), ("CYLESTIO_DATABASE__POOLSIZE", "4")]),
        flags: vec![flag("server.port", "--port", "70000")],
    });
    let keys: Vec<_> = found.iter().map(|(key, ..)| key.as_str()).collect();
    let all = [
        "database.pool_size",
        "database.poolsize",
        "logging.level",
        "plugins.grants.x.feilds",
        "serve",
        "server.host",
        "server.port",
        "server.prot",
        "server.workers",
    ];
    assert_eq!(keys, all, "{found:#?}");
    let of =
        |key: &str| found.iter().find(|(found, ..)| found == key).map(|(_, reason, origin)| (reason.as_str(), origin.as_str())).unwrap();
    assert_eq!(of("server.prot"), ("unknown key; did you mean `server.port`?", from_file.as_str()));
    assert_eq!(of("serve"), ("unknown key; did you mean `server`?", from_file.as_str()));
    assert_eq!(of("database.poolsize"), ("unknown key; did you mean `database.pool_size`?", "variable CYLESTIO_DATABASE__POOLSIZE"));
    assert_eq!(of("server.workers"), ("is 9999, must be 0 to 256", from_file.as_str()));
    assert_eq!(of("server.port").1, "flag --port");
    assert_eq!(of("plugins.grants.x.feilds").0, "unknown key `feilds`; did you mean `fields`?");
    assert_eq!(of("server.port").0, "must be a whole number from 0 to 65535, not 70000");
}

#[test]
fn reads_the_tables_and_names_one_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let table = file(folder.path(), "owners.csv", "agent,team\na,blue\n");
    let with = |key: &str| {
        let text = format!("[plugins.tables.owners]\npath = {:?}\nkey = \"{key}\"\n", table.to_str().unwrap());
        load(&Sources { file: Some(file(folder.path(), "c.toml", &text)), ..Sources::default() })
    };
    let settings = with("agent").unwrap().config.plugins.settings().unwrap();
    assert_eq!(settings.tables.0["owners"].exact("a").unwrap(), r#"{"agent":"a","team":"blue"}"#);
    let issue = &with("name").unwrap_err().0[0];
    assert!(issue.key == "plugins.tables" && issue.reason.contains("no column `name`"), "{issue:?}");
}

#[test]
fn names_the_line_of_a_bad_grants_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "g.toml", "[a]\nfields = []\n[b]\nfeilds = []\n");
    let flags = vec![flag("plugins.grants_file", "--grants", path.to_str().unwrap()), flag("server.workers", "--x", "999")];
    let found = issues(&Sources { flags, ..Sources::default() });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].1.contains("line 4") && found[0].2 == "flag --grants", "{found:?}");
    let flags = vec![flag("plugins.grants_file", "--grants", "/none/such.toml")];
    assert_eq!(issues(&Sources { flags, ..Sources::default() })[0].1, "is not there");
}

#[test]
fn names_an_unreadable_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.toml", "[server\n"), ("a.yaml", "server: [\n"), ("a.ini", "")] {
        let path = file(folder.path(), name, text);
        let found = issues(&Sources { file: Some(path.clone()), ..Sources::default() });
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].0.as_str(), found[0].2.as_str()), (path.to_str().unwrap(), "flag --config"));
    }
    assert_eq!(issues(&Sources { file: Some(folder.path().join("none.toml")), ..Sources::default() }).len(), 1);
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token", "a-very-secret-token-0001\n");
    let with = |pairs: &[(&str, &str)]| Sources { environment: environment(pairs), ..Sources::default() };
    let loaded = load(&with(&[("CYLESTIO_SERVER__READ_TOKEN_FILE", token.to_str().unwrap())])).unwrap();
    assert_eq!(loaded.config.server.read_token.as_ref().unwrap().reveal(), "a-very-secret-token-0001");
    assert!(!format!("{loaded:?}{}", loaded.show()).contains("very-secret"));
    let loaded = load(&with(&[("CYLESTIO_SERVER__READ_TOKEN", "another-secret-token")])).unwrap();
    assert!(loaded.show().contains("server.read_token = ********  # variable CYLESTIO_SERVER__READ_TOKEN"));
    assert!(!format!("{:?}{}", loaded.config, loaded.show()).contains("another-secret"));
    for (text, reason) in [("", "is empty"), ("short", "must have at least 16 characters")] {
        let path = file(folder.path(), "weak", text);
        let found = issues(&with(&[("CYLESTIO_SERVER__READ_TOKEN_FILE", path.to_str().unwrap())]));
        assert!(found[0].1.contains(reason), "{found:?}");
    }
    let secret_of_wrong_type = file(folder.path(), "c.toml", "[server]\nread_token = [\"canary-secret\"]\n");
    let found = issues(&Sources { file: Some(secret_of_wrong_type), ..Sources::default() });
    assert_eq!(found[0].1, "must be text");
}

#[test]
fn says_what_a_value_must_be_without_a_word_of_rust() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nport = \"x\"\nworkers = -1\nmax_body_mib = 1.5\ncors_origins = \"a\"\nallowed_hosts = [1]\ninsecure_reads = \"yes\"\n\
                [database]\npool_size = {a = 1}\npath = 7\n[logging]\nlevel = \"\"\nformat = \"jsn\"\n[plugins]\nvalidator_failure = 1\n\
                [plugins.config]\nx = 1\n[plugins.grants.z]\nfields = 5\n";
    let found = issues(&Sources { file: Some(file(folder.path(), "bad.toml", text)), ..Sources::default() });
    let lines: Vec<_> = found.iter().map(|(key, reason, _)| format!("{key}: {reason}")).collect();
    let expected = [
        "database.path: must be text, not 7",
        "database.pool_size: must be a whole number from 0 to 4294967295, not a table",
        "logging.format: must be one of auto, text, json, not `jsn`; did you mean `json`?",
        "logging.level: must be one of off, error, warn, info, debug, trace, not empty",
        "plugins.config.x: must be a table, not 1",
        "plugins.grants.z.fields: must be a list, not 5",
        "plugins.validator_failure: must be one of flag, quarantine, not 1",
        "server.allowed_hosts.0: must be text, not 1",
        "server.cors_origins: must be a list, not `a`",
        "server.insecure_reads: must be true or false, not `yes`",
        "server.max_body_mib: must be a whole number from 0 to 4294967295, not 1.5",
        "server.port: must be a whole number from 0 to 65535, not `x`",
        "server.workers: must be a whole number of at least 0, not -1",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn names_the_key_of_a_short_token_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "token", "short");
    let of = |key: &str, value: &str| issues(&Sources { environment: environment(&[(key, value)]), ..Sources::default() });
    assert_eq!(of("CYLESTIO_SERVER__READ_TOKEN_FILE", path.to_str().unwrap())[0].0, "server.read_token_file");
    assert_eq!(of("CYLESTIO_SERVER__READ_TOKEN", "short")[0].0, "server.read_token");
}

#[test]
fn tells_ids_that_name_no_plugin() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "dropped-in.wasm", "not a component");
    let grants = file(folder.path(), "g.toml", "[other]\nfields = []\n");
    let text = "[plugins]\ndisabled = [\"secret-scam\", \"latency\", \"dropped-in\"]\n[plugins.config.tokens-usage]\na = 1\n";
    let flags = vec![
        flag("plugins.path", "--plugins", folder.path().to_str().unwrap()),
        flag("plugins.grants_file", "--grants", grants.to_str().unwrap()),
    ];
    let plugins = load(&Sources { file: Some(file(folder.path(), "c.toml", text)), flags, ..Sources::default() }).unwrap().config.plugins;
    let lines: Vec<_> = plugins.unknown_ids(&plugins.ids()).into_iter().map(|(key, reason)| format!("{key}: {reason}")).collect();
    let expected = [
        "plugins.disabled: there is no plugin `secret-scam`; did you mean `secret-scan`?",
        "plugins.config.tokens-usage: there is no plugin `tokens-usage`; did you mean `token-usage`?",
        "plugins.grants_file: other: there is no plugin `other`",
    ];
    assert_eq!(lines, expected);
}
