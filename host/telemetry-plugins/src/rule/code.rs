//! Programs as text (plugins/script/README.md), and the types of what they compute.

use std::fmt::Write as _;

use telemetry_model::FieldType;

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Nothing but null.
    Null,
    Of(FieldType),
}

impl Type {
    pub(super) const BOOLEAN: Type = Type::Of(FieldType::Boolean);
    pub(super) const INTEGER: Type = Type::Of(FieldType::Integer);
    pub(super) const REAL: Type = Type::Of(FieldType::Real);
    pub(super) const TIME: Type = Type::Of(FieldType::Time);
    pub(super) const TEXT: Type = Type::Of(FieldType::Text);

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Of(ty) => ty.as_str(),
        }
    }

    /// Whether it may stand where `wanted` does; null may everywhere, an integer for a real.
    pub(super) fn is(self, wanted: Type) -> bool {
        self == wanted || self == Type::Null || (self == Type::INTEGER && wanted == Type::REAL)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Null | Type::INTEGER | Type::REAL)
    }

    /// JSON is text where text is searched.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Type::Null | Type::TEXT | Type::Of(FieldType::Json))
    }

    /// The type of either, if there is one.
    pub(super) fn joined(self, other: Type) -> Option<Type> {
        match (self, other) {
            (Type::Null, ty) | (ty, Type::Null) => Some(ty),
            _ if self.is(other) => Some(other),
            _ if other.is(self) => Some(self),
            _ => None,
        }
    }
}

/// Operations in the order in which they run.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    text: String,
    count: usize,
    first: Option<usize>,
}

impl Code {
    /// An operation without a number.
    pub(super) fn op(&mut self, letter: char) {
        self.text.push(letter);
        self.count += 1;
    }

    /// A column.
    pub(super) fn take(&mut self, column: usize) {
        self.first = self.first.or(Some(column));
        self.numbered('c', column);
    }

    /// An operation with one.
    pub(super) fn numbered(&mut self, letter: char, number: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{letter}{number};");
        self.count += 1;
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push('s');
        put(&mut self.text, text);
        self.count += 1;
    }

    /// All operations of `other`.
    pub(super) fn append(&mut self, other: &Code) {
        self.text.push_str(&other.text);
        self.first = self.first.or(other.first);
        self.count += other.count;
    }

    /// The column that it takes, if that is all it does.
    pub(super) fn column(&self) -> Option<usize> {
        self.text.strip_prefix('c')?.strip_suffix(';')?.parse().ok()
    }

    /// The first column that it takes.
    pub(super) fn first_column(&self) -> Option<usize> {
        self.first
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Their number, then they.
    pub(super) fn finish(&self) -> String {
        format!("{};{}", self.count, self.text)
    }
}

/// A text's length, then the text.
pub(super) fn put(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{};{text}", text.len());
}

/// The letter of a type.
pub(super) fn letter(ty: FieldType) -> char {
    match ty {
        FieldType::Boolean => 'b',
        FieldType::Integer => 'i',
        FieldType::Real => 'r',
        FieldType::Time => 'm',
        FieldType::Text => 's',
        FieldType::Json | FieldType::Bytes => 'j',
    }
}
