//! Whatever spans a masker returns for whatever document: what comes out is JSON, and differs in the spans only.

use std::sync::Arc;

use serde_json::value::RawValue;
use telemetry_model::DigestKey;
use telemetry_plugins::{LeafPart, Span};

use super::leaves::Leaves;
use super::{Hit, spliced};

/// A small generator: the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// The inside of a string, each character in one of its spellings.
    fn text(&mut self, out: &mut String) {
        const SPELLINGS: [&[&str]; 14] = [
            &["a", "\\u0061"],
            &["\\u0000"],
            &["\\\"", "\\u0022"],
            &["\\\\", "\\u005C"],
            &["/", "\\/", "\\u002f"],
            &["\\n", "\\u000a"],
            &["\\b", "\\f", "\\r", "\\t"],
            &["\u{e9}", "\\u00e9", "\\u00E9"],
            &["\u{20ac}", "\\u20AC"],
            &["\u{1f600}", "\\ud83d\\ude00", "\\uD83D\\uDE00"],
            &["\\ufffd", "\u{fffd}"],
            &["{", "}", "[", "]", ":", ","],
            &["sk-", "x", "9"],
            &[" ", "\\u001f", "\u{7f}"],
        ];
        for _ in 0..self.below(12) {
            let spellings = SPELLINGS[self.below(SPELLINGS.len())];
            out.push_str(self.pick(spellings));
        }
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(self.pick(&["", "", "", " ", "\n", "\t \r\n"]));
    }

    fn value(&mut self, depth: usize, out: &mut String) {
        match self.below(if depth > 4 { 4 } else { 7 }) {
            0..=2 => self.string(out),
            3 => out.push_str(self.pick(&["1", "-0.0", "1e400", "null", "true", "123456789012345678901234567890"])),
            4 => self.list('[', ']', depth, out),
            _ => self.list('{', '}', depth, out),
        }
    }

    fn string(&mut self, out: &mut String) {
        out.push('"');
        self.text(out);
        out.push('"');
    }

    fn list(&mut self, open: char, close: char, depth: usize, out: &mut String) {
        out.push(open);
        let count = self.below(5);
        for at in 0..count {
            self.space(out);
            if open == '{' {
                let known = self.pick(&["\"name\"", "\"attributes\"", "\"trace_id\"", "\"session.id\"", ""]);
                if known.is_empty() {
                    self.string(out)
                } else {
                    out.push_str(known)
                }
                self.space(out);
                out.push(':');
                self.space(out);
            }
            self.value(depth + 1, out);
            self.space(out);
            if at + 1 < count {
                out.push(',');
            }
        }
        out.push(close);
    }

    /// Spans of `text`, and what stands there afterwards.
    fn spans(&mut self, text: &str) -> (Vec<Span>, String) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (mut spans, mut masked, mut at) = (Vec::new(), String::new(), 0);
        while at + 1 < places.len() {
            let end = (at + 1 + self.below(4)).min(places.len() - 1);
            if self.below(3) == 0 {
                let replacement = self.pick(&["", "[x]", "\"\\\u{0}\u{e9}", "\u{1f600}\n"]);
                spans.push(Span { start: places[at] as u32, end: places[end] as u32, replacement: replacement.into() });
                masked.push_str(replacement);
            } else {
                masked.push_str(&text[places[at]..places[end]]);
            }
            at = end;
        }
        (spans, masked)
    }
}

/// The document without what stands in its strings.
fn skeleton(text: &str) -> String {
    let mut out = String::new();
    let mut copied = 0;
    for found in Leaves::new(text, 0, false) {
        out.push_str(&text[copied..found.at]);
        copied = found.at + found.leaf.raw.len();
    }
    out + &text[copied..]
}

#[test]
fn any_spans_of_any_document_leave_json_that_differs_in_them_only() {
    let key = DigestKey::new([3; 32]);
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let mut text = String::new();
        random.list('{', '}', 0, &mut text);
        serde_json::from_str::<&RawValue>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let (mut hits, mut expected) = (Vec::new(), Vec::new());
        for found in Leaves::new(&text, 0, random.below(2) == 0) {
            let before = found.leaf.text().into_owned();
            let parsed: String = serde_json::from_str(&format!("\"{}\"", found.leaf.raw)).unwrap();
            assert_eq!(before, parsed);
            let (spans, masked) = random.spans(&before);
            if spans.is_empty() {
                expected.push((before, LeafPart::Value));
                continue;
            }
            expected.push((masked, found.leaf.part));
            hits.push(Hit { at: found.at, leaf: found.leaf, spans: Arc::from(spans) });
        }
        let out = spliced(&text, &hits, &key);
        serde_json::from_str::<&RawValue>(&out).unwrap_or_else(|error| panic!("{error}: {text} -> {out}"));
        assert_eq!(skeleton(&out), skeleton(&text), "{text}");
        let after: Vec<String> = Leaves::new(&out, 0, false).map(|found| found.leaf.text().into_owned()).collect();
        assert_eq!(after.len(), expected.len(), "{text} -> {out}");
        for (after, (expected, part)) in after.iter().zip(&expected) {
            let marked = *part != LeafPart::Value && after.len() == expected.len() + 7 && after.starts_with(&format!("{expected}-"));
            assert!(after == expected || marked, "{text}: {after} instead of {expected}");
        }
        if hits.is_empty() {
            assert_eq!(out, text);
        }
    }
}
