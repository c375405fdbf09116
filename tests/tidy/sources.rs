//! What may stand in which file.

use super::{Source, assert_none, sources};

const LINES: usize = 500;

/// Lines of `source` that `hit` finds, numbered.
fn lines<'s>(source: &'s Source, hit: impl Fn(&str) -> bool + 's) -> impl Iterator<Item = String> + 's {
    source
        .text
        .lines()
        .enumerate()
        .filter(move |(_, line)| hit(line))
        .map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim()))
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn layers_of_the_server_import_downwards_only() {
    const RULES: &[(&str, &[&str])] = &[
        (
            "host/telemetry-server/src/processing/",
            &["crate::api", "crate::analysis", "crate::router", "axum", "super::super::api", "super::super::analysis"],
        ),
        (
            "host/telemetry-server/src/analysis/",
            &["crate::api", "crate::processing", "crate::router", "axum", "super::super::api", "super::super::processing"],
        ),
        ("host/telemetry-server/src/config/", &["crate::api", "crate::processing", "crate::analysis", "crate::router", "axum"]),
    ];
    let mut findings = Vec::new();
    for source in sources(&["host/telemetry-server/src"], &["rs"]) {
        for (folder, banned) in RULES {
            if source.path.starts_with(folder) {
                findings.extend(lines(&source, |line| banned.iter().any(|name| code(line).contains(name))));
            }
        }
    }
    assert_none(&findings, "imports against the direction of the layers");
}

#[test]
fn schema_is_changed_in_migrations_only() {
    const DDL: &[&str] = &["create", "alter", "drop"];
    const OBJECTS: &[&str] = &["table", "index", "view", "trigger", "virtual", "unique", "temp", "temporary"];
    let mut findings = Vec::new();
    for source in sources(&["host"], &["rs", "sql"]) {
        if source.path.contains("/benches/") {
            continue;
        }
        findings.extend(lines(&source, |line| {
            let line = code(line).to_lowercase();
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
            words.windows(2).any(|pair| DDL.contains(&pair[0]) && OBJECTS.contains(&pair[1]))
        }));
    }
    assert_none(&findings, "DDL outside migrations/");
}

#[test]
fn reports_leave_the_arithmetic_to_components() {
    const AGGREGATES: &[&str] = &["count(", "sum(", "avg(", "min(", "max(", "total(", "group_concat(", "group by", "having "];
    let mut findings = Vec::new();
    let mut seen = 0;
    for source in sources(&["host/telemetry-store/src/read"], &["rs"]) {
        if !source.path.contains("/read/scan") {
            continue;
        }
        seen += 1;
        // SQL is in string literals: what stands before the first quote of a line is Rust.
        let text = source.text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let source = Source { path: source.path, text };
        findings.extend(lines(&source, |line| {
            let line = code(line);
            line.find('"').is_some_and(|quote| {
                let sql = line[quote..].to_lowercase();
                AGGREGATES.iter().any(|name| sql.contains(name))
            })
        }));
    }
    assert!(seen > 0, "the scan has moved: follow it here");
    assert_none(&findings, "aggregate functions in the SQL of the report path");
}

#[test]
fn source_files_stay_readable() {
    let mut findings = Vec::new();
    for source in sources(&["host", "plugins", "tests", "wit", "migrations"], &["rs", "wit", "sql", "py", "js", "c"]) {
        let count = source.text.lines().count();
        if count > LINES && !source.path.contains("/bindings/") {
            findings.push(format!("{}: {count} lines", source.path));
        }
    }
    assert_none(&findings, "files of more than 500 lines");
}

#[test]
fn sources_are_ascii() {
    let mut findings = Vec::new();
    for source in sources(&["host", "plugins", "tests", "wit", "migrations", "config"], &["rs", "wit", "sql", "toml"]) {
        findings.extend(lines(&source, |line| !line.is_ascii()));
    }
    assert_none(&findings, "characters beyond ASCII (write \\u{..})");
}

#[test]
fn names_say_what_things_are() {
    const BANNED: &[&str] = &["Manager", "Helper", "Util", "Utils", "Common", "Info", "Data", "Base", "Impl"];
    let mut findings = Vec::new();
    for source in sources(&["host", "plugins"], &["rs"]) {
        findings.extend(lines(&source, |line| {
            let mut words = code(line).split_whitespace().skip_while(|word| !matches!(*word, "struct" | "enum" | "trait"));
            words.next();
            let name: String = words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric()).collect();
            BANNED.iter().any(|word| name == *word || (name.ends_with(word) && name.len() > word.len()))
        }));
    }
    assert_none(&findings, "names that say nothing");
}

#[test]
fn nothing_reads_a_path_outside_the_repository() {
    let outside = [concat!("/sha", "red/"), concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut findings = Vec::new();
    for source in sources(
        &["host", "plugins", "tests", "wit", "migrations", "config", ".ci"],
        &["rs", "wit", "sql", "toml", "py", "md", "json", "js", "html"],
    ) {
        // Real events name paths of their own.
        if source.path.starts_with("tests/fixtures/") {
            continue;
        }
        findings.extend(lines(&source, |line| outside.iter().any(|path| line.contains(path))));
    }
    assert_none(&findings, "paths that a clone lacks");
}
