//! Projects in JavaScript: the examples and the SDK.

use telemetry_plugins::PluginKind;

use super::{File, Language, Template, adapt_manifest};

/// `--lang javascript`.
pub(super) const JAVASCRIPT: Language = Language {
    name: "javascript",
    shared: &[SDK],
    templates: &[ENRICHER, METRIC, VALIDATOR, MASKER],
    adapt: adapt_manifest,
    advice: "Building takes `componentize-qjs` of npm: `npm install componentize-qjs` in this folder, or with `-g`.\n\
             `sdk/javascript/cylestio-plugin.js` has all there is to call.",
};

macro_rules! example {
    ($kind:ident, $id:literal, $($case:literal),*) => {
        Template {
            kind: PluginKind::$kind,
            id: $id,
            source: "src/plugin.js",
            files: &[
                $((concat!("cases/", $case), include_str!(concat!("../../../../plugins/examples/", $id, "/cases/", $case))),)*
                ("plugin.toml", include_str!(concat!("../../../../plugins/examples/", $id, "/plugin.toml"))),
                ("src/plugin.js", include_str!(concat!("../../../../plugins/examples/", $id, "/src/plugin.js"))),
            ],
        }
    };
}

const ENRICHER: Template = example!(Enricher, "model-family-js", "models.json");
const METRIC: Template = example!(Metric, "slow-calls-js", "limit.json");
const VALIDATOR: Template = example!(Validator, "known-vendor-js", "vendors.json");
const MASKER: Template = example!(Masker, "badge-masker-js", "badges.json");

const SDK: &[File] = &[("sdk/javascript/cylestio-plugin.js", include_str!("../../../../plugins/sdk/javascript/cylestio-plugin.js"))];
