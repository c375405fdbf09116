//! What a text plugin costs: the workload of `workloads` as a rule, beside the closure in the host and the enricher in Rust.

use std::hint::black_box;

use telemetry_plugins::{Catalog, PluginSettings, Policy};

use crate::measure::medians;
use crate::workloads::{RUST, Table, WORKLOADS, read};

/// It counts characters where the others count bytes: the same in these rows. Content is left out, which they do not have.
const RULE: &str = r#"
id = "boundary-rule"
version = "0.1.0"
kind = "enricher"
[rule]
boundary.score = """
    (integer(boundary.number) ?? 0) + (size(boundary.first) ?? 0) + 2 * (size(boundary.second) ?? 0) + 3 * (size(boundary.third) ?? 0)"""
boundary.high = "real(boundary.share) > 0.5"
"#;

/// Prints the table: end to end, each call on a fresh instance; the rule also on one that lives.
pub fn rules() {
    // The two write the same keys.
    let open = |file: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let (policy, path) = (Policy::Open, Some(folder.path().into()));
        Catalog::open(PluginSettings { policy, path, without_shipped: true, ..PluginSettings::default() }).unwrap()
    };
    let (rust, rule) = (open("boundary.wasm", RUST), open("boundary-rule.toml", RULE.as_bytes()));
    let (rust, rule) = (rust.parts("boundary").unwrap(), rule.parts("boundary-rule").unwrap());
    println!("ns an event, end to end: project, call, check, read back; fresh instances but `live`");
    println!("{:<26} {:>5} {:>8} {:>9} {:>9} {:>9}", "workload", "batch", "native", "Rust", "rule", "live");
    for workload in &WORKLOADS[..2] {
        for count in workload.batches {
            let table = Table::new(workload, *count, false);
            let expected = table.native();
            assert_eq!(read(&rule.enrich(&rule.project(&table)).unwrap()), expected);
            let mut living = rule.live().unwrap();
            let row = medians([
                &mut || drop(black_box(table.native())),
                &mut || {
                    let batch = rust.project(&table);
                    black_box(read(&rust.enrich(&batch).unwrap()));
                    rust.recycle(batch);
                },
                &mut || {
                    let batch = rule.project(&table);
                    black_box(read(&rule.enrich(&batch).unwrap()));
                    rule.recycle(batch);
                },
                &mut || {
                    let batch = rule.project(&table);
                    black_box(read(&living.enrich(&batch).unwrap()));
                    rule.recycle(batch);
                },
            ]);
            let [native, rust_ns, rule_ns, live] = row.map(|ns| format!("{:>9.1}", ns / *count as f64));
            println!("{:<26} {count:>5}{native}{rust_ns:>10}{rule_ns:>10}{live:>10}", workload.name);
        }
    }
    let [instance, configured] = medians([&mut || rule.instantiate().unwrap(), &mut || rule.configure().unwrap()]);
    println!("ns: fresh instance {instance:.0}, configure {:.0} more", configured - instance);
}
