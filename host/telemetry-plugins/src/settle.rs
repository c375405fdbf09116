//! From candidates to what serves: judge, reuse, compile, load, and fall back to what served before, until nothing changes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use wasmtime::component::Component;

use crate::builds::Builds;
use crate::cache::{Cache, CacheError};
use crate::candidate::{Candidate, Look, Step, find};
use crate::engine::Host;
use crate::grants::DerivedClasses;
use crate::load::{LoadError, read, script_digest};
use crate::open::judge;
use crate::plugin::{Asked, Plugin};
use crate::settings::PluginSettings;
use crate::shipped::SCRIPT;
use crate::status::{Entry, EntryState, Origin};
use crate::wire::clip;

/// What components are compiled and run with.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub(crate) host: Arc<Host>,
    pub(crate) cache: Option<Arc<Cache>>,
    /// Compiles what is dropped in; without it that is done here.
    pub(crate) builds: Option<Arc<Builds>>,
    /// The component that runs rules, once a text plugin wants it: one for all of them.
    script: OnceLock<Component>,
}

impl Workshop {
    pub(crate) fn new(host: Arc<Host>, cache: Option<Arc<Cache>>, builds: Option<Arc<Builds>>) -> Self {
        Workshop { host, cache, builds, script: OnceLock::new() }
    }

    fn script(&self) -> Result<Component, LoadError> {
        if let Some(script) = self.script.get() {
            return Ok(script.clone());
        }
        let script = compile(&self.host, self.cache.as_deref(), SCRIPT.id, script_digest(), SCRIPT.wasm)?;
        Ok(self.script.get_or_init(|| script).clone())
    }
}

/// Plugins by derivation: what is the same stays, with its counters, breaker and log.
type Known = BTreeMap<Box<str>, Arc<Plugin>>;

/// Every plugin there is, in the order: shipped, then files by name; enrichers among themselves in the order in which they run.
pub(crate) fn settle(workshop: &Workshop, settings: &PluginSettings, before: &[Entry]) -> (Vec<Entry>, DerivedClasses) {
    let mut candidates = find(settings, before);
    let mut known: Known = before.iter().filter_map(serving).collect();
    loop {
        let derived = judge(&mut candidates, settings);
        load(workshop, settings, &mut candidates, &known);
        known.extend(candidates.iter().filter_map(|candidate| match &candidate.step {
            Step::Ended(EntryState::Serving(plugin)) => Some((plugin.version.derivation.clone(), Arc::clone(plugin))),
            _ => None,
        }));
        if !fall_back(&mut candidates) {
            return (candidates.into_iter().filter_map(entry).collect(), derived);
        }
    }
}

fn serving(entry: &Entry) -> Option<(Box<str>, Arc<Plugin>)> {
    match &entry.state {
        EntryState::Serving(plugin) => Some((plugin.version.derivation.clone(), Arc::clone(plugin))),
        _ => None,
    }
}

/// Lets former versions go on in place of files that came to nothing. Those that stand in another's way wait for the others: what
/// is in their way may be gone then.
fn fall_back(candidates: &mut [Candidate]) -> bool {
    let conflict = |candidate: &&mut Candidate| matches!(&candidate.step, Step::Ended(EntryState::Refused(error)) if matches!(**error, LoadError::Conflict(_) | LoadError::Grants(_)));
    let (in_the_way, mut others): (Vec<_>, Vec<_>) =
        candidates.iter_mut().filter(|candidate| candidate.may_fall_back()).partition(conflict);
    if others.is_empty() {
        others.extend(in_the_way.into_iter().take(1));
    }
    let any = !others.is_empty();
    others.into_iter().for_each(Candidate::fall_back);
    any
}

fn entry(candidate: Candidate) -> Option<Entry> {
    let Candidate { origin, name, stamp, look, held, step, .. } = candidate;
    match step {
        Step::Ended(state) => Some(Entry { origin, name, stamp, look, state, held }),
        Step::Asks => None,
    }
}

/// The last steps of all candidates in the running, on as many threads as there are cores.
fn load(workshop: &Workshop, settings: &PluginSettings, candidates: &mut [Candidate], known: &Known) {
    let asking: Vec<&mut Candidate> = candidates.iter_mut().filter(|candidate| matches!(candidate.step, Step::Asks)).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(asking.len());
    let queue = Mutex::new(asking.into_iter());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(candidate) = next else { break };
                    let state = load_one(workshop, settings, candidate, known);
                    candidate.end(state.unwrap_or_else(|error| EntryState::Refused(Arc::new(error))));
                }
            });
        }
    });
}

fn load_one(workshop: &Workshop, settings: &PluginSettings, candidate: &Candidate, known: &Known) -> Result<EntryState, LoadError> {
    let Some(look) = candidate.claim() else { return Ok(EntryState::SwitchedOff) };
    let asked = Asked::new(look, settings)?;
    if let Some(plugin) = known.get(&*asked.derivation) {
        plugin.regrant(settings);
        return Ok(EntryState::Serving(Arc::clone(plugin)));
    }
    match component(workshop, settings, candidate, &asked.look)? {
        Some(component) => {
            let digest = Arc::clone(&asked.look.digest);
            let plugin = Plugin::load(&workshop.host, settings, asked, &component);
            if let Some(builds) = &workshop.builds {
                builds.taken(&digest);
            }
            plugin.map(|plugin| EntryState::Serving(Arc::new(plugin)))
        }
        None => Ok(EntryState::Compiling),
    }
}

/// From the cache when it has a trustworthy entry, else compiled and kept; `None` while that is under way.
fn component(workshop: &Workshop, settings: &PluginSettings, candidate: &Candidate, look: &Look) -> Result<Option<Component>, LoadError> {
    if look.program.is_some() {
        return workshop.script().map(Some);
    }
    let Workshop { host, cache, builds, .. } = workshop;
    let id = &*look.manifest.id;
    if let Some(component) = cache.as_deref().and_then(|cache| cached(host, cache, id, &look.digest)) {
        return Ok(Some(component));
    }
    let wasm = bytes(settings, candidate, look)?;
    if let (Some(builds), Origin::File(_)) = (builds, &candidate.origin) {
        return builds.component(&look.digest, || wasm.into_owned()).map_err(LoadError::Compile);
    }
    compile_and_keep(host, cache.as_deref(), id, &look.digest, &wasm).map(Some)
}

/// From the cache when it has a trustworthy entry, else compiled here and kept.
///
/// # Errors
/// [`LoadError::Compile`].
pub(crate) fn compile(host: &Host, cache: Option<&Cache>, id: &str, digest: &str, wasm: &[u8]) -> Result<Component, LoadError> {
    match cache.and_then(|cache| cached(host, cache, id, digest)) {
        Some(component) => Ok(component),
        None => compile_and_keep(host, cache, id, digest, wasm),
    }
}

fn cached(host: &Host, cache: &Cache, id: &str, digest: &str) -> Option<Component> {
    match cache.load(&host.engine, digest) {
        Ok(component) => return Some(component),
        Err(CacheError::Absent) => {}
        Err(error) => tracing::warn!(plugin.id = id, error = %error, "cached component not trusted, compiling again"),
    }
    None
}

fn compile_and_keep(host: &Host, cache: Option<&Cache>, id: &str, digest: &str, wasm: &[u8]) -> Result<Component, LoadError> {
    // The compiler panics on some components that pass its checks; that is no more than a component that does not load.
    let compiled = catch_unwind(AssertUnwindSafe(|| Component::from_binary(&host.engine, wasm)));
    let compiled = compiled.unwrap_or_else(|_| Err(wasmtime::Error::msg("the compiler cannot handle this component")));
    let component = compiled.map_err(|error| LoadError::Compile(clip(&format!("{error:#}"), 512)))?;
    if let Some(cache) = cache
        && let Err(error) = cache.store(digest, &component)
    {
        tracing::warn!(plugin.id = id, error = %error, "compiled component not cached");
    }
    Ok(component)
}

/// The component's bytes; of a file that was not read this time they are read again.
fn bytes<'a>(settings: &PluginSettings, candidate: &'a Candidate, look: &Look) -> Result<std::borrow::Cow<'a, [u8]>, LoadError> {
    if let (Some(bytes), None) = (&candidate.bytes, &candidate.held) {
        return Ok(std::borrow::Cow::Borrowed(bytes));
    }
    let Origin::File(file) = &candidate.origin else { return Err(LoadError::Changed(candidate.name.clone())) };
    let path = settings.path.as_deref().unwrap_or(Path::new("")).join(file);
    let bytes = read::file(&path, settings.limits.max_file)?;
    if read::digest(&bytes) == *look.digest { Ok(bytes.into()) } else { Err(LoadError::Changed(file.clone())) }
}
