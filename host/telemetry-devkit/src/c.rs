//! Plugins in C: `src/*.c`, compiled with the SDK and without a library, with the world of their kind attached.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use telemetry_model::FieldType;
use telemetry_plugins::Manifest;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::build::{BuildError, BuildSettings};
use crate::digest::Sources;
use crate::toolchain::{self, ToolchainError};

/// The contract, as the devkit was built with it.
pub(crate) const WIT: [(&str, &str); 6] = [
    ("types", include_str!("../../../wit/types/types.wit")),
    ("host", include_str!("../../../wit/host/host.wit")),
    ("validator", include_str!("../../../wit/validator/validator.wit")),
    ("enricher", include_str!("../../../wit/enricher/enricher.wit")),
    ("masker", include_str!("../../../wit/masker/masker.wit")),
    ("metric", include_str!("../../../wit/metric/metric.wit")),
];

/// Commands that compile C for WebAssembly, in the order in which they are tried.
const COMPILERS: [&[&str]; 3] = [&["python3", "-m", "ziglang", "cc"], &["zig", "cc"], &["clang"]];

const FLAGS: [&str; 8] =
    ["-O2", "-mbulk-memory", "-nostdlib", "-ffreestanding", "-Wall", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536"];

/// A core module with the metadata that makes a component of it, and the compiler's name.
pub(crate) fn compile(sources: &Sources, manifest: &Manifest, settings: &BuildSettings) -> Result<(Vec<u8>, String), BuildError> {
    let (compiler, version) = find(&settings.search_path)?;
    let folder = settings.target_dir.join("c").join(&sources.id);
    let path = folder.join(format!("{}.wasm", sources.id));
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| BuildError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    let target = if compiler.contains(&"cc") { ["-target", "wasm32-freestanding"] } else { ["-target", "wasm32-unknown-unknown"] };
    let mut command = command(compiler, &settings.search_path);
    command.args(target).args(FLAGS).arg("-o").arg(&path).current_dir(&sources.plugin);
    if let Some(sdk) = &sources.sdk {
        let header = folder.join("agent_telemetry_manifest.h");
        fs::write(&header, names(manifest)).map_err(file(&header))?;
        command.arg("-I").arg(sdk).arg("-I").arg(&folder).arg(sdk.join("agent_telemetry.c"));
    }
    command.args(c_files(&sources.plugin).map_err(file(&sources.plugin))?);
    if !command.status().map_err(BuildError::Start)?.success() {
        return Err(BuildError::Compile(sources.id.clone()));
    }
    let mut module = fs::read(&path).map_err(file(&path))?;
    embed(&mut module, &sources.kind).map_err(|problem| BuildError::Component { id: sources.id.clone(), problem })?;
    Ok((module, version))
}

/// `src/*.c`, by name.
fn c_files(plugin: &Path) -> std::io::Result<Vec<PathBuf>> {
    let names = fs::read_dir(plugin.join("src"))?.map(|entry| entry.map(|entry| Path::new("src").join(entry.file_name())));
    let mut names = names.collect::<Result<Vec<_>, _>>()?;
    names.retain(|name| name.extension().is_some_and(|extension| extension == "c"));
    names.sort();
    Ok(names)
}

/// What the plugin reads and writes, as the SDK's tables.
fn names(manifest: &Manifest) -> String {
    let mut text = String::from("/* Made of plugin.toml by the build. */\n");
    let kinds = ["enricher", "validator", "metric", "masker"];
    let kind = kinds.iter().position(|kind| **kind == *manifest.kind.as_str()).map_or(0, |place| place + 1);
    let fields = manifest.reads.iter().map(|read| (read.field.to_string(), read.ty));
    let keys = manifest.writes.iter().map(|write| (write.key.to_string(), write.ty));
    // Writing to a string cannot fail.
    for (place, kind) in kinds.iter().enumerate() {
        let _ = writeln!(text, "#define AT_{}_KIND {}", kind.to_uppercase(), place + 1);
    }
    let _ = writeln!(text, "#define AT_KIND {kind}");
    for (name, columns) in [("READ", fields.collect::<Vec<_>>()), ("WRITE", keys.collect())] {
        let _ = write!(text, "#define AT_{name}_COUNT {}\n#define AT_{name}S", columns.len());
        for (place, (name, ty)) in columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma} {{{}, {}, 0}}", c_literal(name), code(*ty));
        }
        text.push('\n');
    }
    text
}

fn c_literal(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        // Three digits: what follows cannot be taken for a fourth.
        other => format!("\\{other:03o}"),
    };
    format!("\"{}\"", text.bytes().map(byte).collect::<String>())
}

/// The kind of a column of this type (wit/README.md).
fn code(ty: FieldType) -> u16 {
    let kinds =
        [FieldType::Boolean, FieldType::Integer, FieldType::Real, FieldType::Time, FieldType::Text, FieldType::Json, FieldType::Bytes];
    kinds.iter().position(|kind| *kind == ty).map_or(0, |place| place as u16 + 1)
}

fn find(search_path: &str) -> Result<(&'static [&'static str], String), ToolchainError> {
    let found = COMPILERS.into_iter().find_map(|compiler| {
        let output = command(compiler, search_path).arg("--version").output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Some((compiler, format!("{} ({})", text.lines().next().unwrap_or_default().trim(), compiler.join(" "))))
    });
    found.ok_or(ToolchainError::NoCCompiler)
}

fn command(words: &[&str], search_path: &str) -> Command {
    let mut command = toolchain::command(Path::new(words.first().copied().unwrap_or_default()), search_path);
    command.args(words.iter().skip(1));
    command
}

/// Attaches the world of `kind`.
pub(crate) fn embed(module: &mut Vec<u8>, kind: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    for (name, text) in WIT {
        resolve.push_str(format!("{name}.wit"), text).map_err(|error| format!("{error:#}"))?;
    }
    let name = format!("{kind}-plugin");
    let world = resolve.worlds.iter().find(|(_, world)| world.name == name).map(|(id, _)| id);
    let world = world.ok_or_else(|| format!("there is no world `{name}`"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_command_that_gets_a_compiler() {
        assert!(find("").unwrap_err().to_string().contains("python3 -m pip install ziglang"));
    }
}
