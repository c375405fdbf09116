//! Schemas of configuration and parameters: names, types, defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use telemetry_model::FieldType;

use super::{ManifestError, RawSchema};

/// Named values and their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Schema(BTreeMap<String, Parameter>);

/// One named value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// boolean, integer, real, text or json.
    #[serde(rename = "type", serialize_with = "type_word")]
    pub ty: FieldType,
    /// What holds when it is not given; null when nothing does.
    pub default: Value,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Why a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {problem}")]
pub struct SchemaError {
    /// Which.
    pub name: String,
    /// Why.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawParameter {
    #[serde(rename = "type")]
    ty: String,
    default: Option<toml::Value>,
    description: Option<String>,
}

impl Schema {
    pub(super) fn check(table: &str, raw: RawSchema) -> Result<Self, ManifestError> {
        let mut known = BTreeMap::new();
        for (name, raw) in raw {
            let key = format!("{table}.{name}");
            let ty = match raw.ty.parse() {
                Ok(ty @ (FieldType::Boolean | FieldType::Integer | FieldType::Real | FieldType::Text | FieldType::Json)) => ty,
                _ => return Err(ManifestError::value(key, format!("`{}` is not boolean, integer, real, text or json", raw.ty))),
            };
            let default = match raw.default {
                None => Value::Null,
                Some(given) => serde_json::to_value(given).map_err(|error| ManifestError::value(&key, error.to_string()))?,
            };
            let default = if default.is_null() { default } else { convert(ty, &default).ok_or_else(|| mismatch(&key, ty))? };
            known.insert(name, Parameter { ty, default, description: raw.description });
        }
        Ok(Schema(known))
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The named values.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.0
    }

    /// A JSON object with every name: what is given, else the default. A text that reads as the declared type is taken as that.
    ///
    /// # Errors
    /// A name that is not in the schema, or a value of another type.
    pub fn fill(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, SchemaError> {
        if let Some(unknown) = given.keys().find(|name| !self.0.contains_key(*name)) {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
            return Err(SchemaError { name: unknown.clone(), problem: format!("is not known; {known}") });
        }
        let mut filled = Map::new();
        for (name, parameter) in &self.0 {
            let value = match given.get(name) {
                None | Some(Value::Null) => parameter.default.clone(),
                Some(value) => convert(parameter.ty, value)
                    .ok_or_else(|| SchemaError { name: name.clone(), problem: format!("is not {}", parameter.ty.as_str()) })?,
            };
            filled.insert(name.clone(), value);
        }
        Ok(filled)
    }
}

fn mismatch(key: &str, ty: FieldType) -> ManifestError {
    ManifestError::value(key, format!("the default is not {}", ty.as_str()))
}

fn convert(ty: FieldType, value: &Value) -> Option<Value> {
    match (ty, value) {
        (FieldType::Json, _) | (FieldType::Boolean, Value::Bool(_)) | (FieldType::Text, Value::String(_)) => Some(value.clone()),
        (FieldType::Integer, Value::Number(number)) => number.as_i64().map(Value::from),
        (FieldType::Real, Value::Number(number)) => number.as_f64().filter(|real| real.is_finite()).map(Value::from),
        (FieldType::Boolean, Value::String(text)) => text.parse::<bool>().ok().map(Value::from),
        (FieldType::Integer, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        (FieldType::Real, Value::String(text)) => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::from),
        _ => None,
    }
}

fn type_word<S: serde::Serializer>(ty: &FieldType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(ty.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(toml: &str) -> Result<Schema, ManifestError> {
        Schema::check("config", toml::from_str(toml).unwrap())
    }

    #[test]
    fn fills_defaults_and_refuses_what_does_not_fit() {
        let schema = schema("[limit]\ntype = \"integer\"\ndefault = 3\n[name]\ntype = \"text\"").unwrap();
        let given = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        assert_eq!(Value::from(schema.fill(&given("{}")).unwrap()).to_string(), r#"{"limit":3,"name":null}"#);
        assert_eq!(schema.fill(&given(r#"{"limit":"7"}"#)).unwrap()["limit"], 7);
        assert_eq!(schema.fill(&given(r#"{"limit":1.5}"#)).unwrap_err().name, "limit");
        assert_eq!(schema.fill(&given(r#"{"limits":1}"#)).unwrap_err().to_string(), "`limits`: is not known; there are limit, name");
    }
}
