//! What a plugin did since the start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::call::{CallError, Used};
use crate::guest::Lookups;

/// Totals since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    rows: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    memory: AtomicU64,
    declined: AtomicU64,
    host: AtomicU64,
    poison_rows: AtomicU64,
    skipped_rows: AtomicU64,
    cpu_ns: AtomicU64,
    last_failure: Mutex<Option<Box<str>>>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CounterValues {
    /// Calls, those that failed too.
    pub calls: u64,
    /// Rows handed in.
    pub rows: u64,
    /// Bytes of columns handed in.
    pub bytes_in: u64,
    /// Bytes of columns that came back and were used.
    pub bytes_out: u64,
    /// Calls that trapped, returned too much or broke the contract.
    pub traps: u64,
    /// Calls that used up their CPU time.
    pub deadlines: u64,
    /// Calls that were refused memory.
    pub memory_refusals: u64,
    /// Calls that the plugin declined.
    pub declined: u64,
    /// Calls that the host could not run or finish.
    pub host_failures: u64,
    /// Rows that failed alone.
    pub poison_rows: u64,
    /// Rows left out while the breaker was open.
    pub skipped_rows: u64,
    /// Keys asked for in the operator's tables, those that were not found too.
    pub lookups: u64,
    /// Bytes of rows of these tables that were handed over.
    pub lookup_bytes: u64,
    /// How often the breaker opened.
    pub breaker_opens: u64,
    /// CPU time of all calls, nanoseconds.
    pub cpu_ns: u64,
    /// The most linear memory that one of its instances had, bytes.
    pub peak_memory_bytes: u64,
}

impl Counters {
    /// One call.
    pub(crate) fn call(&self, rows: usize, bytes: usize, used: &Used, error: Option<&CallError>) {
        self.calls.fetch_add(1, Relaxed);
        self.rows.fetch_add(rows as u64, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        self.cpu_ns.fetch_add(used.0, Relaxed);
        if let Some(error) = error {
            self.failed(error);
        }
    }

    /// A call that came back well turned out to have failed.
    pub(crate) fn failed(&self, error: &CallError) {
        let counter = match error {
            CallError::Trap(_) | CallError::Output(_) | CallError::Contract(_) => &self.traps,
            CallError::Deadline(_) | CallError::Waited(_) => &self.deadlines,
            CallError::Memory(_) => &self.memory,
            CallError::Declined(_) => &self.declined,
            CallError::Host(_) => &self.host,
        };
        counter.fetch_add(1, Relaxed);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string().into());
    }

    /// How the last call that failed did.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).as_deref().map(str::to_owned)
    }

    /// Bytes that came back.
    pub(crate) fn answer(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    /// A row failed alone.
    pub(crate) fn poison(&self) {
        self.poison_rows.fetch_add(1, Relaxed);
    }

    /// Rows were left out.
    pub(crate) fn skip(&self, rows: usize) {
        self.skipped_rows.fetch_add(rows as u64, Relaxed);
    }

    /// The totals now.
    pub(crate) fn values(&self, breaker_opens: u64, lookups: &Lookups, peak_memory: usize) -> CounterValues {
        CounterValues {
            calls: self.calls.load(Relaxed),
            rows: self.rows.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            traps: self.traps.load(Relaxed),
            deadlines: self.deadlines.load(Relaxed),
            memory_refusals: self.memory.load(Relaxed),
            declined: self.declined.load(Relaxed),
            host_failures: self.host.load(Relaxed),
            poison_rows: self.poison_rows.load(Relaxed),
            skipped_rows: self.skipped_rows.load(Relaxed),
            lookups: lookups.asked.load(Relaxed),
            lookup_bytes: lookups.bytes.load(Relaxed),
            breaker_opens,
            cpu_ns: self.cpu_ns.load(Relaxed),
            peak_memory_bytes: peak_memory as u64,
        }
    }
}
