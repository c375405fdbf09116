//! What the table `model-prices` says, asked once for each stretch of time and size in which its answer holds.

use std::sync::Mutex;

use cylestio_plugin_sdk::Settings;

use crate::parts::{INPUT, OUTPUT};

/// Answers kept at most: a batch has few models.
const MOST: usize = 32;

/// What is asked.
#[derive(Clone, Copy)]
pub struct Wanted<'r> {
    pub vendor: Option<&'r str>,
    pub model: &'r str,
    pub tier: Option<&'r str>,
    /// When the call began, UTC nanoseconds.
    pub time: i64,
    /// Of the whole input.
    pub tokens: i64,
}

/// An answer; 10^-12 dollars for a million tokens, in the order of [`INPUT`] and [`OUTPUT`], or for one request.
pub struct Prices {
    pub input: [Option<i64>; INPUT.len()],
    pub output: [Option<i64>; OUTPUT.len()],
    pub request: i64,
    pub source: String,
    pub date: Option<String>,
    /// Whose price it is, by the list's names.
    pub model: String,
}

/// An answer, and what it answers.
struct Answer {
    vendor: Option<String>,
    model: String,
    tier: Option<String>,
    /// From the first to before the second.
    times: [i64; 2],
    tokens: [i64; 2],
    prices: Prices,
}

/// The answers so far.
#[derive(Default)]
pub struct Known(Mutex<Vec<Answer>>);

impl Known {
    /// Does `with` the prices of what is wanted; false when it has none. `lookup` asks the table.
    pub fn with(&self, wanted: &Wanted, lookup: impl Fn(&str) -> Option<String>, with: impl FnOnce(&Prices)) -> bool {
        let Ok(mut known) = self.0.lock() else { return false };
        let at = match known.iter().position(|answer| answer.is_of(wanted)) {
            Some(at) => at,
            None => {
                let Some(answer) = lookup(&question(wanted)).and_then(|row| Answer::read(wanted, row)) else { return false };
                if known.len() >= MOST {
                    known.clear();
                }
                known.push(answer);
                known.len() - 1
            }
        };
        with(&known[at].prices);
        true
    }
}

impl Answer {
    /// `None` when the row says that nothing was understood.
    fn read(wanted: &Wanted, row: String) -> Option<Self> {
        let row = Settings::new(row, "");
        let provider = row.text("provider").filter(|provider| !provider.is_empty());
        let prices = Prices {
            source: row.text("source")?,
            input: INPUT.map(|(name, _)| row.integer(name)),
            output: OUTPUT.map(|(name, _)| row.integer(name)),
            request: row.integer("request").unwrap_or(0),
            date: row.text("date"),
            model: named(provider.as_deref(), &row.text("model").unwrap_or_default()),
        };
        let end = |name, open| row.integer(name).unwrap_or(open);
        // Ends that are not there are open; an answer that tells of none holds for what was asked alone.
        let [times, tokens] = match row.integer("tokens_from") {
            Some(least) => [[end("valid_from", i64::MIN), end("valid_until", i64::MAX)], [least, end("tokens_until", i64::MAX)]],
            None => [wanted.time, wanted.tokens].map(|at| [at, at.saturating_add(1)]),
        };
        let [vendor, tier] = [wanted.vendor, wanted.tier].map(|text| text.map(str::to_owned));
        Some(Answer { vendor, model: wanted.model.to_owned(), tier, times, tokens, prices })
    }

    fn is_of(&self, wanted: &Wanted) -> bool {
        (self.times[0]..self.times[1]).contains(&wanted.time)
            && (self.tokens[0]..self.tokens[1]).contains(&wanted.tokens)
            && self.model == wanted.model
            && self.vendor.as_deref() == wanted.vendor
            && self.tier.as_deref() == wanted.tier
    }
}

/// The key under which `model-prices` is asked. The members stand in this order, so that cases can name it.
fn question(wanted: &Wanted) -> String {
    let mut text = String::from("{");
    if let Some(vendor) = wanted.vendor {
        text += &format!("\"provider\":{},", quoted(vendor));
    }
    text += &format!("\"model\":{},\"time\":{},\"input_tokens\":{}", quoted(wanted.model), wanted.time, wanted.tokens);
    if let Some(tier) = wanted.tier {
        text += &format!(",\"service_tier\":{}", quoted(tier));
    }
    text + "}"
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\0'..'\u{20}' => out += &format!("\\u{:04x}", u32::from(char)),
            _ => out.push(char),
        }
    }
    out + "\""
}

/// `provider/model`.
pub fn named(provider: Option<&str>, model: &str) -> String {
    provider.map_or_else(|| model.to_owned(), |provider| format!("{provider}/{model}"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn asks_again_only_where_the_answer_ends() {
        let (known, asked) = (Known::default(), Cell::new(0));
        let rate_of = |model: &str, tier: Option<&str>, time: i64, tokens: i64| {
            let wanted = Wanted { vendor: Some("p"), model, tier, time, tokens };
            let lookup = |_: &str| {
                asked.set(asked.get() + 1);
                let ends =
                    if time < 200 { r#""valid_from":100,"valid_until":200,"tokens_from":0,"tokens_until":1000"# } else { r#""x":0"# };
                Some(format!(r#"{{"source":"s","input":{},{ends}}}"#, asked.get()))
            };
            let rate = Cell::new(0);
            assert!(known.with(&wanted, lookup, |prices| rate.set(prices.input[0].unwrap())));
            rate.get()
        };
        let asked = [
            ("m", None, 100, 0),
            ("m", None, 199, 999),
            ("m", None, 150, 1000),
            ("m", Some("flex"), 150, 5),
            ("n", None, 150, 5),
            ("m", None, 99, 5),
            ("m", None, 200, 5),
            ("m", None, 200, 5),
            ("m", None, 200, 6),
        ];
        let rates = asked.map(|(model, tier, time, tokens)| rate_of(model, tier, time, tokens));
        assert_eq!(rates, [1, 1, 2, 3, 4, 5, 6, 6, 7]);
    }
}
