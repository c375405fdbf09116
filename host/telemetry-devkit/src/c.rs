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

/// Programs that compile C for WebAssembly with their first arguments, in the order in which they are tried; a path is one in the plugin's
/// folder.
const COMPILERS: [(&str, &[&str]); 4] =
    [(".venv/bin/python3", &["-m", "ziglang", "cc"]), ("python3", &["-m", "ziglang", "cc"]), ("zig", &["cc"]), ("clang", &[])];

const FLAGS: [&str; 8] =
    ["-O2", "-mbulk-memory", "-nostdlib", "-ffreestanding", "-Wall", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536"];

/// A core module with the metadata that makes a component of it, and the compiler's name.
pub(crate) fn compile(sources: &Sources, manifest: &Manifest, settings: &BuildSettings) -> Result<(Vec<u8>, String), BuildError> {
    let compiler = find(&sources.plugin, &settings.search_path)?;
    let folder = settings.target_dir.join("c").join(&sources.id);
    let path = folder.join(format!("{}.wasm", sources.id));
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| BuildError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    let mut command = compiler.command(&settings.search_path);
    command.args(compiler.target()).args(FLAGS).arg("-o").arg(&path).current_dir(&sources.plugin);
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
    Ok((module, compiler.version))
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

/// A way to compile C.
#[derive(Debug)]
struct Compiler {
    program: PathBuf,
    arguments: &'static [&'static str],
    /// What it says of itself, and its command.
    version: String,
}

impl Compiler {
    fn command(&self, search_path: &str) -> Command {
        let mut command = toolchain::command(&self.program, search_path);
        command.args(self.arguments);
        command
    }

    fn target(&self) -> [&'static str; 2] {
        let is_clang = self.arguments.is_empty();
        ["-target", if is_clang { "wasm32-unknown-unknown" } else { "wasm32-freestanding" }]
    }

    /// Makes an empty module. Zig brings all that it takes; a clang may lack the target or the linker, which only linking shows.
    ///
    /// # Errors
    /// Its own words.
    fn trial(&self, search_path: &str) -> Result<(), String> {
        if !self.arguments.is_empty() {
            return Ok(());
        }
        let empty = ["-nostdlib", "-Wl,--no-entry", "-x", "c", "/dev/null", "-o", "/dev/null"];
        let output = self.command(search_path).args(self.target()).args(empty).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().find(|line| line.contains("error")).or_else(|| said.lines().next()).unwrap_or_default();
        if output.status.success() { Ok(()) } else { Err(reason.trim().to_owned()) }
    }
}

fn find(plugin: &Path, search_path: &str) -> Result<Compiler, ToolchainError> {
    let mut unfit = None;
    for (name, arguments) in COMPILERS {
        let program = if name.contains('/') { plugin.join(name) } else { PathBuf::from(name) };
        let mut compiler = Compiler { program, arguments, version: String::new() };
        let output = compiler.command(search_path).arg("--version").output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else { continue };
        let words: Vec<&str> = name.rsplit('/').take(1).chain(arguments.iter().copied()).collect();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        compiler.version = format!("{} ({})", said.lines().next().unwrap_or_default().trim(), words.join(" "));
        match compiler.trial(search_path) {
            Ok(()) => return Ok(compiler),
            Err(reason) => unfit = Some(reason),
        }
    }
    Err(unfit.map_or(ToolchainError::NoCCompiler, ToolchainError::UnfitClang))
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

    const COMMANDS: [&str; 2] = ["python3 -m pip install ziglang", "apt-get install --no-install-recommends clang lld"];

    /// What is found where all that there is is a `program` that tells its version and runs `text` for everything else.
    fn found_with(program: &str, text: &str) -> Result<Compiler, ToolchainError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(program);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let script = format!("#!/bin/sh\nif [ \"$*\" != \"${{*%--version}}\" ]; then echo it 1.0; exit 0; fi\n{text}\n");
        // By another process: a file that this one has open for writing while a test beside it forks cannot be run.
        let write = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""];
        assert!(Command::new("sh").args(write).arg(&path).arg(script).status().unwrap().success());
        find(folder.path(), &folder.path().display().to_string())
    }

    #[test]
    fn names_the_command_that_gets_a_compiler() {
        let error = find(Path::new("/nowhere"), "").unwrap_err().to_string();
        assert!(COMMANDS.iter().all(|command| error.contains(command)), "{error}");
    }

    #[test]
    fn a_clang_that_cannot_make_webassembly_is_no_compiler_for_it() {
        for said in [
            "clang: error: unable to execute command: Executable \"wasm-ld\" doesn't exist!",
            "error: unable to create target: 'No available targets are compatible with triple \"wasm32-unknown-unknown\"'",
        ] {
            let error = found_with("clang", &format!("echo '{}' >&2; exit 1", said.replace('\'', "'\\''"))).unwrap_err().to_string();
            assert!(error.starts_with("no C compiler for WebAssembly found"), "{error}");
            assert!(error.contains(said) && COMMANDS.iter().all(|command| error.contains(command)), "{error}");
        }
    }

    #[test]
    fn finds_a_clang_that_links_and_a_python_beside_the_plugin() {
        assert_eq!(found_with("clang", "exit 0").unwrap().version, "it 1.0 (clang)");
        assert_eq!(found_with(".venv/bin/python3", "exit 1").unwrap().version, "it 1.0 (python3 -m ziglang cc)");
    }
}
