//! Names of what a plugin, a filter or a group may refer to: `event.name`, `attributes["llm.model"]`, `call.model`.

mod relation;

use std::fmt;
use std::str::FromStr;

pub use relation::Relation;

/// The type that a manifest declares for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// true or false.
    Boolean,
    /// 64 bits, signed.
    Integer,
    /// A double.
    Real,
    /// UTC nanoseconds in 64 bits.
    Time,
    /// UTF-8.
    Text,
    /// A value of any type as JSON text.
    Json,
    /// Any bytes (states of metrics).
    Bytes,
}

impl FieldType {
    /// All types.
    pub const ALL: [FieldType; 7] =
        [FieldType::Boolean, FieldType::Integer, FieldType::Real, FieldType::Time, FieldType::Text, FieldType::Json, FieldType::Bytes];

    /// The word in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Boolean => "boolean",
            FieldType::Integer => "integer",
            FieldType::Real => "real",
            FieldType::Time => "time",
            FieldType::Text => "text",
            FieldType::Json => "json",
            FieldType::Bytes => "bytes",
        }
    }
}

impl FromStr for FieldType {
    type Err = FieldError;
    fn from_str(text: &str) -> Result<Self, FieldError> {
        FieldType::ALL
            .into_iter()
            .find(|ty| ty.as_str() == text)
            .ok_or_else(|| FieldError(format!("`{text}` is not a type (boolean, integer, real, time, text, json, bytes)")))
    }
}

/// How much a field may give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Names, times, counts, models, states.
    Metadata,
    /// Prompts, answers, arguments, results, error texts, user and session ids, and whatever is not known to be metadata.
    Content,
}

/// The kind of an event by the first word of its name; batches are split by it so that columns are dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `llm.*`
    Llm,
    /// `tool.*`
    Tool,
    /// `security.*`
    Security,
    /// Everything else.
    Other,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 4] = [Family::Llm, Family::Tool, Family::Security, Family::Other];

    /// The family of an event's name.
    pub fn of(name: &str) -> Family {
        match name.split_once('.').map_or(name, |(first, _)| first) {
            "llm" => Family::Llm,
            "tool" => Family::Tool,
            "security" => Family::Security,
            _ => Family::Other,
        }
    }

    /// The word in manifests and in `event.family`.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Llm => "llm",
            Family::Tool => "tool",
            Family::Security => "security",
            Family::Other => "other",
        }
    }
}

/// One field: a fixed field of a relation, or an attribute of the row's event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `call.model`: relation and name behind the prefix.
    Fixed(Relation, &'static str),
    /// `attributes["llm.model"]`.
    Attribute(Box<str>),
}

/// Why a text names no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldError(pub String);

/// Attribute keys that are known to be metadata; a trailing `*` stands for any rest.
const METADATA_ATTRIBUTES: &[&str] = &[
    "channel",
    "direction",
    "duration_ms",
    "env.*",
    "error.type",
    "event.category",
    "framework",
    "framework.*",
    "function.duration_ms",
    "function.module",
    "function.name",
    "function.status",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.model",
    "gen_ai.system",
    "gen_ai.usage.*",
    "gen_ai.openai.response.service_tier",
    "host.name",
    "llm.cost.*",
    "llm.model",
    "llm.provider",
    "llm.request.max_tokens",
    "llm.request.temperature",
    "llm.request.timestamp",
    "llm.request.top_k",
    "llm.request.top_p",
    "llm.request.type",
    "llm.response.duration_ms",
    "llm.response.id",
    "llm.response.service_tier",
    "llm.response.stop_reason",
    "llm.response.timestamp",
    "llm.response.type",
    "llm.response.usage.*",
    "llm.usage.*",
    "llm.vendor",
    "method",
    "monitoring.version",
    "node.exec_id",
    "node.name",
    "node.result.type",
    "openai.response.service_tier",
    "os.*",
    "patch.components",
    "patch.type",
    "process.*",
    "retriever.id",
    "retriever.name",
    "retriever.num_documents",
    "retriever.query.length",
    "retriever.status",
    "security.alert_level",
    "security.category",
    "security.detection_time",
    "security.message_id",
    "security.severity",
    "service.*",
    "status",
    "telemetry.sdk.*",
    "tool.class",
    "tool.duration_ms",
    "tool.executor",
    "tool.id",
    "tool.module",
    "tool.name",
    "tool.result.timestamp",
    "tool.result.type",
    "tool.return_type",
    "tool.status",
    "tool.type",
    "turn_number",
    "version",
];

impl Field {
    /// Reads a field's name. Without a prefix it is one of `relation`'s; `agent`, `session` and `tool` stand for `agent_id`,
    /// `session_id` and `tool_name`; any other name without a prefix and with a dot is an attribute's key.
    ///
    /// # Errors
    /// When nothing of that name exists.
    pub fn parse(text: &str, relation: Relation) -> Result<Self, FieldError> {
        if let Some(rest) = text.strip_prefix("attributes[") {
            let inner = rest.strip_suffix(']').unwrap_or_default();
            return match serde_json::from_str::<String>(inner) {
                Ok(key) if !key.is_empty() => Ok(Field::Attribute(key.into())),
                _ => Err(FieldError(format!("`{text}`: an attribute is written attributes[\"key\"]"))),
            };
        }
        if let Some((prefix, name)) = text.split_once('.')
            && let Some(of) = Relation::ALL.into_iter().find(|of| of.prefix() == prefix)
            && let Some(field) = Self::fixed(of, name)
        {
            return if of == relation { Ok(field) } else { Err(FieldError(format!("`{text}` is not a field of `{relation}`"))) };
        }
        if let Some(field) = Self::fixed(relation, text) {
            return Ok(field);
        }
        if text.contains('.') {
            return Ok(Field::Attribute(text.into()));
        }
        let known: Vec<_> = relation.fields().iter().map(|(name, ..)| *name).collect();
        Err(FieldError(format!("`{text}` is not a field of `{relation}`; there are {}, and attributes[\"key\"]", known.join(", "))))
    }

    fn fixed(relation: Relation, name: &str) -> Option<Field> {
        let name = match name {
            "agent" => "agent_id",
            "session" => "session_id",
            "tool" if relation == Relation::ToolExecutions => "tool_name",
            other => other,
        };
        let (name, ..) = relation.fields().iter().find(|(known, ..)| *known == name)?;
        Some(Field::Fixed(relation, name))
    }

    /// The type of a fixed field; an attribute may be of any.
    pub fn fixed_type(&self) -> Option<FieldType> {
        self.registered().map(|(_, ty, _)| ty)
    }

    /// Metadata or content.
    pub fn class(&self) -> Class {
        match self {
            Field::Fixed(..) => self.registered().map_or(Class::Content, |(.., class)| class),
            Field::Attribute(key) => {
                let known = METADATA_ATTRIBUTES.iter().any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => key.starts_with(start),
                    None => **key == **pattern,
                });
                if known { Class::Metadata } else { Class::Content }
            }
        }
    }

    fn registered(&self) -> Option<(&'static str, FieldType, Class)> {
        match self {
            Field::Fixed(relation, name) => relation.fields().iter().copied().find(|(known, ..)| known == name),
            Field::Attribute(_) => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Fixed(relation, name) => write!(f, "{}.{name}", relation.prefix()),
            Field::Attribute(key) => write!(f, "attributes[{}]", serde_json::Value::from(&**key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_names() {
        let model = Field::parse("model", Relation::LlmCalls).unwrap();
        assert_eq!(model, Field::parse("call.model", Relation::LlmCalls).unwrap());
        assert_eq!(model.to_string(), "call.model");
        assert_eq!(Field::parse("agent", Relation::Events).unwrap().to_string(), "event.agent_id");
        assert_eq!(Field::parse(r#"attributes["llm.model"]"#, Relation::Events).unwrap(), Field::Attribute("llm.model".into()));
        assert!(Field::parse("call.model", Relation::Events).is_err());
        assert!(Field::parse("nonsense", Relation::Events).is_err());
    }

    #[test]
    fn unknown_attributes_are_content() {
        for (key, class) in [
            ("llm.model", Class::Metadata),
            ("llm.usage.input_tokens", Class::Metadata),
            ("my.key", Class::Content),
            ("user.id", Class::Content),
        ] {
            assert_eq!(Field::Attribute(key.into()).class(), class, "{key}");
        }
    }
}
