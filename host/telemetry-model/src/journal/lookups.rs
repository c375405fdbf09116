//! What plugins ask of tables: how often and how many bytes, never which keys or what they gave.

use std::sync::Arc;

/// What one plugin asked of one of its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The table's name; its digest stands in the subject.
    pub table: Arc<str>,
    /// Keys asked for, those that were not found too.
    pub count: u64,
    /// Bytes of rows handed over.
    pub bytes: u64,
}

impl LookedUp {
    /// Adds `more` to `sums`, table by table.
    pub fn add(sums: &mut Vec<LookedUp>, more: &[LookedUp]) {
        for more in more {
            match sums.iter_mut().find(|sum| sum.table == more.table) {
                Some(sum) => (sum.count, sum.bytes) = (sum.count + more.count, sum.bytes + more.bytes),
                None => sums.push(more.clone()),
            }
        }
    }

    /// Takes the share of `part` rows out of that of `all`.
    pub fn share(left: &mut [LookedUp], part: usize, all: usize) -> Vec<LookedUp> {
        let of = |sum: u64| (u128::from(sum) * part as u128 / all.max(1) as u128) as u64;
        let taken: Vec<_> =
            left.iter().map(|sum| LookedUp { table: Arc::clone(&sum.table), count: of(sum.count), bytes: of(sum.bytes) }).collect();
        for (left, taken) in left.iter_mut().zip(&taken) {
            (left.count, left.bytes) = (left.count.saturating_sub(taken.count), left.bytes.saturating_sub(taken.bytes));
        }
        taken
    }

    /// `[["table", count, bytes], ..]` as it stands in the journal; `None` when nothing was asked.
    pub fn text(sums: &[LookedUp]) -> Option<String> {
        let listed: Vec<_> = sums.iter().filter(|sum| sum.count > 0).map(|sum| (&*sum.table, sum.count, sum.bytes)).collect();
        (!listed.is_empty()).then(|| serde_json::to_string(&listed).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let one = |table: &str, count, bytes| LookedUp { table: table.into(), count, bytes };
        let mut left = vec![one("t", 10, 101), one("u", 1, 7)];
        let mut sums = Vec::new();
        for (part, all) in [(1, 4), (2, 3), (1, 1)] {
            LookedUp::add(&mut sums, &LookedUp::share(&mut left, part, all));
        }
        assert_eq!(sums, [one("t", 10, 101), one("u", 1, 7)]);
        assert_eq!(LookedUp::text(&sums).unwrap(), r#"[["t",10,101],["u",1,7]]"#);
        assert_eq!(LookedUp::text(&left), None);
    }
}
