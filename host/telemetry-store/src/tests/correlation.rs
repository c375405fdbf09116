//! Any order of arrival, in any cut, gives the same derived rows.

use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;
use telemetry_model::facts::{Facts, LlmCallFacts, Role, ToolExecutionFacts};
use telemetry_model::{DigestKey, Event, JsonText, Timestamp};

use super::{Scratch, golden, item, submit};
use crate::prepare::PreparedEvent;
use crate::{NewEvent, WriteItem, testing};

/// All that is derived, without surrogate ids. The event of a row shows as its time.
const DERIVED: [&str; 6] = [
    "select c.trace_id, c.span_id, e.timestamp, e.name, c.vendor, c.model, c.request_type, c.request_timestamp, c.response_id,
            c.response_timestamp, c.duration_ms, c.stop_reason, c.input_tokens, c.output_tokens, c.total_tokens, c.status, c.error_type,
            c.start_time, c.end_time, c.agent_id, c.session_id, c.conversation_id, c.turn, c.conversation_link
     from llm_calls c join events e on e.id = c.event_id order by 1, 2, 3, 4",
    "select x.trace_id, x.span_id, e.timestamp, e.name, x.tool_name, x.tool_id, x.status, x.result_type, x.framework, x.duration_ms,
            x.error_type, x.start_time, x.end_time, x.agent_id, x.session_id, x.arguments_digest is null, x.repeat, x.conversation_id
     from tool_executions x join events e on e.id = x.event_id order by 1, 2, 3, 4",
    "select id, agent_id, start_time, end_time, event_count, stopped_at from sessions order by 1",
    "select id, agent_id, start_time, end_time, event_count, stopped_at from traces order by 1",
    "select id, first_seen, last_seen, event_count, environment from agents order by 1",
    "select a.timestamp, a.trace_id, a.span_id, a.name, a.category, a.linked, c.span_id, x.span_id
     from security_alerts a left join llm_calls c on c.id = a.llm_call_id left join tool_executions x on x.id = a.tool_execution_id
     order by 1, 2, 3, 4",
];

fn derived(scratch: &Scratch) -> Vec<Vec<String>> {
    DERIVED.iter().map(|sql| scratch.rows(sql)).collect()
}

/// Stores `events` in the order of `places`, cut into transactions of `cut`, with restarts between.
fn in_order(events: &[(Event, Facts)], places: &[usize], cut: usize, restart: bool) -> Vec<Vec<String>> {
    let key = DigestKey::new([7; 32]);
    let mut scratch = Scratch::new();
    for (index, part) in places.chunks(cut).enumerate() {
        if restart && index % 40 == 1 {
            scratch = scratch.reopen();
        }
        // Under one key: of two arguments for one execution the lesser digest stands.
        let item = |(event, facts): (Event, Facts)| {
            let new = NewEvent { event, facts, derived: Vec::new(), runs: Arc::from([]), received_at: Timestamp(1) };
            WriteItem::Event(Box::new(PreparedEvent::new(new, &key, &[])))
        };
        submit(&scratch.store, part.iter().map(|place| item(events[*place].clone())).collect()).unwrap();
    }
    derived(&scratch)
}

/// Rows that only one side has.
fn differences(one: &[Vec<String>], other: &[Vec<String>]) -> Vec<String> {
    let only = |a: &[Vec<String>], b: &[Vec<String>], side: &str| -> Vec<String> {
        let rows = a.iter().zip(b).flat_map(|(a, b)| a.iter().filter(|row| !b.contains(row)));
        rows.map(|row| format!("{side} {row}")).collect()
    };
    [only(one, other, "found"), only(other, one, "expected")].concat()
}

/// A shuffle of `0..count` that depends on nothing but `seed`.
fn shuffled(count: usize, mut seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        places.swap(last, (seed >> 33) as usize % (last + 1));
    }
    places
}

#[test]
fn captured_events_give_the_same_rows_in_any_order() {
    let key = DigestKey::new([7; 32]);
    let events: Vec<_> = golden(&Scratch::new().store).into_iter().map(|(event, _)| event).collect();
    let events: Vec<_> = events.into_iter().map(|event| (event.clone(), testing::facts(&event, &key))).collect();
    let given: Vec<usize> = (0..events.len()).collect();
    let expected = in_order(&events, &given, 400, false);
    assert_eq!(expected[0].len(), 61);
    assert_eq!(in_order(&events, &given, 1, false), expected);
    let reversed: Vec<usize> = given.iter().rev().copied().collect();
    assert_eq!(in_order(&events, &reversed, 7, true), expected);
    for seed in 0..6 {
        assert_eq!(in_order(&events, &shuffled(events.len(), seed), 1 + 11 * seed as usize, true), expected, "seed {seed}");
    }
}

/// A generated event, which prints in one line.
#[derive(Clone)]
struct Sent(Event, Facts);

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent(event, facts) = self;
        write!(f, "{:?} {:?} {:?} at {} of {}: ", event.trace_id, event.span_id, event.session_id, event.timestamp.0, event.agent_id)?;
        match facts {
            Facts::LlmCall(call) => write!(f, "{:?} {:?} {:?} {:?}", call.role, call.messages, call.model, call.input_tokens),
            Facts::ToolExecution(execution) => write!(f, "{:?} {:?} {:?}", execution.role, execution.tool_name, execution.arguments),
            other => write!(f, "{other:?}"),
        }
    }
}

/// A small world in which everything meets: few spans, times, sessions and messages.
fn generated() -> impl Strategy<Value = Vec<Sent>> {
    prop::collection::vec(one_event(), 1..40)
}

fn one_event() -> impl Strategy<Value = Sent> {
    let place = (0..2_u8, 0..7_u8, 0..3_u8, 0..30_i64, any::<bool>());
    let role = prop_oneof![Just(Role::Begin), Just(Role::Begin), Just(Role::End), Just(Role::Error)];
    let detail = (role, prop::option::of(prop::collection::vec(0..4_u64, 0..5)), 0..3_u8, prop::option::of(0..3_i64));
    (place, detail).prop_map(|((trace, span, session, time, is_call), (role, messages, text, number))| {
        let name = if is_call { "llm.call.start" } else { "tool.execution" };
        // Steps of ten minutes, so that silences of half an hour split.
        let mut event = testing::event(name, time * 600_000_000_000);
        event.trace_id = Some(if trace == 0 { "null-trace".into() } else { format!("t{}", trace).into() });
        event.span_id = (span > 0).then(|| format!("{}{span}", if is_call { "c" } else { "x" }).into());
        event.session_id = (session > 0).then(|| format!("s{session}").into());
        event.agent_id = format!("a{text}").into();
        let word = (text > 0).then(|| format!("w{text}").into());
        let facts = if is_call {
            Facts::LlmCall(Box::new(LlmCallFacts {
                role,
                vendor: word.clone(),
                model: word.clone(),
                request_type: None,
                request_timestamp: None,
                response_id: word.clone(),
                response_timestamp: None,
                duration_ms: number.map(|number| number as f64),
                stop_reason: word.clone(),
                input_tokens: number,
                output_tokens: number,
                total_tokens: None,
                is_error: role == Role::Error,
                error_type: word,
                messages: messages.filter(|_| role == Role::Begin),
            }))
        } else {
            Facts::ToolExecution(Box::new(ToolExecutionFacts {
                role,
                tool_name: word.clone(),
                tool_id: word.clone(),
                framework: None,
                result_type: word,
                duration_ms: number.map(|number| number as f64),
                is_error: role == Role::Error,
                error_type: None,
                arguments: number.map(JsonText::integer),
            }))
        };
        Sent(event, facts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 3_000, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn generated_events_give_the_same_rows_in_any_order(events in generated(), seed in any::<u64>(), cut in 1..9_usize) {
        // Rows that pair with nothing are told apart by their times.
        let mut events = events;
        for (index, Sent(event, _)) in events.iter_mut().enumerate() {
            if event.pairing().is_none() {
                event.timestamp.0 += 1 + index as i64;
            }
        }
        let events: Vec<_> = events.into_iter().map(|Sent(event, facts)| (event, facts)).collect();
        let given: Vec<usize> = (0..events.len()).collect();
        let mut by_time = given.clone();
        by_time.sort_by_key(|place| events[*place].0.timestamp);
        let expected = in_order(&events, &by_time, 1, false);
        let none: Vec<String> = Vec::new();
        for (places, cut) in [
            (given, cut),
            (shuffled(events.len(), seed), cut),
            (shuffled(events.len(), seed), events.len()),
        ] {
            prop_assert_eq!(&differences(&in_order(&events, &places, cut, false), &expected), &none, "{:?} by {}", places, cut);
        }
    }
}

/// A request of `span` at `time` with `messages`.
fn request(span: &str, time: i64, messages: &[u64]) -> (Event, Facts) {
    let mut event = testing::event("llm.call.start", time);
    event.trace_id = Some("t".into());
    event.span_id = Some(span.into());
    let mut facts = testing::facts(&event, &DigestKey::new([7; 32]));
    if let Facts::LlmCall(call) = &mut facts {
        call.messages = (!messages.is_empty()).then(|| messages.to_vec());
    }
    (event, facts)
}

fn tool(span: &str, time: i64, arguments: &str) -> (Event, Facts) {
    let mut event = testing::event("tool.execution", time);
    event.trace_id = Some("t".into());
    event.span_id = Some(span.into());
    event.attributes = testing::attributes(&format!(r#"{{"tool.name":"search","tool.params":{arguments}}}"#));
    let facts = testing::facts(&event, &DigestKey::new([7; 32]));
    (event, facts)
}

const CONVERSATIONS: &str = "select span_id, conversation_id, turn, conversation_link from llm_calls order by start_time, span_id";

#[test]
fn a_request_goes_on_from_its_longest_prefix() {
    let scratch = Scratch::new();
    scratch.store([
        request("a1", 1, &[9, 1]),
        request("b1", 2, &[9, 2]),
        request("a2", 3, &[9, 1, 11, 12]),
        request("b2", 4, &[9, 2, 21, 22]),
        request("a3", 5, &[9, 1, 11, 12, 13, 14]),
        // The middle of the history was dropped.
        request("a4", 6, &[9, 13, 14, 15, 16]),
        request("a5", 7, &[9, 13, 14, 15, 16, 17, 18]),
        request("c1", 8, &[9, 3]),
    ]);
    assert_eq!(
        scratch.rows(CONVERSATIONS),
        [
            "a1|a1|1|first",
            "b1|b1|1|first",
            "a2|a1|2|messages",
            "b2|b1|2|messages",
            "a3|a1|3|messages",
            "a4|a1|4|trimmed",
            "a5|a1|5|messages",
            "c1|c1|1|first"
        ]
    );
}

#[test]
fn a_late_first_request_becomes_the_conversation() {
    let scratch = Scratch::new();
    scratch.store([request("a2", 3, &[1, 2, 3]), request("a3", 4, &[1, 2, 3, 4, 5])]);
    assert_eq!(scratch.rows(CONVERSATIONS), ["a2|a2|1|first", "a3|a2|2|messages"]);
    scratch.store([request("a1", 1, &[1])]);
    assert_eq!(scratch.rows(CONVERSATIONS), ["a1|a1|1|first", "a2|a1|2|messages", "a3|a1|3|messages"]);
    // The former id is the span of a call that tells the conversation it is in now.
    assert_eq!(scratch.rows("select conversation_id from llm_calls where span_id = 'a2'"), ["a1"]);
}

#[test]
fn does_not_follow_lists_of_messages_that_outgrow_their_event() {
    let scratch = Scratch::new();
    let many: Vec<u64> = (0..1_000).collect();
    let (mut small, facts) = request("a1", 1, &many);
    small.size = 3_000;
    let (mut large, more) = request("a2", 2, &many);
    large.size = 96_000;
    scratch.store([(small, facts), (large, more)]);
    assert_eq!(scratch.rows(CONVERSATIONS), ["a1|a1|1|first", "a2|a2|1|first"]);
    assert_eq!(scratch.number("select count(*) from message_nodes"), 1_000);
}

#[test]
fn silence_splits_requests_without_messages() {
    let scratch = Scratch::new();
    let minute = 60_000_000_000;
    scratch.store([request("a", 0, &[]), request("b", 30 * minute, &[]), request("c", 60 * minute + 1, &[])]);
    assert_eq!(scratch.rows(CONVERSATIONS), ["a|a|1|first", "b|a|2|time", "c|c|1|first"]);
}

#[test]
fn counts_repeats_of_a_tool_with_the_same_arguments() {
    let scratch = Scratch::new();
    scratch.store([
        request("a1", 1, &[1]),
        tool("x1", 2, "{\"q\":1}"),
        tool("x2", 3, "{\"q\":1}"),
        request("a2", 4, &[1, 2]),
        tool("x4", 6, "{\"q\":1}"),
        tool("x5", 7, "{\"q\":2}"),
    ]);
    scratch.store([tool("x3", 5, "{\"q\":1}"), request("b1", 8, &[5]), tool("x6", 9, "{\"q\":1}")]);
    assert_eq!(
        scratch.rows("select span_id, repeat, conversation_id from tool_executions order by start_time"),
        ["x1|1|a1", "x2|2|a1", "x3|3|a1", "x4|4|a1", "x5|1|a1", "x6|1|b1"]
    );
}

#[test]
fn an_alert_finds_its_call_whichever_comes_first() {
    let scratch = Scratch::new();
    let mut alert = testing::event("security.content.suspicious", 1);
    (alert.trace_id, alert.span_id) = (Some("t".into()), Some("a1".into()));
    let facts = testing::facts(&alert, scratch.store.digest_key());
    submit(&scratch.store, vec![item(&scratch.store, alert, facts)]).unwrap();
    assert_eq!(scratch.rows("select linked from security_alerts"), ["0"]);
    scratch.store([request("a1", 2, &[1])]);
    assert_eq!(scratch.rows("select linked, llm_call_id from security_alerts"), ["1|1"]);
}
