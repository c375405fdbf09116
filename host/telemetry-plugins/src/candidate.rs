//! What may become a plugin: the shipped components and the files of the drop-in folder, looked at but not compiled.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::load::{Form, LoadError, inspect_as, read};
use crate::manifest::Manifest;
use crate::plugin::Plugin;
use crate::settings::PluginSettings;
use crate::shipped::SHIPPED;
use crate::status::{Entry, EntryState, Origin};

/// Something that may become a plugin.
pub(crate) struct Candidate {
    pub(crate) origin: Origin,
    /// A shipped plugin's id, a file's name without its ending.
    pub(crate) name: String,
    pub(crate) stamp: Option<Stamp>,
    /// What stands there now.
    pub(crate) look: Result<Look, Arc<LoadError>>,
    /// Its bytes, where they were read just now.
    pub(crate) bytes: Option<Cow<'static, [u8]>>,
    /// What served from this place so far, and may go on in place of a file that does not load.
    pub(crate) before: Option<Arc<Plugin>>,
    /// Why `before` goes on.
    pub(crate) held: Option<EntryState>,
    pub(crate) step: Step,
}

/// How far a candidate has come.
pub(crate) enum Step {
    /// It is in the running.
    Asks,
    /// It is decided.
    Ended(EntryState),
}

/// What a component says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) manifest: Arc<Manifest>,
    /// SHA-256, hex: of the file, of a text plugin with the component that runs it.
    pub(crate) digest: Arc<str>,
    /// A text plugin's rule.
    pub(crate) program: Option<Arc<str>>,
}

/// What a file looks like from outside: one with the same stamp is not read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of `path`, links not followed; `None` when it cannot be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::symlink_metadata(path).ok()?;
        Some(Stamp {
            place: (meta.dev(), meta.ino()),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// The operator's own files, which may lie in the drop-in folder too.
const NO_PLUGINS: [&str; 2] = ["grants.toml", "switches.toml"];

/// The top-level `*.wasm` and `*.toml` of the drop-in folder, by name; none when it is not there.
///
/// # Errors
/// When the folder cannot be read.
pub fn plugin_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_plugin = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm" || extension == "toml");
    let is_other = |path: &PathBuf| path.file_name().is_some_and(|name| NO_PLUGINS.iter().any(|other| name == *other));
    let mut paths: Vec<_> = paths.filter(|path| is_plugin(path) && !is_other(path)).collect();
    paths.sort();
    Ok(paths)
}

/// Every candidate: shipped, then files by name. Of `before` is taken what did not change: a shipped component, a file with the
/// same stamp.
pub(crate) fn find(settings: &PluginSettings, before: &[Entry]) -> Vec<Candidate> {
    let mut found = Vec::new();
    if !settings.without_shipped {
        found.extend(SHIPPED.iter().map(|shipped| shipped_candidate(shipped.id, shipped.wasm, before)));
    }
    let files = settings.path.as_deref().map(plugin_files).unwrap_or(Ok(Vec::new())).unwrap_or_else(|error| {
        tracing::warn!(error = %error, "drop-in folder not readable");
        Vec::new()
    });
    let dropped = |path: &PathBuf| file_candidate(path, settings.limits.max_file, before);
    let Some(candidate) = &settings.candidate else {
        found.extend(files.iter().map(dropped));
        return found;
    };
    let candidate = dropped(candidate);
    let is_other = |other: &Candidate| match (&other.look, &candidate.look) {
        (Ok(other), Ok(candidate)) => other.manifest.id != candidate.manifest.id,
        _ => true,
    };
    let others = files.iter().filter(|path| settings.candidate.as_ref().is_some_and(|other| path.file_name() != other.file_name()));
    found.extend(others.map(dropped).filter(is_other));
    found.push(candidate);
    found
}

fn shipped_candidate(id: &str, wasm: &'static [u8], before: &[Entry]) -> Candidate {
    let known = before.iter().find(|entry| entry.origin == Origin::Shipped && entry.name == id);
    let look = known.map_or_else(|| look(Form::Component, wasm), |entry| entry.look.clone());
    candidate(Origin::Shipped, id.to_owned(), None, look, Some(Cow::Borrowed(wasm)), known)
}

fn file_candidate(path: &Path, limit: u64, before: &[Entry]) -> Candidate {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let origin = Origin::File(file);
    let known = before.iter().find(|entry| entry.origin == origin);
    // Taken before the bytes are: a file that changes meanwhile has another stamp the next time.
    let stamp = Stamp::of(path);
    if let Some(entry) = known
        && stamp.is_some()
        && entry.stamp == stamp
    {
        return candidate(origin, name, stamp, entry.look.clone(), None, known);
    }
    match read::file(path, limit) {
        Ok(bytes) => {
            let look = look(Form::of(path), &bytes);
            candidate(origin, name, stamp, look, Some(Cow::Owned(bytes)), known)
        }
        Err(error) => candidate(origin, name, None, Err(Arc::new(error)), None, known),
    }
}

fn look(form: Form, bytes: &[u8]) -> Result<Look, Arc<LoadError>> {
    let inspected = inspect_as(form, bytes).map_err(Arc::new)?;
    Ok(Look { manifest: Arc::new(inspected.manifest), digest: inspected.digest.into(), program: inspected.program })
}

fn candidate(
    origin: Origin,
    name: String,
    stamp: Option<Stamp>,
    look: Result<Look, Arc<LoadError>>,
    bytes: Option<Cow<'static, [u8]>>,
    known: Option<&Entry>,
) -> Candidate {
    let before = known.and_then(|entry| match &entry.state {
        EntryState::Serving(plugin) => Some(Arc::clone(plugin)),
        _ => None,
    });
    Candidate { origin, name, stamp, look, bytes, before, held: None, step: Step::Asks }
}

impl Candidate {
    /// Begins again: everyone who can be read is in the running.
    pub(crate) fn begin(&mut self) {
        self.step = match (&self.look, &self.held) {
            (Err(error), None) => Step::Ended(EntryState::Refused(Arc::clone(error))),
            _ => Step::Asks,
        };
    }

    /// It is decided.
    pub(crate) fn end(&mut self, state: EntryState) {
        self.step = Step::Ended(state);
    }

    /// What it claims to be: the file, or what goes on in its place.
    pub(crate) fn claim(&self) -> Option<Look> {
        match (&self.held, &self.before) {
            (Some(_), Some(before)) => Some(before.look()),
            _ => self.look.as_ref().ok().cloned(),
        }
    }

    /// Its manifest, while it is in the running.
    pub(crate) fn manifest(&self) -> Option<Arc<Manifest>> {
        match self.step {
            Step::Asks => self.claim().map(|claim| claim.manifest),
            Step::Ended(_) => None,
        }
    }

    /// Whether the very same component served so far.
    pub(crate) fn served(&self) -> bool {
        match (&self.before, self.claim()) {
            (Some(before), Some(claim)) => *before.version.digest == *claim.digest,
            _ => false,
        }
    }

    /// Whether it came to nothing although another version served, which may go on.
    pub(crate) fn may_fall_back(&self) -> bool {
        let failed = matches!(&self.step, Step::Ended(EntryState::Refused(_) | EntryState::Compiling));
        failed && self.held.is_none() && self.before.is_some() && !self.served()
    }

    /// Lets the version that served go on.
    pub(crate) fn fall_back(&mut self) {
        if let Step::Ended(state) = std::mem::replace(&mut self.step, Step::Asks) {
            self.held = Some(state);
        }
    }
}
