//! One thread that watches the operator's files: told by the system where it tells, looking itself once a second where it does not.

mod scene;
mod system;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::LivePlugins;
pub(super) use scene::Scene;
use system::{System, Writing};

/// How often the files are looked at although nobody told of a change: network folders tell nothing.
const POLL: Duration = Duration::from_secs(1);
/// Files are loaded when they look the same for so long, and nobody has them open for writing.
const SETTLE: Duration = Duration::from_millis(150);
/// However busy the folder is, what is there then is loaded.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the thread something.
#[derive(Clone)]
pub(super) struct Teller(Sender<Told>);

enum Told {
    /// Something happened to a file.
    Touched(Writing),
    /// A component was compiled, or cannot be.
    Built,
    Stop,
}

/// The end that hears.
pub(super) struct Heard(Receiver<Told>);

/// Both ends of what the thread hears.
pub(super) fn channel() -> (Teller, Heard) {
    let (sender, receiver) = std::sync::mpsc::channel();
    (Teller(sender), Heard(receiver))
}

impl Teller {
    /// A component was compiled, or cannot be.
    pub(super) fn built(&self) {
        let _ = self.0.send(Told::Built);
    }
}

/// The thread; it ends when told, or when the plugins are gone.
pub(super) struct Watch {
    teller: Teller,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    /// Starts the thread. `scene` is what was there before the plugins were loaded; without one nothing is watched, and only what is
    /// compiled apart is waited for.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(live: Weak<LivePlugins>, scene: Option<Scene>, teller: Teller, heard: Heard) -> std::io::Result<Self> {
        let tell = teller.clone();
        let work = move || {
            let system = scene.as_ref().and_then(|_| System::new(move |writing| drop(tell.0.send(Told::Touched(writing)))));
            Look { live, scene, heard: heard.0, system, writing: BTreeSet::new() }.run();
        };
        let thread = std::thread::Builder::new().name("plugin-watch".into()).spawn(work)?;
        Ok(Watch { teller, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        let _ = self.teller.0.send(Told::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has been logged by the panic hook.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Look {
    live: Weak<LivePlugins>,
    scene: Option<Scene>,
    heard: Receiver<Told>,
    system: Option<System>,
    /// Files that somebody writes.
    writing: BTreeSet<PathBuf>,
}

/// What came of waiting.
enum Next {
    Looked,
    Built,
    Stop,
}

impl Look {
    fn run(mut self) {
        loop {
            if let (Some(system), Some(scene)) = (&mut self.system, &self.scene) {
                system.watch(scene.places());
            }
            let poll = self.scene.as_ref().map(|_| POLL);
            let load = match self.wait(poll) {
                Next::Stop => return,
                Next::Built => true,
                Next::Looked => match self.settled() {
                    Ok(changed) => changed,
                    Err(Stopped) => return,
                },
            };
            let Some(live) = self.live.upgrade() else { return };
            if load {
                // Its own doing, if it cannot: it is told at the plugins' route.
                let _ = live.reload();
            }
        }
    }

    /// Hears one thing, or nothing in `limit`.
    fn wait(&mut self, limit: Option<Duration>) -> Next {
        let told = match limit {
            Some(limit) => self.heard.recv_timeout(limit),
            None => self.heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match told {
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => Next::Stop,
            Ok(Told::Built) => Next::Built,
            Ok(Told::Touched(writing)) => {
                self.note(writing);
                Next::Looked
            }
            Err(RecvTimeoutError::Timeout) => Next::Looked,
        }
    }

    fn note(&mut self, writing: Writing) {
        match writing {
            Writing::Goes(paths) => self.writing.extend(paths),
            Writing::Ended(paths) => self.writing.retain(|path| !paths.contains(path)),
        }
    }

    /// Whether the files changed; if so, after they came to rest.
    fn settled(&mut self) -> Result<bool, Stopped> {
        let Some(known) = self.scene.clone() else { return Ok(false) };
        let mut seen = known.now();
        if seen.is_same(&known) {
            self.scene = Some(seen);
            return Ok(false);
        }
        let began = Instant::now();
        let mut rested = Instant::now();
        while rested.elapsed() < SETTLE || !self.writing.is_empty() {
            if began.elapsed() >= PATIENCE {
                self.writing.clear();
                break;
            }
            if let Next::Stop = self.wait(Some(SETTLE)) {
                return Err(Stopped);
            }
            let now = known.now();
            if !now.is_same(&seen) {
                (seen, rested) = (now, Instant::now());
            }
        }
        self.scene = Some(seen);
        Ok(true)
    }
}

/// The thread was told to end.
struct Stopped;
