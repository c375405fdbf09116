//! Charging each token once: what stands in a part with a price of its own is not charged with the whole.

const READ: u8 = 1;
const WRITE: u8 = 2;
const HOUR: u8 = 4;
const AUDIO: u8 = 8;
const REASONING: u8 = 16;

/// A part as `model-prices` names it, and what it is: a part is a kind of those whose marks it has all of.
type Part = (&'static str, u8);

/// The parts of the input, the whole first, no part before what it is a kind of.
pub const INPUT: [Part; 6] = [
    ("input", 0),
    ("cache_read", READ),
    ("cache_write", WRITE),
    ("cache_write_1h", WRITE | HOUR),
    ("input_audio", AUDIO),
    ("cache_audio_read", READ | AUDIO),
];
/// Those of the output.
pub const OUTPUT: [Part; 3] = [("output", 0), ("reasoning", REASONING), ("output_audio", AUDIO)];

/// What one side of a call costs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// 10^-18 dollars.
    pub atto: i128,
    /// Parts without a price.
    pub unpriced: Vec<&'static str>,
    pub unpriced_tokens: u64,
}

/// Charges `counts` of `parts` at `rates`, 10^-12 dollars for a million. Where the counts contradict each other, or overlap to an unknown
/// extent, the side has no price.
pub fn cost<const N: usize>(parts: &[Part; N], counts: &[Option<u64>; N], rates: &[Option<i64>; N]) -> Side {
    let (whole, used) = (parts[0].0, counts[0].unwrap_or(0));
    let unpriced = || Side { atto: 0, unpriced: vec![whole], unpriced_tokens: used };
    if counts[0].is_none() || (rates[0].is_none() && used > 0) || overlaps(parts, counts, rates) {
        return unpriced();
    }
    let mut alone = [0_i128; N];
    let mut side = Side::default();
    for at in (0..parts.len()).rev() {
        let Some(rate) = rates[at] else { continue };
        let within: i128 = (at + 1..parts.len()).filter(|kind| is_kind_of(parts[*kind], parts[at])).map(|kind| alone[kind]).sum();
        let left = i128::from(counts[at].unwrap_or(0)) - within;
        if left < 0 {
            return unpriced();
        }
        alone[at] = left;
        side.atto += left * i128::from(rate);
    }
    side
}

/// Two parts with prices of their own, of which some tokens may be both, and nobody says how many.
fn overlaps(parts: &[Part], counts: &[Option<u64>], rates: &[Option<i64>]) -> bool {
    let used = |at: usize| rates[at].is_some() && counts[at].unwrap_or(0) > 0;
    let both = |one: u8, other: u8| parts.iter().position(|(_, kind)| *kind == one | other);
    (0..parts.len()).filter(|at| used(*at)).any(|one| {
        (0..one).filter(|at| used(*at)).any(|other| {
            let (a, b) = (parts[one].1, parts[other].1);
            let nested = a & b == a || a & b == b;
            // A token is read from the cache or written to it, never both.
            let apart = (a | b) & (READ | WRITE) == READ | WRITE;
            !nested && !apart && both(a, b).is_none_or(|at| counts[at].is_none())
        })
    })
}

fn is_kind_of((_, kind): Part, (_, of): Part) -> bool {
    kind != of && kind & of == of
}

#[cfg(test)]
mod tests {
    use cylestio_plugin_sdk::Settings;

    use super::*;

    fn side(prices: &str, counts: [Option<u64>; 6]) -> Side {
        let prices = Settings::new(prices, "");
        cost(&INPUT, &counts, &INPUT.map(|(name, _)| prices.integer(name)))
    }

    fn unpriced(tokens: u64) -> Side {
        Side { atto: 0, unpriced: vec!["input"], unpriced_tokens: tokens }
    }

    #[test]
    fn charges_each_token_once() {
        let all = r#"{"input":1,"cache_read":10,"cache_write":100,"cache_write_1h":1000,"input_audio":10000,"cache_audio_read":100000}"#;
        let written = [Some(100), Some(30), Some(20), Some(5), None, None];
        assert_eq!(side(all, written), Side { atto: 50 + 30 * 10 + 15 * 100 + 5 * 1000, ..Side::default() });
        let counts = [Some(100), Some(30), None, None, Some(12), Some(2)];
        assert_eq!(side(all, counts), Side { atto: 60 + 28 * 10 + 10 * 10_000 + 2 * 100_000, ..Side::default() });
        let plain = Side { atto: 100, ..Side::default() };
        assert_eq!(side(r#"{"input":1}"#, counts), plain);
        assert_eq!(side(r#"{"input":1}"#, [Some(100), None, None, None, None, None]), plain);
    }

    #[test]
    fn does_not_guess() {
        let prices = r#"{"input":1,"cache_read":10,"input_audio":100,"cache_audio_read":1000}"#;
        assert_eq!(side(prices, [Some(9), Some(4), None, None, Some(4), None]), unpriced(9));
        assert_eq!(side(prices, [Some(9), Some(4), None, None, Some(4), Some(0)]).atto, 1 + 40 + 400);
        assert_eq!(side(prices, [Some(9), Some(10), None, None, None, None]), unpriced(9));
        let written = r#"{"input":1,"cache_write":10,"input_audio":100}"#;
        assert_eq!(side(written, [Some(9), None, Some(4), None, Some(4), None]), unpriced(9));
        assert_eq!(side(prices, [None, Some(10), None, None, None, None]), unpriced(0));
        assert_eq!(side("{}", [Some(9), None, None, None, None, None]), unpriced(9));
        assert_eq!(side("{}", [Some(0), None, None, None, None, None]), Side::default());
    }
}
