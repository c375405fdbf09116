//! What was sent comes back byte for byte, through SQLite here and through Debian's `sqlite3`.

use std::process::Command;

use proptest::prelude::*;
use telemetry_model::JsonText;
use telemetry_model::facts::Facts;

use super::Scratch;
use crate::testing;

/// JSON text with all that readers trip over: NUL, surrogates, exponents, -0.0, long numbers, text that looks like references.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("-0.0".to_owned()),
        Just("1e400".to_owned()),
        Just("-1.50E+3".to_owned()),
        Just("123456789012345678901234567890".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9]{300,400}".prop_map(|digits| format!("1{digits}")),
        string(),
    ];
    scalar.prop_recursive(5, 60, 8, |inner| {
        let space = prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n")];
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..8), space.clone())
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!(",{space}")))),
            (prop::collection::vec((string(), inner.clone()), 0..6), space.clone()).prop_map(|(members, space)| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{space}{value}")).collect();
                format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
            }),
            prop::collection::vec(message(inner), 1..6).prop_map(|messages| format!("[{}]", messages.join(", "))),
        ]
    })
}

fn message(content: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (string(), content).prop_map(|(text, content)| {
        format!("{{\"role\": \"user\", \"content\": [{{\"type\": \"text\", \"text\": {text}}}, {{\"more\": {content}}}]}}")
    })
}

fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\\u0000".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("\\\"".to_owned()),
        Just("\\\\".to_owned()),
        Just("\\n\\/\\b".to_owned()),
        Just("\",1,\"".replace('"', "\\\"")),
        Just("],[1,2".to_owned()),
        Just("\u{1f600}\u{7f}\u{2028}".to_owned()),
        "[a-z ]{0,40}",
        "[a-z ]{200,400}",
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn store(values: &[String]) -> Scratch {
    let scratch = Scratch::new();
    let mut event = testing::event("x", 1);
    for (index, value) in values.iter().enumerate() {
        // Contexts, environments and other members are kept in ways of their own.
        let prefix = ["own", "process", "env", "\u{0}nul"][index % 4];
        event.attributes.set(format!("{prefix}.{index}").into(), JsonText::parse(value).unwrap());
        event.extra.set(format!("{index}").into(), JsonText::parse(value).unwrap());
    }
    scratch.store([(event.clone(), Facts::None), (event, Facts::None)]);
    scratch
}

/// `attributes.value_json` of the second event, by the number in the key.
const TEXTS: &str = "select value_json from attributes where event_id = 2
                     order by cast(substr(key, instr(key, '.') + 1) as integer)";

fn extra(values: &[String]) -> String {
    let members: Vec<_> = values.iter().enumerate().map(|(index, value)| format!("\"{index}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Keys with a NUL end there for SQL's text functions; they are put back in order by `id`.
fn by_rusqlite(scratch: &Scratch, count: usize) -> Vec<String> {
    let connection = scratch.connection();
    let mut statement = connection.prepare("select key, value_json from attributes where event_id = 2").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut found: Vec<(usize, String)> =
        rows.map(Result::unwrap).map(|(key, text)| (key.rsplit_once('.').unwrap().1.parse().unwrap(), text)).collect();
    found.sort();
    assert_eq!(found.len(), count);
    found.into_iter().map(|(_, text)| text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn gives_back_every_byte(values in prop::collection::vec(value(), 1..12)) {
        let scratch = store(&values);
        prop_assert_eq!(by_rusqlite(&scratch, values.len()), values.clone());
        prop_assert_eq!(scratch.rows("select extra from events where id = 2"), vec![extra(&values)]);
    }
}

#[test]
fn gives_back_every_byte_through_the_command_line() {
    if Command::new("sqlite3").arg("-version").output().is_err() {
        return;
    }
    let long = "long text ".repeat(60);
    let values: Vec<String> = vec![
        r#""x\u0000y""#.into(),
        "-0.0".into(),
        "123456789012345678901234567890".into(),
        "1e400".into(),
        format!(r#"[1, {{"role": "user", "content": [{{"text": "{long}\ud83d\ude00"}}, {{"n": -0.0, "more": "{long} other"}}]}}]"#),
        format!("\"{long}\\u0000 forged \\\",7,\\\"\""),
        format!("[[3,\"{long}\"],{{\"a\":[{{\"b\":\"{long}\"}}]}}]"),
        "{\n\t\"a\" : [ ] }".into(),
    ];
    let scratch = store(&values);
    scratch.store.close();
    for safe in [&[][..], &["-safe"][..]] {
        let run = |sql: &str| {
            let output = Command::new("sqlite3").args(safe).arg("-newline").arg("\u{1}").arg(scratch.path()).arg(sql).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim_end_matches('\u{1}').split('\u{1}').map(str::to_owned).collect::<Vec<_>>()
        };
        let mut found = run(TEXTS.replace("instr(key, '.')", "0").as_str());
        let mut sent = values.clone();
        found.sort();
        sent.sort();
        assert_eq!(found, sent);
        assert_eq!(run("select extra from events where id = 2"), [extra(&values)]);
        assert_eq!(run("select value from attributes where key = 'own.0' and event_id = 2"), ["x"]);
    }
}

#[test]
fn keeps_each_piece_once() {
    let scratch = Scratch::new();
    let long = "a sentence that is said again and again, ".repeat(12);
    let message =
        |n: usize| format!(r#"{{"role":"user","content":[{{"type":"text","text":"{n} {long}"}},{{"type":"tool_result","n":{n}}}]}}"#);
    for turns in 1..20 {
        let messages: Vec<_> = (0..turns).map(message).collect();
        let mut event = testing::event("llm.call.start", turns as i64);
        let request = format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(", "));
        event.attributes.set("llm.request.data".into(), JsonText::parse(&request).unwrap());
        event.attributes.set("said".into(), JsonText::string(&format!("{} {long}", turns - 1)));
        scratch.store([(event, Facts::None)]);
    }
    assert_eq!(scratch.number("select count(*) from contents where body like '%again and again%'"), 19);
    let largest = scratch.number("select max(length(attributes)) from event_rows");
    assert!(largest < 500, "{largest}");
}
