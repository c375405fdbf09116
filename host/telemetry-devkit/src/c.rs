//! Plugins in C: one `src/plugin.c`, compiled without a library, with the world of its kind attached.

use std::fs;
use std::path::Path;
use std::process::Command;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::build::{BuildError, BuildSettings};
use crate::digest::{C_SOURCE, Sources};
use crate::toolchain::{self, ToolchainError};

/// The contract, as the devkit was built with it.
const WIT: [(&str, &str); 6] = [
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
pub(crate) fn compile(sources: &Sources, settings: &BuildSettings) -> Result<(Vec<u8>, String), BuildError> {
    let (compiler, version) = find(&settings.search_path)?;
    let folder = settings.target_dir.join("c");
    let path = folder.join(format!("{}.wasm", sources.id));
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| BuildError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    let target = if compiler.contains(&"cc") { ["-target", "wasm32-freestanding"] } else { ["-target", "wasm32-unknown-unknown"] };
    let mut command = command(compiler, &settings.search_path);
    command.args(target).args(FLAGS).arg("-o").arg(&path).arg(C_SOURCE).current_dir(&sources.plugin);
    if !command.status().map_err(BuildError::Start)?.success() {
        return Err(BuildError::Compile(sources.id.clone()));
    }
    let mut module = fs::read(&path).map_err(file(&path))?;
    embed(&mut module, &sources.kind).map_err(|problem| BuildError::Component { id: sources.id.clone(), problem })?;
    Ok((module, version))
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
