//! The two laws of the contract: any cut or order of rows gives each the same answer; any cut and merge evaluates to the same.

use serde_json::Value as Json;

use super::values::{next, shuffled};
use super::{Failure, ROWS, SEEDS, Subject, expect};

/// The row law.
pub(super) fn rows(subject: &Subject<'_>) -> Result<(), Failure> {
    for seed in 0..SEEDS {
        let given = subject.values.rows(ROWS, seed);
        let parsed = subject.trial.rows(&given)?;
        let whole = subject.answer(&given)?;
        let order = shuffled(given.len(), seed);
        for size in [1, 2 + seed as usize, ROWS] {
            for places in order.chunks(size) {
                let part = subject.trial.answer(&parsed.pick(places))?;
                for (place, found) in places.iter().zip(&part) {
                    let row = given.get(*place..*place + 1).unwrap_or_default();
                    let problem = format!("a row in a batch of {ROWS} and in one of {} has different answers", places.len());
                    expect(&problem, row, found, whole.get(*place).unwrap_or(&Json::Null))?;
                }
            }
        }
    }
    Ok(())
}

/// The metric law.
pub(super) fn metric(subject: &Subject<'_>) -> Result<(), Failure> {
    for seed in 0..SEEDS {
        let rows = subject.values.rows(ROWS, seed);
        let Err(failure) = cut_and_merged(subject, &rows, seed) else { continue };
        // The fewest rows that show it say more.
        let shorter = (0..rows.len()).find_map(|count| cut_and_merged(subject, rows.get(..count)?, seed).err());
        return Err(shorter.unwrap_or(failure));
    }
    Ok(())
}

fn cut_and_merged(subject: &Subject<'_>, rows: &[Json], seed: u64) -> Result<(), Failure> {
    let (mut state, group_count) = (seed, 1 + (seed % 3) as u32);
    let groups: Vec<u32> = rows.iter().map(|_| (next(&mut state) % u64::from(group_count)) as u32).collect();
    let all: Vec<u32> = (0..group_count).collect();
    let parsed = subject.trial.rows(rows)?;
    let open = || subject.trial.accumulator(&subject.parameters);
    let mut whole = open()?;
    whole.update(&parsed, &groups, group_count)?;
    let mut merged = open()?;
    for (part, places) in shuffled(rows.len(), seed).chunks(1 + seed as usize).enumerate() {
        let ids: Vec<u32> = places.iter().filter_map(|place| groups.get(*place).copied()).collect();
        if part % 3 == 0 {
            merged.update(&parsed.pick(places), &ids, group_count)?;
            continue;
        }
        let mut other = open()?;
        other.update(&parsed.pick(places), &ids, group_count)?;
        let states = other.state()?;
        if states != other.state()? {
            return Err(Failure { problem: "reading a state changes it".to_owned(), rows: rows.to_vec(), answers: None });
        }
        merged.merge(&states, &all, group_count)?;
    }
    let (merged, whole) = (merged.evaluate()?, whole.evaluate()?);
    for (group, expected) in whole.iter().enumerate() {
        let problem = format!("group {group} of rows cut apart and merged evaluates otherwise than of the rows whole");
        expect(&problem, rows, expected, merged.get(group).unwrap_or(&Json::Null))?;
    }
    Ok(())
}
