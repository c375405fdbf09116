//! What the operator grants, and the one pure function that decides what a plugin may see.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use telemetry_model::{Class, Field};

use crate::manifest::{Manifest, PluginKind};
use crate::settings::Policy;
use crate::wasi::covering;

/// `grants.toml`: a table for each plugin id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Grants(pub BTreeMap<String, Grant>);

/// What one plugin is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    /// Fields of content as the manifest names them; `attributes["llm.*"]` stands for all attributes that begin so, `*` for all.
    pub fields: Vec<String>,
    /// Tables of the operator's.
    pub lookup: Vec<String>,
    /// Parts of WASI.
    pub wasi: Vec<String>,
    /// Content that it may see although it may send to an address: pairs as `field -> IP:PORT`, the field as in `fields`.
    pub send: Vec<String>,
    /// To be kept between batches.
    pub warm: bool,
    /// A masker only: to run on everything that is stored.
    pub mask: bool,
    /// Keys it writes that count as metadata although it reads content.
    pub declassify: Vec<String>,
}

/// Why `grants.toml` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grants: line {line}: {message}")]
pub struct GrantsError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// Why a plugin may not load, and the lines that would let it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not granted: {}", .reasons.join("; "))]
pub struct Refusal {
    /// Each thing that is not granted.
    pub reasons: Vec<String>,
    /// TOML to put in `grants.toml`; `None` when no grant would do.
    pub toml: Option<String>,
}

/// Classes of the keys that enrichers write, raised by what those read.
pub type DerivedClasses = BTreeMap<Box<str>, Class>;

impl Grants {
    /// Reads `grants.toml`.
    ///
    /// # Errors
    /// Not TOML, an unknown key, a value of the wrong type, with the line.
    pub fn parse(text: &str) -> Result<Self, GrantsError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            GrantsError { line, message: error.message().replace('\n', " ") }
        })
    }

    /// Adds `other`; where both name a plugin, `other` wins.
    pub fn extend(&mut self, other: Grants) {
        self.0.extend(other.0);
    }

    /// As TOML, a table for each plugin.
    pub fn lines(&self) -> String {
        self.0.iter().map(|(id, grant)| toml_lines(id, grant)).collect::<Vec<_>>().join("\n")
    }

    /// What `id` is granted.
    pub fn of(&self, id: &str) -> Option<&Grant> {
        self.0.get(id)
    }
}

/// The class of `field` once enrichers' keys are known: what a plugin wrote carries the highest class of what it read, until the
/// operator declassifies the key. A key that nobody knows stays content, since a client may send it too.
pub fn class_of(field: &Field, derived: &DerivedClasses) -> Class {
    match field {
        Field::Attribute(key) => derived.get(key).copied().unwrap_or_else(|| field.class()),
        Field::Fixed(..) => field.class(),
    }
}

/// The class of each key that `manifest` writes.
pub fn written_classes(manifest: &Manifest, grant: Option<&Grant>, derived: &DerivedClasses) -> DerivedClasses {
    let highest = manifest.reads.iter().map(|read| class_of(&read.field, derived)).max().unwrap_or(Class::Metadata);
    let written = manifest.writes.iter().map(|write| {
        let declassified = grant.is_some_and(|grant| grant.declassify.iter().any(|key| **key == *write.key));
        let class = if declassified { Class::Metadata } else { highest.max(Field::Attribute(write.key.clone()).class()) };
        (write.key.clone(), class)
    });
    written.collect()
}

/// Decides whether a plugin may see what it asks for. `imports_lookup`: whether it imports the tables' interface.
///
/// # Errors
/// Everything that is not granted, and the lines that would grant it.
pub fn decide(manifest: &Manifest, grant: Option<&Grant>, derived: &DerivedClasses, policy: &Policy, digest: &str) -> Result<(), Refusal> {
    let nothing = Grant::default();
    let grant = grant.unwrap_or(&nothing);
    if let Policy::Locked(lock) = policy
        && lock.get(&*manifest.id).is_none_or(|locked| locked != digest)
    {
        let reasons = vec![format!(
            "the policy is `locked`, and `{}` with digest {digest} is not in the lock file (`cylestio-server plugin lock` writes it)",
            manifest.id
        )];
        return Err(Refusal { reasons, toml: None });
    }
    let mut needed = grant.clone();
    let mut reasons = Vec::new();
    if *policy != Policy::Open {
        for read in &manifest.reads {
            if class_of(&read.field, derived) == Class::Content && !covers(&grant.fields, &read.field) {
                reasons.push(format!("reads `{}`, which is content", read.field));
                needed.fields.push(read.field.to_string());
            }
        }
    }
    for pair in unsent(manifest, grant, derived) {
        reasons.push(format!("could send `{}`, which is content, to {}", pair.0, pair.1));
        needed.send.push(format!("{} -> {}", pair.0, pair.1));
    }
    for table in &manifest.capabilities.lookup {
        if !grant.lookup.contains(table) {
            reasons.push(format!("looks up in table `{table}`"));
            needed.lookup.push(table.clone());
        }
    }
    for part in &manifest.capabilities.wasi {
        if covering(&grant.wasi, part).is_none() {
            reasons.push(format!("uses `{part}` of WASI"));
            needed.wasi.push(part.clone());
        }
    }
    if manifest.capabilities.warm && !grant.warm {
        reasons.push("wants warm instances".into());
        needed.warm = true;
    }
    if manifest.kind == PluginKind::Masker && !grant.mask {
        reasons.push("masks, which needs to see every text".into());
        needed.mask = true;
    }
    if reasons.is_empty() { Ok(()) } else { Err(Refusal { reasons, toml: Some(toml_lines(&manifest.id, &needed)) }) }
}

/// Each field of content with each address it could be sent to, where no grant names the pair.
fn unsent(manifest: &Manifest, grant: &Grant, derived: &DerivedClasses) -> Vec<(String, String)> {
    let addresses: Vec<&str> = manifest.capabilities.wasi.iter().filter_map(|part| part.strip_prefix("address:")).collect();
    let content = manifest.reads.iter().map(|read| &read.field).filter(|field| class_of(field, derived) == Class::Content);
    let pairs = content.flat_map(|field| addresses.iter().map(move |address| (field, *address)));
    let unnamed = pairs.filter(|(field, address)| {
        let fields = grant.send.iter().filter_map(|pair| pair.rsplit_once(" -> ")).filter(|(_, to)| to == address);
        !fields.into_iter().any(|(pattern, _)| covers(&[pattern.to_owned()], field))
    });
    unnamed.map(|(field, address)| (field.to_string(), address.to_owned())).collect()
}

/// Whether `patterns` grant `field`. All attributes as one are all of them, and the other way round.
fn covers(patterns: &[String], field: &Field) -> bool {
    let name = field.to_string();
    patterns.iter().any(|pattern| {
        let all_attributes = pattern == "event.attributes" || pattern == "attributes[\"*\"]";
        let start = pattern.strip_prefix("attributes[\"").and_then(|rest| rest.strip_suffix("*\"]"));
        match (pattern == "*" || *pattern == name, field) {
            (true, _) => true,
            (false, Field::Attribute(key)) => all_attributes || start.is_some_and(|start| key.starts_with(start)) || **pattern == **key,
            (false, Field::Fixed(..)) => all_attributes && name == "event.attributes",
        }
    })
}

fn toml_lines(id: &str, grant: &Grant) -> String {
    let mut lines = format!("[{id}]\n");
    for (key, values) in [
        ("fields", &grant.fields),
        ("lookup", &grant.lookup),
        ("wasi", &grant.wasi),
        ("send", &grant.send),
        ("declassify", &grant.declassify),
    ] {
        if !values.is_empty() {
            let values = values.iter().map(|value| toml::Value::from(value.as_str()).to_string()).collect::<Vec<_>>().join(", ");
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{key} = [{values}]");
        }
    }
    for (key, on) in [("warm", grant.warm), ("mask", grant.mask)] {
        if on {
            let _ = writeln!(lines, "{key} = true");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(id: &str, kind: &str, rest: &str) -> Manifest {
        Manifest::parse(format!("id = \"{id}\"\nversion = \"1\"\nkind = \"{kind}\"\n{rest}").as_bytes()).unwrap()
    }

    fn reads(field: &str) -> String {
        format!("[[reads]]\nfield = {}\ntype = \"json\"\n", toml::Value::from(field))
    }

    fn decided(manifest: &Manifest, grants: &str, derived: &DerivedClasses) -> Result<(), Refusal> {
        decide(manifest, Grants::parse(grants).unwrap().of(&manifest.id), derived, &Policy::Metadata, "00")
    }

    #[test]
    fn metadata_needs_no_grant() {
        let plugin = manifest("x", "validator", &(reads("event.name") + &reads("llm.model")));
        assert_eq!(decided(&plugin, "", &DerivedClasses::new()), Ok(()));
    }

    #[test]
    fn the_printed_lines_are_enough_to_load() {
        let asks = format!(
            "[capabilities]\nlookup = [\"prices\"]\nwarm = true\nwasi = [\"clock\"]\n{}{}",
            reads("event.attributes"),
            reads("my.key")
        );
        let plugin = manifest("x", "validator", &asks);
        let refusal = decided(&plugin, "[x]\nfields = [\"event.session_id\"]", &DerivedClasses::new()).unwrap_err();
        assert_eq!(refusal.reasons.len(), 5, "{refusal}");
        let toml = refusal.toml.unwrap();
        assert!(toml.contains("event.session_id"), "{toml}");
        assert_eq!(decided(&plugin, &toml, &DerivedClasses::new()), Ok(()));
    }

    #[test]
    fn patterns_grant_what_they_say() {
        let plugin = manifest("x", "validator", &reads("llm.request.data"));
        let none = DerivedClasses::new();
        for (fields, ok) in [
            (r#"'attributes["llm.*"]'"#, true),
            (r#"'attributes["llm.request.data"]'"#, true),
            (r#"'event.attributes'"#, true),
            (r#"'*'"#, true),
            (r#"'attributes["tool.*"]'"#, false),
            (r#"'llm.*'"#, false),
        ] {
            assert_eq!(decided(&plugin, &format!("[x]\nfields = [{fields}]"), &none).is_ok(), ok, "{fields}");
        }
    }

    #[test]
    fn content_does_not_leak_through_a_derived_key() {
        let write = "[[writes]]\nkey = \"event.category\"\ntype = \"text\"\n";
        let deriving = manifest("deriving", "enricher", &(write.to_owned() + &reads("event.attributes")));
        let reading = manifest("reading", "metric", &(write.to_owned() + &reads("attributes[\"event.category\"]")));
        let content = written_classes(&deriving, None, &DerivedClasses::new());
        let refusal = decided(&reading, "", &content).unwrap_err();
        assert!(refusal.to_string().contains("event.category"), "{refusal}");
        let grant = Grant { declassify: vec!["event.category".into()], ..Grant::default() };
        let declassified = written_classes(&deriving, Some(&grant), &DerivedClasses::new());
        assert_eq!(decided(&reading, "", &declassified), Ok(()));
    }

    #[test]
    fn content_and_an_address_want_a_line_that_names_the_pair() {
        let asks = reads("my.key") + "[capabilities]\nwasi = [\"address:10.0.0.1:9\"]\n";
        let plugin = manifest("x", "validator", &asks);
        let none = DerivedClasses::new();
        let two = "[x]\nfields = ['*']\nwasi = [\"address:10.0.0.1:9\"]\n";
        for (third, ok) in [
            ("", false),
            ("send = ['attributes[\"my.key\"] -> 10.0.0.1:9']", true),
            ("send = ['* -> 10.0.0.1:9']", true),
            ("send = ['* -> 10.0.0.1:99']", false),
            ("send = ['attributes[\"other\"] -> 10.0.0.1:9']", false),
        ] {
            assert_eq!(decided(&plugin, &format!("{two}{third}"), &none).is_ok(), ok, "{third}");
        }
        let refusal = decide(&plugin, None, &none, &Policy::Open, "00").unwrap_err();
        assert!(refusal.to_string().contains("could send `attributes[\"my.key\"]`"), "{refusal}");
        assert_eq!(decided(&plugin, &refusal.toml.unwrap().replace("[x]", "[x]\nfields = ['*']"), &none), Ok(()));
        let harmless = manifest("x", "validator", "[capabilities]\nwasi = [\"address:10.0.0.1:9\"]\n");
        assert_eq!(decided(&harmless, two, &none), Ok(()));
    }

    #[test]
    fn open_grants_fields_and_nothing_else() {
        let plugin = manifest("x", "validator", &(reads("event.attributes") + "[capabilities]\nwasi = [\"clock\"]\n"));
        let refusal = decide(&plugin, None, &DerivedClasses::new(), &Policy::Open, "00").unwrap_err();
        assert_eq!(refusal.reasons, ["uses `clock` of WASI"]);
    }

    #[test]
    fn locked_loads_only_what_is_listed() {
        let plugin = manifest("x", "validator", "");
        let locked = Policy::Locked([("x".to_owned(), "aa".to_owned())].into());
        assert!(decide(&plugin, None, &DerivedClasses::new(), &locked, "aa").is_ok());
        assert!(decide(&plugin, None, &DerivedClasses::new(), &locked, "bb").is_err());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_line() {
        let error = Grants::parse("[x]\nfields = []\nfield = []").unwrap_err();
        assert_eq!(error.line, 3, "{error}");
    }
}
