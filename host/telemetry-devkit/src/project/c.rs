//! Projects in C: the examples and the SDK.

use telemetry_plugins::PluginKind;

use super::{File, Language, Template, adapt_manifest};

/// `--lang c`.
pub(super) const C: Language = Language {
    name: "c",
    shared: &[SDK],
    templates: &[ENRICHER, METRIC, VALIDATOR, MASKER],
    adapt: adapt_manifest,
    advice: "Building takes a C compiler for WebAssembly: `python3 -m pip install ziglang`, in a `.venv` of this folder or on the PATH; `zig`, or `clang` with lld, does as well.\n\
             `sdk/c/agent_telemetry.h` has all there is to call.",
};

macro_rules! example {
    ($kind:ident, $id:literal, $($case:literal),*) => {
        Template {
            kind: PluginKind::$kind,
            id: $id,
            source: "src/plugin.c",
            files: &[
                $((concat!("cases/", $case), include_str!(concat!("../../../../plugins/examples/", $id, "/cases/", $case))),)*
                ("plugin.toml", include_str!(concat!("../../../../plugins/examples/", $id, "/plugin.toml"))),
                ("src/plugin.c", include_str!(concat!("../../../../plugins/examples/", $id, "/src/plugin.c"))),
            ],
        }
    };
}

const ENRICHER: Template = example!(Enricher, "model-family-c", "models.json");
const METRIC: Template = example!(Metric, "slow-calls-c", "limit.json");
const VALIDATOR: Template = example!(Validator, "known-vendor-c", "vendors.json");
const MASKER: Template = example!(Masker, "badge-masker-c", "badges.json");

macro_rules! sdk {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("sdk/c/", $name), include_str!(concat!("../../../../plugins/sdk/c/", $name)))),*]
    };
}

const SDK: &[File] =
    sdk!["agent_telemetry.c", "agent_telemetry.h", "agent_telemetry_settings.h", "agent_telemetry_skin.h", "agent_telemetry_writing.h",];

#[cfg(test)]
mod tests {
    use super::super::files_below;
    use super::*;

    #[test]
    fn has_every_file_of_the_sdk() {
        let names: Vec<_> = SDK.iter().map(|(path, _)| path.trim_start_matches("sdk/c/").to_owned()).collect();
        assert_eq!(names, files_below("plugins/sdk/c"));
    }
}
