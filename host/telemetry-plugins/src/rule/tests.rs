use super::*;
use crate::manifest::TextPlugin;

const HEAD: &str = "id = \"x\"\nversion = \"0.1.0\"\n";

fn enricher(rules: &str) -> Result<TextPlugin, ManifestError> {
    TextPlugin::parse(format!("{HEAD}kind = \"enricher\"\nsource = \"llm_calls\"\n[rule]\n{rules}\n").as_bytes())
}

fn refusal(rule: &str) -> String {
    enricher(&format!("a = \"{rule}\"")).unwrap_err().to_string()
}

#[test]
fn reads_and_writes_follow_from_the_rule() {
    let text = enricher("call.is_slow = 'duration_ms > 2000'\nfamily = \"model.before('-')\"\nspent = \"integer(llm.usage.total_tokens)\"")
        .unwrap();
    let reads: Vec<_> = text.manifest.reads.iter().map(|read| format!("{} {}", read.field, read.ty.as_str())).collect();
    assert_eq!(reads, ["call.duration_ms real", "call.model text", "attributes[\"llm.usage.total_tokens\"] integer"]);
    let writes: Vec<_> = text.manifest.writes.iter().map(|write| format!("{} {}", write.key, write.ty.as_str())).collect();
    assert_eq!(writes, ["call.is_slow boolean", "family text", "spent integer"]);
    assert_eq!(text.program, "0;e3;b3;c0;i2000;>s3;c1;s1;-Bi1;c2;");
}

#[test]
fn mistakes_are_told_with_line_and_column() {
    for (rule, says) in [
        ("duration > 2000", "line 6, column 6: `duration` is not a field"),
        ("duration_ms > 'long'", "line 6, column 18: `>`: real and text do not go together"),
        ("duration_ms = 2", "column 18: `=` means nothing here; did you mean `==`?"),
        ("(duration_ms", "column 18: expected `)`, found the end"),
        ("model.startswith('a')", "column 12: there is no function `startswith`; did you mean `starts_with`?"),
        ("call.modell == 'a'", "`call.modell` is not a field"),
        ("model + 1", "text and integer do not go together"),
        ("'a", "this text has no end"),
        ("9999999999999999999", "64 bits cannot hold"),
        ("null", "always null"),
        ("sum(duration_ms)", "of many rows"),
        ("model in ['a', 2]", "this is integer, what is looked for is text"),
        ("config.limit > 2", "no `[config.limit]`"),
        ("true ? 1 : 'a'", "integer and text"),
        ("size(model, model)", "`size` wants one value, not 2"),
        ("integer(start_time)", "cannot be made of time"),
        ("", "expected a value, found the end"),
        ("model $ 1", "`$` means nothing here"),
        ("mismatched(model + 'a')", "wants a field"),
        ("time('soon')", "column 11: `soon`: it is"),
    ] {
        let told = refusal(rule);
        assert!(told.contains(says), "{rule}: {told}");
    }
    for deep in ["(".repeat(5000), "!".repeat(5000), "-".repeat(5000), "a in [".repeat(5000)] {
        assert!(refusal(&deep).contains("brackets deep") || refusal(&deep).contains("not a field"), "{deep}");
    }
}

#[test]
fn shapes_that_do_not_fit_the_kind_are_refused() {
    let parse = |kind: &str, rest: &str| TextPlugin::parse(format!("{HEAD}kind = \"{kind}\"\n{rest}").as_bytes());
    for (kind, rest, says) in [
        ("enricher", "", "`rule`: is missing"),
        ("enricher", "[[rule]]\nwhen = \"true\"\ncode = \"a\"", "one table [rule]"),
        ("enricher", "rule = 7", "line 4"),
        ("enricher", "[rule]\na = 7", "line 5"),
        ("validator", "[rule]\na = \"true\"", "a table [[rule]]"),
        ("validator", "[[rule]]\ncode = \"a\"", "either `when`"),
        ("validator", "[[rule]]\nwhen = \"true\"\nexpect = \"true\"\ncode = \"a\"", "either `when`"),
        ("validator", "[[rule]]\nwhen = \"event.size\"\ncode = \"a\"", "line 5, column 9: a condition is boolean, this is integer"),
        ("validator", "[[rule]]\nwhen = \"event.size > 2\"\ncode = \"Too Large\"", "`rule[0].code`"),
        ("validator", "[[rule]]\nwhen = \"event.size > 2\"\ncode = \"a\"\nseverity = \"fatal\"", "unknown variant `fatal`"),
        ("masker", "[rule]\na = \"true\"", "no masker"),
        ("metric", "[rule]\na = \"event.size\"", "of one row"),
        ("metric", "[rule]\na = \"sum(sum(event.size))\"", "not inside of another"),
        ("metric", "[rule]\na = \"sum(event.name)\"", "wants a number, this is text"),
        ("enricher", "[[reads]]\nfield = \"event.name\"\ntype = \"text\"\n[rule]\na = \"event.size > 2\"", "does not use `event.name`"),
        ("enricher", "[[writes]]\nkey = \"b\"\ntype = \"text\"\n[rule]\na = \"event.size > 2\"", "no line for `b`"),
        (
            "enricher",
            "[[writes]]\nkey = \"a\"\ntype = \"text\"\n[rule]\na = \"event.size > 2\"",
            "it is boolean, but [[writes]] has `a` as text",
        ),
        ("enricher", "[capabilities]\nlookup = [\"x\"]\n[rule]\na = \"event.size > 2\"", "`capabilities`"),
    ] {
        let told = parse(kind, rest).unwrap_err().to_string();
        assert!(told.contains(says), "{kind} {rest}: {told}");
    }
}

#[test]
fn a_component_has_no_rule() {
    let text = format!("{HEAD}kind = \"enricher\"\n[rule]\na = \"event.size > 2\"\n");
    assert!(Manifest::parse(text.as_bytes()).unwrap_err().to_string().contains("only a text plugin"));
}
