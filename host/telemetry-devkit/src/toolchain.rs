//! The compiler for guests: an installed rustup target, else Debian's cargo, which can build the standard library itself.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The only target: no imports of its own.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A way to compile guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// `cargo` of the search path, with the target installed.
    Installed,
    /// The system's own `cargo`, building the standard library from `rust-web-src`.
    BuildStd {
        /// The folder of `cargo` and `rustc`.
        programs: PathBuf,
        /// The linker.
        linker: PathBuf,
    },
}

const GET_C: &str = "get one with `python3 -m pip install ziglang` (also in a `.venv` of the plugin's folder), or on Debian with \
     `apt-get install --no-install-recommends clang lld`; `zig` on the PATH does as well";

/// Why no guest can be compiled here.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Nothing that fits is installed.
    #[error(
        "no Rust compiler for {TARGET} found; get one with `rustup target add {TARGET}`, or on Debian with \
         `apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld-22`"
    )]
    NotFound,
    /// Nothing that compiles C for WebAssembly.
    #[error("no C compiler for WebAssembly found; {GET_C}")]
    NoCCompiler,
    /// There is a clang, but without the target or the linker; the text is its own.
    #[error("no C compiler for WebAssembly found: `clang` says `{0}`; {GET_C}")]
    UnfitClang(String),
    /// Nothing that makes components of JavaScript.
    #[error(
        "no componentize-qjs found; get it with `npm install componentize-qjs` in the plugin's folder, or `npm install -g componentize-qjs`"
    )]
    NoJavaScript,
    /// Nothing that makes components of Python.
    #[error(
        "no componentize-py found; get it with `python3 -m pip install componentize-py`, in a `.venv` of the plugin's folder or on the PATH"
    )]
    NoPython,
    /// The compiler does not say its version.
    #[error("cannot run `{0}`")]
    Version(String, #[source] std::io::Error),
}

impl Toolchain {
    /// The first that is there: on the search path, then in the system's folders.
    ///
    /// # Errors
    /// [`ToolchainError::NotFound`] names the commands that get one.
    pub fn find(search_path: &str, system: &Path) -> Result<Self, ToolchainError> {
        let libraries = command(Path::new("rustc"), search_path).args(["--print", "target-libdir", "--target", TARGET]).output();
        let installed =
            libraries.is_ok_and(|output| output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
        if installed {
            return Ok(Toolchain::Installed);
        }
        let programs = system.join("usr/bin");
        let sources = system.join("usr/lib/rustlib/src/rust/library/std/Cargo.toml");
        let linkers = ["wasm-ld", "wasm-ld-22", "wasm-ld-21", "wasm-ld-20", "wasm-ld-19"];
        let linker = linkers.into_iter().map(|name| programs.join(name)).find(|path| path.exists());
        match linker {
            Some(linker) if sources.exists() && programs.join("cargo").exists() => Ok(Toolchain::BuildStd { programs, linker }),
            _ => Err(ToolchainError::NotFound),
        }
    }

    /// The version of the compiler, and how it comes by its standard library.
    ///
    /// # Errors
    /// When the compiler cannot be run.
    pub fn describe(&self, search_path: &str) -> Result<String, ToolchainError> {
        let (rustc, library) = match self {
            Toolchain::Installed => (PathBuf::from("rustc"), TARGET),
            Toolchain::BuildStd { programs, .. } => (programs.join("rustc"), "wasm32-unknown-unknown, build-std"),
        };
        let output = command(&rustc, search_path).arg("--version").output();
        let output = output.map_err(|error| ToolchainError::Version(rustc.display().to_string(), error))?;
        Ok(format!("{} ({library})", String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// `cargo rustc` for the package in the current folder; `search_path` is the PATH to put the compiler's folder in front of.
    pub fn command(&self, search_path: &str) -> Command {
        match self {
            Toolchain::Installed => {
                let mut command = command(Path::new("cargo"), search_path);
                command.args(["rustc", "--release", "--lib", "--target", TARGET]);
                command
            }
            Toolchain::BuildStd { programs, linker } => {
                let mut command = command(&programs.join("cargo"), &format!("{}:{search_path}", programs.display()));
                command
                    .args(["rustc", "--release", "--lib", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("RUSTC");
                command
            }
        }
    }
}

/// `program`, looked for and run with this PATH.
pub(crate) fn command(program: &Path, search_path: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_command_that_gets_a_compiler() {
        let nothing = tempfile::tempdir().unwrap();
        let error = Toolchain::find("", nothing.path()).unwrap_err().to_string();
        for command in ["rustup target add wasm32-unknown-unknown", "apt-get install --no-install-recommends rustc-web"] {
            assert!(error.contains(command), "{error}");
        }
    }
}
