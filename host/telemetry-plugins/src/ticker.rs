//! Epochs: a thread that ticks each millisecond while a call runs, and sleeps without any wake-up while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

const TICK: Duration = Duration::from_millis(1);
/// So many ticks without a call and the thread parks; waking it costs a call a few microseconds.
const LINGER: u32 = 50;

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
}

/// The ticker of one engine; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// While it lives, epochs pass.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread, parked.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let thread = thread::Builder::new().name("plugin-ticker".into()).spawn(move || tick(&engine, &seen))?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Marks a call as running.
    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.parked.load(SeqCst) {
            self.wake();
        }
        Running(&self.shared)
    }

    /// Whether the thread sleeps.
    #[cfg(test)]
    pub(crate) fn is_parked(&self) -> bool {
        self.shared.parked.load(SeqCst)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = LINGER;
    while !shared.stopped.load(SeqCst) {
        if shared.running.load(SeqCst) > 0 {
            idle = 0;
        } else if idle >= LINGER {
            shared.parked.store(true, SeqCst);
            // Sequential consistency: either this sees the call, or the call sees `parked` and wakes us.
            if shared.running.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
                thread::park();
            }
            shared.parked.store(false, SeqCst);
            continue;
        } else {
            idle += 1;
        }
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
