//! Dropped-in components that wait for their compiler. Small ones have a lane of their own, so that a large one never holds them
//! up, nor a small one that takes long: it goes on in the other lane. Each lane compiles one at a time, on a thread that is there
//! while there is something to do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::Component;

use crate::cache::{self, Cache};
use crate::compiler::{Compiler, Priority, Unmade};
use crate::engine::Host;

/// Components of at least so many bytes are large.
const LARGE: usize = 1 << 20;

/// What became of a component that is compiled apart.
enum Build {
    /// It waits or is at work.
    Running(Priority),
    Done(Component),
    Failed(String),
}

/// All of them, by digest.
pub(crate) struct Builds {
    state: Mutex<State>,
    changed: Condvar,
    host: Arc<Host>,
    cache: Option<Arc<Cache>>,
    compiler: Compiler,
    /// Called after each.
    ended: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    builds: BTreeMap<Arc<str>, Build>,
    lanes: BTreeMap<Priority, Lane>,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<(Arc<str>, Vec<u8>)>,
    working: bool,
}

impl Builds {
    pub(crate) fn new(host: Arc<Host>, cache: Option<Arc<Cache>>, compiler: Compiler, ended: Box<dyn Fn() + Send + Sync>) -> Self {
        Builds { state: Mutex::default(), changed: Condvar::new(), host, cache, compiler, ended }
    }

    /// The component of `digest`, once it is made; until then `None`. One that failed fails again without being tried, until
    /// [`Builds::forget`].
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub(crate) fn component(self: &Arc<Self>, digest: &Arc<str>, wasm: impl FnOnce() -> Vec<u8>) -> Result<Option<Component>, String> {
        let mut state = self.lock();
        match state.builds.get(digest) {
            Some(Build::Done(component)) => return Ok(Some(component.clone())),
            Some(Build::Failed(why)) => return Err(why.clone()),
            Some(Build::Running(_)) => return Ok(None),
            None => {}
        }
        let wasm = wasm();
        let priority = if wasm.len() < LARGE { Priority::Normal } else { Priority::Idle };
        self.line_up(&mut state, priority, Arc::clone(digest), wasm)?;
        Ok(None)
    }

    /// Returns when all small ones have ended or were found slow, or `limit` has passed; whether any was waited for.
    pub(crate) fn wait_for_small(&self, limit: Duration) -> bool {
        let busy = |state: &mut State| state.builds.values().any(|build| matches!(build, Build::Running(Priority::Normal)));
        let mut state = self.lock();
        let waits = busy(&mut state);
        drop(self.changed.wait_timeout_while(state, limit, busy).unwrap_or_else(PoisonError::into_inner));
        waits
    }

    fn line_up(self: &Arc<Self>, state: &mut State, priority: Priority, digest: Arc<str>, wasm: Vec<u8>) -> Result<(), String> {
        let lane = state.lanes.entry(priority).or_default();
        if !lane.working {
            let builds = Arc::clone(self);
            let thread = std::thread::Builder::new().name("plugin-builds".into());
            thread.spawn(move || builds.work(priority)).map_err(|error| format!("no thread for the compiler: {error}"))?;
            lane.working = true;
        }
        lane.queue.push_back((Arc::clone(&digest), wasm));
        state.builds.insert(digest, Build::Running(priority));
        Ok(())
    }

    /// Returns when the one of `digest` has ended.
    pub(crate) fn wait_for(&self, digest: &str) {
        let busy = |state: &mut State| matches!(state.builds.get(digest), Some(Build::Running(_)));
        drop(self.changed.wait_while(self.lock(), busy).unwrap_or_else(PoisonError::into_inner));
    }

    /// Forgets what became of the one of `digest`.
    pub(crate) fn discard(&self, digest: &str) {
        let mut state = self.lock();
        if !matches!(state.builds.get(digest), Some(Build::Running(_))) {
            state.builds.remove(digest);
        }
    }

    /// Forgets failures, so that they are tried again.
    pub(crate) fn forget(&self) {
        self.lock().builds.retain(|_, build| !matches!(build, Build::Failed(_)));
    }

    /// Drops a component that is with its plugin now.
    pub(crate) fn taken(&self, digest: &str) {
        let mut state = self.lock();
        if matches!(state.builds.get(digest), Some(Build::Done(_))) {
            state.builds.remove(digest);
        }
    }

    fn work(self: &Arc<Self>, priority: Priority) {
        loop {
            let next = {
                let mut state = self.lock();
                let lane = state.lanes.entry(priority).or_default();
                let next = lane.queue.pop_front();
                lane.working = next.is_some();
                next
            };
            let Some((digest, wasm)) = next else { return };
            let ended = self.end(priority, digest, wasm);
            self.changed.notify_all();
            if ended {
                (self.ended)();
            }
        }
    }

    /// Compiles one; whether it is through with.
    fn end(self: &Arc<Self>, priority: Priority, digest: Arc<str>, wasm: Vec<u8>) -> bool {
        let build = match self.compiler.run(self.host.memory, priority, &wasm) {
            Ok(made) => {
                let taken = cache::take(&self.host.engine, self.cache.as_deref(), &digest, &made);
                taken.map_or_else(|error| Build::Failed(error.to_string()), Build::Done)
            }
            Err(Unmade::Failed(why)) => Build::Failed(why),
            Err(Unmade::Slow) => {
                let mut state = self.lock();
                match self.line_up(&mut state, Priority::Idle, Arc::clone(&digest), wasm) {
                    Ok(()) => return false,
                    Err(why) => {
                        drop(state);
                        Build::Failed(why)
                    }
                }
            }
        };
        self.lock().builds.insert(digest, build);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
