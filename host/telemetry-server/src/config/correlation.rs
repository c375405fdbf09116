//! `[correlation]`.

use serde::{Deserialize, Serialize};

use super::check::Findings;

/// When a thing counts as over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationConfig {
    /// Seconds after which an open call counts as timed out, at query time.
    pub timeout_s: u64,
    /// Seconds of silence after which a session or trace is completed, and calls without messages begin a new conversation.
    pub silence_s: u64,
    /// Seconds without an event after which an agent is inactive.
    pub agent_inactive_s: u64,
}

impl Default for CorrelationConfig {
    fn default() -> Self {
        CorrelationConfig { timeout_s: 300, silence_s: 1800, agent_inactive_s: 86_400 }
    }
}

impl CorrelationConfig {
    pub(super) fn check(&self, findings: &mut Findings) {
        for (key, value) in [
            ("correlation.timeout_s", self.timeout_s),
            ("correlation.silence_s", self.silence_s),
            ("correlation.agent_inactive_s", self.agent_inactive_s),
        ] {
            findings.range(key, value, 1, 31_536_000);
        }
    }
}
