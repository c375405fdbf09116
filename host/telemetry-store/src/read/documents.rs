//! Stored attributes back to exact JSON text: pieces and references to contents, put together outside of SQL.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension};
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A piece of JSON text, or `contents.id` of one.
#[derive(Debug)]
enum Piece<'a> {
    Text(Cow<'a, str>),
    Content(i64),
}

/// One attribute as its event keeps it: `plugin_versions.id` if a plugin wrote it, `strings.id` of its key, its document.
struct Member<'a> {
    plugin: Option<i64>,
    key: i64,
    pieces: Vec<Piece<'a>>,
}

/// The columns of `event_rows` that hold attributes.
#[derive(Clone, Copy, Debug)]
pub struct EventDocuments<'a> {
    /// `attributes`.
    pub attributes: &'a str,
    /// `context`.
    pub context: Option<i64>,
    /// `derived`.
    pub derived: Option<&'a str>,
}

/// One attribute, put together.
#[derive(Clone, Debug)]
pub struct StoredAttribute {
    /// Its key.
    pub key: Rc<str>,
    /// Its exact JSON text.
    pub json: Rc<str>,
    /// `plugin_versions.id` of the plugin that wrote it; `None` for the client.
    pub plugin: Option<i64>,
}

/// Reads documents over one connection; what events share is put together once.
pub struct Documents<'c> {
    connection: &'c Connection,
    keys: HashMap<i64, Rc<str>>,
    contexts: HashMap<i64, Rc<[StoredAttribute]>>,
    without: Vec<i64>,
}

impl<'c> Documents<'c> {
    /// Over a connection that stays in one snapshot.
    pub fn new(connection: &'c Connection) -> Self {
        Documents::without(connection, Vec::new())
    }

    /// The same without what the plugins of these `plugin_versions.id` wrote.
    pub fn without(connection: &'c Connection, without: Vec<i64>) -> Self {
        Documents { connection, keys: HashMap::new(), contexts: HashMap::new(), without }
    }

    /// All attributes of an event: its own, those of its context, those of plugins.
    pub fn all(&mut self, event: EventDocuments<'_>) -> rusqlite::Result<Vec<StoredAttribute>> {
        let mut all = self.members(event.attributes, false, |_| true)?;
        if let Some(context) = event.context {
            all.extend_from_slice(&self.context(context)?);
        }
        if let Some(derived) = event.derived {
            all.extend(self.members(derived, true, |_| true)?);
        }
        Ok(all)
    }

    /// Fills the places of `found` that are empty with the event's attributes under `keys`; a JSON null is none.
    pub fn find(&mut self, event: EventDocuments<'_>, keys: &[WantedKey], found: &mut [Option<Rc<str>>]) -> rusqlite::Result<()> {
        let wanted = |id: i64| keys.iter().any(|key| key.id == Some(id));
        if keys.iter().any(|key| key.id.is_some()) {
            for member in self.members(event.attributes, false, wanted)? {
                place(keys, found, &member);
            }
        }
        if let Some(context) = event.context {
            for member in self.context(context)?.iter() {
                place(keys, found, member);
            }
        }
        if let Some(derived) = event.derived {
            for member in self.members(derived, true, wanted)? {
                place(keys, found, &member);
            }
        }
        Ok(())
    }

    /// The exact text of one document: `events.extra`.
    pub fn text(&mut self, document: &str) -> rusqlite::Result<String> {
        let pieces = parse(document, DocumentVisitor)?;
        let mut text = String::new();
        self.join(&pieces, &mut text)?;
        Ok(text)
    }

    fn members(&mut self, text: &str, derived: bool, wanted: impl Fn(i64) -> bool) -> rusqlite::Result<Vec<StoredAttribute>> {
        let members = parse(text, MembersVisitor { derived, wanted })?;
        let mut attributes = Vec::with_capacity(members.len());
        for member in members {
            if member.plugin.is_some_and(|plugin| self.without.contains(&plugin)) {
                continue;
            }
            let mut json = String::new();
            self.join(&member.pieces, &mut json)?;
            attributes.push(StoredAttribute { key: self.key(member.key)?, json: json.into(), plugin: member.plugin });
        }
        Ok(attributes)
    }

    fn context(&mut self, id: i64) -> rusqlite::Result<Rc<[StoredAttribute]>> {
        if let Some(known) = self.contexts.get(&id) {
            return Ok(Rc::clone(known));
        }
        let (environment, attributes): (Option<i64>, String) = self
            .connection
            .prepare_cached("select environment, attributes from contexts where id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut all = self.members(&attributes, false, |_| true)?;
        let mut members =
            self.connection.prepare_cached("select key, value_json from environment_members where environment = ?1 order by ordinal")?;
        let mut rows = members.query([environment])?;
        while let Some(row) = rows.next()? {
            let (key, json): (String, String) = (row.get(0)?, row.get(1)?);
            all.push(StoredAttribute { key: key.into(), json: json.into(), plugin: None });
        }
        let all: Rc<[StoredAttribute]> = all.into();
        self.contexts.insert(id, Rc::clone(&all));
        Ok(all)
    }

    fn key(&mut self, id: i64) -> rusqlite::Result<Rc<str>> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Rc::clone(key));
        }
        let text: String = self.connection.prepare_cached("select text from strings where id = ?1")?.query_row([id], |row| row.get(0))?;
        let key: Rc<str> = text.into();
        self.keys.insert(id, Rc::clone(&key));
        Ok(key)
    }

    fn join(&self, pieces: &[Piece<'_>], text: &mut String) -> rusqlite::Result<()> {
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Content(id) => self.content(*id, MAX_DEPTH, text)?,
            }
        }
        Ok(())
    }

    fn content(&self, id: i64, above: i64, text: &mut String) -> rusqlite::Result<()> {
        let (depth, body): (i64, String) = self
            .connection
            .prepare_cached("select depth, body from contents where id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if depth == 0 {
            text.push_str(&body);
            return Ok(());
        }
        if depth >= above {
            return Err(unreadable("contents refer in a circle"));
        }
        for piece in parse(&body, DocumentVisitor)? {
            match piece {
                Piece::Text(piece) => text.push_str(&piece),
                Piece::Content(id) => self.content(id, depth, text)?,
            }
        }
        Ok(())
    }
}

/// One more than the greatest `contents.depth`.
const MAX_DEPTH: i64 = 3;

/// An attribute's key that is sought.
#[derive(Clone, Debug)]
pub struct WantedKey {
    /// The key.
    pub key: Box<str>,
    /// `strings.id`; `None` when no event ever had it outside of its environment.
    pub id: Option<i64>,
}

impl WantedKey {
    /// Looks `key` up.
    pub fn find(connection: &Connection, key: &str) -> rusqlite::Result<Self> {
        let id = connection.prepare_cached("select id from strings where text = ?1")?.query_row([key], |row| row.get(0)).optional()?;
        Ok(WantedKey { key: key.into(), id })
    }
}

fn place(keys: &[WantedKey], found: &mut [Option<Rc<str>>], attribute: &StoredAttribute) {
    for (key, place) in keys.iter().zip(found) {
        if place.is_none() && *key.key == *attribute.key && &*attribute.json != "null" {
            *place = Some(Rc::clone(&attribute.json));
        }
    }
}

fn parse<'a, V: Visitor<'a>>(text: &'a str, visitor: V) -> rusqlite::Result<V::Value> {
    serde_json::Deserializer::from_str(text).deserialize_seq(visitor).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(problem: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("a stored document does not read: {problem}").into())
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Vec<Piece<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of pieces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut pieces = Vec::new();
        while let Some(piece) = array.next_element::<&RawValue>()? {
            pieces.push(piece_of(piece).map_err(A::Error::custom)?);
        }
        Ok(pieces)
    }
}

fn piece_of(raw: &RawValue) -> serde_json::Result<Piece<'_>> {
    let text = raw.get();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) if memchr::memchr(b'\\', inner.as_bytes()).is_none() => Ok(Piece::Text(Cow::Borrowed(inner))),
        Some(_) => serde_json::from_str(text).map(|text| Piece::Text(Cow::Owned(text))),
        None => serde_json::from_str(text).map(Piece::Content),
    }
}

struct MembersVisitor<W> {
    derived: bool,
    wanted: W,
}

impl<'de, W: Fn(i64) -> bool> Visitor<'de> for MembersVisitor<W> {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of attributes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = array.next_element_seed(MemberSeed { derived: self.derived, wanted: &self.wanted })? {
            members.extend(member);
        }
        Ok(members)
    }
}

struct MemberSeed<'w, W> {
    derived: bool,
    wanted: &'w W,
}

impl<'de, W: Fn(i64) -> bool> serde::de::DeserializeSeed<'de> for MemberSeed<'_, W> {
    type Value = Option<Member<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, W: Fn(i64) -> bool> Visitor<'de> for MemberSeed<'_, W> {
    type Value = Option<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute: key and pieces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let plugin = if self.derived { array.next_element()? } else { None };
        let key: i64 = array.next_element()?.ok_or_else(|| A::Error::custom("no key"))?;
        if !(self.wanted)(key) {
            while array.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        DocumentVisitor.visit_seq(array).map(|pieces| Some(Member { plugin, key, pieces }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_is_wanted() {
        let text = r#"[[1,"\"a\\u0000b\""],[2,"[",7,",",8,"]"],[3,"1e400"]]"#;
        let members = parse(text, MembersVisitor { derived: false, wanted: |key| key != 3 }).unwrap();
        let shown: Vec<_> = members.iter().map(|member| format!("{} {:?}", member.key, member.pieces)).collect();
        assert_eq!(shown, [r#"1 [Text("\"a\\u0000b\"")]"#, r#"2 [Text("["), Content(7), Text(","), Content(8), Text("]")]"#]);
        assert!(parse("[[\"x\"]]", MembersVisitor { derived: false, wanted: |_| true }).is_err());
        assert!(parse("{}", DocumentVisitor).is_err());
    }

    #[test]
    fn derived_attributes_name_their_plugin_first() {
        let members = parse(r#"[[4,1,"\"llm\""]]"#, MembersVisitor { derived: true, wanted: |_| true }).unwrap();
        assert_eq!(members.iter().map(|member| (member.plugin, member.key)).collect::<Vec<_>>(), [(Some(4), 1)]);
    }
}
