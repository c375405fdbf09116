//! Plugins in JavaScript and Python: a source, the SDK of its language and an interpreter, made a component by that language's own tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{BuildError, BuildSettings};
use crate::c::WIT;
use crate::digest::Sources;
use crate::toolchain::{self, ToolchainError};

/// A language whose plugins carry an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// QuickJS, by `componentize-qjs` of npm.
    JavaScript,
    /// CPython, by `componentize-py` of PyPI.
    Python,
}

impl Language {
    /// Both.
    pub const ALL: [Language; 2] = [Language::JavaScript, Language::Python];

    /// The plugin's source, relative to its folder.
    pub const fn source(self) -> &'static str {
        match self {
            Language::JavaScript => "src/plugin.js",
            Language::Python => "src/plugin.py",
        }
    }

    /// The SDK: its file, and its folder in a project or beside the examples.
    const fn sdk(self) -> (&'static str, &'static str) {
        match self {
            Language::JavaScript => ("cylestio-plugin.js", "sdk/javascript"),
            Language::Python => ("cylestio_plugin.py", "sdk/python"),
        }
    }

    /// The folder of the SDK of the plugin in `plugin`.
    pub(crate) fn sdk_folder(self, plugin: &Path) -> Option<PathBuf> {
        let (file, folder) = self.sdk();
        let places = [folder.to_owned(), format!("../{folder}"), format!("../../{folder}")].into_iter().map(|place| plugin.join(place));
        places.filter_map(|place| fs::canonicalize(place).ok()).find(|place| place.join(file).exists())
    }

    /// Name and version of the SDK in `folder`; the version stands in its second or third line.
    pub(crate) fn sdk_name(self, folder: &Path) -> String {
        let (file, _) = self.sdk();
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let version = text.lines().take(3).find_map(|line| line.split("Version ").nth(1)).unwrap_or_default();
        format!("{file} {}", version.trim_end_matches('.'))
    }

    /// Where the tool may be: beside the plugin, then on the search path.
    fn tools(self, plugin: &Path) -> [PathBuf; 2] {
        match self {
            Language::JavaScript => [plugin.join("node_modules/.bin/componentize-qjs"), PathBuf::from("componentize-qjs")],
            Language::Python => [plugin.join(".venv/bin/componentize-py"), PathBuf::from("componentize-py")],
        }
    }

    fn missing(self) -> ToolchainError {
        match self {
            Language::JavaScript => ToolchainError::NoJavaScript,
            Language::Python => ToolchainError::NoPython,
        }
    }
}

/// `still.c`, built; empty where it cannot be (see `build.rs`).
const STILL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/still.so"));

/// A component without its sections, and the tool's name.
pub(crate) fn compile(sources: &Sources, language: Language, settings: &BuildSettings) -> Result<(Vec<u8>, String), BuildError> {
    let (tool, version) = find(language, &sources.plugin, &settings.search_path)?;
    let stage = Stage { folder: settings.target_dir.join("interpreted").join(&sources.id) };
    stage.fill(sources, language)?;
    let mut command = command(&tool, &settings.search_path);
    command.current_dir(&stage.folder);
    match language {
        Language::JavaScript => {
            command.args(["--wit", "wit", "--world", "plugin", "--js", "app/main.js", "--module-root", "app"]);
            command.args(["--stub-wasi", "--sync", "--opt-size", "--output", "plugin.wasm"]);
            // The snapshot holds seeds of hash tables and of `Math.random`, and the time of its start.
            if !STILL.is_empty() {
                stage.write("still.so", STILL)?;
                command.env("LD_PRELOAD", stage.folder.join("still.so"));
            }
        }
        Language::Python => {
            command.args(["--wit-path", "wit", "--world", "plugin", "componentize", "--stub-wasi"]);
            command.args(["--python-path", "app", "--output", "plugin.wasm", "main"]);
        }
    }
    let output = command.output().map_err(BuildError::Start)?;
    if !output.status.success() {
        let said = [output.stderr, output.stdout].concat();
        return Err(BuildError::Interpreter { id: sources.id.clone(), problem: String::from_utf8_lossy(&said).trim().to_owned() });
    }
    stage.read("plugin.wasm").map(|component| (component, version))
}

fn find(language: Language, plugin: &Path, search_path: &str) -> Result<(PathBuf, String), ToolchainError> {
    let on_path = |tool: &PathBuf| {
        let folders = std::env::split_paths(search_path);
        if tool.is_absolute() { Some(tool.clone()) } else { folders.map(|folder| folder.join(tool)).find(|path| path.is_file()) }
    };
    let tools = language.tools(plugin);
    let tool = tools.iter().filter_map(on_path).find(|path| path.is_file()).ok_or_else(|| language.missing())?;
    Ok((tool.clone(), version(language, &tool, search_path)))
}

/// `componentize-py` says its version, `componentize-qjs` has it in the package beside its program.
fn version(language: Language, tool: &Path, search_path: &str) -> String {
    match language {
        Language::Python => {
            let said = command(tool, search_path).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
            String::from_utf8_lossy(&said).trim().to_owned()
        }
        Language::JavaScript => {
            let package = fs::canonicalize(tool).ok().and_then(|program| fs::read(program.with_file_name("package.json")).ok());
            let package: Option<serde_json::Value> = package.and_then(|text| serde_json::from_slice(&text).ok());
            let version = package.as_ref().and_then(|package| package.get("version")).and_then(serde_json::Value::as_str);
            format!("componentize-qjs {}", version.unwrap_or("of unknown version"))
        }
    }
}

fn command(tool: &Path, search_path: &str) -> Command {
    toolchain::command(tool, search_path)
}

/// The folder that the tool works in: the contract in `wit/`; the plugin's sources, the SDK and the entry in `app/`.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn fill(&self, sources: &Sources, language: Language) -> Result<(), BuildError> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(|source| BuildError::File { path: self.folder.clone(), source })?;
        }
        let kind = &*sources.kind;
        let imports = "  import agent-telemetry:host/log@0.1.0-rc;\n  import agent-telemetry:host/text@0.1.0-rc;\n";
        let lookup = if asks_lookup(&sources.manifest) { "  import agent-telemetry:host/lookup@0.1.0-rc;\n" } else { "" };
        let world =
            format!("package plugin:build;\nworld plugin {{\n{imports}{lookup}  export agent-telemetry:{kind}/{kind}@0.1.0-rc;\n}}\n");
        self.write("wit/world.wit", &world)?;
        for (name, text) in WIT.into_iter().filter(|(name, _)| ["types", "host", kind].contains(name)) {
            self.write(&format!("wit/deps/{name}/{name}.wit"), text)?;
        }
        let sdk = sources.sdk.as_deref().ok_or_else(|| BuildError::NoSdk(language.sdk().1))?;
        self.copy(sdk, "app")?;
        self.copy(&sources.plugin.join("src"), "app")?;
        let columns = columns(&sources.manifest).map_err(|problem| BuildError::Component { id: sources.id.clone(), problem })?;
        match language {
            Language::JavaScript => self.write("app/main.js", javascript_entry(kind, &columns)),
            Language::Python => {
                self.write("app/main.py", "")?;
                let module = if kind == "metric" { "metric" } else { "main" };
                self.write(&format!("app/{module}.py"), python_entry(kind, &columns))
            }
        }
    }

    fn copy(&self, from: &Path, to: &str) -> Result<(), BuildError> {
        let error = |source| BuildError::File { path: from.to_owned(), source };
        for entry in fs::read_dir(from).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = format!("{to}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(error)?.is_dir() {
                self.copy(&entry.path(), &name)?;
            } else {
                let text = fs::read(entry.path()).map_err(|source| BuildError::File { path: entry.path(), source })?;
                self.write(&name, text)?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), BuildError> {
        let path = self.folder.join(name);
        let folder = path.parent().map(fs::create_dir_all).unwrap_or(Ok(()));
        folder.and_then(|()| fs::write(&path, content)).map_err(|source| BuildError::File { path, source })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, BuildError> {
        let path = self.folder.join(name);
        fs::read(&path).map_err(|source| BuildError::File { path, source })
    }
}

fn javascript_entry(kind: &str, columns: &str) -> String {
    let (sdk, _) = Language::JavaScript.sdk();
    format!(
        "import * as plugin from \"./plugin.js\";\nimport * as sdk from \"./{sdk}\";\nexport const {kind} = sdk.{kind}(plugin, {columns});\n"
    )
}

/// The tool looks for the class of the interface in the main module; a metric's is a resource, which it looks for in a module named after
/// the interface.
fn python_entry(kind: &str, columns: &str) -> String {
    let class = match kind {
        "validator" => "Validator",
        "enricher" => "Enricher",
        "masker" => "Masker",
        _ => "Accumulator",
    };
    let literal = serde_json::Value::from(columns);
    format!("import json\n\nimport cylestio_plugin\nimport plugin\n\n{class} = cylestio_plugin.{kind}(plugin, json.loads({literal}))\n")
}

fn asks_lookup(manifest: &str) -> bool {
    let manifest: Option<toml::Table> = manifest.parse().ok();
    manifest.and_then(|manifest| Some(manifest.get("capabilities")?.get("lookup")?.as_array()?.is_empty())).is_some_and(|empty| !empty)
}

/// The `reads` and `writes` of a manifest as JSON: all that the SDK needs of it.
fn columns(manifest: &str) -> Result<String, String> {
    let manifest: toml::Table = manifest.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let list = |what: &str, name: &str| -> Result<Vec<serde_json::Value>, String> {
        let all = manifest.get(what).and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |one: &toml::Value, key: &str| one.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let one = |one| {
            let (name_of, ty) = text(one, name).zip(text(one, "type")).ok_or_else(|| format!("`{what}` wants `{name}` and `type`"))?;
            Ok(serde_json::json!({name: name_of, "type": ty}))
        };
        all.iter().map(one).collect()
    };
    Ok(serde_json::json!({"reads": list("reads", "field")?, "writes": list("writes", "key")?}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_command_that_gets_a_tool() {
        let nothing = tempfile::tempdir().unwrap();
        for (language, command) in
            [(Language::JavaScript, "npm install componentize-qjs"), (Language::Python, "pip install componentize-py")]
        {
            assert!(find(language, nothing.path(), "").unwrap_err().to_string().contains(command));
        }
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[test]
    fn a_tool_sees_the_same_time_in_every_build() {
        let folder = tempfile::tempdir().unwrap();
        let still = folder.path().join("still.so");
        fs::write(&still, STILL).unwrap();
        let date = Command::new("date").arg("+%s.%N").env("LD_PRELOAD", still).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&date.stdout).trim(), "1577836800.000000000", "{date:?}");
    }

    #[test]
    fn takes_reads_and_writes_from_the_manifest() {
        let manifest = "reads = [{field = \"event.name\", type = \"text\"}]\nwrites = [{key = \"family\", type = \"text\"}]";
        let columns: serde_json::Value = serde_json::from_str(&columns(manifest).unwrap()).unwrap();
        assert_eq!(columns["reads"][0], serde_json::json!({"field": "event.name", "type": "text"}));
        assert_eq!(columns["writes"][0]["key"], "family");
        assert!(!asks_lookup(manifest));
        assert!(asks_lookup("[capabilities]\nlookup = [\"prices\"]"));
    }
}
