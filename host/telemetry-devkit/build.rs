//! Compiles what is loaded into the tool for JavaScript (`src/still.c`): a shared library for Linux of 64 bits, and an empty file elsewhere.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/still.c");
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let library = folder.join("still.so");
    let target = |name: &str, value: &str| env::var_os(name).is_some_and(|has| has == value);
    let is_linux = target("CARGO_CFG_TARGET_OS", "linux") && target("CARGO_CFG_TARGET_POINTER_WIDTH", "64");
    if !(is_linux && compile(&library)) {
        if is_linux {
            println!("cargo::warning=src/still.c does not compile: components of JavaScript will not be reproducible");
        }
        fs::write(&library, [])?;
    }
    Ok(())
}

/// Without a C library, so that it fits a tool with any.
fn compile(library: &Path) -> bool {
    let Ok(compiler) = cc::Build::new().opt_level(2).debug(false).pic(true).try_get_compiler() else { return false };
    let mut command = compiler.to_command();
    command.args(["-shared", "-nostdlib", "-fno-builtin", "-Wall", "-Wl,--strip-all", "-o"]).arg(library).arg("src/still.c");
    command.status().is_ok_and(|status| status.success())
}
