//! A folder to work in, with a home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub code: i32,
}

/// An empty folder that stands for a user's machine.
pub struct Desk(tempfile::TempDir);

/// The compiled shipped plugins, for all tests of this process.
static COMPILED: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

impl Desk {
    pub fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs `cylestio-server` with the words of `line` in this folder.
    pub fn run(&self, line: &str) -> Said {
        self.run_with(line, &[])
    }

    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cylestio-server"));
        command.args(line.split_whitespace()).current_dir(self.0.path()).env_clear();
        command.env("HOME", self.path("home")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("ZIG_GLOBAL_CACHE_DIR", COMPILED.path().join("zig"))
            .env("XDG_CACHE_HOME", COMPILED.path())
            .env("XDG_STATE_HOME", COMPILED.path().join("state"));
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap() }
    }

    /// Copies a plugin of this repository, such as `examples/slow-calls`: manifest, cases and component.
    pub fn copy(&self, plugin: &str) -> PathBuf {
        let from = repository().join("plugins").join(plugin);
        let id = from.file_name().unwrap().to_str().unwrap().to_owned();
        for name in ["plugin.toml".to_owned(), format!("{id}.wasm")] {
            self.write(&format!("{id}/{name}"), fs::read(from.join(name)).unwrap());
        }
        for case in fs::read_dir(from.join("cases")).unwrap() {
            let case = case.unwrap();
            self.write(&format!("{id}/cases/{}", case.file_name().to_str().unwrap()), fs::read(case.path()).unwrap());
        }
        // The package of a copy is read for its name only.
        let package = format!("[package]\nname = \"{id}\"\n");
        self.write(&format!("{id}/Cargo.toml"), package);
        self.path(&id)
    }

    /// The names of everything directly in this folder.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A component of this repository.
pub fn component(plugin: &str) -> Vec<u8> {
    let folder = repository().join("plugins").join(plugin);
    fs::read(folder.join(folder.file_name().unwrap()).with_extension("wasm")).unwrap()
}
