//! The operator's own prices: one TOML file, `[[prices]]` entries that win over the bundled ones.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use telemetry_model::Timestamp;

use super::{PARTS, Question, Rates, row};
use crate::load::read::digest;

/// Bytes of the file at most.
const MAX_FILE: u64 = 1 << 20;
/// The dearest million tokens, and the dearest request, in dollars.
const MAX_DOLLARS: i64 = 1_000_000;
/// Digits behind the point.
const DIGITS: usize = 12;
/// What an answer names as its source.
const SOURCE: &str = "operator";

/// Prices from a file; without one there are none.
#[derive(Clone, Debug, Default)]
pub struct PriceOverrides {
    entries: Vec<Entry>,
    digest: String,
}

/// Why a file of prices cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is too large.
    #[error("has more than {} MiB", MAX_FILE >> 20)]
    Size,
    /// It is no TOML of this shape.
    #[error("is no file of prices: {0}")]
    Syntax(String),
    /// An entry is wrong.
    #[error("the {place}. of `prices`, `{model}`: {reason}")]
    Entry {
        /// Counted from 1.
        place: usize,
        /// Its model.
        model: String,
        /// Why.
        reason: String,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    provider: Option<String>,
    /// In lower case; a pattern's without its star.
    model: String,
    is_pattern: bool,
    from: Option<(i64, String)>,
    rates: Rates,
    /// By rising size: the prices of requests with more input tokens.
    tiers: Vec<(u64, Rates)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    prices: Vec<RawEntry>,
}

#[derive(Deserialize)]
struct RawEntry {
    provider: Option<String>,
    model: String,
    from: Option<toml::Value>,
    #[serde(default)]
    tiers: Vec<RawTier>,
    #[serde(flatten)]
    rates: toml::Table,
}

#[derive(Deserialize)]
struct RawTier {
    above: u64,
    #[serde(flatten)]
    rates: toml::Table,
}

impl PriceOverrides {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`PricesError`], which names the entry.
    pub fn read(path: &Path) -> Result<Self, PricesError> {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(PricesError::Size);
        }
        Self::parse(&text)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// [`PricesError`], which names the entry.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let file: RawFile = toml::from_str(text).map_err(|error| PricesError::Syntax(error.to_string().trim().replace('\n', " ")))?;
        let entry = |(place, raw): (usize, RawEntry)| {
            let model = raw.model.clone();
            Entry::new(raw).map_err(|reason| PricesError::Entry { place: place + 1, model, reason })
        };
        let entries = file.prices.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(PriceOverrides { entries, digest: digest(text.as_bytes()) })
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// When entries come into force, UTC nanoseconds.
    pub(super) fn times(&self) -> impl Iterator<Item = i64> {
        self.entries.iter().filter_map(|entry| entry.from.as_ref().map(|(time, _)| *time))
    }

    /// The input tokens beyond which other prices hold.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().flat_map(|entry| entry.tiers.iter().map(|(above, _)| *above))
    }

    /// The entry that fits best: an exact name before the longest pattern, one of a provider before one of all, the latest that is in force.
    pub(super) fn answer(&self, question: &Question<'_>, time: i64) -> Option<String> {
        let model = question.model.to_lowercase();
        let provider = question.provider.as_ref().map(|provider| provider.to_lowercase());
        let fits = |entry: &&Entry| {
            let named = if entry.is_pattern { model.starts_with(&entry.model) } else { model == entry.model };
            named
                && entry.from.as_ref().is_none_or(|(from, _)| *from <= time)
                && entry.provider.as_ref().is_none_or(|own| provider.as_ref() == Some(own))
        };
        let rank =
            |entry: &&Entry| (!entry.is_pattern, entry.model.len(), entry.provider.is_some(), entry.from.as_ref().map(|(from, _)| *from));
        let entry = self.entries.iter().filter(fits).max_by_key(rank)?;
        let tier = entry.tiers.iter().rev().find(|(above, _)| question.input_tokens > *above);
        let rates = tier.map_or(&entry.rates, |(_, rates)| rates);
        let date = entry.from.as_ref().map(|(_, text)| text.as_str());
        Some(row(provider.as_deref().unwrap_or_default(), &model, SOURCE, date, rates))
    }
}

impl Entry {
    fn new(raw: RawEntry) -> Result<Self, String> {
        let model = raw.model.to_lowercase();
        let pattern = model.strip_suffix('*').map(str::to_owned);
        let from = match raw.from {
            None => None,
            Some(value) => Some(moment(&value).ok_or("`from` is neither a date nor a time")?),
        };
        let rates = merged(&Rates::default(), &raw.rates)?;
        check(&rates)?;
        let mut tiers = Vec::new();
        for tier in &raw.tiers {
            let rates = merged(&rates, &tier.rates)?;
            check(&rates)?;
            if tiers.last().is_some_and(|(above, _)| *above >= tier.above) {
                return Err("`above` must rise from tier to tier".to_owned());
            }
            tiers.push((tier.above, rates));
        }
        let provider = raw.provider.map(|provider| provider.to_lowercase());
        Ok(Entry { provider, is_pattern: pattern.is_some(), model: pattern.unwrap_or(model), from, rates, tiers })
    }
}

/// A date is its midnight, UTC.
fn moment(value: &toml::Value) -> Option<(i64, String)> {
    let text = match value {
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::String(text) => text.clone(),
        _ => return None,
    };
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.clone() };
    Some((Timestamp::parse(&whole).ok()?.0, text))
}

fn merged(rates: &Rates, table: &toml::Table) -> Result<Rates, String> {
    let mut rates = rates.clone();
    for (name, value) in table {
        let place = PARTS.iter().position(|part| part == name);
        let place = place.and_then(|place| rates.0.get_mut(place));
        let place = place.ok_or_else(|| format!("`{name}` is not known; there are provider, model, from, tiers, {}", PARTS.join(", ")))?;
        *place = Some(pico(value).ok_or_else(|| {
            format!(
                "`{name}` is no price: dollars from 0 to {MAX_DOLLARS}, as a number or text, with at most {DIGITS} digits behind the point"
            )
        })?);
    }
    Ok(rates)
}

/// A part needs the price of what it is a kind of, and two that can overlap need one for where they do.
fn check(rates: &Rates) -> Result<(), String> {
    let is = |name: &str| PARTS.iter().zip(rates.0).any(|(part, rate)| *part == name && rate.is_some());
    let needs = [
        ("cache_read", "input"),
        ("cache_write", "input"),
        ("cache_write_1h", "cache_write"),
        ("input_audio", "input"),
        ("cache_audio_read", "cache_read"),
        ("cache_audio_read", "input_audio"),
        ("reasoning", "output"),
        ("output_audio", "output"),
    ];
    if let Some((part, whole)) = needs.iter().find(|(part, whole)| is(part) && !is(whole)) {
        return Err(format!("`{part}` needs a price of `{whole}`"));
    }
    if is("cache_read") && is("input_audio") && !is("cache_audio_read") {
        return Err("`cache_read` and `input_audio` need a price of `cache_audio_read`".to_owned());
    }
    if is("input") || is("output") || is("request") { Ok(()) } else { Err("there is no price".to_owned()) }
}

/// Dollars in 10^-12, exactly.
fn pico(value: &toml::Value) -> Option<i64> {
    let text = match value {
        toml::Value::Integer(whole) => whole.to_string(),
        toml::Value::Float(real) => real.to_string(),
        toml::Value::String(text) => text.clone(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DIGITS {
        return None;
    }
    let whole = whole.parse::<i64>().ok().filter(|whole| *whole < MAX_DOLLARS || (*whole == MAX_DOLLARS && fraction.is_empty()))?;
    let fraction = format!("{fraction:0<DIGITS$}").parse::<i64>().ok()?;
    Some(whole * 1_000_000_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceTable;
    use crate::settings::LookupTable as _;

    const FILE: &str = r#"
[[prices]]
model = "gpt-4o*"
input = 1
output = "2.000000000001"
[[prices]]
provider = "OpenAI"
model = "gpt-4o"
from = 2026-01-01
input = 0.1
cache_read = 0.01
output = 0
tiers = [{ above = 1000, input = 0.2 }]
[[prices]]
provider = "openai"
model = "gpt-4o"
from = "2026-06-01T12:00:00Z"
input = 0.3
"#;

    #[test]
    fn the_best_entry_in_force_wins_over_what_is_bundled() {
        let table = PriceTable::new(PriceOverrides::parse(FILE).unwrap());
        let ask = |provider: &str, model: &str, time: &str, tokens: u64| {
            let question = serde_json::json!({"provider": provider, "model": model, "time": time, "input_tokens": tokens});
            let row: serde_json::Value = serde_json::from_str(&table.exact(&question.to_string()).unwrap()).unwrap();
            (
                row["source"].as_str().unwrap().to_owned(),
                row["date"].as_str().map(str::to_owned),
                row["input"].as_i64(),
                row["output"].as_i64(),
            )
        };
        let own = |date: Option<&str>, input, output| ("operator".to_owned(), date.map(str::to_owned), Some(input), output);
        assert_eq!(ask("openai", "gpt-4o-mini", "2026-03-01T00:00:00Z", 1), own(None, 1_000_000_000_000, Some(2_000_000_000_001)));
        assert_eq!(ask("openai", "GPT-4o", "2025-12-31T23:59:59Z", 1), own(None, 1_000_000_000_000, Some(2_000_000_000_001)));
        assert_eq!(ask("openai", "gpt-4o", "2026-01-01T00:00:00Z", 1000), own(Some("2026-01-01"), 100_000_000_000, Some(0)));
        assert_eq!(ask("openai", "gpt-4o", "2026-01-01T00:00:00Z", 1001), own(Some("2026-01-01"), 200_000_000_000, Some(0)));
        assert_eq!(ask("openai", "gpt-4o", "2026-06-01T12:00:00Z", 5000), own(Some("2026-06-01T12:00:00Z"), 300_000_000_000, None));
        assert_eq!(ask("azure", "gpt-4o", "2026-06-01T12:00:00Z", 1), own(None, 1_000_000_000_000, Some(2_000_000_000_001)));
        assert_eq!(ask("openai", "o3", "2026-06-01T12:00:00Z", 1).0, "genai-prices 0.2.1");
        assert_ne!(table.digest(), PriceTable::new(PriceOverrides::default()).digest());
    }

    #[test]
    fn names_the_entry_that_is_wrong() {
        let cases = [
            ("x = 1", "unknown field `x`"),
            ("[[prices]]\nmodel = \"m\"", "the 1. of `prices`, `m`: there is no price"),
            ("[[prices]]\nmodel = \"m\"\ninput = -1", "`input` is no price"),
            ("[[prices]]\nmodel = \"m\"\ninput = 1e-13", "`input` is no price"),
            ("[[prices]]\nmodel = \"m\"\ninput = \"1.0000000000001\"", "`input` is no price"),
            ("[[prices]]\nmodel = \"m\"\ninput = 1000001", "`input` is no price"),
            ("[[prices]]\nmodel = \"m\"\ninput = nan", "`input` is no price"),
            ("[[prices]]\nmodel = \"m\"\ninptu = 1", "`inptu` is not known"),
            ("[[prices]]\nmodel = \"m\"\ncache_read = 1", "`cache_read` needs a price of `input`"),
            ("[[prices]]\nmodel = \"m\"\ninput = 1\ncache_read = 1\ninput_audio = 1", "need a price of `cache_audio_read`"),
            ("[[prices]]\nmodel = \"m\"\ninput = 1\nfrom = \"May\"", "`from` is neither"),
            ("[[prices]]\nmodel = \"m\"\ninput = 1\ntiers = [{above = 2}, {above = 2}]", "must rise"),
        ];
        for (text, expected) in cases {
            let error = PriceOverrides::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
