//! What the system tells of files.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What happened to files.
pub(super) enum Writing {
    /// Somebody writes them.
    Goes(Vec<PathBuf>),
    /// Nobody does any more, or they came or went in one step.
    Ended(Vec<PathBuf>),
}

/// The system's watcher, and which folders and files it watches.
pub(super) struct System {
    watcher: RecommendedWatcher,
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl System {
    /// Tells `told` of each change; `None` where the system tells nothing.
    pub(super) fn new(told: impl Fn(Writing) + Send + 'static) -> Option<Self> {
        let handler = move |event: notify::Result<Event>| {
            if let Some(writing) = event.ok().and_then(writing) {
                told(writing);
            }
        };
        match notify::recommended_watcher(handler) {
            Ok(watcher) => Some(System { watcher, watched: BTreeMap::new() }),
            Err(error) => {
                tracing::warn!(%error, "the system does not tell of changed files, looking once a second");
                None
            }
        }
    }

    /// Watches `places`. One that was replaced since is watched anew, one that is not there is left to the next time.
    pub(super) fn watch<'a>(&mut self, places: impl Iterator<Item = &'a Path>) {
        for place in places {
            let Ok(meta) = std::fs::metadata(place) else { continue };
            let identity = (meta.dev(), meta.ino());
            if self.watched.get(place) == Some(&identity) {
                continue;
            }
            // What it watched under this path is gone.
            let _ = self.watcher.unwatch(place);
            match self.watcher.watch(place, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(place.to_owned(), identity)),
                Err(error) => tracing::debug!(path = %place.display(), %error, "not told of changes there"),
            }
        }
    }
}

/// Reading, our own too, is no change.
fn writing(event: Event) -> Option<Writing> {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Writing::Ended(event.paths)),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_)) => Some(Writing::Goes(event.paths)),
        _ => Some(Writing::Ended(event.paths)),
    }
}
