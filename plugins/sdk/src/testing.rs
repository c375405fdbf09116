pub fn enricher_cases<T>(_: &str) {}
pub fn validator_cases<T>(_: &str) {}
pub fn metric_cases<T>(_: &str) {}
