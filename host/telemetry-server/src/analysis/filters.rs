//! Filters: every parameter that nobody else takes and that names a field, as `field=value`, `field>=value`, `field<value`.

use telemetry_model::query::{Comparison, Filter};
use telemetry_model::{Field, FieldType, Relation, Timestamp};

use super::params::{Params, excerpt};
use super::request::excerpt_long;

/// More values than this in filters are an error.
const MAX_FILTER_VALUES: usize = 1000;

/// Reads the filters on fields and attributes of `relation`.
pub fn read_filters(params: &mut Params<'_>, relation: Relation) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    let mut count = 0;
    for (name, value) in params.rest() {
        let (name, comparison, value) = split(name, value);
        let field = match Field::parse(name, relation) {
            Ok(field) => field,
            Err(_) if !name.contains(['.', '[']) => {
                params.unknown(name);
                continue;
            }
            Err(error) => {
                params.problem(&excerpt(name), excerpt_long(&error.to_string()));
                continue;
            }
        };
        if let Some(problem) = field.fixed_type().and_then(|ty| problem(comparison, value, ty)) {
            params.problem(name, problem);
            continue;
        }
        count += 1;
        let equal = |filter: &&mut Filter| filter.field == field && filter.comparison == comparison && comparison == Comparison::Equal;
        match filters.iter_mut().find(equal) {
            Some(filter) => filter.values.push(value.to_owned()),
            None => filters.push(Filter { field, comparison, values: vec![value.to_owned()] }),
        }
    }
    if count > MAX_FILTER_VALUES {
        params.problem("filters", format!("{count} values; at most {MAX_FILTER_VALUES} are taken"));
    }
    filters
}

/// Reads filters on attributes of events; anything else is an unknown parameter.
pub fn read_attribute_filters(params: &mut Params<'_>) -> Vec<Filter> {
    let filters = read_filters(params, Relation::Events);
    let (attributes, others): (Vec<_>, Vec<_>) = filters.into_iter().partition(|filter| matches!(filter.field, Field::Attribute(_)));
    for filter in others {
        params.unknown(&filter.field.to_string());
    }
    attributes
}

/// `a>=5` comes as `a>` and `5`, `a>5` as `a>5` without a value.
fn split<'a>(name: &'a str, value: &'a str) -> (&'a str, Comparison, &'a str) {
    if let Some(field) = name.strip_suffix('>') {
        return (field, Comparison::AtLeast, value);
    }
    if let Some(field) = name.strip_suffix('<') {
        return (field, Comparison::AtMost, value);
    }
    match name.rsplit_once(['>', '<']) {
        Some((field, bound)) if value.is_empty() => {
            let comparison = if name.as_bytes().get(field.len()) == Some(&b'>') { Comparison::Greater } else { Comparison::Less };
            (field, comparison, bound)
        }
        _ => (name, Comparison::Equal, value),
    }
}

/// Why no field of type `ty` can pass.
fn problem(comparison: Comparison, text: &str, ty: FieldType) -> Option<String> {
    let shown = excerpt(text);
    match comparison {
        Comparison::Equal if can_equal(text, ty) => None,
        Comparison::Equal => Some(format!("`{shown}` is never equal to a field of type {}", ty.as_str())),
        _ if !matches!(ty, FieldType::Integer | FieldType::Real | FieldType::Time) => {
            Some(format!("a field of type {} is compared with = only", ty.as_str()))
        }
        _ if can_equal(text, ty) => None,
        _ => Some(format!("`{shown}` does not compare with a field of type {}", ty.as_str())),
    }
}

/// Whether a text can be the plain value of a field of type `ty`.
fn can_equal(text: &str, ty: FieldType) -> bool {
    match ty {
        FieldType::Integer | FieldType::Real => text.parse::<f64>().is_ok_and(f64::is_finite),
        FieldType::Boolean => matches!(text, "true" | "false" | "1" | "0"),
        FieldType::Time => Timestamp::parse(text).is_ok(),
        FieldType::Text | FieldType::Json => true,
        FieldType::Bytes => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_comparisons_as_they_stand_in_an_address() {
        let pairs = [("llm.usage.output_tokens>", "100"), ("a.b<2.5", ""), ("size<", "7"), ("a.c", ">"), ("name>", "x"), ("size>a", "")];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut params = Params::new(&pairs);
        let filters = read_filters(&mut params, Relation::Events);
        let shown: Vec<_> = filters.iter().map(|f| format!("{}{}{}", f.field, f.comparison.sign(), f.values.join("|"))).collect();
        assert_eq!(
            shown,
            [r#"attributes["llm.usage.output_tokens"]>=100"#, r#"attributes["a.b"]<2.5"#, "event.size<=7", r#"attributes["a.c"]=>"#,]
        );
        let reasons: Vec<_> = params.finish().unwrap_err().0.into_iter().map(|problem| problem.reason).collect();
        assert_eq!(reasons, ["a field of type text is compared with = only", "`a` does not compare with a field of type integer"]);
    }
}
