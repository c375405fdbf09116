//! The state of one instance: what it may use, and what it was refused.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};

use crate::ring::{MAX_LINE, Ring};
use crate::settings::{LookupTable, NamedTables};
use crate::wasi::{Granted, Wasi};
use crate::wire::{WireLevel, clip};

/// Past this wall time a call is ended whatever it used: the machine has no time for it.
const WALL: Duration = Duration::from_secs(30);
/// A reading of CPU time so young is as good as a new one.
const FRESH: Duration = Duration::from_micros(50);
/// Table elements of one instance.
const MAX_TABLE: usize = 20_000;

/// Texts of one call of `texts`, and their bytes: no batch has more.
const MAX_TEXTS: usize = 1 << 17;
const MAX_TEXT_BYTES: usize = 64 << 20;

/// The data of a store.
pub(crate) struct Guest {
    shared: Arc<GuestShared>,
    memory: usize,
    lines_left: u32,
    /// A growth beyond the limit was refused: what follows is its doing.
    pub(crate) memory_refused: bool,
    started: Instant,
    cpu_end: u64,
    /// Gives way to others at each tick: metrics, which run long.
    yields: bool,
    pub(crate) wasi: Option<Box<Wasi>>,
    /// What it asked of its tables and nobody has taken yet.
    asked: Asked,
}

/// Of each table, by its place among the plugin's: keys asked for, bytes of rows handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(pub(crate) Vec<(u64, u64)>);

/// What all instances of one plugin share.
pub(crate) struct GuestShared {
    pub(crate) ring: Arc<Ring>,
    pub(crate) memory_limit: usize,
    pub(crate) log_lines: u32,
    pub(crate) tables: NamedTables,
    pub(crate) lookups: Lookups,
    /// What it was granted of WASI, if it asks for any.
    pub(crate) wasi: Option<Granted>,
    /// The most linear memory that an instance had, bytes.
    pub(crate) peak_memory: AtomicUsize,
}

/// What a plugin asked of its tables since the start.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// Keys asked for, those that were not found too.
    pub(crate) asked: AtomicU64,
    /// Bytes of rows handed over.
    pub(crate) bytes: AtomicU64,
}

/// Why the host ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the CPU time is used up")]
    Cpu,
    #[error("the machine gave it no time")]
    Wall,
    #[error("it waited too long")]
    Waited,
}

impl Guest {
    pub(crate) fn new(shared: Arc<GuestShared>, yields: bool) -> Self {
        let lines_left = shared.log_lines;
        let wasi = shared.wasi.as_ref().map(|granted| Box::new(Wasi::new(granted)));
        Guest {
            shared,
            memory: 0,
            lines_left,
            memory_refused: false,
            started: Instant::now(),
            cpu_end: 0,
            yields,
            wasi,
            asked: Asked::default(),
        }
    }

    /// A call begins at `cpu` (of [`thread_cpu`]) and may use `budget` nanoseconds.
    pub(crate) fn begin(&mut self, cpu: u64, budget: u64) {
        self.cpu_end = cpu.saturating_add(budget);
        self.started = Instant::now();
        self.lines_left = self.shared.log_lines;
    }

    /// The epoch callback.
    pub(crate) fn tick(context: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
        let guest = context.data();
        if thread_cpu() >= guest.cpu_end {
            return Err(Ended::Cpu.into());
        }
        if guest.started.elapsed() >= WALL {
            return Err(Ended::Wall.into());
        }
        if guest.yields {
            std::thread::yield_now();
        }
        Ok(UpdateDeadline::Continue(1))
    }

    fn log(&mut self, level: WireLevel, message: Option<String>) {
        let level = match level {
            WireLevel::Debug => "debug",
            WireLevel::Info => "info",
            WireLevel::Warn => "warn",
            WireLevel::Error => "error",
        };
        self.lines_left = self.lines_left.saturating_sub(1);
        self.shared.ring.push(level, message);
    }

    /// What `find` finds in the table `name`; nothing when it was not granted.
    fn look_up(&mut self, name: &str, find: impl FnOnce(&dyn LookupTable) -> Option<String>) -> Option<String> {
        let (place, (_, table)) = self.shared.tables.iter().enumerate().find(|(_, (known, _))| known == name)?;
        let row = find(&**table);
        let bytes = row.as_ref().map_or(0, String::len) as u64;
        self.shared.lookups.asked.fetch_add(1, Relaxed);
        self.shared.lookups.bytes.fetch_add(bytes, Relaxed);
        self.asked.0.resize(self.shared.tables.len(), (0, 0));
        if let Some((count, sum)) = self.asked.0.get_mut(place) {
            (*count, *sum) = (*count + 1, *sum + bytes);
        }
        row
    }

    /// What it asked of its tables since this was called last.
    pub(crate) fn take_asked(&mut self) -> Asked {
        std::mem::take(&mut self.asked)
    }
}

impl Guest {
    /// Linear memory of its instances, bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = desired.saturating_sub(current);
        if self.memory.saturating_add(grown) > self.shared.memory_limit {
            self.memory_refused = true;
            return Ok(false);
        }
        self.memory += grown;
        self.shared.peak_memory.fetch_max(self.memory, Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE)
    }

    fn instances(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        4
    }

    fn tables(&self) -> usize {
        8
    }
}

thread_local! {
    /// The last reading of this thread's CPU time, and when it was.
    static LAST: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// CPU time of this thread, nanoseconds; a system call.
pub fn thread_cpu_ns() -> u64 {
    thread_cpu()
}

/// The same, for the host's own use.
pub(crate) fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let cpu = u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0);
    LAST.set(Some((Instant::now(), cpu)));
    cpu
}

/// The same where a call begins. Right after another call the system is not asked again: since then the thread has used at most
/// the wall time, so a call is given up to [`FRESH`] too much, never too little.
pub(crate) fn thread_cpu_near() -> u64 {
    match LAST.get().map(|(at, cpu)| (at.elapsed(), cpu)) {
        Some((since, cpu)) if since < FRESH => cpu + since.as_nanos() as u64,
        _ => thread_cpu(),
    }
}

/// The imports of the contract that a plugin was granted.
///
/// # Errors
/// When the engine refuses a definition.
pub(crate) fn link(linker: &mut Linker<Guest>, lookup: bool) -> wasmtime::Result<()> {
    let mut log = linker.instance("agent-telemetry:host/log@0.1.0-rc")?;
    log.func_wrap("log", |mut context: StoreContextMut<'_, Guest>, (level, message): (WireLevel, WasmStr)| {
        // Only what is kept is copied.
        let kept = context.data().lines_left > 0;
        let line = if kept { Some(clip(&message.to_str(&context)?, MAX_LINE)) } else { None };
        context.data_mut().log(level, line);
        Ok(())
    })?;
    let mut text = linker.instance("agent-telemetry:host/text@0.1.0-rc")?;
    text.func_wrap("texts", |_: StoreContextMut<'_, Guest>, (offsets, bytes): (Vec<u8>, Vec<u8>)| Ok((texts(&offsets, &bytes)?,)))?;
    if lookup {
        let mut lookup = linker.instance("agent-telemetry:host/lookup@0.1.0-rc")?;
        lookup.func_wrap("exact", |mut context: StoreContextMut<'_, Guest>, (table, key): (String, String)| {
            Ok((context.data_mut().look_up(&table, |table| table.exact(&key)),))
        })?;
        lookup.func_wrap("longest-prefix", |mut context: StoreContextMut<'_, Guest>, (table, key): (String, String)| {
            Ok((context.data_mut().look_up(&table, |table| table.longest_prefix(&key)),))
        })?;
    }
    Ok(())
}

fn texts(offsets: &[u8], bytes: &[u8]) -> wasmtime::Result<Vec<String>> {
    if offsets.len() > 4 * MAX_TEXTS || bytes.len() > MAX_TEXT_BYTES {
        wasmtime::bail!("texts: more than {MAX_TEXTS} texts or {MAX_TEXT_BYTES} bytes");
    }
    let (offsets, rest) = offsets.as_chunks::<4>();
    if !rest.is_empty() {
        wasmtime::bail!("texts: the offsets are not a multiple of 4 bytes");
    }
    let offsets: Vec<usize> = offsets.iter().map(|chunk| u32::from_le_bytes(*chunk) as usize).collect();
    let cut = offsets.windows(2).map(|pair| match *pair {
        [start, end] => bytes.get(start..end).and_then(|part| std::str::from_utf8(part).ok()).map(str::to_owned),
        _ => None,
    });
    cut.collect::<Option<Vec<_>>>().ok_or_else(|| wasmtime::Error::msg("texts: the offsets do not cut UTF-8"))
}
