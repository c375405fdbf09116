//! What a plugin costs: every kind is measured, beside a component of its kind that does nothing.

use std::cell::Cell;
use std::path::Path;

use telemetry_devkit::CompileCache;
use telemetry_devkit::bench::bench;

#[test]
fn every_kind_is_measured_beside_an_empty_component() {
    let now = Cell::new(0);
    // A clock that goes on by itself: what is counted, not how long it takes.
    let clock = || {
        now.set(now.get() + 1_000_000);
        now.get()
    };
    for name in ["model-family", "known-vendor", "badge-masker", "slow-calls"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/examples").join(name);
        let bill = bench(&folder, &CompileCache::default(), &clock).expect(name);
        let sizes: Vec<usize> = bill.own.row_ns.iter().map(|(size, _)| *size).collect();
        assert_eq!((sizes, bill.empty.row_ns.len()), (vec![1, 10, 100, 1000], 4), "{name}");
        assert!(bill.own.memory_bytes >= 65_536 && bill.empty.memory_bytes >= 65_536, "{name}: {bill:?}");
        assert!(bill.to_string().contains(name));
    }
}
