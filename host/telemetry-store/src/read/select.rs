//! A statement put together from constant fragments, with its bound values.

use rusqlite::types::Value;

/// The statement.
#[derive(Clone, Debug)]
pub(super) struct Select {
    /// The text.
    pub sql: String,
    /// The values of its question marks, in order.
    pub values: Vec<Value>,
    conditions: usize,
}

impl Select {
    /// Begins with `sql`, up to the `where` clause.
    pub fn new(sql: &'static str) -> Self {
        Select { sql: sql.to_owned(), values: Vec::new(), conditions: 0 }
    }

    /// Adds the condition if there is a value for its one question mark.
    pub fn when(&mut self, condition: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.also(condition, [value]);
        }
    }

    /// Adds the condition with a value for each of its question marks.
    pub fn also(&mut self, condition: &'static str, values: impl IntoIterator<Item = Value>) {
        self.join();
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// Adds `before ?, .. after` with a question mark a text, if there are texts.
    pub fn any_of(&mut self, before: &'static str, texts: &[String], after: &'static str) {
        if texts.is_empty() {
            return;
        }
        self.join();
        self.sql.push_str(before);
        self.sql.push_str(&vec!["?"; texts.len()].join(", "));
        self.sql.push_str(after);
        self.values.extend(texts.iter().cloned().map(Value::Text));
    }

    /// Adds what follows the conditions.
    pub fn end(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
    }

    /// At most `limit` rows, without the first `offset`.
    pub fn page(&mut self, limit: u32, offset: u64) {
        self.sql.push_str(" limit ? offset ?");
        self.values.push(Value::Integer(i64::from(limit)));
        self.values.push(Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX)));
    }

    fn join(&mut self) {
        self.sql.push_str(if self.conditions == 0 { " where " } else { " and " });
        self.conditions += 1;
    }
}
