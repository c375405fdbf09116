//! Projects in Rust: the examples, the SDK and the contract that its bindings are made of.

use telemetry_plugins::PluginKind;

use super::{File, Language, Template};

/// `--lang rust`.
pub(super) const RUST: Language = Language {
    name: "rust",
    shared: &[SDK, WIT],
    templates: &[ENRICHER, METRIC, VALIDATOR, MASKER],
    adapt,
    advice: "Building takes a compiler for `wasm32-unknown-unknown`: `rustup target add wasm32-unknown-unknown`, or Debian's\n\
             `rustc-web cargo-web rust-web-src lld-22`. `cargo test` runs the cases natively.",
};

macro_rules! example {
    ($kind:ident, $id:literal, $($case:literal),*) => {
        Template {
            kind: PluginKind::$kind,
            id: $id,
            source: "src/lib.rs",
            files: &[
                $((concat!("cases/", $case), include_str!(concat!("../../../../plugins/examples/", $id, "/cases/", $case))),)*
                ("Cargo.toml", include_str!(concat!("../../../../plugins/examples/", $id, "/Cargo.toml"))),
                ("Cargo.lock", include_str!(concat!("../../../../plugins/examples/", $id, "/Cargo.lock"))),
                ("plugin.toml", include_str!(concat!("../../../../plugins/examples/", $id, "/plugin.toml"))),
                ("src/lib.rs", include_str!(concat!("../../../../plugins/examples/", $id, "/src/lib.rs"))),
            ],
        }
    };
}

const ENRICHER: Template = example!(Enricher, "model-family", "models.json");
const METRIC: Template = example!(Metric, "slow-calls", "limit.json");
const VALIDATOR: Template = example!(Validator, "known-vendor", "vendors.json");
const MASKER: Template = example!(Masker, "badge-masker", "badges.json");

macro_rules! sdk {
    ($($path:literal),* $(,)?) => {
        &[$((concat!("sdk/rust/", $path), include_str!(concat!("../../../../plugins/sdk/", $path)))),*]
    };
}

const SDK: &[File] = sdk![
    "Cargo.toml",
    "src/arena.rs",
    "src/bindings.rs",
    "src/enricher.rs",
    "src/host.rs",
    "src/json.rs",
    "src/lib.rs",
    "src/manifest.rs",
    "src/masker.rs",
    "src/metric.rs",
    "src/out.rs",
    "src/patch.rs",
    "src/row.rs",
    "src/settings.rs",
    "src/state.rs",
    "src/testing.rs",
    "src/testing/case.rs",
    "src/testing/columns.rs",
    "src/validator.rs",
];

macro_rules! wit {
    ($($package:literal),* $(,)?) => {
        &[$((
            concat!("wit/", $package, "/", $package, ".wit"),
            include_str!(concat!("../../../../wit/", $package, "/", $package, ".wit")),
        )),*]
    };
}

/// The SDK's bindings look for it two folders above.
const WIT: &[File] = wit!["types", "host", "validator", "enricher", "masker", "metric"];

/// The package is not called like the plugin: `test` or `match` can be an id, but no crate.
fn adapt(path: &str, text: &str, from: &str, to: &str) -> String {
    let quoted = |id: &str| format!("\"{id}\"");
    match path {
        "Cargo.toml" | "Cargo.lock" => text.replace(&quoted(from), &quoted(&format!("{to}-plugin"))).replace("../../sdk", "sdk/rust"),
        // Inside the project it is a member of the project's workspace.
        "sdk/rust/Cargo.toml" => text.replace("\n[workspace]\n", ""),
        "plugin.toml" => text.replace(&format!("id = {}", quoted(from)), &format!("id = {}", quoted(to))),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::files_below;
    use super::*;

    #[test]
    fn has_every_file_of_sdk_and_contract() {
        let names = |files: &[File], start: &str| -> Vec<String> {
            let mut names: Vec<_> = files.iter().map(|(path, _)| path.trim_start_matches(start).to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(SDK, "sdk/rust/src/").iter().filter(|name| !name.starts_with("sdk/")).count(),
            files_below("plugins/sdk/src").len()
        );
        let wit: Vec<_> = files_below("wit").into_iter().filter(|name| name.ends_with(".wit") && !name.contains("released/")).collect();
        assert_eq!(names(WIT, "wit/"), wit);
    }
}
