//! Whether a start would have to compile anything.

use crate::catalog::Catalog;
use crate::engine::Host;
use crate::load::read::digest;
use crate::open::cache;
use crate::settings::PluginSettings;
use crate::shipped::SHIPPED;

impl Catalog {
    /// Whether the cache has every shipped component compiled for this engine. True without a cache, since compiling ahead would
    /// leave nothing behind. Entries are authenticated when they are loaded, not here.
    pub fn is_compiled(settings: &PluginSettings) -> bool {
        let Ok(host) = Host::new() else { return true };
        let Some(cache) = cache(settings, &host) else { return true };
        settings.without_shipped || SHIPPED.iter().all(|shipped| cache.has(&digest(shipped.wasm)))
    }
}
