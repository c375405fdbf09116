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
    /// `/usr/bin/cargo`, building the standard library from `rust-web-src`.
    BuildStd {
        /// The linker.
        linker: PathBuf,
    },
}

/// Why no guest can be compiled here.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Nothing that fits is installed.
    #[error(
        "no compiler for {TARGET} found; run `rustup target add {TARGET}`, or on Debian \
         `apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld-22`"
    )]
    NotFound,
    /// Nothing that compiles C for WebAssembly.
    #[error("no C compiler for wasm32 found; run `pip install ziglang`, or install zig or clang with lld")]
    NoCCompiler,
    /// The compiler does not say its version.
    #[error("cannot run `{0}`")]
    Version(String, #[source] std::io::Error),
}

impl Toolchain {
    /// The first that is there.
    ///
    /// # Errors
    /// [`ToolchainError::NotFound`] names the commands that get one.
    pub fn find() -> Result<Self, ToolchainError> {
        let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
        let installed =
            libraries.is_ok_and(|output| output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
        if installed {
            return Ok(Toolchain::Installed);
        }
        let sources = Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
        let linker = ["/usr/bin/wasm-ld", "/usr/bin/wasm-ld-22", "/usr/bin/wasm-ld-21", "/usr/bin/wasm-ld-20", "/usr/bin/wasm-ld-19"]
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists());
        match linker {
            Some(linker) if sources.exists() && Path::new("/usr/bin/cargo").exists() => Ok(Toolchain::BuildStd { linker }),
            _ => Err(ToolchainError::NotFound),
        }
    }

    /// The version of the compiler, and how it comes by its standard library.
    ///
    /// # Errors
    /// When the compiler cannot be run.
    pub fn describe(&self) -> Result<String, ToolchainError> {
        let (rustc, library) = match self {
            Toolchain::Installed => ("rustc", TARGET),
            Toolchain::BuildStd { .. } => ("/usr/bin/rustc", "wasm32-unknown-unknown, build-std"),
        };
        let output = Command::new(rustc).arg("--version").output().map_err(|error| ToolchainError::Version(rustc.to_owned(), error))?;
        Ok(format!("{} ({library})", String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// `cargo rustc` for the package in the current folder; `search_path` is the PATH to put the compiler's folder in front of.
    pub fn command(&self, search_path: &str) -> Command {
        match self {
            Toolchain::Installed => {
                let mut command = Command::new("cargo");
                command.args(["rustc", "--release", "--lib", "--target", TARGET]);
                command
            }
            Toolchain::BuildStd { linker } => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .args(["rustc", "--release", "--lib", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
                    .env("PATH", format!("/usr/bin:{search_path}"))
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
