//! `[features]`: real switches only.

use serde::{Deserialize, Serialize};

/// Parts that can be switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// The pages at `/` and `/docs`.
    pub page: bool,
}

impl Default for FeaturesConfig {
    fn default() -> Self {
        FeaturesConfig { page: true }
    }
}
