//! Measurements in processes of their own: this program again, with what to measure and the folder of compiled components.

use std::path::Path;
use std::process::Command;

use super::{median, memory, queue};

/// Tells a child what it is for.
const WORD: &str = "--apart";

/// Something to measure: its name, the figures' names, and what a process prints of it.
pub struct Part {
    pub name: &'static str,
    pub run: fn(&Path) -> Vec<f64>,
}

/// Parts whose figures have the same names.
pub struct Table {
    pub title: &'static str,
    pub columns: &'static [&'static str],
    pub parts: &'static [Part],
    /// Processes a part; one more goes before them.
    pub rounds: usize,
}

const TABLES: [&Table; 4] = [&memory::STARTS, &memory::POOL, &memory::SWAPS, &queue::QUEUE];

/// What this process is to measure, if it is a child.
pub fn child() -> Option<Vec<String>> {
    let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != WORD).skip(1).collect();
    (arguments.len() == 3).then_some(arguments)
}

/// Measures and prints.
pub fn run(arguments: &[String]) {
    let [table, part, cache] = arguments else { return };
    let part = &TABLES[table.parse::<usize>().unwrap()].parts[part.parse::<usize>().unwrap()];
    let figures: Vec<String> = (part.run)(Path::new(cache)).iter().map(ToString::to_string).collect();
    println!("{}", figures.join(" "));
}

/// All tables: medians, each figure of a process of its own.
pub fn print(cache: &Path) {
    for (place, table) in TABLES.iter().enumerate() {
        let columns: String = table.columns.iter().map(|column| format!(" {column:>16}")).collect();
        println!("\n{:<36}{columns}", table.title);
        for (part, Part { name, .. }) in table.parts.iter().enumerate() {
            // The first compiles what is not in the cache.
            let mut figures: Vec<[f64; 4]> = (0..=table.rounds).map(|_| measured(place, part, cache)).collect();
            figures.remove(0);
            let figures = median(&figures);
            let shown: String = figures.iter().take(table.columns.len()).map(|figure| format!(" {figure:>16.0}")).collect();
            println!("{name:<36}{shown}");
        }
    }
}

fn measured(table: usize, part: usize, cache: &Path) -> [f64; 4] {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let out = child.arg(WORD).arg(table.to_string()).arg(part.to_string()).arg(cache).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let mut figures = [0.0; 4];
    text.split_whitespace().zip(&mut figures).for_each(|(text, figure)| *figure = text.parse().unwrap());
    figures
}
