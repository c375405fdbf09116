//! `test`: cases and what follows without them.

use std::fs;

use crate::desk::Desk;

#[test]
fn test_runs_cases_and_derived_ones() {
    let desk = Desk::new();
    desk.copy("examples/slow-calls");
    let said = desk.run("plugin test slow-calls");
    assert_eq!(said.code, 0, "{said:?}");
    for name in ["cases/limit.json", "derived: empty batch", "derived: all absent", "derived: all mismatched", "derived: metric law"] {
        assert!(said.out.contains(&format!("ok      {name}\n")), "{name}\n{}", said.out);
    }
    let enricher = desk.copy("event-category");
    let said = desk.run(&format!("plugin test {}", enricher.display()));
    for name in ["derived: every family", "derived: row law", "derived: determinism"] {
        assert!(said.out.contains(&format!("ok      {name}\n")), "{name}\n{}", said.out);
    }
}

#[test]
fn test_names_the_case_with_expected_and_got() {
    let desk = Desk::new();
    let folder = desk.copy("event-category");
    let case = r#"{"rows": [{}, {"event.name": "llm.x"}], "expect": [{}, {"event.category": "tool"}]}"#;
    fs::write(folder.join("cases/wrong.json"), case).unwrap();
    let said = desk.run("plugin test event-category");
    assert_eq!(said.code, 1, "{said:?}");
    let told = "FAILED  cases/wrong.json: answer 1 (from 0): differs\n          row       {\"event.name\":\"llm.x\"}\n          \
                expected  {\"event.category\":\"tool\"}\n          got       {\"event.category\":\"llm\"}\n";
    assert!(said.out.contains(told), "{}", said.out);
    assert!(said.out.ends_with("1 failed\n"), "{}", said.out);
}

#[test]
fn test_refuses_what_is_no_case() {
    let desk = Desk::new();
    let folder = desk.copy("event-category");
    for (case, reason) in [
        (r#"{"rows": [], "expected": []}"#, "`expect` is not a list"),
        (r#"{"rows": [], "expect": [], "row": 1}"#, "`row` is not known"),
        ("{", "EOF while parsing"),
    ] {
        fs::write(folder.join("cases/wrong.json"), case).unwrap();
        let said = desk.run("plugin test event-category");
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("wrong.json") && said.err.contains(reason), "{}", said.err);
    }
}

#[test]
fn test_asks_for_a_build_first() {
    let desk = Desk::new();
    let folder = desk.copy("event-category");
    fs::remove_file(folder.join("event-category.wasm")).unwrap();
    let said = desk.run("plugin test event-category");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("build it first: cylestio-server plugin build"), "{}", said.err);
    let said = desk.run("plugin test nowhere");
    assert!(said.err.contains("cannot read `nowhere`"), "{}", said.err);
}

#[test]
fn bench_measures_beside_a_component_that_does_nothing() {
    let desk = Desk::new();
    for plugin in ["examples/slow-calls", "examples/model-family-c", "examples/known-vendor", "examples/badge-masker"] {
        let folder = desk.copy(plugin);
        let said = desk.run(&format!("plugin bench --json {}", folder.display()));
        assert_eq!(said.code, 0, "{said:?}");
        let bill: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        for batch in ["1", "10", "100", "1000"] {
            let of = |whose: &str| bill[whose]["ns_per_row"][batch].as_f64();
            assert!(of("plugin") > Some(0.0) && of("empty") > Some(0.0), "{bill}");
        }
        assert!(bill["plugin"]["memory_bytes"].as_u64() > Some(65_536) && bill["plugin"]["instance_ns"].as_f64() > Some(0.0), "{bill}");
    }
    let said = desk.run("plugin bench slow-calls");
    assert!(said.out.contains("a row, batch of 100") && said.out.contains("opening beside it"), "{}", said.out);
    assert!(desk.run("plugin bench nowhere").err.contains("cannot read `nowhere`"));
}
