//! The guest of all shapes, live and fresh.

use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Linker, TypedFunc};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use super::shape::Shape;

const COMPONENT: &[u8] = include_bytes!("../guest/guest.wasm");

/// The compiled guest, under the settings that the server gives its plugins.
pub struct Guest {
    engine: Engine,
    component: Component,
    pre: InstancePre<()>,
}

/// Where a shape's functions are.
pub struct Exports {
    enrich: ComponentExportIndex,
    state: ComponentExportIndex,
    merge: ComponentExportIndex,
    fill: ComponentExportIndex,
    without_arena: ComponentExportIndex,
}

type Enrich<S> = TypedFunc<(<S as Shape>::In,), (<S as Shape>::Out,)>;

/// An instance and the functions of `S` that were called.
pub struct Live<'a, S: Shape> {
    exports: &'a Exports,
    store: Store<()>,
    instance: Instance,
    enrich: Option<Enrich<S>>,
    state: Option<TypedFunc<(), (S::Out,)>>,
    merge: Option<TypedFunc<(S::In,), ()>>,
}

impl Guest {
    pub fn new() -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(128).total_core_instances(512).total_memories(128).total_tables(512);
        pool.max_memory_size(256 << 20).linear_memory_keep_resident(256 << 10).table_keep_resident(64 << 10);
        pool.max_component_instance_size(4 << 20).max_core_instance_size(2 << 20).max_unused_warm_slots(32).pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        config.concurrency_support(false).epoch_interruption(true).max_wasm_stack(64 << 10).async_stack_size((64 << 10) + (1 << 20));
        config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true).generate_address_map(false);
        config.memory_reservation(4 << 30).memory_guard_size(32 << 20);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, COMPONENT).unwrap();
        let pre = Linker::new(&engine).instantiate_pre(&component).unwrap();
        Guest { engine, component, pre }
    }

    pub fn exports<S: Shape>(&self) -> Exports {
        let find = |interface: &str, name: &str| {
            let interface = self.component.get_export_index(None, format!("bench:shapes/{interface}")).unwrap();
            self.component.get_export_index(Some(&interface), name).unwrap()
        };
        Exports {
            enrich: find(S::INTERFACE, S::ENRICH),
            state: find(S::INTERFACE, "state"),
            merge: find(S::INTERFACE, "merge"),
            fill: find("setup", "fill"),
            without_arena: find("setup", "without-arena"),
        }
    }

    pub fn fresh<'a, S: Shape>(&self, exports: &'a Exports) -> Live<'a, S> {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1 << 40);
        let instance = self.pre.instantiate(&mut store).unwrap();
        if !S::ARENA {
            let without_arena = instance.get_typed_func::<(), ()>(&mut store, exports.without_arena).unwrap();
            without_arena.call(&mut store, ()).unwrap();
        }
        Live { exports, store, instance, enrich: None, state: None, merge: None }
    }
}

impl<S: Shape> Live<'_, S> {
    pub fn enrich(&mut self, batch: S::In) -> S::Out {
        let Live { exports, store, instance, enrich, .. } = self;
        let enrich = enrich.get_or_insert_with(|| instance.get_typed_func(&mut *store, exports.enrich).unwrap());
        enrich.call(store, (batch,)).unwrap().0
    }

    /// Makes `groups` states.
    pub fn fill(&mut self, groups: usize) {
        let fill = self.instance.get_typed_func::<(u32,), ()>(&mut self.store, self.exports.fill).unwrap();
        fill.call(&mut self.store, (groups as u32,)).unwrap();
    }

    pub fn state(&mut self) -> S::Out {
        let Live { exports, store, instance, state, .. } = self;
        let state = state.get_or_insert_with(|| instance.get_typed_func(&mut *store, exports.state).unwrap());
        state.call(store, ()).unwrap().0
    }

    pub fn merge(&mut self, batch: S::In) {
        let Live { exports, store, instance, merge, .. } = self;
        let merge = merge.get_or_insert_with(|| instance.get_typed_func(&mut *store, exports.merge).unwrap());
        merge.call(store, (batch,)).unwrap();
    }
}
