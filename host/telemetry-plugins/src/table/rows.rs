//! The three formats, each down to keys and JSON objects.

use serde_json::{Map, Value};

use super::TableError;

type Row = Map<String, Value>;

/// Takes a key and its row.
pub(super) type Add<'a> = dyn FnMut(String, Row) -> Result<(), TableError> + 'a;

/// A header and records. A column is text unless its name is followed by `:integer`, `:real` or `:boolean`; an empty cell is null.
pub(super) fn csv(bytes: &[u8], key: &str, add: &mut Add<'_>) -> Result<(), TableError> {
    let syntax = |error: csv::Error| TableError::Syntax(error.to_string());
    let mut reader = csv::Reader::from_reader(bytes);
    let mut columns = Vec::<(String, Type)>::new();
    for header in reader.headers().map_err(syntax)? {
        let (name, ty) = header.trim().rsplit_once(':').unwrap_or((header.trim(), "text"));
        let ty = Type::parse(ty).ok_or_else(|| TableError::Syntax(format!("`{ty}` is no type: text, integer, real, boolean")))?;
        if columns.iter().any(|(known, _)| known == name) {
            return Err(TableError::Syntax(format!("the column `{name}` stands twice")));
        }
        columns.push((name.to_owned(), ty));
    }
    let keyed = columns.iter().position(|(name, _)| name == key);
    let keyed = keyed.ok_or_else(|| TableError::Syntax(format!("there is no column `{key}`")))?;
    for record in reader.records() {
        let record = record.map_err(syntax)?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Row::new();
        for ((name, ty), cell) in columns.iter().zip(&record) {
            let value = ty.value(cell);
            let value = value.ok_or_else(|| TableError::Syntax(format!("line {line}: `{name}` is not of type {}", ty.as_str())))?;
            row.insert(name.clone(), value);
        }
        add(record.get(keyed).unwrap_or_default().to_owned(), row)?;
    }
    Ok(())
}

/// An array of objects that have their key in the field `key`, or an object of objects by key.
pub(super) fn json(bytes: &[u8], key: &str, add: &mut Add<'_>) -> Result<(), TableError> {
    match serde_json::from_slice(bytes).map_err(|error| TableError::Syntax(error.to_string()))? {
        Value::Array(rows) => listed(rows, key, add),
        Value::Object(rows) => named(rows, add),
        _ => Err(TableError::Syntax("neither an object nor an array".to_owned())),
    }
}

/// An array `rows` of tables that have their key in the field `key`, or a table for each key.
pub(super) fn toml(bytes: &[u8], key: &str, add: &mut Add<'_>) -> Result<(), TableError> {
    let text = std::str::from_utf8(bytes).map_err(|error| TableError::Syntax(error.to_string()))?;
    let mut rows: Row = toml::from_str(text).map_err(|error| TableError::Syntax(error.to_string().trim().replace('\n', " ")))?;
    match rows.remove("rows") {
        Some(Value::Array(listed_rows)) if rows.is_empty() => listed(listed_rows, key, add),
        Some(row) => {
            rows.insert("rows".to_owned(), row);
            named(rows, add)
        }
        None => named(rows, add),
    }
}

fn listed(rows: Vec<Value>, key: &str, add: &mut Add<'_>) -> Result<(), TableError> {
    for (place, row) in rows.into_iter().enumerate() {
        let told = |problem: String| TableError::Syntax(format!("row {} {problem}", place + 1));
        let Value::Object(row) = row else { return Err(told("is no object".to_owned())) };
        let name = match row.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
            _ => return Err(told(format!("has no key `{key}`, text or integer"))),
        };
        add(name, row)?;
    }
    Ok(())
}

fn named(rows: Row, add: &mut Add<'_>) -> Result<(), TableError> {
    for (key, row) in rows {
        let Value::Object(row) = row else { return Err(TableError::Syntax(format!("`{key}` is no table"))) };
        add(key, row)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Integer,
    Real,
    Boolean,
}

impl Type {
    fn parse(text: &str) -> Option<Self> {
        [Type::Text, Type::Integer, Type::Real, Type::Boolean].into_iter().find(|ty| ty.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Integer => "integer",
            Type::Real => "real",
            Type::Boolean => "boolean",
        }
    }

    /// `None` when `cell` is of another type.
    fn value(self, cell: &str) -> Option<Value> {
        let trimmed = cell.trim();
        match self {
            _ if cell.is_empty() => Some(Value::Null),
            Type::Text => Some(cell.into()),
            Type::Integer => trimmed.parse::<i64>().ok().map(Value::from),
            Type::Real => trimmed.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::from),
            Type::Boolean => trimmed.parse::<bool>().ok().map(Value::from),
        }
    }
}
