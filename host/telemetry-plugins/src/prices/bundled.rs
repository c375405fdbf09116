//! The prices of genai-prices. The crate calculates and keeps its rates to itself, so they are found by asking it for amounts: a part is
//! priced when more of it than of what it is a kind of is an error, and its rate is what as much of it as of the whole input costs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use genai_prices::{Calculator, ErrorKind, PriceCalculation, PriceRequest, Usage, UsageKey};

use super::{PARTS, Question, Rates, row};

/// The release of the crate. A test holds it to the lock file.
pub(super) const SOURCE: &str = "genai-prices 0.2.1";
/// The day on which it was published: later prices are not in it.
const DATE: &str = "2026-10-30";

/// Where prices of the crate change; a test holds these three to its data. The days from whose midnight, UTC, some price holds.
pub(super) const DATES: [&str; 29] = [
    "2025-05-22",
    "2025-06-10",
    "2025-12-02",
    "2025-12-18",
    "2026-01-05",
    "2026-03-13",
    "2026-03-16",
    "2026-04-30",
    "2026-06-16",
    "2026-06-23",
    "2026-07-30",
    "2026-08-05",
    "2026-08-11",
    "2026-08-17",
    "2026-08-21",
    "2026-08-27",
    "2026-09-01",
    "2026-09-10",
    "2026-09-22",
    "2026-09-28",
    "2026-10-07",
    "2026-10-12",
    "2026-10-14",
    "2026-10-15",
    "2026-10-18",
    "2026-10-19",
    "2026-10-20",
    "2026-12-01",
    "2027-01-01",
];
/// The times of day, UTC, at which some price changes.
pub(super) const TIMES: [&str; 6] = ["00:30:00Z", "01:00:00Z", "04:00:00Z", "06:00:00Z", "10:00:00Z", "16:30:00Z"];
/// The input tokens beyond which some price changes.
pub(super) const SIZES: [u64; 9] = [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288];

/// 10^-12 dollars a dollar.
const PICO: f64 = 1e12;

const READ: u8 = 1;
const WRITE: u8 = 2;
const HOUR: u8 = 4;
const AUDIO: u8 = 8;
const REASONING: u8 = 16;

/// Parts of the input and what they are kinds of, in the order of [`PARTS`].
static INPUT: [(UsageKey, u8); 6] = [
    (UsageKey::INPUT_TOKENS, 0),
    (UsageKey::CACHE_READ_TOKENS, READ),
    (UsageKey::CACHE_WRITE_TOKENS, WRITE),
    (UsageKey::CACHE_WRITE_1H_TOKENS, WRITE | HOUR),
    (UsageKey::INPUT_AUDIO_TOKENS, AUDIO),
    (UsageKey::CACHE_AUDIO_READ_TOKENS, READ | AUDIO),
];
static OUTPUT: [(UsageKey, u8); 3] =
    [(UsageKey::OUTPUT_TOKENS, 0), (UsageKey::OUTPUT_REASONING_TOKENS, REASONING), (UsageKey::OUTPUT_AUDIO_TOKENS, AUDIO)];

/// Reads the data unless that was done.
pub(super) fn prepare() {
    let _ = Calculator::bundled();
}

/// What the crate says of the model at `time`, UTC nanoseconds; `None` when it has no price of it.
pub(super) fn answer(question: &Question<'_>, time: i64) -> Option<String> {
    let asking = Asking { question, time: system_time(time), size: question.input_tokens.max(1) as f64 };
    let nothing = asking.calculate(&Usage::new()).ok()?;
    let rates = asking.rates(&nothing)?;
    Some(row(&nothing.provider_id, &nothing.model_id, SOURCE, Some(DATE), &rates))
}

fn system_time(nanoseconds: i64) -> SystemTime {
    let since = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since }
}

struct Asking<'q> {
    question: &'q Question<'q>,
    time: SystemTime,
    /// All input tokens, and as many output tokens.
    size: f64,
}

impl Asking<'_> {
    fn calculate(&self, usage: &Usage) -> genai_prices::Result<PriceCalculation> {
        let mut request = PriceRequest::new(&self.question.model, usage).with_timestamp(self.time);
        request.provider_id = self.question.provider.as_deref().filter(|provider| !provider.is_empty());
        if let Some(tier) = &self.question.service_tier {
            request = request.with_price_context("service_tier", tier);
        }
        Calculator::bundled().calculate(&request)
    }

    fn rate(&self, price: f64) -> i64 {
        (price / self.size * 1e6 * PICO).round() as i64
    }

    /// `nothing` is what a request of no token costs.
    fn rates(&self, nothing: &PriceCalculation) -> Option<Rates> {
        let mut rates = Rates::default();
        let input = INPUT.iter().map(|part| self.part(&INPUT, part, false));
        let output = OUTPUT.iter().map(|part| self.part(&OUTPUT, part, true));
        for (place, rate) in rates.0.iter_mut().zip(input.chain(output)) {
            *place = rate.ok()?;
        }
        let request = (nothing.total_price * PICO).round() as i64;
        if let Some(place) = rates.0.get_mut(PARTS.len() - 1).filter(|_| request > 0) {
            *place = Some(request);
        }
        Some(rates)
    }

    /// The rate of one part; `None` when it has none of its own.
    fn part(&self, all: &[(UsageKey, u8)], (key, kind): &(UsageKey, u8), is_output: bool) -> genai_prices::Result<Option<i64>> {
        let mut usage = Usage::new();
        if is_output {
            usage.insert(UsageKey::INPUT_TOKENS, self.size);
        }
        let whole = all.iter().filter(|(_, of)| of & kind == *of);
        usage.extend(whole.map(|(key, _)| (key.clone(), self.size)));
        let mut wrong = usage.clone();
        if *kind == 0 {
            // Without the whole, some of it is an error if the whole has a price.
            wrong.remove(key);
            wrong.insert(if is_output { UsageKey::OUTPUT_REASONING_TOKENS } else { UsageKey::CACHE_READ_TOKENS }, 1.0);
        } else {
            wrong.insert(key.clone(), self.size + 1.0);
        }
        match self.calculate(&wrong) {
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidUsage => {}
            Err(error) => return Err(error),
        }
        let price = self.calculate(&usage)?;
        Ok(Some(self.rate(if is_output { price.output_price } else { price.input_price })))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_source_is_the_release_that_is_linked() {
        let lock = include_str!("../../../../Cargo.lock");
        let (_, version) = SOURCE.split_once(' ').unwrap();
        assert!(lock.contains(&format!("name = \"genai-prices\"\nversion = \"{version}\"\n")));
    }

    /// The constraints and tiers of the data of the crate that is linked, wherever they stand.
    #[test]
    fn knows_where_prices_change() {
        let out = std::process::Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--offline"]).output().unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "genai-prices").unwrap();
        let folder = std::path::Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let data = serde_json::from_slice(&std::fs::read(folder.join("data/prices.json")).unwrap()).unwrap();
        let [mut dates, mut times] = [BTreeSet::new(), BTreeSet::new()];
        let mut sizes = BTreeSet::new();
        each(&data, &mut |member, value| match member {
            "start_date" => drop(dates.insert(value.as_str().unwrap().to_owned())),
            "start_time" | "end_time" => drop(times.insert(value.as_str().unwrap().to_owned())),
            "tiers" => sizes.extend(value.as_array().unwrap().iter().map(|tier| tier["start"].as_u64().unwrap())),
            _ => {}
        });
        assert!(dates.iter().eq(&DATES) && times.iter().eq(&TIMES) && sizes.iter().eq(&SIZES), "{dates:?} {times:?} {sizes:?}");
    }

    fn each(value: &serde_json::Value, found: &mut dyn FnMut(&str, &serde_json::Value)) {
        for (member, value) in value.as_object().into_iter().flatten() {
            found(member, value);
            each(value, found);
        }
        value.as_array().into_iter().flatten().for_each(|value| each(value, found));
    }
}
