//! Projects in Python: the examples and the SDK.

use telemetry_plugins::PluginKind;

use super::{File, Language, Template, adapt_manifest};

/// `--lang python`.
pub(super) const PYTHON: Language = Language {
    name: "python",
    shared: &[SDK],
    templates: &[ENRICHER, METRIC, VALIDATOR, MASKER],
    adapt: adapt_manifest,
    advice: "Building takes `componentize-py` of PyPI: `python3 -m pip install componentize-py`, in a `.venv` of this folder or on the PATH.\n\
             `sdk/python/cylestio_plugin.py` has all there is to call.",
};

macro_rules! example {
    ($kind:ident, $id:literal, $($case:literal),*) => {
        Template {
            kind: PluginKind::$kind,
            id: $id,
            source: "src/plugin.py",
            files: &[
                $((concat!("cases/", $case), include_str!(concat!("../../../../plugins/examples/", $id, "/cases/", $case))),)*
                ("plugin.toml", include_str!(concat!("../../../../plugins/examples/", $id, "/plugin.toml"))),
                ("src/plugin.py", include_str!(concat!("../../../../plugins/examples/", $id, "/src/plugin.py"))),
            ],
        }
    };
}

const ENRICHER: Template = example!(Enricher, "model-family-py", "models.json");
const METRIC: Template = example!(Metric, "slow-calls-py", "limit.json");
const VALIDATOR: Template = example!(Validator, "known-vendor-py", "vendors.json");
const MASKER: Template = example!(Masker, "badge-masker-py", "badges.json");

const SDK: &[File] = &[("sdk/python/cylestio_plugin.py", include_str!("../../../../plugins/sdk/python/cylestio_plugin.py"))];
