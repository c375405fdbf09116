//! Rules of text plugins: expressions over fields, turned into a program that the shipped component `script` runs. What a rule
//! names is what the plugin reads, and what it gives is typed here, so that a mistake shows at load with line and column.

mod code;
mod expression;
mod file;
mod functions;
mod lexer;
mod place;
mod scope;

use telemetry_model::FieldType;
use toml::Spanned;

pub(crate) use file::RawRule;

use self::code::{Type, letter, put};
use self::expression::{About, expression};
use self::file::{RawCheck, Severity};
use self::scope::Scope;
use crate::manifest::{Manifest, ManifestError, PluginKind, Write, raw};

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleError {
    /// Bytes from its start.
    at: usize,
    problem: String,
}

impl RuleError {
    fn new(at: usize, problem: impl Into<String>) -> Self {
        RuleError { at, problem: problem.into() }
    }
}

/// Turns `rule` into a program, and gives `manifest` the reads and writes that follow from it. `text` is the file.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn compile(manifest: &mut Manifest, rule: RawRule, text: &str) -> Result<String, ManifestError> {
    let asked = &manifest.capabilities;
    if !asked.lookup.is_empty() || !asked.wasi.is_empty() || asked.warm {
        return Err(ManifestError::value("capabilities", "a rule has none"));
    }
    let declared = std::mem::take(&mut manifest.reads);
    let (config, parameters) = (manifest.config.clone(), manifest.parameters.clone());
    let mut scope = Scope::new(manifest.source, declared, &config, &parameters);
    let task = match (manifest.kind, rule) {
        (PluginKind::Enricher, RawRule::Keys(keys)) => {
            format!("e{}", columns(manifest, About::Row, keys, &mut scope, text)?)
        }
        (PluginKind::Metric, RawRule::Keys(keys)) => {
            let columns = columns(manifest, About::Group, keys, &mut scope, text)?;
            format!("m{}{columns}", scope.gathers())
        }
        (PluginKind::Validator, RawRule::Checks(checks)) => format!("v{}", check_all(checks, &mut scope, text)?),
        (PluginKind::Validator, RawRule::Keys(_)) => {
            return Err(ManifestError::value("rule", "a validator has a table [[rule]] for each thing it looks at"));
        }
        (PluginKind::Enricher | PluginKind::Metric, RawRule::Checks(_)) => {
            return Err(ManifestError::value("rule", "it is one table [rule] with a line for each key: key = \"expression\""));
        }
        (PluginKind::Masker, _) => return Err(ManifestError::value("kind", "a rule is an enricher, a validator or a metric, no masker")),
    };
    if let Some((at, field)) = scope.unused() {
        return Err(ManifestError::value(format!("reads[{at}]"), format!("the rule does not use `{field}`, so it need not be read")));
    }
    let program = format!("{}{task}", scope.settings());
    manifest.reads = scope.reads;
    Ok(program)
}

/// A column for each key, in the order of the file.
fn columns(
    manifest: &mut Manifest,
    about: About,
    keys: Vec<(String, Spanned<String>)>,
    scope: &mut Scope<'_>,
    text: &str,
) -> Result<String, ManifestError> {
    let mut declared = std::mem::take(&mut manifest.writes);
    let mut program = format!("{};", keys.len());
    for (key, rule) in keys {
        let (code, ty) = expression(rule.get_ref(), about, scope).map_err(|error| place::error(text, &rule, &error))?;
        let write = match declared.iter().position(|write| *write.key == *key) {
            Some(at) => declared.remove(at),
            None => raw::write_of(&key, column_type(ty).unwrap_or(FieldType::Text))?,
        };
        let wrong = |problem: String| place::error(text, &rule, &RuleError::new(0, problem));
        if column_type(ty).is_none() {
            return Err(wrong("it is always null".to_owned()));
        }
        if !ty.is(Type::Of(write.ty)) {
            return Err(wrong(format!("it is {}, but [[writes]] has `{key}` as {}", ty.as_str(), write.ty.as_str())));
        }
        program.push(letter(write.ty));
        program.push_str(&code.finish());
        manifest.writes.push(write);
    }
    match declared.first() {
        Some(Write { key, .. }) => Err(ManifestError::value("writes", format!("[rule] has no line for `{key}`"))),
        None => Ok(program),
    }
}

fn column_type(ty: Type) -> Option<FieldType> {
    match ty {
        Type::Of(ty) => Some(ty),
        Type::Null => None,
    }
}

fn check_all(checks: Vec<RawCheck>, scope: &mut Scope<'_>, text: &str) -> Result<String, ManifestError> {
    let mut program = format!("{};", checks.len());
    for (at, check) in checks.into_iter().enumerate() {
        let named = |key: &str| format!("rule[{at}].{key}");
        let (mode, rule) = match (check.when, check.expect) {
            (Some(rule), None) => ('w', rule),
            (None, Some(rule)) => ('x', rule),
            _ => {
                return Err(ManifestError::value(format!("rule[{at}]"), "it has either `when`, what is wrong, or `expect`, what is right"));
            }
        };
        if !raw::is_kebab(&check.code) || check.code.len() > 64 {
            return Err(ManifestError::value(named("code"), "is not kebab-case of at most 64 bytes"));
        }
        let (code, ty) = expression(rule.get_ref(), About::Row, scope).map_err(|error| place::error(text, &rule, &error))?;
        if ty != Type::BOOLEAN {
            let problem = format!("a condition is boolean, this is {}", ty.as_str());
            return Err(place::error(text, &rule, &RuleError::new(0, problem)));
        }
        let first = code.first_column().and_then(|column| scope.reads.get(column));
        let field = match check.field {
            Some(name) => scope.field(&name).map_err(|problem| ManifestError::value(named("field"), problem))?.to_string(),
            None => first.map_or_else(|| "event".to_owned(), |read| read.field.to_string()),
        };
        let message = check.message.unwrap_or_else(|| match mode {
            'w' => rule.get_ref().clone(),
            _ => format!("expected {}", rule.get_ref()),
        });
        program.push(mode);
        program.push(if check.severity == Severity::Reject { 'r' } else { 'f' });
        [&field, &check.code, &message].into_iter().for_each(|part| put(&mut program, part));
        program.push_str(&code.finish());
    }
    Ok(program)
}

#[cfg(test)]
mod tests;
