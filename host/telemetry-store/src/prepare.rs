//! From an event to what the writer inserts: everything that needs no database, done on the worker threads.

use std::borrow::Cow;
use std::sync::Arc;

use telemetry_model::facts::Facts;
use telemetry_model::json::is_wide;
use telemetry_model::outcome::{Derived, PluginRun, PluginVersion};
use telemetry_model::{Attributes, Digest, DigestKey, Event, JsonText, Timestamp};

use crate::content::{Contents, Cutter, Document, Hole};
use crate::indexed::{IndexValue, IndexedKey};
use crate::item::NewEvent;

/// An event cut for storage.
#[derive(Debug)]
pub struct PreparedEvent {
    /// The envelope; its attributes and its extra members have moved into the documents.
    pub(crate) event: Event,
    pub(crate) facts: Facts,
    pub(crate) runs: Arc<[PluginRun]>,
    pub(crate) received_at: Timestamp,
    pub(crate) flags: Option<String>,
    pub(crate) attribute_count: usize,
    pub(crate) keys: Vec<Box<str>>,
    pub(crate) versions: Vec<Arc<PluginVersion>>,
    pub(crate) contents: Contents,
    pub(crate) attributes: Document,
    pub(crate) derived: Option<Document>,
    pub(crate) extra: Option<Document>,
    pub(crate) context: Option<Context>,
    /// Of a request's messages: the digest over all up to each.
    pub(crate) message_hashes: Vec<u64>,
    pub(crate) arguments_digest: Option<Digest>,
    /// What the index of attributes gets: the place of the key among the indexed ones, the value.
    pub(crate) indexed: Vec<(usize, IndexValue)>,
}

/// The attributes that events of one process share, as sent.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) digest: Digest,
    pub(crate) attributes: Vec<(Box<str>, JsonText)>,
    pub(crate) environment: Option<Environment>,
}

/// The attributes that tell of a machine and an installation.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) digest: Digest,
    pub(crate) members: Vec<(Box<str>, JsonText)>,
}

impl PreparedEvent {
    /// Cuts `new` under `key`; values under the keys `indexed` are noted for the index.
    pub(crate) fn new(new: NewEvent, key: &DigestKey, indexed: &[IndexedKey]) -> Self {
        let NewEvent { mut event, facts, derived, runs, received_at } = new;
        let indexed = values(&event.attributes, &derived, indexed);
        let attributes = std::mem::take(&mut event.attributes);
        let extra = std::mem::take(&mut event.extra);
        let attribute_count = attributes.len();
        let mut contents = Contents::default();
        let (own, context) = split(attributes, key);
        let (document, mut keys) = attribute_document(own, &mut Cutter::new(key, &mut contents));
        let (derived, versions) = derived_document(derived, &mut keys, &mut Cutter::new(key, &mut contents));
        let extra = extra_document(&extra, &mut Cutter::new(key, &mut contents));
        let flags = (!event.flags.is_empty()).then(|| serde_json::to_string(&event.flags).unwrap_or_default());
        let message_hashes = match &facts {
            Facts::LlmCall(call) => prefix_hashes(call.messages.as_deref().unwrap_or_default()),
            _ => Vec::new(),
        };
        let arguments_digest = match &facts {
            Facts::ToolExecution(execution) => execution.arguments.as_ref().map(|arguments| key.digest(canonical(arguments).as_bytes())),
            _ => None,
        };
        PreparedEvent {
            event,
            facts,
            runs,
            received_at,
            flags,
            attribute_count,
            keys,
            versions,
            contents,
            attributes: document,
            derived,
            extra,
            context,
            message_hashes,
            arguments_digest,
            indexed,
        }
    }

    /// About how many bytes it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        let sources: usize = self.contents.sources.iter().map(|text| text.as_str().len()).sum();
        let keys: usize = self.keys.iter().map(|key| key.len() + 16).sum();
        let documents = self.attributes.text.len()
            + self.derived.as_ref().map_or(0, |document| document.text.len())
            + self.extra.as_ref().map_or(0, |document| document.text.len());
        1_024 + self.event.size as usize + sources + keys + documents + self.contents.pieces.len() * 96 + self.message_hashes.len() * 16
    }
}

/// The values under the indexed keys: what the client sent, else what a plugin wrote.
fn values(attributes: &Attributes, derived: &[Derived], indexed: &[IndexedKey]) -> Vec<(usize, IndexValue)> {
    let value = |key: &IndexedKey| {
        let sent = attributes.get(&key.text).filter(|value| !value.is_null());
        let written = || derived.iter().find(|written| *written.key == *key.text).map(|written| &written.value);
        IndexValue::of(sent.or_else(written)?.as_str())
    };
    indexed.iter().enumerate().filter_map(|(place, key)| Some((place, value(key)?))).collect()
}

/// One spelling for all of the same value: keys sorted, no white space, nothing escaped that need not be; arguments sent as a string that
/// holds a JSON object or list count as that. What no tree can hold (a number beyond a double), or should (millions of items), stays as
/// sent.
fn canonical(arguments: &JsonText) -> Cow<'_, str> {
    if is_wide(arguments.as_str()) {
        return Cow::Borrowed(arguments.as_str());
    }
    let Ok(value) = serde_json::from_str::<serde_json::Value>(arguments.as_str()) else {
        return Cow::Borrowed(arguments.as_str());
    };
    let inner = value.as_str().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let value = inner.filter(|inner| inner.is_object() || inner.is_array()).unwrap_or(value);
    Cow::Owned(value.to_string())
}

/// The document `[[key, piece, ..], ..]` of `attributes`, and the keys its holes mean.
pub(crate) fn attribute_document(attributes: Vec<(Box<str>, JsonText)>, cutter: &mut Cutter<'_>) -> (Document, Vec<Box<str>>) {
    let mut document = Document::default();
    let mut keys = Vec::with_capacity(attributes.len() + 4);
    document.push_syntax("[");
    for (key, value) in attributes {
        document.push_syntax(if keys.is_empty() { "[" } else { ",[" });
        document.push_hole(Hole::Key(keys.len() as u32));
        cutter.cut(value, &mut document);
        document.push_syntax("]");
        keys.push(key);
    }
    document.push_syntax("]");
    (document, keys)
}

fn derived_document(
    derived: Vec<Derived>,
    keys: &mut Vec<Box<str>>,
    cutter: &mut Cutter<'_>,
) -> (Option<Document>, Vec<Arc<PluginVersion>>) {
    let mut versions: Vec<Arc<PluginVersion>> = Vec::new();
    if derived.is_empty() {
        return (None, versions);
    }
    let mut document = Document::default();
    for Derived { key, value, plugin } in derived {
        let version = versions.iter().position(|known| Arc::ptr_eq(known, &plugin) || *known == plugin).unwrap_or(versions.len());
        if version == versions.len() {
            versions.push(plugin);
        }
        document.push_syntax(if document.text.is_empty() { "[[" } else { ",[" });
        document.push_hole(Hole::Version(version as u32));
        document.push_reference(Hole::Key(keys.len() as u32));
        cutter.cut(value, &mut document);
        document.push_syntax("]");
        keys.push((*key).into());
    }
    document.push_syntax("]");
    (Some(document), versions)
}

fn extra_document(extra: &Attributes, cutter: &mut Cutter<'_>) -> Option<Document> {
    if extra.is_empty() {
        return None;
    }
    let mut text = String::from("{");
    for (key, value) in extra.iter() {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(key).to_string());
        text.push(':');
        text.push_str(value.as_str());
    }
    text.push('}');
    let value = JsonText::parse(&text).unwrap_or_else(|_| JsonText::null());
    let mut document = Document::default();
    cutter.cut(value, &mut document);
    document.close();
    // The pieces each stand behind a comma; the first comma becomes the bracket.
    document.text.replace_range(..1, "[");
    document.text.push(']');
    Some(document)
}

/// Parts the context off.
fn split(attributes: Attributes, key: &DigestKey) -> (Vec<(Box<str>, JsonText)>, Option<Context>) {
    let mut own = Vec::with_capacity(attributes.len());
    let (mut process, mut members) = (Vec::new(), Vec::new());
    for (name, value) in attributes.into_pairs() {
        match part(&name) {
            Part::Own => own.push((name, value)),
            Part::Process => process.push((name, value)),
            Part::Environment => members.push((name, value)),
        }
    }
    if process.is_empty() && members.is_empty() {
        return (own, None);
    }
    let environment = (!members.is_empty()).then(|| Environment { digest: digest(key, None, &members), members });
    let digest = digest(key, environment.as_ref().map(|environment| environment.digest), &process);
    (own, Some(Context { digest, attributes: process, environment }))
}

/// Where the store gives the attribute `key` back among those of its event: own ones first, then those of the process, then those of
/// the environment. Within a place the order is the one sent.
pub fn kept_place(key: &str) -> u8 {
    match part(key) {
        Part::Own => 0,
        Part::Process => 1,
        Part::Environment => 2,
    }
}

enum Part {
    Own,
    Process,
    Environment,
}

fn part(key: &str) -> Part {
    if !matches!(key.as_bytes().first(), Some(b'e' | b'h' | b'o' | b'p' | b's' | b't')) {
        return Part::Own;
    }
    match key.split_once('.') {
        Some(("env" | "host" | "os" | "service", _)) => Part::Environment,
        Some(("telemetry", rest)) if rest.starts_with("sdk.") => Part::Environment,
        Some(("process", _)) => Part::Process,
        _ if key == "session.id" => Part::Process,
        _ => Part::Own,
    }
}

fn digest(key: &DigestKey, environment: Option<Digest>, pairs: &[(Box<str>, JsonText)]) -> Digest {
    let mut text = Vec::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.as_str().len() + 16).sum::<usize>() + 16);
    text.extend_from_slice(&environment.map_or([0; 16], |digest| digest.0));
    for (name, value) in pairs {
        for part in [name.as_bytes(), value.as_str().as_bytes()] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        }
    }
    key.digest(&text)
}

/// The digests are keyed already, so a plain mix of them keeps different lists different.
fn prefix_hashes(messages: &[u64]) -> Vec<u64> {
    let mut hash = 0x9e37_79b9_7f4a_7c15;
    messages
        .iter()
        .map(|digest| {
            let product = u128::from(hash ^ digest.rotate_left(32)) * 0xa076_1d64_78bd_642f;
            hash = (product as u64) ^ ((product >> 64) as u64) ^ digest.wrapping_mul(0xe703_7ed1_a0b4_28db);
            hash
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_one_value_are_one_text() {
        let same = [r#"{"a":1,"b":"\u00e9"}"#, r#"{ "b" : "\u00e9", "a": 1 }"#, r#""{\"b\": \"\u00e9\", \"a\": 1}""#];
        for text in same {
            assert_eq!(canonical(&JsonText::parse(text).unwrap()), "{\"a\":1,\"b\":\"\u{e9}\"}", "{text}");
        }
        assert_eq!(canonical(&JsonText::parse("[1e400 ]").unwrap()), "[1e400 ]");
    }
}
