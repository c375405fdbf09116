//! Rows given as JSON objects of fields by name.

use std::borrow::Cow;

use serde_json::Value as Json;
use telemetry_model::{Family, Field, Relation, Rows, Value};

/// Rows of one relation.
#[derive(Clone, Debug)]
pub struct JsonRows {
    rows: Vec<Vec<(Field, Json)>>,
    /// Of rows that give no `event.name`.
    family: Family,
}

impl JsonRows {
    /// Reads rows whose members are fields of `relation`; a member `group` is left out. A row without `event.name` is of `family`.
    ///
    /// # Errors
    /// Names what is no object or no field.
    pub fn parse(rows: &[Json], relation: Relation, family: Family) -> Result<Self, String> {
        let row = |row: &Json| {
            let members = row.as_object().ok_or_else(|| format!("a row is not an object: {row}"))?;
            let fields = members.iter().filter(|(name, _)| *name != "group");
            fields.map(|(name, value)| Ok((Field::parse(name, relation).map_err(|error| error.to_string())?, value.clone()))).collect()
        };
        Ok(JsonRows { rows: rows.iter().map(row).collect::<Result<_, String>>()?, family })
    }

    /// The rows at `places`, in that order.
    pub fn pick(&self, places: &[usize]) -> Self {
        JsonRows { rows: places.iter().filter_map(|place| self.rows.get(*place).cloned()).collect(), family: self.family }
    }
}

impl Rows for JsonRows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn family(&self, row: usize) -> Family {
        match self.value(row, &Field::Fixed(Relation::Events, "name")) {
            Value::Text(name) => Family::of(&name),
            _ => self.family,
        }
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        let found = self.rows.get(row).and_then(|row| row.iter().find(|(known, _)| known == field));
        found.map_or(Value::Absent, |(_, value)| match value {
            Json::Null => Value::Absent,
            Json::Bool(flag) => Value::Boolean(*flag),
            Json::String(text) => Value::Text(Cow::Borrowed(text)),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Value::Integer(integer),
                (None, Some(real)) => Value::Real(real),
                (None, None) => Value::Json(Cow::Owned(number.to_string())),
            },
            Json::Array(_) | Json::Object(_) => Value::Json(Cow::Owned(value.to_string())),
        })
    }

    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}
