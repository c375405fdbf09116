//! The engine: every feature set here, none left to cargo features or defaults.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::ticker::Ticker;

/// Stack of a guest, bytes. Python nests JSON 100 deep in it.
const GUEST_STACK: usize = 64 << 10;
/// Of each memory, bytes kept resident between instances.
const KEEP_RESIDENT: usize = 256 << 10;
/// The largest memory of any plugin, bytes; the ceiling of all limits.
pub(crate) const MAX_MEMORY: usize = 256 << 20;
/// Instances at one time: workers and running queries; far above what either pool has threads.
const SLOTS: u32 = 128;

/// Slots that keep their pages for the next instance; more would only hold memory.
const WARM: u32 = 32;

/// The engine and its ticker.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) engine: Engine,
    /// For whom a compiler apart must compile.
    pub(crate) memory: Memory,
    pub(crate) ticker: Ticker,
}

impl Host {
    /// Makes the engine. Address space is only reserved, never committed; where not even that is to be had (a limit on virtual
    /// memory), the next smaller way is taken: bounds checks in place of reservations, then no pool at all.
    ///
    /// # Errors
    /// When no way works.
    pub(crate) fn new() -> Result<Self, wasmtime::Error> {
        let ways = [Memory::Reserved, Memory::Checked, Memory::OnDemand];
        let mut last = None;
        for way in ways {
            match Engine::new(&config(way, true)) {
                Ok(engine) => {
                    let ticker = Ticker::start(&engine).map_err(wasmtime::Error::from)?;
                    return Ok(Host { engine, memory: way, ticker });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| wasmtime::Error::msg("no way to make an engine")))
    }
}

/// An engine that only compiles, for a host whose memory is got this way. It reserves nothing, so it works under a limit too.
///
/// # Errors
/// When the engine cannot be made.
pub(crate) fn compiler(memory: Memory) -> Result<Engine, wasmtime::Error> {
    Engine::new(&config(memory, false))
}

/// How memories are got; compiled code fits one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// 4 GiB of address space a slot: no bounds checks.
    Reserved,
    /// 256 MiB a slot and bounds checks.
    Checked,
    /// Mapped at need.
    OnDemand,
}

impl Memory {
    const ALL: [(Memory, &str); 3] = [(Memory::Reserved, "reserved"), (Memory::Checked, "checked"), (Memory::OnDemand, "on-demand")];

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(memory, _)| *memory == self).map_or("", |(_, name)| name)
    }

    /// The way of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(memory, _)| *memory)
    }
}

fn config(memory: Memory, pooled: bool) -> Config {
    let mut config = Config::new();
    features(&mut config);
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK + (1 << 20))
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .parallel_compilation(true)
        .generate_address_map(false)
        .memory_init_cow(true);
    match memory {
        Memory::Reserved => {
            config.memory_reservation(4 << 30).memory_guard_size(32 << 20);
        }
        Memory::Checked => {
            config.memory_reservation(MAX_MEMORY as u64).memory_guard_size(64 << 10);
        }
        Memory::OnDemand => {
            config.memory_reservation(0).memory_reservation_for_growth(1 << 20).memory_guard_size(64 << 10).memory_may_move(true);
        }
    }
    if pooled && memory != Memory::OnDemand {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    config
}

/// What a component may use. Relaxed SIMD is on because it is made deterministic.
fn features(config: &mut Config) {
    config
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_extended_const(true)
        .wasm_tail_call(true)
        .wasm_component_model(true)
        // Components of several modules (JavaScript's) pass strings from one memory to another. How many one may have, the pool says.
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .shared_memory(false);
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * 4)
        .total_memories(SLOTS * 2)
        .total_tables(SLOTS * 4)
        .total_stacks(SLOTS)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(8)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(2 << 20)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(WARM);
    pool.pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_makes_an_engine() {
        for way in [Memory::Reserved, Memory::Checked, Memory::OnDemand] {
            Engine::new(&config(way, true)).unwrap();
            assert_eq!(Memory::parse(way.as_str()), Some(way));
        }
    }

    #[test]
    fn what_an_engine_without_a_pool_compiles_fits_the_host() {
        let host = Host::new().unwrap();
        let wasm = wasm_encoder::Component::new().finish();
        let code = compiler(host.memory).unwrap().precompile_component(&wasm).unwrap();
        assert!(crate::cache::fits(&host.engine, &code));
    }

    #[test]
    fn ticker_ticks_during_calls_only() {
        let host = Host::new().unwrap();
        while !host.ticker.is_parked() {
            std::thread::yield_now();
        }
        let running = host.ticker.run();
        while host.ticker.is_parked() {
            std::thread::yield_now();
        }
        drop(running);
        while !host.ticker.is_parked() {
            std::thread::yield_now();
        }
    }
}
