//! The table `model-prices`: what a call of a model costs at a time, from the operator's own prices and those that come with the crate
//! genai-prices. A plugin asks for it by name, like for a table of the operator's, and does the arithmetic itself.

mod bundled;
mod overrides;
mod turns;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use telemetry_model::Timestamp;

use crate::settings::LookupTable;
pub use overrides::{PriceOverrides, PricesError};
use turns::{Stretch, Turns};

/// The table's name.
pub const MODEL_PRICES: &str = "model-prices";

/// Prices in 10^-12 US dollars for a million tokens, `request` for one request; `None` of what has no price of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rates([Option<i64>; PARTS.len()]);

/// What is priced, by name. What stands in a part also counts in those it is a kind of: `cache_read` in `input`.
const PARTS: [&str; 10] = [
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "cache_audio_read",
    "output",
    "reasoning",
    "output_audio",
    "request",
];

/// Answers that are remembered at most, and bytes of what is asked of one.
const MAX_KNOWN: usize = 4_096;
const MAX_KEY: usize = 512;

/// What a plugin asks: the key of a look-up, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question<'q> {
    #[serde(borrow, default)]
    provider: Option<Cow<'q, str>>,
    #[serde(borrow)]
    model: Cow<'q, str>,
    /// RFC 3339 text, or UTC nanoseconds.
    #[serde(borrow)]
    time: &'q RawValue,
    /// All input tokens of the request: some prices depend on them.
    #[serde(default)]
    input_tokens: u64,
    #[serde(borrow, default)]
    service_tier: Option<Cow<'q, str>>,
}

/// Looked up by a question of provider, model, time and input tokens; there are no keys, so nothing has a longest prefix.
#[derive(Debug)]
pub struct PriceTable {
    overrides: PriceOverrides,
    digest: String,
    turns: Turns,
    /// Answers by what was asked and the stretch it falls in, without their last brace.
    known: Mutex<HashMap<String, Option<Arc<str>>>>,
}

impl PriceTable {
    /// The prices that come with the server, those of `overrides` before them.
    pub fn new(overrides: PriceOverrides) -> Self {
        let digest = format!("{} {}", bundled::SOURCE, overrides.digest());
        let turns = Turns::new(&overrides);
        PriceTable { overrides, digest, turns, known: Mutex::default() }
    }

    /// What holds for the whole stretch: asked of its least size, so that the answer is one.
    fn answer(&self, question: Question<'_>, time: i64, stretch: &Stretch) -> Option<Arc<str>> {
        let key = question.within(stretch);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&key) {
            return known.clone();
        }
        let question = Question { input_tokens: stretch.tokens_from, ..question };
        let row = self.overrides.answer(&question, time).or_else(|| bundled::answer(&question, time));
        let open: Option<Arc<str>> = row.map(|row| row.strip_suffix('}').unwrap_or(&row).into());
        if key.len() <= MAX_KEY {
            let mut known = known();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(key, open.clone());
        }
        open
    }
}

impl LookupTable for PriceTable {
    /// `{"provider", "model", "source", "date", part: price, .., "valid_from", "valid_until", "tokens_from", "tokens_until"}`, or `{"error"}`
    /// when `key` is no question. A part without a price of its own is not there. Prices are in 10^-12 US dollars for a million tokens,
    /// `request` for one request. The same question has the same answer at times, UTC nanoseconds, from `valid_from` to before
    /// `valid_until`, for input tokens from `tokens_from` to before `tokens_until`; an end that is not there is open.
    fn exact(&self, key: &str) -> Option<String> {
        let question = match serde_json::from_str::<Question<'_>>(key) {
            Ok(question) => question,
            Err(error) => return Some(serde_json::json!({ "error": format!("no question: {error}") }).to_string()),
        };
        let Some(time) = nanoseconds(question.time) else {
            return Some(serde_json::json!({ "error": "time: neither RFC 3339 nor nanoseconds" }).to_string());
        };
        let stretch = self.turns.around(time, question.input_tokens);
        let row = self.answer(question, time, &stretch)?;
        Some(format!("{row}{stretch}}}"))
    }

    fn longest_prefix(&self, _key: &str) -> Option<String> {
        None
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads the bundled prices, which takes a tenth of a second and 17 MB, once a process.
    fn prepare(&self) {
        bundled::prepare();
    }
}

impl Question<'_> {
    /// Names it and the stretch, and nothing else; lengths keep one text from passing for another.
    fn within(&self, stretch: &Stretch) -> String {
        let texts = [self.provider.as_deref(), Some(&*self.model), self.service_tier.as_deref()];
        let mut key = String::with_capacity(64);
        let _ = write!(key, "{:?}", stretch.places);
        for text in texts {
            let _ = write!(key, " {:?}:{}", text.map(str::len), text.unwrap_or_default());
        }
        key
    }
}

fn nanoseconds(time: &RawValue) -> Option<i64> {
    match time.get().starts_with('"') {
        true => Timestamp::parse(&serde_json::from_str::<Cow<'_, str>>(time.get()).ok()?).ok().map(|time| time.0),
        false => time.get().parse().ok(),
    }
}

/// The row that a plugin gets.
fn row(provider: &str, model: &str, source: &str, date: Option<&str>, rates: &Rates) -> String {
    let mut row = serde_json::Map::new();
    let priced = PARTS.iter().zip(rates.0).filter_map(|(part, rate)| Some(((*part).to_owned(), rate?.into())));
    row.extend(priced);
    row.insert("provider".to_owned(), provider.into());
    row.insert("model".to_owned(), model.into());
    row.insert("source".to_owned(), source.into());
    row.insert("date".to_owned(), date.into());
    serde_json::Value::Object(row).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> i64 {
        Timestamp::parse(time).unwrap().0
    }

    fn ask(table: &PriceTable, question: serde_json::Value) -> serde_json::Value {
        table.exact(&question.to_string()).map_or(serde_json::Value::Null, |row| serde_json::from_str(&row).unwrap())
    }

    #[test]
    fn answers_with_bundled_prices_of_the_time_and_the_size() {
        let table = PriceTable::new(PriceOverrides::default());
        let gpt = ask(&table, serde_json::json!({"provider": "openai", "model": "gpt-4o", "time": "2026-11-23T08:00:00Z"}));
        let expected = serde_json::json!({
            "provider": "openai", "model": "gpt-4o", "source": "genai-prices 0.2.1", "date": "2026-10-30",
            "input": 2_500_000_000_000_i64, "cache_read": 1_250_000_000_000_i64, "output": 10_000_000_000_000_i64,
            "valid_from": at("2026-11-23T06:00:00Z"), "valid_until": at("2026-11-23T10:00:00Z"),
            "tokens_from": 0, "tokens_until": 32_001,
        });
        assert_eq!(gpt, expected);
        let sized = |tokens: u64| {
            let question = serde_json::json!({"provider": "google", "model": "gemini-2.5-pro", "time": 0, "input_tokens": tokens});
            let row = ask(&table, question);
            (row["input"].as_i64().unwrap(), row["output"].as_i64().unwrap())
        };
        assert_eq!(sized(200_000), (1_250_000_000_000, 10_000_000_000_000));
        assert_eq!(sized(200_001), (2_500_000_000_000, 15_000_000_000_000));
        let tiered = |tier: Option<&str>| {
            ask(&table, serde_json::json!({"provider": "openai", "model": "o3", "time": "2026-10-12T00:00:00Z", "service_tier": tier}))
        };
        assert_eq!(
            (tiered(None)["input"].as_i64(), tiered(Some("flex"))["input"].as_i64()),
            (Some(2_000_000_000_000), Some(1_000_000_000_000))
        );
        assert_eq!(ask(&table, serde_json::json!({"provider": "openai", "model": "none-such", "time": 0})), serde_json::Value::Null);
        assert!(ask(&table, serde_json::json!({"model": "gpt-4o"}))["error"].as_str().unwrap().contains("time"));
        assert_eq!(table.longest_prefix("{"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_remembered_is_what_is_said_of_the_very_time_and_size(
            asked in proptest::collection::vec((0..6_usize, 1_745_000_000..1_805_000_000_i64, 0..600_000_u64), 1..40),
        ) {
            let own = "[[prices]]\nmodel = \"gpt-4o\"\nfrom = 2026-03-01T12:00:00Z\ninput = 1\ntiers = [{ above = 5000, input = 2 }]";
            let overrides = PriceOverrides::parse(own).unwrap();
            let table = PriceTable::new(overrides.clone());
            for (model, seconds, tokens) in asked {
                let model = ["gpt-4o", "gemini-2.5-pro", "claude-sonnet-4-5", "deepseek-chat", "o3", "none-such"][model];
                for time in [seconds * 1_000_000_000, seconds * 1_000_000_000 / 1_800_000_000_000 * 1_800_000_000_000] {
                    let key = serde_json::json!({"model": model, "time": time, "input_tokens": tokens}).to_string();
                    let question: Question<'_> = serde_json::from_str(&key).unwrap();
                    let direct = overrides.answer(&question, time).or_else(|| bundled::answer(&question, time));
                    let mut said = table.exact(&key).map(|row| serde_json::from_str::<serde_json::Value>(&row).unwrap());
                    if let Some(row) = said.as_mut().and_then(|row| row.as_object_mut()) {
                        let ends = ["valid_from", "valid_until", "tokens_from", "tokens_until"].map(|name| row.remove(name));
                        let [from, until, least, beyond] = ends.map(|end| end.and_then(|end| end.as_i64()));
                        proptest::prop_assert!(from.unwrap() <= time && time < until.unwrap());
                        proptest::prop_assert!(least.unwrap() <= tokens as i64 && beyond.is_none_or(|beyond| (tokens as i64) < beyond));
                    }
                    proptest::prop_assert_eq!(said, direct.map(|row| serde_json::from_str(&row).unwrap()));
                }
            }
        }
    }
}
