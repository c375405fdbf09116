//! What a report is asked for: window, buckets, groups, filters and the metric's own parameters.

use serde_json::{Map, Value};
use telemetry_model::query::{Filter, Interval, Window};
use telemetry_model::{Field, FieldType, Relation, Timestamp};

use super::fill::Fill;
use super::filters::read_filters;
use super::params::{InvalidParams, Params, excerpt};
use super::window::{DAY, DefaultWindow, read_interval, read_window};

/// More groups than this are an error, buckets included.
pub const MAX_GROUPS: usize = 10_000;
/// More fields than this in `group_by` are an error.
const MAX_GROUP_FIELDS: usize = 16;
/// The window of a report with `interval` and without any of the window's parameters.
const DEFAULT_WITH_INTERVAL: i64 = 30 * DAY;

/// A parameter that a metric declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub ty: FieldType,
}

/// A report as asked, checked.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    /// [from, to).
    pub window: Window,
    /// As asked, and what it means.
    pub interval: Option<(String, Interval)>,
    /// As asked, and what it means; fields are unique.
    pub group_by: Vec<(String, Field)>,
    /// All must match.
    pub filters: Vec<Filter>,
    /// The metric's own, only those given.
    pub parameters: Map<String, Value>,
}

/// What one route takes for granted.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The parameter that names the groups.
    pub groups: &'static str,
    /// The window without any of its parameters; `None`: all that is stored, or the last 30 days when `interval` is given.
    pub window: Option<DefaultWindow>,
    /// The interval without the parameter.
    pub interval: Option<&'static str>,
}

impl Manner {
    /// Of `GET /v1/reports/{metric}`.
    pub const REPORT: Manner = Manner { groups: "group_by", window: None, interval: None };
}

impl ReportRequest {
    /// Reads the parameters of a report over `relation` by a metric with `settings`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read(
        pairs: &[(String, String)],
        relation: Relation,
        settings: &[Setting],
        manner: Manner,
        now: Timestamp,
    ) -> Result<Self, InvalidParams> {
        let mut params = Params::new(pairs);
        let interval = read_interval(&mut params, manner.interval);
        let default = manner.window.unwrap_or(match interval {
            Some(_) => DefaultWindow::Last(DEFAULT_WITH_INTERVAL),
            None => DefaultWindow::Everything,
        });
        let window = read_window(&mut params, now, default);
        let group_by = read_groups(&mut params, manner.groups, relation);
        let parameters = read_settings(&mut params, settings);
        for (name, ..) in relation.fields() {
            params.known(name);
        }
        let filters = read_filters(&mut params, relation);
        let request = ReportRequest { window, interval, group_by, filters, parameters };
        request.check_buckets(&mut params, now);
        params.finish()?;
        Ok(request)
    }

    /// What is needed to fill empty buckets.
    pub fn fill(&self, now: Timestamp) -> Fill {
        let interval = self.interval.as_ref().map(|(_, interval)| *interval);
        Fill { window: self.window, interval, grouped: !self.group_by.is_empty(), now, limit: MAX_GROUPS }
    }

    /// Notes a problem when the window has more buckets than a report may have groups.
    fn check_buckets(&self, params: &mut Params<'_>, now: Timestamp) {
        let buckets = self.fill(now).planned_buckets();
        if buckets > MAX_GROUPS {
            params.problem("interval", format!("the window has {buckets} buckets; at most {MAX_GROUPS} are answered"));
        }
    }
}

fn read_groups(params: &mut Params<'_>, parameter: &str, relation: Relation) -> Vec<(String, Field)> {
    let mut groups: Vec<(String, Field)> = Vec::new();
    let asked: Vec<&str> = params.many(parameter).into_iter().flat_map(split_names).collect();
    for name in asked {
        match Field::parse(name, relation) {
            Ok(field) if groups.iter().any(|(_, known)| *known == field) => {}
            Ok(_) if groups.len() == MAX_GROUP_FIELDS => {
                params.problem(parameter, format!("more than {MAX_GROUP_FIELDS} fields"));
                break;
            }
            Ok(field) => groups.push((name.to_owned(), field)),
            Err(error) => params.problem(parameter, excerpt_long(&error.to_string())),
        }
    }
    groups
}

fn read_settings(params: &mut Params<'_>, settings: &[Setting]) -> Map<String, Value> {
    let mut parameters = Map::new();
    for setting in settings {
        let Some(text) = params.one(&setting.name) else { continue };
        match setting_value(text, setting.ty) {
            Some(value) => {
                parameters.insert(setting.name.to_string(), value);
            }
            None => params.problem(&setting.name, format!("`{}` is not of type {}", excerpt(text), setting.ty.as_str())),
        }
    }
    parameters
}

fn setting_value(text: &str, ty: FieldType) -> Option<Value> {
    match ty {
        FieldType::Boolean => match text {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        FieldType::Integer => text.parse::<i64>().ok().map(Value::from),
        FieldType::Real => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::from),
        FieldType::Time => Timestamp::parse(text).ok().map(|time| Value::from(time.to_string())),
        FieldType::Text => Some(Value::from(text)),
        FieldType::Json => serde_json::from_str(text).ok(),
        FieldType::Bytes => None,
    }
}

/// Splits at commas that do not stand inside `attributes[".."]`.
fn split_names(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut names = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                names.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    names.push(text.get(start..).unwrap_or_default());
    names.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// A message of ours around a text of a client's, cut.
pub(super) fn excerpt_long(text: &str) -> String {
    text.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ReportRequest, InvalidParams> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = [Setting { name: "quantile".into(), ty: FieldType::Real }];
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        ReportRequest::read(&pairs, Relation::LlmCalls, &settings, Manner::REPORT, now)
    }

    #[test]
    fn reads_groups_filters_and_parameters() {
        let request = read(&[
            ("group_by", r#"model,attributes["a,b"]"#),
            ("group_by", "agent, call.model"),
            ("model", "gpt-4o"),
            ("call.model", "gpt-4o-mini"),
            ("llm.request.type", "chat"),
            ("quantile", "0.9"),
            ("from_time", ""),
        ])
        .unwrap();
        let groups: Vec<_> = request.group_by.iter().map(|(name, field)| format!("{name}={field}")).collect();
        assert_eq!(groups, ["model=call.model", r#"attributes["a,b"]=attributes["a,b"]"#, "agent=call.agent_id"]);
        let filters: Vec<_> = request.filters.iter().map(|filter| format!("{}={}", filter.field, filter.values.join("|"))).collect();
        assert_eq!(filters, ["call.model=gpt-4o|gpt-4o-mini", r#"attributes["llm.request.type"]=chat"#]);
        assert_eq!(Value::from(request.parameters), serde_json::json!({ "quantile": 0.9 }));
        assert_eq!(request.window, Window::default());
    }

    #[test]
    fn names_every_problem_and_the_nearest_known_name() {
        let InvalidParams(problems) = read(&[
            ("modle", "x"),
            ("group_by", "event.name"),
            ("quantile", "high"),
            ("input_tokens", "many"),
            ("interval", "1m"),
            ("time_range", "30d"),
        ])
        .unwrap_err();
        let reasons: Vec<_> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.reason)).collect();
        assert_eq!(
            reasons,
            [
                "group_by: `event.name` is not a field of `llm_calls`",
                "quantile: `high` is not of type real",
                "modle: unknown parameter; did you mean `model`?",
                "input_tokens: `many` is never equal to a field of type integer",
                "interval: the window has 43200 buckets; at most 10000 are answered",
            ]
        );
    }

    #[test]
    fn an_interval_without_a_window_covers_thirty_days() {
        let request = read(&[("interval", "1d")]).unwrap();
        assert_eq!(request.window.to, Timestamp::parse("2026-11-24T12:00:00Z").ok());
        assert_eq!(request.window.from, Timestamp::parse("2026-10-25T12:00:00Z").ok());
        assert_eq!(request.fill(Timestamp(0)).planned_buckets(), 31);
    }
}
