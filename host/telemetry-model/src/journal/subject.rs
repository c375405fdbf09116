//! Who is handed rows.

use std::sync::Arc;

use serde_json::json;

use crate::field::{Field, FieldType, Relation};
use crate::outcome::PluginVersion;

/// Who is handed rows: one version of one plugin, with the fields it reads under one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which plugin.
    pub plugin: Arc<PluginVersion>,
    /// `validator`, `enricher`, `masker` or `metric`.
    pub kind: Box<str>,
    /// Whose rows it takes.
    pub source: Relation,
    /// The columns it is handed, in order.
    pub fields: Vec<(Field, FieldType)>,
    /// Its grant as one line of JSON; `null` without one.
    pub grant: Box<str>,
    /// Name and digest of each table it may look rows up in.
    pub tables: Vec<(Box<str>, Box<str>)>,
    text: Box<str>,
}

impl Subject {
    /// Names a subject. `grant` is JSON text.
    pub fn new(plugin: Arc<PluginVersion>, kind: &str, source: Relation, fields: Vec<(Field, FieldType)>, grant: &str) -> Self {
        let names: Vec<_> = fields.iter().map(|(field, ty)| json!([field.to_string(), ty.as_str()])).collect();
        let text = json!({
            "plugin_id": plugin.plugin_id, "version": plugin.version, "digest": plugin.digest, "derivation": plugin.derivation,
            "kind": kind, "source": source.as_str(), "fields": names, "grant": grant,
        });
        Subject { plugin, kind: kind.into(), source, fields, grant: grant.into(), tables: Vec::new(), text: text.to_string().into() }
    }

    /// The same, with tables to look rows up in: name and digest of each.
    #[must_use]
    pub fn reading(mut self, tables: Vec<(Box<str>, Box<str>)>) -> Self {
        if let (false, Some(text)) = (tables.is_empty(), self.text.strip_suffix('}')) {
            self.text = format!("{text},\"tables\":{}}}", json!(tables)).into();
        }
        self.tables = tables;
        self
    }

    /// All of it as one line of JSON, always the same for the same subject: what its digest is taken of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads [`Subject::text`] back. `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
        let plugin = PluginVersion {
            plugin_id: member("plugin_id")?.into(),
            version: member("version")?.into(),
            digest: member("digest")?.into(),
            derivation: member("derivation")?.into(),
        };
        let source: Relation = member("source")?.parse().ok()?;
        let field = |pair: &serde_json::Value| {
            let field = Field::parse(pair.get(0)?.as_str()?, source).ok()?;
            Some((field, pair.get(1)?.as_str()?.parse().ok()?))
        };
        let fields = value.get("fields")?.as_array()?.iter().map(field).collect::<Option<Vec<_>>>()?;
        let table = |pair: &serde_json::Value| Some((pair.get(0)?.as_str()?.into(), pair.get(1)?.as_str()?.into()));
        let tables = value.get("tables").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
        let tables = tables.iter().map(table).collect::<Option<Vec<_>>>()?;
        Some(Subject::new(Arc::new(plugin), member("kind")?, source, fields, member("grant")?).reading(tables))
    }

    /// What the hash of a row depends on beside its values: the fields and their types, in order.
    pub fn field_set(fields: &[(Field, FieldType)]) -> String {
        fields.iter().map(|(field, ty)| format!("{field}\t{}\n", ty.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back_as_written() {
        let version = PluginVersion { plugin_id: "p".into(), version: "1".into(), digest: "d".into(), derivation: "e".into() };
        let fields = vec![(Field::Attribute("a\"b".into()), FieldType::Json), (Field::Fixed(Relation::Events, "name"), FieldType::Text)];
        let subject = Subject::new(Arc::new(version), "enricher", Relation::Events, fields, "{\"fields\":[]}");
        assert_eq!(Subject::parse(subject.text()).as_ref(), Some(&subject));
        let reading = subject.clone().reading(vec![("t".into(), "0a key".into())]);
        assert_ne!(reading.text(), subject.text());
        assert_eq!(Subject::parse(reading.text()), Some(reading));
        assert_eq!(Subject::parse("{}"), None);
    }
}
