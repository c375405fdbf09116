//! Validators: violations, failures, the on-failure action.

use telemetry_model::Family;
use telemetry_model::outcome::RunOutcome;
use telemetry_plugins::{Catalog, FailureAction, PluginSettings, Severity};

use crate::guest::{Table, module, plugin};
use crate::loading::{Folder, settings};

const KEY: &str = "llm.usage.n";

/// Rejects rows above 1000, traps at 1, names a row that is not there at 2, a bad code at 3.
fn guest() -> String {
    module(
        "validator",
        "",
        r#"
  (data (i32.const 1100) "event.name")
  (data (i32.const 1120) "too-large")
  (data (i32.const 1140) "is above 1000")
  (data (i32.const 1160) "Not Kebab")
  (func (export "INTERFACE#configure") (param i32 i32) (result i32) (call $fine))
  (func (export "INTERFACE#validate")
    (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (result i32)
    (local $row i32) (local $value i64) (local $found i32) (local $at i32)
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $value (i64.load (i32.add (local.get $data) (i32.mul (local.get $row) (i32.const 8)))))
        (if (i64.eq (local.get $value) (i64.const 1)) (then (unreachable)))
        (if (i32.or (i64.gt_s (local.get $value) (i64.const 1000)) (i64.le_s (local.get $value) (i64.const 3))) (then
          (local.set $at (i32.add (i32.const 2048) (i32.mul (local.get $found) (i32.const 32))))
          (i32.store (local.get $at) (local.get $row))
          (if (i64.eq (local.get $value) (i64.const 2)) (then (i32.store (local.get $at) (local.get $rows))))
          (i32.store offset=4 (local.get $at) (i32.const 1100)) (i32.store offset=8 (local.get $at) (i32.const 10))
          (i32.store offset=12 (local.get $at) (i32.const 1120)) (i32.store offset=16 (local.get $at) (i32.const 9))
          (if (i64.eq (local.get $value) (i64.const 3)) (then (i32.store offset=12 (local.get $at) (i32.const 1160))))
          (i32.store offset=20 (local.get $at) (i32.const 1140)) (i32.store offset=24 (local.get $at) (i32.const 13))
          (i32.store8 offset=28 (local.get $at) (i64.gt_s (local.get $value) (i64.const 2000)))
          (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (i32.const 2048))
    (i32.store (i32.const 520) (local.get $found))
    (i32.const 512))"#,
    )
}

fn catalog(folder: &Folder, action: FailureAction) -> Catalog {
    let manifest = format!(
        "id = \"limits\"\nversion = \"0.1.0\"\nkind = \"validator\"\nfamilies = [\"llm\"]\n[[reads]]\nfield = 'attributes[\"{KEY}\"]'\ntype = \"integer\"\n"
    );
    folder.put("limits", &plugin("validator", &guest(), &manifest));
    Catalog::open(PluginSettings { validator_failure: action, ..settings(folder) }).unwrap()
}

fn table(numbers: &[i64]) -> Table {
    Table { family: Some(Family::Llm), ..Table::numbers(KEY, numbers.iter().copied()) }
}

#[test]
fn violations_come_by_row() {
    let folder = Folder::new();
    let validation = catalog(&folder, FailureAction::Flag).validate(&table(&[10, 1001, 20, 2001]));
    let severities: Vec<Vec<_>> =
        validation.violations.iter().map(|list| list.iter().map(|violation| violation.severity).collect()).collect();
    assert_eq!(severities, [vec![], vec![Severity::Reject], vec![], vec![Severity::Flag]]);
    let violation = &validation.violations[1][0];
    assert_eq!((&*violation.field, &*violation.code, &*violation.message), ("event.name", "too-large", "is above 1000"));
    assert_eq!(&*violation.plugin.plugin_id, "limits");
}

#[test]
fn other_families_are_not_handed_over() {
    let folder = Folder::new();
    let catalog = catalog(&folder, FailureAction::Flag);
    let validation = catalog.validate(&Table { family: Some(Family::Tool), ..table(&[2001]) });
    assert!(validation.violations[0].is_empty() && validation.runs[0].is_empty());
    assert_eq!(catalog.statuses()[0].counters.unwrap().calls, 0);
}

#[test]
fn a_row_it_fails_on_is_flagged_unvalidated_and_its_neighbours_are_not() {
    let folder = Folder::new();
    let catalog = catalog(&folder, FailureAction::Flag);
    for bad in [1, 2, 3] {
        let validation = catalog.validate(&table(&[10, bad, 1001]));
        let unvalidated: Vec<_> = validation.unvalidated.iter().map(Vec::len).collect();
        assert_eq!(unvalidated, [0, 1, 0], "{bad}");
        assert_eq!(&*validation.unvalidated[1][0].plugin_id, "limits");
        assert_eq!(validation.runs[1][0].outcome, RunOutcome::Trap);
        assert_eq!((validation.violations[1].len(), validation.violations[2].len()), (0, 1));
    }
}

#[test]
fn a_row_it_fails_on_is_rejected_when_so_set() {
    let folder = Folder::new();
    let validation = catalog(&folder, FailureAction::Quarantine).validate(&table(&[10, 1]));
    assert!(validation.unvalidated[1].is_empty());
    let violation = &validation.violations[1][0];
    assert_eq!((&*violation.code, violation.severity), ("unvalidated", Severity::Reject));
    assert!(violation.message.contains("`limits` trapped"), "{}", violation.message);
}
