//! Compiling ahead, and whether a start would have to compile anything.

use crate::catalog::{Catalog, CatalogError};
use crate::engine::Host;
use crate::load::read::digest;
use crate::load::{LoadError, inspect};
use crate::open::cache;

use crate::settings::PluginSettings;
use crate::settle::compile;
use crate::shipped::{SCRIPT, SHIPPED};

impl Catalog {
    /// Whether the cache has every shipped component compiled for this engine. True without a cache, since compiling ahead would
    /// leave nothing behind. Entries are authenticated when they are loaded, not here.
    pub fn is_compiled(settings: &PluginSettings) -> bool {
        let Ok(host) = Host::new() else { return true };
        let Some(cache) = cache(settings, &host) else { return true };
        settings.without_shipped || SHIPPED.iter().chain([&SCRIPT]).all(|shipped| cache.has(&digest(shipped.wasm)))
    }

    /// Keeps the compiled form of a component in the cache, so that it serves at once when it is dropped in. Whether it may load is not
    /// asked.
    ///
    /// # Errors
    /// [`LoadError`] of the steps digest, manifest, interface and compile.
    pub fn keep_compiled(settings: &PluginSettings, bytes: &[u8]) -> Result<(), LoadError> {
        let inspected = inspect(bytes)?;
        let host = Host::new().map_err(|error| LoadError::Compile(CatalogError::Engine(format!("{error:#}")).to_string()))?;
        let cache = cache(settings, &host);
        compile(&host, cache.as_ref(), &inspected.manifest.id, &inspected.digest, bytes).map(drop)
    }
}
