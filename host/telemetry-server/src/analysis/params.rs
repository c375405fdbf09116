//! Query parameters: taken by name, every problem collected, nothing left over unnoticed.

use std::ops::RangeInclusive;

use telemetry_model::Timestamp;

/// What is wrong with one parameter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The parameter.
    pub field: String,
    /// What is wrong with it, for people.
    pub reason: String,
}

/// Every problem of one request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid request parameters: {}", .0.iter().map(|p| format!("{}: {}", p.field, p.reason)).collect::<Vec<_>>().join("; "))]
pub struct InvalidParams(pub Vec<Problem>);

/// The parameters of one request. An empty one is an absent one.
#[derive(Debug)]
pub struct Params<'a> {
    pairs: &'a [(String, String)],
    taken: Vec<bool>,
    known: Vec<String>,
    problems: Vec<Problem>,
}

/// A name must be at least this similar (0 to 1) to be proposed.
const SIMILAR: f64 = 0.8;

impl<'a> Params<'a> {
    /// Takes name and value pairs as they came, unescaped.
    pub fn new(pairs: &'a [(String, String)]) -> Self {
        // `a>5` has no value and is no absent parameter.
        let taken = pairs.iter().map(|(name, value)| value.is_empty() && !name.contains(['<', '>'])).collect();
        Params { pairs, taken, known: Vec::new(), problems: Vec::new() }
    }

    /// All values under `name`, in order.
    pub fn many(&mut self, name: &str) -> Vec<&'a str> {
        self.known(name);
        let mut values = Vec::new();
        for ((key, value), taken) in self.pairs.iter().zip(&mut self.taken) {
            if key == name && !value.is_empty() {
                *taken = true;
                values.push(value.as_str());
            }
        }
        values
    }

    /// The value under `name`; two that differ are a problem.
    pub fn one(&mut self, name: &str) -> Option<&'a str> {
        let values = self.many(name);
        let first = *values.first()?;
        if values.iter().any(|value| *value != first) {
            self.problem(name, "is given more than once");
        }
        Some(first)
    }

    /// A whole number in `range`, or `default`.
    pub fn integer(&mut self, name: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(text) = self.one(name) else { return default };
        match text.parse::<u64>() {
            Ok(value) if range.contains(&value) => value,
            _ if *range.end() == u64::MAX => {
                self.problem(name, format!("`{}` is not a whole number of at least {}", excerpt(text), range.start()));
                default
            }
            _ => {
                self.problem(name, format!("`{}` is not a whole number from {} to {}", excerpt(text), range.start(), range.end()));
                default
            }
        }
    }

    /// A moment: ISO 8601, UTC unless it has an offset.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.one(name)?;
        // An offset's plus sign that was not escaped arrives as a space.
        let read = Timestamp::parse(text).or_else(|error| match text.rsplit_once(' ') {
            Some((time, offset)) if time.contains(['T', 't']) => Timestamp::parse(&format!("{time}+{offset}")),
            _ => Err(error),
        });
        match read {
            Ok(time) => Some(time),
            Err(error) => {
                self.problem(name, format!("`{}` is {error}", excerpt(text)));
                None
            }
        }
    }

    /// `true`, `1`, `false` or `0`.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.one(name)? {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            other => {
                self.problem(name, format!("`{}` is neither true nor false", excerpt(other)));
                None
            }
        }
    }

    /// One of `choices`, or `default`.
    pub fn choice<'c>(&mut self, name: &str, choices: &[&'c str], default: &'c str) -> &'c str {
        let Some(text) = self.one(name) else { return default };
        match choices.iter().find(|choice| **choice == text) {
            Some(choice) => choice,
            None => {
                self.problem(name, format!("`{}` is none of {}", excerpt(text), choices.join(", ")));
                default
            }
        }
    }

    /// Notes a problem.
    pub fn problem(&mut self, field: &str, reason: impl Into<String>) {
        self.problems.push(Problem { field: field.to_owned(), reason: reason.into() });
    }

    /// Makes `name` one that may be proposed for a mistyped one.
    pub fn known(&mut self, name: &str) {
        if !self.known.iter().any(|known| known == name) {
            self.known.push(name.to_owned());
        }
    }

    /// Takes what nobody took so far, as name and value.
    pub fn rest(&mut self) -> Vec<(&'a str, &'a str)> {
        let mut rest = Vec::new();
        for ((name, value), taken) in self.pairs.iter().zip(&mut self.taken) {
            if !std::mem::replace(taken, true) {
                rest.push((name.as_str(), value.as_str()));
            }
        }
        rest
    }

    /// Notes that there is no parameter `name`, and which known one is nearest.
    pub fn unknown(&mut self, name: &str) {
        let nearest = self
            .known
            .iter()
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let reason = match nearest {
            Some((_, known)) => format!("unknown parameter; did you mean `{known}`?"),
            None if self.known.is_empty() => "unknown parameter; there are none here".to_owned(),
            None => format!("unknown parameter; there are {}", self.known.join(", ")),
        };
        self.problem(&excerpt(name), reason);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems, parameters that nobody took included.
    pub fn finish(mut self) -> Result<(), InvalidParams> {
        for (name, _) in self.rest() {
            self.unknown(name);
        }
        if self.problems.is_empty() { Ok(()) } else { Err(InvalidParams(self.problems)) }
    }
}

/// At most 64 characters of `text`, for a message.
pub fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let mut start: String = characters.by_ref().take(64).collect();
    if characters.next().is_some() {
        start.push_str("..");
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lists_all_problems_at_once() {
        let pairs = pairs(&[("limit", "0"), ("from_time", "yesterday"), ("levle", "INFO"), ("offset", "-1"), ("agent_id", "")]);
        let mut params = Params::new(&pairs);
        params.integer("limit", 100, 1..=1000);
        params.integer("offset", 0, 0..=u64::MAX);
        params.time("from_time");
        params.one("level");
        assert_eq!(params.one("agent_id"), None);
        let InvalidParams(problems) = params.finish().unwrap_err();
        let reasons: Vec<_> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.reason)).collect();
        assert_eq!(
            reasons,
            [
                "limit: `0` is not a whole number from 1 to 1000",
                "offset: `-1` is not a whole number of at least 0",
                "from_time: `yesterday` is not a readable ISO 8601 time",
                "levle: unknown parameter; did you mean `level`?",
            ]
        );
    }

    #[test]
    fn reads_an_offset_whose_plus_was_not_escaped() {
        let pairs = pairs(&[("from_time", "2026-11-23T13:30:00 05:30")]);
        assert_eq!(Params::new(&pairs).time("from_time"), Timestamp::parse("2026-11-23T08:00:00Z").ok());
    }

    #[test]
    fn refuses_two_values_that_differ() {
        let pairs = pairs(&[("level", "INFO"), ("level", "INFO"), ("name", "a"), ("name", "b")]);
        let mut params = Params::new(&pairs);
        assert_eq!(params.one("level"), Some("INFO"));
        params.one("name");
        assert_eq!(params.finish().unwrap_err().0.len(), 1);
    }
}
