//! Memory and time of starts, memory of the pool of instances, and of swaps.

use std::path::Path;
use std::time::Instant;

use telemetry_model::{Field, Relation, Rows, Value};
use telemetry_plugins::{Catalog, PluginSettings, Registry, SHIPPED};

use super::apart::{Part, Table};
use super::guest::Guest;
use super::server::{Variant, bodies, config, fill, folder, open, resident, store};

/// A start with everything in the cache and a database that is there, what stays in memory, and a start that makes the database.
pub const STARTS: Table = Table {
    title: "start, warm cache",
    columns: &["open, ms", "open, KiB", "2,000 events", "new database, ms"],
    parts: &[
        Part { name: "no plugin", run: |cache| start(&variant("none", false, 0), cache) },
        Part { name: "all shipped", run: |cache| start(&variant("shipped", true, 0), cache) },
        Part { name: "50 dropped in", run: |cache| start(&variant("dropped", false, 50), cache) },
        Part { name: "all shipped and 50 dropped in", run: |cache| start(&variant("both", true, 50), cache) },
    ],
    rounds: 5,
};

/// Instances of `event-category` at one time, each after a call of 100 rows.
pub const POOL: Table = Table {
    title: "instances at one time",
    columns: &["KiB", "KiB each", "dropped, KiB", "again, KiB"],
    parts: &[
        Part { name: "1", run: |cache| pool(cache, 1) },
        Part { name: "8", run: |cache| pool(cache, 8) },
        Part { name: "32", run: |cache| pool(cache, 32) },
        Part { name: "128", run: |cache| pool(cache, 128) },
    ],
    rounds: 3,
};

/// Swaps of one enricher for another, each of which then works on 100 rows.
pub const SWAPS: Table = Table {
    title: "swaps",
    columns: &["before, KiB", "after, KiB", "ms a swap"],
    parts: &[Part { name: "200", run: |cache| swaps(cache, 200) }, Part { name: "1,000", run: |cache| swaps(cache, 1_000) }],
    rounds: 1,
};

const fn variant(name: &'static str, shipped: bool, guests: usize) -> Variant {
    Variant { name, shipped, journal: true, without: &[], guests }
}

/// Milliseconds to open the server; KiB of memory then, and after 2,000 events; milliseconds to open it on a new database.
fn start(variant: &Variant, cache: &Path) -> Vec<f64> {
    // The process before this one left its database, in which what serves is noted.
    let known = cache.join(variant.name);
    if !known.exists() {
        fill(variant, &known);
    }
    let (before, started) = (resident(), Instant::now());
    let app = open(config(variant, &known, cache));
    let (time, opened) = (started.elapsed(), resident());
    store(&app, &bodies(2_000, 100), 2_000);
    let worked = resident();
    app.close();
    let new = folder(variant);
    let started = Instant::now();
    let app = open(config(variant, new.path(), cache));
    let made = started.elapsed();
    app.close();
    vec![time.as_secs_f64() * 1e3, opened - before, worked - before, made.as_secs_f64() * 1e3]
}

/// KiB of `count` instances at one time, of each, what stays when they are dropped, and of as many again.
fn pool(cache: &Path, count: usize) -> Vec<f64> {
    let settings = PluginSettings {
        off: SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|id| id != "event-category").collect(),
        cache_path: Some(cache.join("cache")),
        state_path: Some(cache.join("state")),
        ..PluginSettings::default()
    };
    let catalog = Catalog::open(settings).unwrap();
    let parts = catalog.parts("event-category").unwrap();
    let batch = parts.project(&Names(100));
    let lived = || {
        let mut live: Vec<_> = (0..count).map(|_| parts.live().unwrap()).collect();
        live.iter_mut().for_each(|live| drop(live.enrich(&batch).unwrap()));
        resident()
    };
    let before = resident();
    let first = lived();
    let dropped = resident();
    let again = lived();
    vec![first - before, (first - before) / count as f64, dropped - before, again - before]
}

/// KiB when the first version has worked, and after `count` more; milliseconds a swap.
fn swaps(cache: &Path, count: usize) -> Vec<f64> {
    let folder = folder(&variant("", false, 0));
    let settings = PluginSettings {
        off: SHIPPED.iter().map(|shipped| shipped.id.to_owned()).collect(),
        path: Some(folder.path().join("plugins")),
        cache_path: Some(cache.join("cache")),
        state_path: Some(cache.join("state")),
        ..PluginSettings::default()
    };
    let swap = |number: usize| {
        let guest = Guest::enricher("swapped", &format!("(i64.const {number})"));
        guest.drop_into(folder.path());
    };
    swap(0);
    let registry = Registry::open(&settings, || ()).unwrap();
    let mut time = 0.0;
    let mut before = 0.0;
    // The first ones are there to fill what is filled once.
    const WARM: usize = 20;
    for number in 1..=count + WARM {
        swap(number);
        let started = Instant::now();
        let catalog = registry.reload(&settings);
        assert_eq!(catalog.enrich(&Names(100)).derived.iter().map(Vec::len).sum::<usize>(), 100);
        if number > WARM {
            time += started.elapsed().as_secs_f64() * 1e3 / count as f64;
        } else {
            before = resident();
        }
    }
    vec![before, resident(), time]
}

/// Rows that have a name.
struct Names(usize);

impl Rows for Names {
    fn len(&self) -> usize {
        self.0
    }
    fn family(&self, _row: usize) -> telemetry_model::Family {
        telemetry_model::Family::Llm
    }
    fn value(&self, _row: usize, field: &Field) -> Value<'_> {
        match field {
            Field::Fixed(Relation::Events, "name") => Value::Text("llm.call.start".into()),
            _ => Value::Absent,
        }
    }
    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}
