//! What several maskers found, as one.

use std::sync::Arc;

use super::{FoundLeaf, Span};

/// Both lists by place. Where spans of one leaf touch each other's bytes, one span covers both and says what the one that begins
/// first (or, of two that begin together, the longer) says.
pub(super) fn join(first: Vec<FoundLeaf>, second: Vec<FoundLeaf>) -> Vec<FoundLeaf> {
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second } else { first };
    }
    let mut joined: Vec<FoundLeaf> = Vec::with_capacity(first.len() + second.len());
    let mut all: Vec<FoundLeaf> = first.into_iter().chain(second).collect();
    all.sort_by_key(|(leaf, _)| *leaf);
    for (leaf, spans) in all {
        match joined.last_mut() {
            Some((known, before)) if *known == leaf => *before = union(before, &spans),
            _ => joined.push((leaf, spans)),
        }
    }
    joined
}

fn union(first: &[Span], second: &[Span]) -> Arc<[Span]> {
    let mut all: Vec<&Span> = first.iter().chain(second).collect();
    all.sort_by_key(|span| (span.start, u32::MAX - span.end));
    let mut joined: Vec<Span> = Vec::with_capacity(all.len());
    for span in all {
        match joined.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => joined.push(span.clone()),
        }
    }
    joined.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(list: &[(u32, u32, &str)]) -> Arc<[Span]> {
        list.iter().map(|(start, end, text)| Span { start: *start, end: *end, replacement: (*text).into() }).collect()
    }

    #[test]
    fn overlapping_spans_become_one_whatever_the_order() {
        let (one, two) = (spans(&[(0, 4, "a"), (10, 12, "b")]), spans(&[(2, 6, "c"), (6, 8, "d"), (10, 14, "e")]));
        let expected = spans(&[(0, 6, "a"), (6, 8, "d"), (10, 14, "e")]);
        assert_eq!(union(&one, &two), expected);
        assert_eq!(union(&two, &one), expected);
        let joined = join(vec![(1, one.clone()), (3, one.clone())], vec![(2, two.clone()), (3, two)]);
        assert_eq!(joined.iter().map(|(leaf, spans)| (*leaf, spans.len())).collect::<Vec<_>>(), [(1, 2), (2, 3), (3, 3)]);
    }
}
