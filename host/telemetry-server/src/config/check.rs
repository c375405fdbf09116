//! What is wrong with values that have the right type.

use std::fmt::Display;

use super::Config;

/// Problems found so far: key and reason.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<(String, String)>);

impl Findings {
    pub(super) fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.0.push((key.to_owned(), reason.into()));
    }

    pub(super) fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, low: T, high: T) {
        if value < low || value > high {
            self.add(key, format!("is {value}, must be {low} to {high}"));
        }
    }
}

/// Every rule of every section.
pub(super) fn check(config: &Config) -> Findings {
    let mut findings = Findings::default();
    config.server.check(&mut findings);
    config.database.check(&mut findings);
    config.logging.check(&mut findings);
    config.plugins.check(&mut findings);
    config.correlation.check(&mut findings);
    findings
}
