//! A plugin that serves: the last steps of the load path, and what all kinds have in common.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use telemetry_model::outcome::PluginVersion;
use wasmtime::component::{Component, ComponentExportIndex, Linker};

use crate::breaker::Breaker;
use crate::call::{CallError, Callee};
use crate::candidate::Look;
use crate::counters::Counters;
use crate::engine::{Host, MAX_MEMORY};
use crate::guest::{Guest, GuestShared, Lookups, link};
use crate::journal::Recorder;
use crate::load::LoadError;
use crate::load::interface::export_of;
use crate::load::read::digest;
use crate::manifest::{Manifest, PluginKind};
use crate::ring::Ring;
use crate::settings::{Limits, NamedTables, PluginSettings};
use crate::wasi::{self, Granted, Waiting, covering};
use crate::wire::{WireError, clip};

/// CPU time of the start at load, nanoseconds: tables may be built, endless loops end.
const LOAD_BUDGET: u64 = 2_000_000_000;

/// The name under which a text plugin's rule stands in its configuration: none that a manifest can give.
const PROGRAM: &str = "";

/// A loaded plugin.
pub(crate) struct Plugin {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) version: Arc<PluginVersion>,
    /// A text plugin's rule.
    pub(crate) program: Option<Arc<str>>,
    /// JSON for `configure`.
    pub(crate) config: Box<str>,
    pub(crate) limits: CallLimits,
    pub(crate) callee: Callee,
    pub(crate) exports: Exports,
    pub(crate) ring: Arc<Ring>,
    pub(crate) counters: Counters,
    /// Notes what it is handed, if that is noted.
    recorder: RwLock<Option<Arc<Recorder>>>,
    breaker: Mutex<Breaker>,
}

/// Limits of one plugin's calls: what it asked for within the ceilings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CallLimits {
    /// Linear memory, bytes.
    pub memory_bytes: usize,
    /// CPU time of a batch before rows and bytes are added (a metric: of a query), milliseconds.
    pub deadline_ms: u64,
    /// What it may return, bytes.
    pub output_bytes: usize,
}

/// Where the functions of its interface are.
pub(crate) enum Exports {
    /// `configure` and `validate`, `enrich` or `mask`.
    Rows { configure: ComponentExportIndex, work: ComponentExportIndex },
    /// Of the resource `accumulator`.
    Metric {
        open: ComponentExportIndex,
        update: ComponentExportIndex,
        merge: ComponentExportIndex,
        state: ComponentExportIndex,
        evaluate: ComponentExportIndex,
    },
}

/// A plugin that may load: steps limits and configuration.
pub(crate) struct Asked {
    pub(crate) look: Look,
    config: String,
    limits: CallLimits,
    /// What makes it the same plugin as one that serves already.
    pub(crate) derivation: String,
}

impl Asked {
    /// What `look` is given.
    ///
    /// # Errors
    /// [`LoadError`] of these steps.
    pub(crate) fn new(look: Look, settings: &PluginSettings) -> Result<Self, LoadError> {
        let manifest = &look.manifest;
        let limits = call_limits(manifest, &settings.limits)?;
        let given = settings.config.get(&*manifest.id).cloned().unwrap_or_default();
        let mut config = manifest.config.fill(&given)?;
        if let Some(program) = &look.program {
            config.insert(PROGRAM.to_owned(), serde_json::Value::from(&**program));
        }
        let config = serde_json::Value::from(config).to_string();
        let grants = settings.grants.of(&manifest.id).map_or(&[][..], |grant| &grant.wasi);
        let wasi: Vec<&str> = manifest.capabilities.wasi.iter().filter_map(|part| covering(grants, part)).collect();
        let tables = tables(manifest, settings)?;
        let derivation = derivation(manifest, &look.digest, &config, &wasi, &tables);
        Ok(Asked { look, config, limits, derivation })
    }
}

impl Plugin {
    /// Steps link, instantiate and configure. Grants were decided and the component compiled before.
    ///
    /// # Errors
    /// [`LoadError`] of these steps.
    pub(crate) fn load(host: &Arc<Host>, settings: &PluginSettings, asked: Asked, component: &Component) -> Result<Self, LoadError> {
        let Asked { look, config, limits, derivation } = asked;
        let manifest = look.manifest;
        let ring = Arc::new(Ring::new(settings.limits.log_ring));
        let tables = tables(&manifest, settings)?;
        let shared = Arc::new(GuestShared {
            ring: Arc::clone(&ring),
            memory_limit: limits.memory_bytes,
            log_lines: settings.limits.log_lines,
            tables: tables.clone(),
            lookups: Lookups::default(),
            wasi: granted(&manifest, settings)?,
            peak_memory: AtomicUsize::new(0),
        });
        let exports = exports(&manifest, component)?;
        let mut linker = Linker::new(&host.engine);
        let failed = |error: wasmtime::Error| LoadError::Link(clip(&format!("{error:#}"), 512));
        link(&mut linker, !manifest.capabilities.lookup.is_empty()).map_err(failed)?;
        let waiting = waiting(&mut linker, &manifest, &settings.limits)?;
        let pre = linker.instantiate_pre(component).map_err(failed)?;
        let yields = manifest.kind == PluginKind::Metric;
        let callee = Callee { host: Arc::clone(host), pre, shared, output_limit: limits.output_bytes, yields, waiting };
        let version = Arc::new(PluginVersion {
            plugin_id: manifest.id.clone(),
            version: manifest.version.clone(),
            derivation: derivation.into(),
            digest: look.digest.as_ref().into(),
        });
        let grant = settings.grants.of(&manifest.id);
        let recorder = settings.journal_key.as_ref().map(|key| Arc::new(Recorder::new(key, &manifest, &version, &tables, grant)));
        let open_for = Duration::from_secs(settings.limits.breaker_open_s);
        let plugin = Plugin {
            breaker: Mutex::new(Breaker::new(&manifest.id, open_for, Instant::now())),
            recorder: RwLock::new(recorder),
            manifest,
            version,
            program: look.program,
            config: config.into(),
            limits,
            callee,
            exports,
            ring,
            counters: Counters::default(),
        };
        plugin.probe()?;
        Ok(plugin)
    }

    /// Notes what it is handed, if that is noted.
    pub(crate) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It goes on serving under what `settings` grant now.
    pub(crate) fn regrant(&self, settings: &PluginSettings) {
        let grant = settings.grants.of(&self.manifest.id);
        let tables = &self.callee.shared.tables;
        let recorder = |key| Arc::new(Recorder::new(key, &self.manifest, &self.version, tables, grant));
        let recorder = settings.journal_key.as_ref().map(recorder);
        let mut current = self.recorder.write().unwrap_or_else(PoisonError::into_inner);
        if !recorder.as_ref().zip(current.as_ref()).is_some_and(|(new, old)| new.is_same(old)) {
            *current = recorder;
        }
    }

    /// What it says of itself.
    pub(crate) fn look(&self) -> Look {
        Look { manifest: Arc::clone(&self.manifest), digest: (&*self.version.digest).into(), program: self.program.clone() }
    }

    /// Whether its calls may wait, and so hold a thread for a while.
    pub(crate) fn may_wait(&self) -> bool {
        self.callee.waiting.is_some()
    }

    /// Its breaker.
    pub(crate) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Instantiates and configures once, so that what cannot start is known at load.
    fn probe(&self) -> Result<(), LoadError> {
        let (started, used) = self.callee.start(LOAD_BUDGET);
        let mut live = started.map_err(|error| LoadError::Instantiate(error.to_string()))?;
        self.check_shapes(&mut live)?;
        let budget = LOAD_BUDGET.saturating_sub(used.0).max(1);
        let (done, _) = match &self.exports {
            Exports::Rows { .. } => self.callee.again(&mut live, budget, |live| self.configure(live)),
            Exports::Metric { .. } => {
                let defaults = self.manifest.parameters.fill(&serde_json::Map::new())?;
                let parameters = serde_json::Value::from(defaults).to_string();
                self.callee.again(&mut live, budget, |live| self.open_accumulator(live, &parameters).map(|opened| opened.map(|_| ())))
            }
        };
        match done {
            // A metric may want parameters that have no default.
            Err(CallError::Declined(_)) if self.manifest.kind == PluginKind::Metric => Ok(()),
            done => done.map_err(|error| LoadError::Configure(error.to_string())),
        }
    }

    /// Calls `configure`.
    pub(crate) fn configure(&self, live: &mut crate::call::Live) -> wasmtime::Result<Result<(), CallError>> {
        let Exports::Rows { configure, .. } = &self.exports else { return Ok(Ok(())) };
        let configure = live.instance.get_typed_func::<(&str,), (Result<(), WireError>,)>(&mut live.store, configure)?;
        let (answer,) = live.invoke(&configure, (&self.config,))?;
        Ok(answer.map_err(|error| CallError::Declined(error.into_message())))
    }
}

fn call_limits(manifest: &Manifest, limits: &Limits) -> Result<CallLimits, LoadError> {
    let (memory, deadline, output) = match manifest.kind {
        PluginKind::Metric => (limits.metric_memory, limits.metric_deadline_ms, limits.metric_output),
        _ => (limits.ingest_memory, limits.ingest_deadline_ms, limits.ingest_output),
    };
    let within = |what, asked: Option<u32>, ceiling: u64, unit: u64| match asked.map(u64::from) {
        Some(asked) if asked * unit > ceiling => Err(LoadError::Ceiling { what, asked, ceiling: ceiling / unit }),
        Some(asked) => Ok(asked * unit),
        None => Ok(ceiling),
    };
    let asked = &manifest.limits;
    Ok(CallLimits {
        memory_bytes: within("MiB of memory", asked.memory_mib, memory.min(MAX_MEMORY) as u64, 1 << 20)? as usize,
        deadline_ms: within("ms of CPU time", asked.deadline_ms, deadline, 1)?,
        output_bytes: within("MiB of output", asked.output_mib, output as u64, 1 << 20)? as usize,
    })
}

/// What it was granted of WASI.
fn granted(manifest: &Manifest, settings: &PluginSettings) -> Result<Option<Granted>, LoadError> {
    if manifest.capabilities.wasi.is_empty() {
        return Ok(None);
    }
    let grants = settings.grants.of(&manifest.id).map_or(&[][..], |grant| &grant.wasi);
    Granted::new(&manifest.capabilities, grants, &settings.environment).map(Some)
}

/// WASI, for a plugin that asks for it: it was granted then.
fn waiting(linker: &mut Linker<Guest>, manifest: &Manifest, limits: &Limits) -> Result<Option<Waiting>, LoadError> {
    if manifest.capabilities.wasi.is_empty() {
        return Ok(None);
    }
    wasi::link(linker).map_err(|error| LoadError::Link(clip(&format!("{error:#}"), 512)))?;
    Waiting::new(Duration::from_millis(limits.wasi_wall_ms))
        .map(Some)
        .map_err(|error| LoadError::Link(format!("a timer for WASI: {error}")))
}

fn tables(manifest: &Manifest, settings: &PluginSettings) -> Result<NamedTables, LoadError> {
    let asked = manifest.capabilities.lookup.iter();
    let found = asked.map(|name| match settings.tables.0.get(name) {
        Some(table) => Ok((name.clone(), Arc::clone(table))),
        None => Err(LoadError::NoTable(name.clone())),
    });
    found.collect()
}

fn exports(manifest: &Manifest, component: &Component) -> Result<Exports, LoadError> {
    let kind = manifest.kind.as_str();
    let name = export_of(kind);
    let missing = |function: &str| LoadError::Link(format!("`{name}` has no function `{function}`"));
    let interface = component.get_export_index(None, &*name).ok_or_else(|| missing("(any)"))?;
    let find = |function: &str| component.get_export_index(Some(&interface), function).ok_or_else(|| missing(function));
    match manifest.kind {
        PluginKind::Validator => Ok(Exports::Rows { configure: find("configure")?, work: find("validate")? }),
        PluginKind::Enricher => Ok(Exports::Rows { configure: find("configure")?, work: find("enrich")? }),
        PluginKind::Masker => Ok(Exports::Rows { configure: find("configure")?, work: find("mask")? }),
        PluginKind::Metric => Ok(Exports::Metric {
            open: find("[static]accumulator.open")?,
            update: find("[method]accumulator.update")?,
            merge: find("[method]accumulator.merge")?,
            state: find("[method]accumulator.state")?,
            evaluate: find("[method]accumulator.evaluate")?,
        }),
    }
}

/// What makes results comparable: code, configuration, fields seen, parts of WASI granted, contents of the tables.
fn derivation(manifest: &Manifest, code: &str, config: &str, wasi: &[&str], tables: &NamedTables) -> String {
    let fields: Vec<_> = manifest.reads.iter().map(|read| format!("{} {}", read.field, read.ty.as_str())).collect();
    let wasi: String = wasi.iter().map(|part| format!("\nwasi {part}")).collect();
    let tables: String = tables.iter().map(|(name, table)| format!("\nlookup {name} {}", table.digest())).collect();
    digest(format!("{code}\n{config}\n{}{wasi}{tables}", fields.join("\n")).as_bytes())
}
