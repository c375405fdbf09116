//! What names in a rule stand for: the fields it reads, the settings, and what is gathered of a group's rows.

use telemetry_model::{Field, FieldType, Relation};

use super::code::{Code, Type, letter, put};
use crate::manifest::{Read, Schema, raw};

/// Names, and what has been asked for so far.
pub(super) struct Scope<'a> {
    source: Relation,
    pub(super) reads: Vec<Read>,
    /// So many of them stand in the file.
    declared: usize,
    /// Of each read whether the rule uses it.
    pub(super) used: Vec<bool>,
    config: &'a Schema,
    parameters: &'a Schema,
    settings: Vec<(FieldType, String)>,
    /// Code of what is gathered.
    gathers: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(source: Relation, declared: Vec<Read>, config: &'a Schema, parameters: &'a Schema) -> Self {
        let used = vec![false; declared.len()];
        Scope { source, declared: declared.len(), reads: declared, used, config, parameters, settings: Vec::new(), gathers: Vec::new() }
    }

    /// The field of this name.
    pub(super) fn field(&self, name: &str) -> Result<Field, String> {
        raw::field(name, self.source)
    }

    /// The column of `field` and its type: as `asked`, else as declared, else as the field is, an attribute as text.
    pub(super) fn column(&mut self, field: Field, asked: Option<FieldType>) -> (usize, FieldType) {
        let ty = asked.or(self.declared_type(&field)).or(field.fixed_type()).unwrap_or(FieldType::Text);
        let known = self.reads.iter().position(|read| read.field == field && read.ty == ty);
        let place = known.unwrap_or_else(|| {
            self.reads.push(Read { field, ty });
            self.used.push(false);
            self.reads.len() - 1
        });
        if let Some(used) = self.used.get_mut(place) {
            *used = true;
        }
        (place, ty)
    }

    /// The type under `[[reads]]`.
    pub(super) fn declared_type(&self, field: &Field) -> Option<FieldType> {
        self.reads.iter().take(self.declared).find(|read| read.field == *field).map(|read| read.ty)
    }

    /// A declared field that nothing uses.
    pub(super) fn unused(&self) -> Option<(usize, &Field)> {
        let unused = self.used.iter().position(|used| !used)?;
        Some((unused, &self.reads.get(unused)?.field))
    }

    /// The place of `config.name` or `parameters.name`, and its type.
    pub(super) fn setting(&mut self, of: &str, name: &str) -> Result<(usize, Type), String> {
        let schema = if of == "config" { self.config } else { self.parameters };
        let Some(parameter) = schema.parameters().get(name) else {
            return Err(format!("there is no `[{of}.{name}]` in this file"));
        };
        if parameter.ty == FieldType::Json {
            return Err(format!("`{of}.{name}` is json, which a rule cannot read"));
        }
        let place = self.settings.iter().position(|(_, known)| known == name).unwrap_or_else(|| {
            self.settings.push((parameter.ty, name.to_owned()));
            self.settings.len() - 1
        });
        Ok((place, Type::Of(parameter.ty)))
    }

    /// The place of what is gathered so.
    pub(super) fn gather(&mut self, how: char, value: &Code, condition: &Code) -> usize {
        let code = format!("{how}{}{}", value.finish(), condition.finish());
        self.gathers.iter().position(|known| *known == code).unwrap_or_else(|| {
            self.gathers.push(code);
            self.gathers.len() - 1
        })
    }

    /// The head of a program: settings.
    pub(super) fn settings(&self) -> String {
        let mut out = format!("{};", self.settings.len());
        for (ty, name) in &self.settings {
            out.push(letter(*ty));
            put(&mut out, name);
        }
        out
    }

    /// All that is gathered.
    pub(super) fn gathers(&self) -> String {
        format!("{};{}", self.gathers.len(), self.gathers.concat())
    }
}
