//! The table `model-prices`: what a call of a model costs at a time, from the operator's own prices and those that come with the crate
//! genai-prices. A plugin asks for it by name, like for a table of the operator's, and does the arithmetic itself.

mod bundled;
mod overrides;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use telemetry_model::Timestamp;

use crate::settings::LookupTable;
use bundled::Bundled;
pub use overrides::{PriceOverrides, PricesError};

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

/// What a plugin asks: the key of a look-up, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default)]
    provider: Option<String>,
    model: String,
    time: Moment,
    /// All input tokens of the request: some prices depend on them.
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    service_tier: Option<String>,
}

/// RFC 3339 text, or UTC nanoseconds.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Nanoseconds(i64),
    Text(String),
}

/// Looked up by a question of provider, model, time and input tokens; there are no keys, so nothing has a longest prefix.
#[derive(Debug)]
pub struct PriceTable {
    overrides: PriceOverrides,
    bundled: Bundled,
    digest: String,
}

impl PriceTable {
    /// The prices that come with the server, those of `overrides` before them.
    pub fn new(overrides: PriceOverrides) -> Self {
        let digest = format!("{} {}", bundled::SOURCE, overrides.digest());
        PriceTable { overrides, bundled: Bundled::default(), digest }
    }
}

impl LookupTable for PriceTable {
    /// `{"provider", "model", "source", "date", part: price, ..}`, or `{"error"}` when `key` is no question. A part without a price of its
    /// own is not there. Prices are in 10^-12 US dollars for a million tokens, `request` for one request.
    fn exact(&self, key: &str) -> Option<String> {
        let question = match serde_json::from_str::<Question>(key) {
            Ok(question) => question,
            Err(error) => return Some(serde_json::json!({ "error": format!("no question: {error}") }).to_string()),
        };
        let Some(time) = question.time.nanoseconds() else {
            return Some(serde_json::json!({ "error": "time: neither RFC 3339 nor nanoseconds" }).to_string());
        };
        self.overrides.answer(&question, time).or_else(|| self.bundled.answer(&question, system_time(time)))
    }

    fn longest_prefix(&self, _key: &str) -> Option<String> {
        None
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads the bundled prices, which takes a tenth of a second and 17 MB, once a process.
    fn prepare(&self) {
        self.bundled.prepare();
    }
}

impl Moment {
    fn nanoseconds(&self) -> Option<i64> {
        match self {
            Moment::Nanoseconds(time) => Some(*time),
            Moment::Text(text) => Timestamp::parse(text).ok().map(|time| time.0),
        }
    }
}

fn system_time(nanoseconds: i64) -> SystemTime {
    let since = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since }
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
}
