//! What serves now, and how it changes while the server runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::builds::Builds;
use crate::catalog::{Catalog, CatalogError};
use crate::engine::Host;
use crate::open::cache;
use crate::settings::PluginSettings;
use crate::settle::Workshop;

/// How long a start waits for small components to be compiled; they serve when they are, whatever it is then.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a change does.
const PATIENCE: Duration = Duration::from_secs(1);

/// The catalog in force. A unit of work takes it once and finishes on it, whatever is loaded meanwhile.
pub struct Registry {
    workshop: Workshop,
    current: RwLock<Arc<Catalog>>,
    /// One change at a time.
    changing: Mutex<()>,
    hooks: Mutex<Vec<Hook>>,
}

/// Told of a catalog that has come into force.
type Hook = Box<dyn Fn(&Catalog) + Send + Sync>;

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("current", &self.current()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Loads what [`Catalog::open`] does. With a compiler dropped-in files that are not in the cache are compiled apart: small ones
    /// before this returns, large ones show as compiling. `built` is called whenever one is ready, and should lead to
    /// [`Registry::reload`].
    ///
    /// # Errors
    /// Only when there can be no engine.
    pub fn open(settings: &PluginSettings, built: impl Fn() + Send + Sync + 'static) -> Result<Self, CatalogError> {
        let host = Arc::new(Host::new().map_err(|error| CatalogError::Engine(format!("{error:#}")))?);
        let cache = cache(settings, &host).map(Arc::new);
        let builds = settings.compiler.clone().map(|compiler| {
            let (host, cache) = (Arc::clone(&host), cache.clone());
            Arc::new(Builds::new(host, cache, compiler, Box::new(built)))
        });
        let workshop = Workshop::new(host, cache, builds);
        let mut catalog = Catalog::settled(&workshop, settings, None);
        if let Some(builds) = &workshop.builds
            && catalog.is_compiling()
        {
            builds.wait_for_small(START_PATIENCE);
            catalog = Catalog::settled(&workshop, settings, Some(&catalog));
        }
        Ok(Registry { workshop, current: RwLock::new(Arc::new(catalog)), changing: Mutex::new(()), hooks: Mutex::default() })
    }

    /// A registry of its own on the same engine and cache: nothing that is done with it shows in this one. Where the candidate of
    /// `settings` has to be compiled, that is waited for, and its failure forgotten.
    pub fn beside(&self, settings: &PluginSettings) -> Registry {
        let workshop = self.workshop.clone();
        let file = settings.candidate.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let mut catalog = Catalog::settled(&workshop, settings, None);
        while let (Some(builds), Some(digest)) = (&workshop.builds, catalog.compiling(&file)) {
            builds.wait_for(&digest);
            catalog = Catalog::settled(&workshop, settings, Some(&catalog));
            builds.discard(&digest);
        }
        Registry { workshop, current: RwLock::new(Arc::new(catalog)), changing: Mutex::new(()), hooks: Mutex::default() }
    }

    /// What serves now. Take it once a unit of work.
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the folder and at what `settings` say now, and serves that. What did not change stays as it is, with its counters;
    /// a file that does not load leaves the version before it serving. Blocks while small components are compiled, a second at most:
    /// what is not compiled then shows as compiling, and `built` of [`Registry::open`] tells of it.
    pub fn reload(&self, settings: &PluginSettings) -> Arc<Catalog> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.settle(settings);
        match &self.workshop.builds {
            Some(builds) if next.is_compiling() && builds.wait_for_small(PATIENCE) => self.settle(settings),
            _ => next,
        }
    }

    fn settle(&self, settings: &PluginSettings) -> Arc<Catalog> {
        let next = Arc::new(Catalog::settled(&self.workshop, settings, Some(&self.current())));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *current, Arc::clone(&next));
        drop(current);
        // Unloading code takes a moment that nobody should wait for with the lock.
        drop(former);
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook(&next));
        next
    }

    /// Calls `hook` with the catalog in force, now and whenever another has come into force. It must be quick.
    pub fn on_change(&self, hook: impl Fn(&Catalog) + Send + Sync + 'static) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        hook(&self.current());
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Forgets what failed to compile, so that the next [`Registry::reload`] tries it again.
    pub fn retry(&self) {
        if let Some(builds) = &self.workshop.builds {
            builds.forget();
        }
    }
}
