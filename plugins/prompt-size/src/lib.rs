//! Measures what a model call sends: the bytes of its request, and how many messages it has. Nothing of the text is written.

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};

#[derive(Default)]
struct PromptSize;

impl Enricher for PromptSize {
    fn enrich(&self, call: &Row, out: &mut Patch) {
        let Some(request) = call.json("attributes[\"llm.request.data\"]") else { return };
        out.count("prompt.bytes", request.len() as u64);
        if let Some(messages) = messages(request.as_bytes()) {
            out.count("prompt.messages", messages);
        }
    }
}

export_enricher!(PromptSize);

/// The elements of the list under the key `messages` of an object of valid JSON.
fn messages(json: &[u8]) -> Option<u64> {
    let mut at = after_space(json, 0);
    if *json.get(at)? != b'{' {
        return None;
    }
    at = after_space(json, at + 1);
    while *json.get(at)? == b'"' {
        let end = after_value(json, at)?;
        let is_messages = json.get(at..end)? == b"\"messages\"";
        at = after_space(json, after_space(json, end) + 1);
        if is_messages {
            return elements(json, at);
        }
        at = after_space(json, after_value(json, at)?);
        if *json.get(at)? != b',' {
            return None;
        }
        at = after_space(json, at + 1);
    }
    None
}

fn elements(json: &[u8], mut at: usize) -> Option<u64> {
    if *json.get(at)? != b'[' {
        return None;
    }
    at = after_space(json, at + 1);
    let mut count = 0;
    while *json.get(at)? != b']' {
        count += 1;
        at = after_space(json, after_value(json, at)?);
        if *json.get(at)? == b',' {
            at = after_space(json, at + 1);
        }
    }
    Some(count)
}

fn after_space(json: &[u8], at: usize) -> usize {
    let rest = json.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The place behind the value that begins at `at`.
fn after_value(json: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match json.get(at)? {
            b'"' => at = after_string(json, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b',' | b':' => at += 1,
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let rest = json.get(at..)?;
                at += rest.iter().take_while(|byte| !b",:]} \n\r\t".contains(byte)).count();
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn after_string(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
