//! Instances and calls: one fresh instance for each unit of work, every way to fail a typed error.

use std::sync::Arc;
use std::time::Duration;

use telemetry_model::outcome::RunOutcome;
use wasmtime::component::{ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{Store, Trap};

use crate::engine::Host;
use crate::guest::{Asked, Ended, Guest, GuestShared, thread_cpu, thread_cpu_near};
use crate::wasi::Waiting;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It trapped: unreachable (a panic), a bad access, the stack.
    #[error("trapped: {0}")]
    Trap(String),
    /// It used up its CPU time.
    #[error("used up its {} ms of CPU time", .0 / 1_000_000)]
    Deadline(u64),
    /// It was granted WASI and waited too long.
    #[error("waited longer than {} ms", .0.as_millis())]
    Waited(Duration),
    /// It was refused memory.
    #[error("was refused memory beyond {} MiB", .0 >> 20)]
    Memory(usize),
    /// It returned more than it may.
    #[error("returned more than {} MiB", .0 >> 20)]
    Output(usize),
    /// It answered with an error of its own.
    #[error("declined: {0}")]
    Declined(String),
    /// It answered out of contract.
    #[error("broke the contract: {0}")]
    Contract(String),
    /// The host could not run it: no instance free, or no time given by the machine. Not the plugin's doing.
    #[error("could not run: {0}")]
    Host(String),
}

impl CallError {
    /// The outcome that provenance names.
    pub fn outcome(&self) -> RunOutcome {
        match self {
            CallError::Deadline(_) | CallError::Waited(_) | CallError::Host(_) => RunOutcome::Deadline,
            CallError::Memory(_) => RunOutcome::Memory,
            CallError::Declined(_) => RunOutcome::Declined,
            CallError::Trap(_) | CallError::Output(_) | CallError::Contract(_) => RunOutcome::Trap,
        }
    }

    /// Whether the plugin is to blame.
    pub(crate) fn is_plugins(&self) -> bool {
        !matches!(self, CallError::Host(_))
    }
}

/// A plugin ready to be instantiated.
pub(crate) struct Callee {
    pub(crate) host: Arc<Host>,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) shared: Arc<GuestShared>,
    /// What it may return, bytes.
    pub(crate) output_limit: usize,
    /// Gives way at each tick.
    pub(crate) yields: bool,
    /// It was granted WASI: it may wait, so its calls have a limit of wall time too.
    pub(crate) waiting: Option<Waiting>,
}

/// An instance and the store it lives in. After an error both must be dropped.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
    waiting: Option<Waiting>,
}

impl Live {
    /// Calls `function`; one that may wait, with a limit of wall time.
    pub(crate) fn invoke<P, R>(&mut self, function: &TypedFunc<P, R>, parameters: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        match &self.waiting {
            None => function.call(&mut self.store, parameters),
            Some(waiting) => waiting.run(function.call_async(&mut self.store, parameters)),
        }
    }
}

/// CPU time that was used, nanoseconds, and what was asked of tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used(pub u64, pub Asked);

impl Callee {
    /// A fresh instance and one unit of work on it, with `budget` nanoseconds of CPU time for both; then the instance is gone.
    pub(crate) fn fresh<T>(
        &self,
        budget: u64,
        work: impl FnOnce(&mut Live) -> wasmtime::Result<Result<T, CallError>>,
    ) -> (Result<T, CallError>, Used) {
        self.prepare();
        let mut asked = Asked::default();
        let (result, used) = self.timed(budget, |callee, cpu| {
            let mut store = callee.store(cpu, budget);
            match callee.instantiate(&mut store) {
                Ok(instance) => {
                    let mut live = Live { store, instance, waiting: callee.waiting.clone() };
                    let done = work(&mut live);
                    asked = live.store.data_mut().take_asked();
                    done.unwrap_or_else(|error| Err(callee.classify(&error, &live.store, budget)))
                }
                Err(error) => Err(callee.classify_start(&error, &store, budget)),
            }
        });
        (result, Used(used.0, asked))
    }

    /// A fresh instance that stays.
    pub(crate) fn start(&self, budget: u64) -> (Result<Live, CallError>, Used) {
        self.timed(budget, |callee, cpu| {
            let mut store = callee.store(cpu, budget);
            match callee.instantiate(&mut store) {
                Ok(instance) => Ok(Live { store, instance, waiting: callee.waiting.clone() }),
                Err(error) => Err(callee.classify_start(&error, &store, budget)),
            }
        })
    }

    /// One more unit of work on an instance that stays.
    pub(crate) fn again<T>(
        &self,
        live: &mut Live,
        budget: u64,
        work: impl FnOnce(&mut Live) -> wasmtime::Result<Result<T, CallError>>,
    ) -> (Result<T, CallError>, Used) {
        let (result, used) = self.timed(budget, |callee, cpu| {
            live.store.data_mut().begin(cpu, budget);
            live.store.set_epoch_deadline(1);
            work(live).unwrap_or_else(|error| Err(callee.classify(&error, &live.store, budget)))
        });
        (result, Used(used.0, live.store.data_mut().take_asked()))
    }

    /// Lets its tables get ready.
    pub(crate) fn prepare(&self) {
        self.shared.tables.iter().for_each(|(_, table)| table.prepare());
    }

    fn timed<T>(&self, budget: u64, run: impl FnOnce(&Self, u64) -> Result<T, CallError>) -> (Result<T, CallError>, Used) {
        let _running = self.host.ticker.run();
        let start = thread_cpu_near();
        let result = run(self, start);
        let used = thread_cpu().saturating_sub(start);
        debug_assert!(budget > 0, "a call without time");
        (result, Used(used, Asked::default()))
    }

    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        match &self.waiting {
            None => self.pre.instantiate(store),
            Some(waiting) => waiting.run(self.pre.instantiate_async(store)),
        }
    }

    fn store(&self, cpu: u64, budget: u64) -> Store<Guest> {
        let mut guest = Guest::new(Arc::clone(&self.shared), self.yields);
        guest.begin(cpu, budget);
        let mut store = Store::new(&self.host.engine, guest);
        store.limiter(|guest| guest);
        store.epoch_deadline_callback(Guest::tick);
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(self.output_limit);
        store
    }

    fn classify_start(&self, error: &wasmtime::Error, store: &Store<Guest>, budget: u64) -> CallError {
        if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
            return CallError::Host("no instance is free".into());
        }
        self.classify(error, store, budget)
    }

    fn classify(&self, error: &wasmtime::Error, store: &Store<Guest>, budget: u64) -> CallError {
        match error.downcast_ref::<Ended>() {
            Some(Ended::Cpu) => return CallError::Deadline(budget),
            Some(Ended::Waited) => return CallError::Waited(self.waiting.as_ref().map(|waiting| waiting.limit).unwrap_or_default()),
            Some(Ended::Wall) => return CallError::Host("30 s passed without the CPU time it needs".into()),
            None => {}
        }
        if store.data().memory_refused {
            return CallError::Memory(self.shared.memory_limit);
        }
        let cause = error.root_cause().to_string();
        if cause.contains("fuel allocated for hostcalls") {
            return CallError::Output(self.output_limit);
        }
        match error.downcast_ref::<Trap>() {
            Some(trap) => CallError::Trap(trap.to_string()),
            None => CallError::Trap(crate::wire::clip(&cause, 512)),
        }
    }
}
