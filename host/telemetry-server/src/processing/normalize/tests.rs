use std::collections::{BTreeMap, HashSet};

use telemetry_model::facts::Role;
use telemetry_model::{Event, Timestamp};

use super::super::decode::{Shape, decode};
use super::*;

fn key() -> DigestKey {
    DigestKey::new([7; 32])
}

fn raw(body: &str) -> RawEvent {
    decode(body.as_bytes(), Shape::Single).unwrap().items.pop().unwrap().0.unwrap()
}

fn normal(body: &str) -> Normalized {
    normalize(raw(body), &key()).unwrap()
}

/// An event of `name` with attributes, otherwise without fault.
fn named(name: &str, attributes: &str) -> Normalized {
    normal(&format!(
        r#"{{"schema_version":"1.0","timestamp":"2026-11-23T08:00:00Z","trace_id":"t","span_id":"s","name":"{name}","level":"INFO","agent_id":"a","attributes":{attributes}}}"#
    ))
}

fn flags(event: &Event) -> Vec<String> {
    event.flags.iter().map(|flag| format!("{} {}", flag.code, flag.field.as_deref().unwrap_or("-"))).collect()
}

fn llm(normalized: &Normalized) -> &telemetry_model::facts::LlmCallFacts {
    match &normalized.facts {
        Facts::LlmCall(facts) => facts,
        other => panic!("{other:?}"),
    }
}

fn tool(normalized: &Normalized) -> &telemetry_model::facts::ToolExecutionFacts {
    match &normalized.facts {
        Facts::ToolExecution(facts) => facts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_event_without_name_or_readable_timestamp() {
    for (body, codes) in [
        ("{}", vec!["missing-name", "missing-timestamp"]),
        (r#"{"name":null,"timestamp":"2026-11-23T08:00:00Z"}"#, vec!["missing-name"]),
        (r#"{"name":" ","timestamp":"2026-11-23T08:00:00Z"}"#, vec!["missing-name"]),
        (r#"{"name":7,"timestamp":null}"#, vec!["name-not-text", "missing-timestamp"]),
        (r#"{"name":"n","timestamp":1795420831}"#, vec!["timestamp-unreadable"]),
        (r#"{"name":"n","timestamp":"1795420831"}"#, vec!["timestamp-unreadable"]),
        (r#"{"name":"n","timestamp":""}"#, vec!["timestamp-unreadable"]),
        (r#"{"name":"n","timestamp":{"a":1}}"#, vec!["timestamp-unreadable"]),
        (r#"{"name":"n","timestamp":"0001-01-01T00:00:00Z"}"#, vec!["timestamp-out-of-range"]),
        (r#"{"name":"n","timestamp":"9999-12-31T23:59:59Z"}"#, vec!["timestamp-out-of-range"]),
    ] {
        let reasons = normalize(raw(body), &key()).unwrap_err();
        assert_eq!(reasons.iter().map(|reason| &*reason.code).collect::<Vec<_>>(), codes, "{body}");
        assert!(reasons.iter().all(|reason| reason.field.is_some()));
    }
}

#[test]
fn reads_offsets_leap_seconds_and_naive_times() {
    for (text, seconds, naive) in [
        ("2026-11-23T13:30:00+05:30", 1_795_420_800, false),
        ("2026-11-23T08:00:00", 1_795_420_800, true),
        ("2026-11-23T08:00:00.000000Z", 1_795_420_800, false),
        ("2026-11-23T03:00:00-05:00", 1_795_420_800, false),
        ("2016-12-31T23:59:60Z", 1_483_228_799, false),
    ] {
        let event = normal(&format!(r#"{{"name":"n","timestamp":"{text}"}}"#)).event;
        assert_eq!(event.timestamp, Timestamp(seconds * 1_000_000_000), "{text}");
        assert_eq!(flags(&event).contains(&"timestamp-without-offset timestamp".into()), naive, "{text}");
    }
}

#[test]
fn fills_defaults_and_flags_them() {
    let event = normal(r#"{"name":"n","timestamp":"2026-11-23T08:00:00Z"}"#).event;
    assert_eq!((event.level.as_str(), &*event.agent_id), ("INFO", "unknown-agent"));
    let expected = [
        "attributes-absent attributes",
        "schema-version-absent schema_version",
        "trace-id-null trace_id",
        "level-absent level",
        "agent-id-absent agent_id",
    ];
    assert_eq!(flags(&event), expected);
}

#[test]
fn envelope_without_fault_has_no_flags() {
    let event = named("custom.metric", r#"{"session.id":"s1"}"#).event;
    assert_eq!((flags(&event), event.session_id.as_deref()), (vec![], Some("s1")));
}

#[test]
fn members_of_wrong_types_are_kept_beside_and_flagged() {
    let event = normal(
        r#"{"schema_version":1,"timestamp":"2026-11-23T08:00:00Z","trace_id":5,"span_id":["s"],"parent_span_id":{},"name":"n","level":3,"agent_id":false,"channel":1,"idempotency_key":2,"attributes":[1]}"#,
    )
    .event;
    assert_eq!((event.trace_id, event.span_id, event.channel, event.idempotency_key), (None, None, None, None));
    assert_eq!((event.level.as_str(), &*event.agent_id, event.attributes.len()), ("INFO", "unknown-agent", 0));
    for (key, value) in [("trace_id", "5"), ("span_id", r#"["s"]"#), ("level", "3"), ("attributes", "[1]"), ("idempotency_key", "2")] {
        assert_eq!(event.extra.get(key).unwrap().as_str(), value);
    }
    let codes: HashSet<_> = event.flags.iter().map(|flag| flag.field.as_deref().unwrap()).collect();
    for field in
        ["schema_version", "trace_id", "span_id", "parent_span_id", "level", "agent_id", "channel", "idempotency_key", "attributes"]
    {
        assert!(codes.contains(field), "{field}");
    }
}

#[test]
fn agent_falls_back_to_its_attribute() {
    for agent in [r#""agent_id":null,"#, r#""agent_id":"","#, ""] {
        let body = format!(r#"{{{agent}"name":"n","timestamp":"2026-11-23T08:00:00Z","attributes":{{"agent.id":"x"}}}}"#);
        assert_eq!(&*normal(&body).event.agent_id, "x");
    }
}

#[test]
fn levels_are_upper_case_and_ids_keep_every_character() {
    let event = normal(r#"{"name":"n","timestamp":"2026-11-23T08:00:00Z","level":"warning","trace_id":"a\u0000b","span_id":""}"#).event;
    assert_eq!((event.level.as_str(), event.trace_id.as_deref(), event.span_id.as_deref()), ("WARNING", Some("a\0b"), Some("")));
}

#[test]
fn text_and_negative_numbers_are_never_tokens() {
    let normalized = named(
        "llm.call.finish",
        r#"{"llm.usage.input_tokens":"12","llm.usage.output_tokens":-3,"llm.usage.total_tokens":99999999999999999999,"llm.response.duration_ms":"fast","llm.model":null,"llm.vendor":7}"#,
    );
    let facts = llm(&normalized);
    assert_eq!((facts.input_tokens, facts.output_tokens, facts.total_tokens, facts.duration_ms), (None, None, None, None));
    assert_eq!((facts.model.as_deref(), facts.vendor.as_deref()), (None, None));
    let flags = flags(&normalized.event).join(";");
    for flag in [
        r#"not-an-integer attributes["llm.usage.input_tokens"]"#,
        r#"negative attributes["llm.usage.output_tokens"]"#,
        r#"not-an-integer attributes["llm.usage.total_tokens"]"#,
        r#"not-a-number attributes["llm.response.duration_ms"]"#,
        r#"not-text attributes["llm.vendor"]"#,
    ] {
        assert!(flags.contains(flag), "{flag} in {flags}");
    }
}

#[test]
fn reads_old_and_new_names_of_calls() {
    for (name, role) in [
        ("llm.call.start", Role::Begin),
        ("llm.request", Role::Begin),
        ("llm.call.finish", Role::End),
        ("llm.call.end", Role::End),
        ("llm.response", Role::End),
        ("llm.call.error", Role::Error),
        ("llm.error", Role::Error),
    ] {
        let normalized = named(name, r#"{"llm.provider":"p","llm.response.usage.input_tokens":4,"llm.usage.output_tokens":2.0}"#);
        let facts = llm(&normalized);
        assert_eq!((facts.role, facts.is_error), (role, role == Role::Error), "{name}");
        assert_eq!((facts.vendor.as_deref(), facts.input_tokens, facts.output_tokens), (Some("p"), Some(4), Some(2)));
    }
    let model = named("llm.call.start", r#"{"llm.request.data":{"model":"m","messages":[]}}"#);
    assert_eq!((llm(&model).model.as_deref(), llm(&model).messages.as_deref()), (Some("m"), Some(&[][..])));
}

#[test]
fn flags_calls_that_pair_with_nothing() {
    for ids in [r#""trace_id":"null-trace","span_id":"s""#, r#""trace_id":"t","span_id":null"#, r#""trace_id":null"#] {
        let event = normal(&format!(r#"{{{ids},"name":"llm.call.start","timestamp":"2026-11-23T08:00:00Z"}}"#)).event;
        assert!(flags(&event).contains(&"unpaired span_id".into()), "{ids}");
    }
}

fn digests(attributes: &str) -> Option<Vec<u64>> {
    llm(&named("llm.call.start", attributes)).messages.clone()
}

#[test]
fn a_message_digests_alike_in_every_form() {
    let forms = [
        r#"{"llm.request.data":{"messages":[{"role":"user","content":"don't say \"hi\"\n\u00e9"}]}}"#,
        r#"{"llm.request.data":{"messages":[{"content":[{"type":"text","text":"don't say \"hi\"\n\u00e9"}],"role":"user"}]}}"#,
        r#"{"llm.request.data":{"messages":[{"role":"user","name":null,"content":[{"type":"text","text":"don't say \"hi\"\n\u00e9","cache_control":{"type":"ephemeral"}}]}]}}"#,
        r#"{"llm.request.data":{"messages":"[{'role': 'user', 'content': 'don\\'t say \"hi\"\\n\u00e9'}]"}}"#,
        r#"{"llm.request.data":{"messages":"[{'role': 'user', 'content': [{'type': 'text', 'text': 'don\\'t say \"hi\"\\n\\xe9'}]}]"}}"#,
        r#"{"llm.request.data":"{'messages': [{'role': 'user', 'content': 'don\\'t say \"hi\"\\n\\u00e9', 'x': None}]}"}"#,
        r#"{"llm.request.data":{"messages":[],"messages":[{"role":"user","content":"don't say \"hi\"\n\u00e9"}]}}"#,
    ];
    let expected = digests(forms[0]).unwrap();
    assert_eq!(expected.len(), 1);
    for form in forms {
        assert_eq!(digests(form).as_ref(), Some(&expected), "{form}");
    }
}

#[test]
fn a_message_too_wide_for_a_tree_counts_as_sent_and_leaves_its_neighbours() {
    let wide = |last: &str| {
        let message = format!(r#"{{"role":"user","content":[{}{last}]}}"#, "{},".repeat(40_000));
        digests(&format!(r#"{{"llm.request.data":{{"messages":[{{"role":"user","content":"a"}},{message}]}}}}"#)).unwrap()
    };
    let (first, other, spaced) = (wide("1"), wide("2"), wide(" 1"));
    assert_eq!((first.len(), first[0]), (2, other[0]));
    assert!(first == wide("1") && first[1] != other[1] && first[1] != spaced[1]);
}

#[test]
fn different_messages_digest_differently() {
    let message = |inner: &str| digests(&format!(r#"{{"llm.request.data":{{"messages":[{inner}]}}}}"#)).unwrap()[0];
    let all = [
        r#"{"role":"user","content":"a"}"#,
        r#"{"role":"assistant","content":"a"}"#,
        r#"{"role":"user","content":"b"}"#,
        r#"{"role":"user","content":["a","b"]}"#,
        r#"{"role":"user","content":"ab"}"#,
        r#"{"role":"user","content":null}"#,
        r#"{"role":"user","content":"a","tool_call_id":"1"}"#,
        r#"{"role":"user","content":[{"type":"tool_use","id":"1","input":{"a":1}}]}"#,
        r#"{"role":"user","content":[{"type":"tool_use","id":"1","input":{"a":"1"}}]}"#,
        r#""a""#,
    ];
    assert_eq!(all.into_iter().map(message).collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn unreadable_requests_are_flagged_not_guessed() {
    for data in [r#"{"messages":"[{'role': "}"#, r#"{"messages":7}"#, r#""no literal""#, "7", r#"{"messages":"(((("}"#] {
        let normalized = named("llm.call.start", &format!(r#"{{"llm.request.data":{data}}}"#));
        assert_eq!(llm(&normalized).messages, None, "{data}");
        assert!(flags(&normalized.event).join(";").contains("request-unreadable"), "{data}");
    }
    assert_eq!(digests(r#"{"llm.request.data":{"prompt":"p"}}"#), None);
    assert_eq!(digests(r#"{"prompt":"hi"}"#), None);
}

#[test]
fn reads_what_python_prints() {
    let value = |text: &str| python::literal(text).map(|value| value.to_string());
    for (text, json) in [
        ("{'a': [1, -2.5, 1e3], 'b': (True, False, None)}", r#"{"a":[1,-2.5,1000.0],"b":[true,false,null]}"#),
        (
            r#"['it\'s', "it's", '\\n', '\x41\u00e9\U0001f600\t', b'x', '\d']"#,
            "[\"it's\",\"it's\",\"\\\\n\",\"A\u{e9}\u{1f600}\\t\",\"x\",\"\\\\d\"]",
        ),
        ("[nan, inf, -inf, ]", "[null,null,null]"),
        ("{1: 'x', 'y': {}}", r#"{"1":"x","y":{}}"#),
        ("{'a', 'b'}", r#"["a","b"]"#),
        ("()", "[]"),
        (r"'\ud800'", "\"\u{fffd}\""),
    ] {
        assert_eq!(value(text).as_deref(), Some(json), "{text}");
    }
    for text in ["", "[", "[1", "{'a'", "{'a': }", "'x", "foo", "[1] 2", "<object at 0x7f>", r"'\x4'", "{'a': 1, 'b'}", "'\\"] {
        assert_eq!(value(text), None, "{text}");
    }
    assert_eq!(value(&"[".repeat(1_000_000)), None);
}

#[test]
fn takes_tool_arguments_in_every_form() {
    for (attributes, arguments) in [
        (r#"{"tool.params":["a","b"]}"#, Some(r#"["a","b"]"#)),
        (r#"{"tool.params":{"q":1}}"#, Some(r#"{"q":1}"#)),
        (r#"{"tool.input":"{'a': 1}"}"#, Some(r#""{'a': 1}""#)),
        (r#"{"tool.args":"('Oslo',)","tool.kwargs":"{}"}"#, Some(r#"{"args":"('Oslo',)","kwargs":"{}"}"#)),
        (r#"{"tool.kwargs":{}}"#, Some(r#"{"args":null,"kwargs":{}}"#)),
        (r#"{"tool.call.inputs":{"a":1},"tool.params":null}"#, Some(r#"{"a":1}"#)),
        ("{}", None),
    ] {
        let normalized = named("tool.start", attributes);
        assert_eq!(tool(&normalized).arguments.as_ref().map(telemetry_model::JsonText::as_str), arguments, "{attributes}");
    }
}

#[test]
fn tools_report_errors_in_several_ways() {
    for (name, attributes, is_error) in [
        ("tool.result", r#"{"tool.status":"success"}"#, false),
        ("tool.result", r#"{"tool.status":"error"}"#, true),
        ("tool.end", r#"{"tool.error":"timeout"}"#, true),
        ("tool.end", r#"{"tool.error":null}"#, false),
        ("tool.error", "{}", true),
    ] {
        assert_eq!(tool(&named(name, attributes)).is_error, is_error, "{name} {attributes}");
    }
}

#[test]
fn tells_alerts_from_calls_that_mention_one() {
    let alert = named("security.content.dangerous", r#"{"security.keywords":["rm -rf"],"security.detection_time":"2026-11-23T08:00:00Z"}"#);
    let Facts::SecurityAlert(facts) = &alert.facts else { panic!("{:?}", alert.facts) };
    assert_eq!(facts.keywords.as_ref().unwrap().as_str(), r#"["rm -rf"]"#);
    assert!(matches!(named("llm.call.start", r#"{"security.alert_level":"dangerous"}"#).facts, Facts::LlmCall(_)));
    assert!(matches!(named("security.scan", "{}").facts, Facts::None));
    assert!(matches!(named("monitoring.stop", "{}").facts, Facts::Stop));
}

#[derive(Default)]
struct Row {
    ended: bool,
    error: bool,
    input: i64,
    output: i64,
}

/// The words of the design over events: a row a (trace, span), or an event of its own.
fn rows(events: &[Normalized], part: impl Fn(&Facts) -> Option<(Role, bool, i64, i64)>) -> Vec<Row> {
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for (index, normalized) in events.iter().enumerate() {
        let Some((role, is_error, input, output)) = part(&normalized.facts) else { continue };
        let alone = (String::new(), index.to_string());
        let id = normalized.event.pairing().map_or(alone, |(trace, span)| (trace.into(), span.into()));
        let row = rows.entry(id).or_default();
        row.ended |= role != Role::Begin;
        row.error |= is_error;
        row.input += input;
        row.output += output;
    }
    rows.into_values().collect()
}

fn counted(rows: &[Row]) -> (usize, usize, usize, usize) {
    let count = |of: fn(&&Row) -> bool| rows.iter().filter(of).count();
    (rows.len(), count(|row| row.ended && !row.error), count(|row| row.error), count(|row| !row.ended && !row.error))
}

#[test]
fn golden_events_give_the_golden_counts() {
    let fixtures = ["monitor-events.ndjson", "legacy-events.ndjson"]
        .map(|file| std::fs::read_to_string(format!("{}/../../tests/fixtures/golden/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap());
    let events: Vec<_> = fixtures.iter().flat_map(|text| text.lines()).map(normal).collect();
    assert_eq!(events.len(), 380);
    let calls = rows(&events, |facts| match facts {
        Facts::LlmCall(call) => Some((call.role, call.is_error, call.input_tokens.unwrap_or(0), call.output_tokens.unwrap_or(0))),
        _ => None,
    });
    assert_eq!(counted(&calls), (61, 46, 6, 9));
    assert_eq!((calls.iter().map(|call| call.input).sum::<i64>(), calls.iter().map(|call| call.output).sum::<i64>()), (3103, 759));
    let executions = rows(&events, |facts| match facts {
        Facts::ToolExecution(tool) => Some((tool.role, tool.is_error, 0, 0)),
        _ => None,
    });
    assert_eq!(counted(&executions), (76, 73, 2, 1));
    assert_eq!(events.iter().filter(|event| matches!(event.facts, Facts::SecurityAlert(_))).count(), 29);
    assert_eq!(events.iter().filter_map(|event| event.event.session_id.as_deref()).collect::<HashSet<_>>().len(), 9);
    assert_eq!(events.iter().map(|event| &*event.event.agent_id).collect::<HashSet<_>>().len(), 6);
}

#[test]
fn golden_requests_have_readable_messages() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/golden/monitor-events.ndjson")).unwrap();
    let unreadable: Vec<_> = text.lines().map(normal).filter(|event| flags(&event.event).join(";").contains("unreadable")).collect();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    let with_messages = text.lines().map(normal).filter(|event| matches!(&event.facts, Facts::LlmCall(call) if call.messages.is_some()));
    assert_eq!(
        with_messages.count(),
        text.lines().filter(|line| line.contains("\"messages\"") && line.contains("llm.request.data")).count()
    );
}

/// A small generator of its own, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn mutilated_events_are_refused_or_read_but_never_panic() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/golden/monitor-events.ndjson")).unwrap();
    let splinters: [&[u8]; 12] =
        [b"\"", b"\\", b"\\ud800", b"NaN", b"-Infinity", b"{", b"]", b"'", b"1e999", b"\0", b"\xff", b"\"messages\": \"[{'role': '"];
    let mut numbers = Numbers(1);
    for line in text.lines() {
        for _ in 0..20 {
            let mut body = line.as_bytes().to_vec();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(body.len());
                let end = at + numbers.below(body.len() - at).min(numbers.below(40));
                body.splice(at..end, splinters[numbers.below(splinters.len())].iter().copied());
            }
            for shape in [Shape::Single, Shape::Batch { max_events: 10 }] {
                let Ok(decoded) = decode(&body, shape) else { continue };
                for (item, place) in decoded.items {
                    assert!(telemetry_model::JsonText::parse(decoded.text[place].trim_ascii()).is_ok());
                    let Ok(Ok(normalized)) = item.map(|raw| normalize(raw, &key())) else { continue };
                    normalized
                        .event
                        .attributes
                        .iter()
                        .for_each(|(_, value)| assert!(telemetry_model::JsonText::parse(value.as_str()).is_ok()));
                }
            }
        }
    }
}
