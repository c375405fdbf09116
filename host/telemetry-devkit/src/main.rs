//! `telemetry-devkit build <plugin folder>..`: compiles plugins to components.
#![allow(clippy::disallowed_methods, reason = "the edge that reads the environment")]

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use telemetry_devkit::{BuildSettings, build};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some("build") || arguments.len() == 0 {
        say("usage: telemetry-devkit build <plugin folder>..");
        return ExitCode::from(2);
    }
    let settings = settings();
    for folder in arguments {
        match build(&PathBuf::from(&folder), &settings) {
            Ok(built) => say(&format!("{} ({} bytes, source {})", built.path.display(), built.component.len(), built.note.source_sha256)),
            Err(error) => {
                let mut text = format!("{folder}: {error}");
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    text.push_str(&format!(": {error}"));
                    cause = error.source();
                }
                say(&text);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// `CYLESTIO_GUEST_TARGET_DIR`, else a folder in the cache; `CARGO_BUILD_JOBS` is cargo's own.
fn settings() -> BuildSettings {
    let home = env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    BuildSettings {
        target_dir: env::var_os("CYLESTIO_GUEST_TARGET_DIR").map_or_else(|| cache.join("cylestio-server/guests"), PathBuf::from),
        cargo_home: env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from),
        search_path: env::var("PATH").unwrap_or_default(),
        jobs: None,
        locked: false,
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
